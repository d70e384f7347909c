"""From the `when` table of a rule to conditions: the vocabulary, and `any`, `all`, `not` around it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from policies.policy import Case, Condition, PolicyError
from policies.vocabulary import VOCABULARY
from policies.words import nearest, shown

COMBINATIONS = ("any", "all", "not")
ABOUT_EVIDENCE = frozenset({"level_at_least", "points_between"})
MAX_DEPTH = 8  # deeper nesting is a mistake, not a policy


def read_when(table: Any, depth: int = 0) -> tuple[Condition, ...]:
    """The conditions of a table, all of which must hold. Empty tables are an error: they would always hold."""
    if not isinstance(table, dict):
        raise PolicyError(f'conditions are a table such as {{ level_at_least = "warn" }}, not {table!r}')
    if not table:
        raise PolicyError("has no condition and would always hold: use the policy's default for that")
    if depth > MAX_DEPTH:
        raise PolicyError(f"nests any, all and not more than {MAX_DEPTH} deep")
    return tuple(read_condition(name, value, depth) for name, value in table.items())


def read_condition(name: str, value: Any, depth: int) -> Condition:
    """One condition by its name."""
    if name in COMBINATIONS:
        return read_combination(name, value, depth)
    word = VOCABULARY.get(name)
    if word is None:
        raise PolicyError(f"unknown condition {name}{nearest(name, (*VOCABULARY, *COMBINATIONS))}")
    try:
        operand = word.read(value)
    except PolicyError as error:
        raise PolicyError(f"condition {name} {error}") from None
    holds = word.holds
    return Condition(name, operand, lambda case: holds(case, operand), f"{name} = {toml_of(value)}")


def read_combination(name: str, value: Any, depth: int) -> Condition:
    """`any = [{...}, {...}]`, `all = [...]`, `not = {...}`."""
    if name == "not":
        inner = read_when(value, depth + 1)
        return Condition(name, inner, lambda case: not _all(inner, case), f"not = {toml_of(value)}")
    if not isinstance(value, list) or not value:
        raise PolicyError(f"{name} takes a list of at least one table, not {shown(value)}")
    branches = tuple(read_when(table, depth + 1) for table in value)
    combine = any if name == "any" else all
    return Condition(
        name,
        branches,
        lambda case: combine(_all(branch, case) for branch in branches),
        f"{name} = {toml_of(value)}",
    )


def _all(conditions: tuple[Condition, ...], case: Case) -> bool:
    return all(condition.holds(case) for condition in conditions)


def why_not(condition: Condition, case: Case) -> str:
    """A condition that does not hold, as it is written, and what the facts are: `country = "GB": it is US`."""
    if condition.name not in COMBINATIONS:
        return f"{condition.text}: it is {_fact_of(condition, case)}"
    facts = {one.name: _fact_of(one, case) for one in single_conditions((condition,))}
    return f"{condition.text}: {', '.join(f'{name} is {fact}' for name, fact in facts.items())}"


def _fact_of(condition: Condition, case: Case) -> str:
    return VOCABULARY[condition.name].fact(case, condition.operand)


def single_conditions(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Each condition, those within any, all and not too."""
    for condition in conditions:
        if condition.name not in COMBINATIONS:
            yield condition
        elif condition.name == "not":
            yield from single_conditions(condition.operand)
        else:
            for branch in condition.operand:
                yield from single_conditions(branch)


def implies(narrow: tuple[Condition, ...], wide: tuple[Condition, ...]) -> bool:
    """Whether `wide` certainly holds wherever `narrow` does (sound, not complete: combinations must be equal)."""
    return all(any(_covers(w, n) for n in narrow) for w in wide)


def _covers(wide: Condition, narrow: Condition) -> bool:
    if wide.name != narrow.name:
        return False
    if wide.name in COMBINATIONS:
        return wide == narrow
    return VOCABULARY[wide.name].covers(wide.operand, narrow.operand)


def toml_of(value: Any) -> str:
    """A value as TOML writes it, for showing a policy; only what a policy can hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's too
    if isinstance(value, list):
        return "[" + ", ".join(toml_of(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_of(item)}" for key, item in value.items()) + " }"
    return str(value)
