"""Remarks on a policy that can be used: what in it never holds, and what turns callers away because of our own people
alone. Its errors: `policies.loader.read_policy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from itertools import chain

from policies.conditions import single_conditions
from policies.decision import Action
from policies.policy import Condition, Policy
from reputation.model import Level, Verification

# Conditions whose operands are names that the settings define; one that is not there never holds.
NAMES = {"trunk": "[[trunk]]", "did": "[[did]]", "callee_group": "[[person]] or [[did]]", "listed": "imported source"}


def unknown_names(policy: Policy, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Conditions that name a trunk, DID, group or source that is not in `known` (by condition): remarks, no errors."""
    return [
        f"rule '{rule.name}': {condition.name} {name!r} is no {NAMES[condition.name]}: it never holds"
        for rule in policy.rules
        for condition in single_conditions(rule.when)
        if condition.name in NAMES and condition.name in known
        for name in sorted(condition.operand - known[condition.name])
    ]


class _Speaks(IntEnum):
    """Who must have spoken against a caller for whom conditions hold."""

    NOBODY = 0
    PEOPLE = 1  # our own people are enough
    MORE = 2  # it takes a source outside, or as many of our people as the model wants for this action


# From which level on the model has its own guards against people who gang up, and what an action costs without them.
GUARDED_FROM = {Action.CHALLENGE: Level.CHALLENGE, Action.ROUTE: Level.ROUTE, Action.REJECT: Level.ROUTE}
COSTS = {
    Action.CHALLENGE: "may challenge an honest caller because of a few of our own people: "
    "level 'challenge' wants more of them, or a source outside",
    Action.ROUTE: "may send an honest caller to voicemail because of our own people alone: "
    "level 'route' wants a source outside and a failed challenge",
    Action.REJECT: "may reject an honest caller because of our own people alone: "
    "levels 'route' and 'reject' want a source outside and a failed challenge",
}


def trusting_rules(policy: Policy) -> list[str]:
    """Rules that ask callers, or keep them away, though only our own people speak against them: remarks, no errors."""
    return [
        f"rule '{rule.name}': {COSTS[rule.action]}"
        for rule in policy.rules
        if rule.action in COSTS and _Speaks.PEOPLE in _speaking(rule.when, rule.action)
    ]


def _speaking(conditions: Iterable[Condition], action: Action) -> set[_Speaks]:
    """In each way in which all of the conditions may hold, the most that it takes."""
    found = {_Speaks.NOBODY}
    for condition in conditions:
        found = {max(one, other) for one in found for other in _speaking_in(condition, action)}
    return found


def _speaking_in(condition: Condition, action: Action) -> set[_Speaks]:
    name, operand = condition.name, condition.operand
    if name == "any":
        return set().union(*(_speaking(branch, action) for branch in operand))
    if name == "all":
        return _speaking(chain.from_iterable(operand), action)
    if name in ("listed", "category") or (name == "verification" and operand == {Verification.FAILED}):
        return {_Speaks.MORE}
    if name == "level_at_least":
        return {_Speaks.MORE if operand >= GUARDED_FROM[action] else _Speaks.PEOPLE}
    return {_Speaks.PEOPLE if name == "points_between" and operand[1] > 0 else _Speaks.NOBODY}
