"""All that is wrong with a policy file, for the person who writes it. Loading stops at the first error."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from policies.conditions import COMBINATIONS
from policies.loader import _policy_from, _rule_from, _rules_from, parse_policy
from policies.policy import Condition, Policy, PolicyError


def problems_of_policy(text: str, name: str, source: str, base_of: Callable[[str], Policy]) -> list[str]:
    """Every error of the text, in its order; the arguments are those of `parse_policy`. Empty: it can be used."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):
        table = {}
    problems = [f"{source}: {problem}" for problem in _problems_of_table(table, name, base_of)]
    try:
        parse_policy(text, name, source, base_of)
    except PolicyError as error:
        # What only shows in the whole comes last, and nothing is said twice.
        return problems if str(error) in problems else [*problems, str(error)]
    return problems


def _problems_of_table(table: Mapping[str, Any], name: str, base_of: Callable[[str], Policy]) -> Iterator[str]:
    for key, value in table.items():
        if key != "rule":
            yield from _problem(_policy_from, {key: value}, name, base_of)
    rules = table.get("rule", [])
    if isinstance(rules, list) and all(isinstance(rule, dict) for rule in rules):
        yield from _problems_of_rules(rules)


def _problems_of_rules(rules: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Each rule alone, then beside the good ones before it."""
    good: list[Mapping[str, Any]] = []
    for position, rule in enumerate(rules, start=1):
        problems = list(_problem(_rule_from, rule, position)) or list(_problem(_rules_from, [*good, rule]))
        if not problems:
            good.append(rule)
        yield from problems


def _problem(read: Callable[..., object], *arguments: object) -> Iterator[str]:
    try:
        read(*arguments)
    except PolicyError as error:
        yield str(error)


# Conditions whose operands are names that the settings define; one that is not there never holds.
NAMES = {"trunk": "[[trunk]]", "did": "[[did]]", "callee_group": "[[person]] or [[did]]", "listed": "imported source"}


def unknown_names(policy: Policy, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Conditions that name a trunk, DID, group or source that is not in `known` (by condition): remarks, no errors."""
    return [
        f"rule '{rule.name}': {condition.name} {name!r} is no {NAMES[condition.name]}: it never holds"
        for rule in policy.rules
        for condition in _single(rule.when)
        if condition.name in NAMES and condition.name in known
        for name in sorted(condition.operand - known[condition.name])
    ]


def _single(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """The conditions within any, all and not."""
    for condition in conditions:
        if condition.name not in COMBINATIONS:
            yield condition
        elif condition.name == "not":
            yield from _single(condition.operand)
        else:
            for branch in condition.operand:
                yield from _single(branch)
