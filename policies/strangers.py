"""Which callers others may be asked about: those whom nobody here knows, and where it could change something. Pure.

A look-up takes time, costs money and tells somebody else who calls here. So nobody is asked about a caller who is
known, on a list, expected, verified or labelled already, nor where the decision came from anything but the policy.
"""

from __future__ import annotations

from policies.decision import Decision, IncomingCall
from policies.engine import challenge_passed
from policies.policy import Case
from reputation.facts import Facts
from reputation.model import CallerKind, Level

# The steps of the precedence in which evidence counts: the policy's rules, and its default.
STEPS_OF_POLICY = (8, 9)


def is_stranger(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Whether nobody here has anything to do with the caller, and the policy alone has decided."""
    return (
        decision.step in STEPS_OF_POLICY
        and call.caller.kind is CallerKind.NUMBER
        and call.caller.key is not None
        and not facts.ties
        and facts.identity is None
        and not facts.own_number
        and facts.caller_person is None
        and not challenge_passed(Case(call, facts, now))
    )


def may_ask_others(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Whether what others say of the caller could change the decision: of a stranger against whom there is nothing."""
    return facts.reputation.level is Level.NONE and is_stranger(call, facts, decision, now)


def may_ask_again(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Whether a stranger is labelled by what others said: if that has become old they are asked anew, and no call
    waits for it.
    """
    looked_up = any(row.looked_up for row in facts.imported)
    return looked_up and facts.reputation.level <= Level.TAG and is_stranger(call, facts, decision, now)
