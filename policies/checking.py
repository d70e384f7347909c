"""All that is wrong with a policy file, for the person who writes it. Loading stops at the first error."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from policies.conditions import single_conditions
from policies.loader import TWICE, _policy_from, _rule_from, _rules_from, parse_policy
from policies.policy import Policy, PolicyError


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


_RULE = re.compile(r"rule '([a-z0-9_-]+)': (.*)", re.DOTALL)
_NUMBERED = re.compile(r"rule number ([0-9]+): ")
_TOML_LINE = re.compile(r"\(at line ([0-9]+), column [0-9]+\)")
_RULE_HEAD = re.compile(r"\s*\[\[\s*rule\s*\]\]")


def line_of_problem(text: str, problem: str) -> int | None:
    """Where in the text the problem is, counted from 1; None: nowhere in particular. `problem` names no file.

    The line that has the word which the problem is about, within its rule; else where the rule begins.
    """
    found = _TOML_LINE.search(problem)
    lines = text.splitlines()
    if found or problem.startswith("not TOML"):
        return int(found[1]) if found else max(1, len(lines))
    heads = [number for number, line in enumerate(lines, 1) if _RULE_HEAD.match(line)]
    numbered, named = _NUMBERED.match(problem), _RULE.match(problem)
    if numbered:
        return next(iter(heads[int(numbered[1]) - 1 :]), None)
    if not named:
        return _line_with(lines, problem, range(1, min(heads, default=len(lines) + 1)))
    name = re.compile(rf"\s*name\s*=\s*[\"']{re.escape(named[1])}[\"']")
    there = [number for number, line in enumerate(lines, 1) if name.match(line)]
    if not there:
        return None
    if named[2].startswith(TWICE):
        return there[-1]
    blocks = (_block_around(number, heads, len(lines)) for number in there)
    return next((line for block in blocks if (line := _line_with(lines, named[2], block))), there[0])


def _block_around(number: int, heads: Sequence[int], lines: int) -> range:
    """The lines of the rule that this line is in."""
    first = max((head for head in heads if head <= number), default=1)
    return range(first, min((head for head in heads if head > number), default=lines + 1))


def _line_with(lines: Sequence[str], problem: str, numbers: range) -> int | None:
    """The first of the lines that has a word of the problem as a key, or as a text in quotes; its first words first."""
    for word in re.findall(r"[A-Za-z_][A-Za-z0-9_-]*", problem):
        key = re.compile(rf"(?:^|[{{,\s]){re.escape(word)}\s*=|[\"']{re.escape(word)}[\"']")
        for number in numbers:
            if number <= len(lines) and key.search(lines[number - 1].partition("#")[0]):
                return number
    return None


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
