"""Warns about a valid policy: conditions that never hold, and rules that stop callers only because of marks."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from itertools import chain

from policies.conditions import single_conditions
from policies.decision import Action
from policies.policy import Condition, Policy
from reputation.model import Level, Verification

# Conditions whose operands are names from the settings. An unknown name never matches.
NAMES = {"trunk": "[[trunk]]", "did": "[[did]]", "callee_group": "[[person]] or [[did]]", "listed": "imported source"}


def unknown_names(policy: Policy, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Return a warning for each unknown trunk, DID, group or source. `known`: the known names for each condition."""
    return [
        f"rule '{rule.name}': the condition `{condition.name}` never holds for {name!r}, which is not a known "
        f"{NAMES[condition.name]}"
        for rule in policy.rules
        for condition in single_conditions(rule.when)
        if condition.name in NAMES and condition.name in known
        for name in sorted(condition.operand - known[condition.name])
    ]


class _Speaks(IntEnum):
    NOBODY = 0
    PEOPLE = 1  # marks and hang-ups of people here are enough
    MORE = 2  # needs a source, or as many people as the model requires for this action


# From this level on, the model protects callers against a group of people. Rules below the level get the warning.
GUARDED_FROM = {Action.CHALLENGE: Level.CHALLENGE, Action.ROUTE: Level.ROUTE, Action.REJECT: Level.ROUTE}
COSTS = {
    Action.CHALLENGE: "may challenge an honest caller only because a few of your people marked the number: "
    "`level_at_least = 'challenge'` requires more people, or an outside source",
    Action.ROUTE: "may send an honest caller to voicemail only because your people marked the number: `level_at_least "
    "= 'route'` requires an outside source and a failed challenge",
    Action.REJECT: "may reject an honest caller only because your people marked the number: `level_at_least = "
    "'reject'` requires an outside source and a failed challenge",
}


def trusting_rules(policy: Policy) -> list[str]:
    """Return a warning for each rule that can challenge, route or reject a caller only because of local marks."""
    return [
        f"rule '{rule.name}': {COSTS[rule.action]}"
        for rule in policy.rules
        if rule.action in COSTS and _Speaks.PEOPLE in _speaking(rule.when, rule.action)
    ]


def _speaking(conditions: Iterable[Condition], action: Action) -> set[_Speaks]:
    """Return, for each way to meet all conditions, the strongest kind of evidence that it requires."""
    needed = {_Speaks.NOBODY}
    for condition in conditions:
        needed = {max(before, added) for before in needed for added in _speaking_in(condition, action)}
    return needed


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
