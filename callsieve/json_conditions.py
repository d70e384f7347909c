"""Conditions on a JSON document of somebody else's: `data.score >= 75`, `results[0].spam == true`. Pure.

A path is names joined by dots, each perhaps with `[n]` for an element of a list; then one of six operators and one JSON
value. There are no functions, no wildcards and no patterns, so looking costs as many steps as the path has. What is
missing in the document, or of another type than the value, fulfils no condition.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

MAX_CHARACTERS: Final = 200
MAX_STEPS: Final = 10
MISSING: Final = object()

_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$@-]*")
_STEP = re.compile(rf"({_NAME.pattern})((?:\[[0-9]{{1,4}}\])*)")
_CONDITION = re.compile(r"(?P<path>[^\s=!<>]+)\s*(?P<how>==|!=|>=|<=|>|<)\s*(?P<value>.+)", re.DOTALL)

# The two sides have the same type, and for an order are numbers.
OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

Path = tuple[str | int, ...]


class ConditionError(ValueError):
    """This is no path or no condition. The text says how one is written."""


class JsonCondition(NamedTuple):
    """`how` compares what stands at the path with `value`: a text, a number, true, false or null."""

    path: Path
    how: str
    value: str | int | float | bool | None

    def holds(self, document: object) -> bool:
        """Whether it does in this document."""
        found = value_at(document, self.path)
        if self.how in ("==", "!="):
            return _are_alike(found, self.value) and OPERATORS[self.how](found, self.value)
        return _is_number(found) and OPERATORS[self.how](found, self.value)


def parse_path(text: str) -> Path:
    """`data.results[0].score` as its steps. ConditionError."""
    steps: list[str | int] = []
    for part in text.split("."):
        found = _STEP.fullmatch(part)
        if found is None or len(text) > MAX_CHARACTERS:
            raise ConditionError(f"{text[:40]!r} is no path: write it as data.results[0].score")
        steps += (found[1], *(int(index) for index in re.findall(r"[0-9]+", found[2])))
    if len(steps) > MAX_STEPS:
        raise ConditionError(f"{text[:40]!r} has more than {MAX_STEPS} steps")
    return tuple(steps)


def parse_condition(text: str) -> JsonCondition:
    """`data.score >= 75` as a condition. ConditionError."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None or len(text) > MAX_CHARACTERS:
        raise ConditionError(f"{text[:40]!r} is no condition: write it as data.score >= 75")
    try:
        value = json.loads(found["value"])
    except (ValueError, RecursionError):
        raise ConditionError(f'{found["value"][:40]!r} is no JSON value: write a text in quotes, "high"') from None
    if isinstance(value, dict | list):
        raise ConditionError(f"{found['value'][:40]!r} is not one value: compare with a text, a number, true or null")
    if found["how"] not in ("==", "!=") and not _is_number(value):
        raise ConditionError(f"{found['how']} compares with a number, which {found['value'][:40]!r} is not")
    return JsonCondition(parse_path(found["path"]), found["how"], value)


def value_at(document: object, path: Path) -> object:
    """What stands there; MISSING where nothing does."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or step >= len(document):
                return MISSING
            document = document[step]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return MISSING
    return document


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_alike(found: object, value: object) -> bool:
    """Whether they may be compared: null with anything that is there, all else with its own type."""
    if found is MISSING:
        return False
    return value is None or found is None or (_is_number(found) and _is_number(value)) or type(found) is type(value)
