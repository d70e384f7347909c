"""Policies that stop calls need a place to send them to: which do, and what to say where there is none."""

from __future__ import annotations

from policies.decision import Action
from policies.policy import Policy
from reputation.wording import Wording

STOPPING = frozenset({Action.CHALLENGE, Action.ROUTE})
STOPPING_WORDS = frozenset(action.word for action in STOPPING)
WAY_OUT = Wording("set [actions] route, or give each [[did]] a callee who has a voicemail box")
WAY_OUT_ON_FREEPBX = Wording(
    "set [actions] route ({example} is the voicemail of 201), or give each [[did]] a callee who has a voicemail box",
    {"example": "ext-local,vmu201,1"},
)
# What a command says that makes calls stop without a place for them.
NO_ROUTE = (
    "[actions] route is empty: calls that it stops go to the callee's voicemail; without a box a routed call rings on, "
    "and a failed challenge is turned away. `callsieve doctor` names the DIDs"
)


def stops_calls(policy: Policy) -> bool:
    """Whether it acts, and challenges or routes some calls."""
    orders = {policy.default, *(rule.action for rule in policy.rules)}
    return not policy.observe and not STOPPING.isdisjoint(orders)
