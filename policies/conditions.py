"""Parses the `when` table of a rule into conditions, including the combinations `any`, `all` and `not`."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from policies.files import hint, shown
from policies.policy import Case, Condition, PolicyError, Problems
from policies.vocabulary import VOCABULARY
from reputation.wording import Wording

COMBINATIONS = ("any", "all", "not")
# Families of evidence of older versions, which some policies had as conditions, and the conditions that replace them.
REPLACED = {
    "marks": "`level_at_least`",
    "behaviour": "`level_at_least`",
    "plan": "`purpose` or `nobodys_range`",
    "carrier_label": "`carrier_warns`",
    "peers": "`companies_complain`",
}
ABOUT_EVIDENCE = frozenset({"level_at_least", "points_between"})
MAX_DEPTH = 8  # deeper nesting is a mistake, not a policy


KeyPath = tuple[str | int, ...]


def read_when(table: Any) -> tuple[Condition, ...]:
    """Return the conditions of a `when` table, all of which must hold. Raise PolicyError for the first error."""
    problems = Problems()
    conditions = read_conditions(table, (), problems)
    if problems:
        raise PolicyError(problems[0].text)
    return conditions


def read_conditions(table: Any, path: KeyPath, problems: Problems, depth: int = 0) -> tuple[Condition, ...]:
    """Return the conditions of the table at `path`. Errors, such as an empty table, are added to `problems`."""
    if not isinstance(table, dict):
        problems.add(
            Wording(
                'the conditions must be a table such as `{{ level_at_least = "warn" }}`, not {value}',
                {"value": shown(table)},
            ),
            path,
        )
    elif not table:
        problems.add(
            Wording(
                "has no condition, so it would always match: add a condition, or use the policy's `default` instead"
            ),
            path,
        )
    elif depth > MAX_DEPTH:
        problems.add(
            Wording(
                "`any`, `all` and `not` are nested more than {most} levels deep: write several rules instead",
                {"most": MAX_DEPTH},
            ),
            path,
        )
    else:
        conditions = [_read_condition(name, value, (*path, name), problems, depth) for name, value in table.items()]
        return tuple(condition for condition in conditions if condition is not None)
    return ()


def _read_condition(name: str, value: Any, path: KeyPath, problems: Problems, depth: int) -> Condition | None:
    if name in COMBINATIONS:
        return _read_combination(name, value, path, problems, depth)
    word = VOCABULARY.get(name)
    if word is None and name in REPLACED:
        problems.add(
            Wording("the condition {name} no longer exists: use {new} instead", {"name": name, "new": REPLACED[name]}),
            path,
        )
        return None
    if word is None:
        problems.add(
            Wording("unknown condition {name}{hint}", {"name": name, "hint": hint(name, (*VOCABULARY, *COMBINATIONS))}),
            path,
        )
        return None
    try:
        operand = word.read(value)
    except PolicyError as error:
        problems.add(Wording("condition {name} {problem}", {"name": name, "problem": error.words}), path)
        return None
    needs = "" if operand is False else word.needs
    return Condition(name, operand, word.holds, f"{name} = {toml_of(value)}", word.reads, needs)


def _read_combination(name: str, value: Any, path: KeyPath, problems: Problems, depth: int) -> Condition | None:
    if name == "not":
        inner = read_conditions(value, path, problems, depth + 1)
        reads = _reads_of(inner)
        return Condition(name, inner, lambda case, inner: not _all(inner, case), f"not = {toml_of(value)}", reads)
    if not isinstance(value, list) or not value:
        problems.add(
            Wording(
                "`{name}` must be a list of one or more tables, not {value}", {"name": name, "value": shown(value)}
            ),
            path,
        )
        return None
    branches = tuple(read_conditions(table, (*path, place), problems, depth + 1) for place, table in enumerate(value))
    combine = any if name == "any" else all
    return Condition(
        name,
        branches,
        lambda case, branches: combine(_all(branch, case) for branch in branches),
        f"{name} = {toml_of(value)}",
        _reads_of(chain.from_iterable(branches)),
    )


def _reads_of(conditions: Iterable[Condition]) -> tuple[str, ...]:
    reads = [condition.reads for condition in conditions]
    return tuple(dict.fromkeys(chain.from_iterable(reads))) if all(reads) else ()


def _all(conditions: tuple[Condition, ...], case: Case) -> bool:
    return all(condition.holds(case) for condition in conditions)


def why_not(condition: Condition, case: Case) -> str:
    """Return the text of a condition that does not hold, with the actual value: `country = "GB": it is US`."""
    if condition.name not in COMBINATIONS:
        return f"{condition.text}: it is {_fact_of(condition, case)}"
    facts = {part.name: _fact_of(part, case) for part in single_conditions((condition,))}
    return f"{condition.text}: {', '.join(f'{name} is {fact}' for name, fact in facts.items())}"


def _fact_of(condition: Condition, case: Case) -> str:
    return VOCABULARY[condition.name].fact(case, condition.operand)


def single_conditions(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Yield each condition, including the conditions inside `any`, `all` and `not`."""
    for condition in conditions:
        if condition.name not in COMBINATIONS:
            yield condition
        elif condition.name == "not":
            yield from single_conditions(condition.operand)
        else:
            for branch in condition.operand:
                yield from single_conditions(branch)


def implies(narrow: tuple[Condition, ...], wide: tuple[Condition, ...]) -> bool:
    """Return whether `wide` surely holds when `narrow` holds. `any`, `all` and `not` are only compared for equality."""
    return all(any(_covers(w, n) for n in narrow) for w in wide)


def _covers(wide: Condition, narrow: Condition) -> bool:
    if wide.name != narrow.name:
        return False
    if wide.name in COMBINATIONS:
        return wide == narrow
    return VOCABULARY[wide.name].covers(wide.operand, narrow.operand)


def only_hints(conditions: tuple[Condition, ...]) -> bool:
    """Return whether each of the conditions is too weak to be a rule's only reason to reject."""
    return all(map(_is_hint, conditions))


def _is_hint(condition: Condition) -> bool:
    if condition.name == "not":
        return any(map(_is_hint, condition.operand))
    if condition.name in COMBINATIONS:
        return (any if condition.name == "any" else all)(map(only_hints, condition.operand))
    return not VOCABULARY[condition.name].may_reject


def toml_of(value: Any) -> str:
    """Return a value as TOML text, to show a policy. Only types that a policy can contain are supported."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's too
    if isinstance(value, list):
        return "[" + ", ".join(toml_of(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_of(item)}" for key, item in value.items()) + " }"
    return str(value)
