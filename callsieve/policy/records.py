"""Policies, and cases that were tried, for scripts and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from callsieve.changes.operation import Refused
from callsieve.settings import Loaded
from policies.cases import Tried
from policies.decision import Action
from policies.policy import Policy, PolicyError, PolicyNotFound
from reputation.wording import Wording


def policy_as_json(policy: Policy) -> dict[str, object]:
    """A policy: its rules in the order in which they are tried."""
    return {
        "name": policy.name,
        "chain": policy.chain,
        "observe": policy.observe,
        "default": policy.default.word,
        "rules": [
            {
                "name": rule.name,
                "when": [condition.text for condition in rule.when],
                "action": rule.action.word,
                "reason": str(rule.reason),
                "label": rule.label,
                "ask": rule.ask,
            }
            for rule in policy.rules
        ],
    }


def tried_as_json(tried: Iterable[tuple[str, Tried]]) -> dict[str, Any]:
    """Cases with the file that each is from, and how many differ from what is expected."""
    cases = [
        {
            "file": file,
            "name": one.name,
            "passed": not one.differs,
            "differs": [{"key": key, "expected": expected, "found": found} for key, expected, found in one.differs],
            "policy": one.decision.policy,
            "action": one.decision.action.word,
            "would_be": one.decision.would_be.word,
            "rule": one.decision.rule,
            "reason": str(one.decision.reason),
            "step": one.decision.step,
            "capped_by": None if one.decision.capped_by is None else str(one.decision.capped_by),
        }
        for file, one in tried
    ]
    return {"cases": len(cases), "failed": sum(not one["passed"] for one in cases), "tried": cases}


T = TypeVar("T")


@contextmanager
def writing(loaded: Loaded) -> Iterator[None]:
    """Inside, a file beside the store that cannot be written is Refused."""
    try:
        yield
    except OSError as error:
        raise Refused("cannot-write", f"{error.filename or loaded.state}: {error.strerror}") from None


def usable(load: Callable[[], T], name: str = "") -> T:
    """What it loads; a policy that cannot be used, or that is not there (`name`), is Refused."""
    try:
        return load()
    except PolicyNotFound as error:
        if error.name != name:  # what it extends
            raise Refused("unusable-policy", str(error)) from None
        raise Refused("no-such-policy", error.words, "policy") from None
    except PolicyError as error:
        raise Refused("unusable-policy", str(error)) from None


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
