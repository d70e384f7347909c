"""What a row of the audit says was changed, in words. Pure; the terminal and the console show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsieve.known import value_of
from callsieve.times import when
from reputation.store.audit import AuditRow

# The number has a column of its own; nobody asks for the inner name of a class or an epoch that is 0.
NOT_SHOWN = {"number", "first", "linkedid", "auth_class", "epoch", "reference", "statement", "contact"}


def change_of(row: AuditRow) -> str:
    """The change of a row: `level 1 -> 2`."""
    return change_in_words(value_of_side(row.before), value_of_side(row.after))


def value_of_side(text: str | None) -> Any:
    """How it was, or is: the value of `before` or `after`."""
    return None if text is None else value_of(text)


def change_in_words(before: Any, after: Any) -> str:
    """`level 1 -> 2`, `name Acme, level 1`, or in brackets what is gone."""
    was, is_now = dict(_worth_saying(before)), dict(_worth_saying(after))
    if after is None:
        return f"({_pairs(was)})" if was else ""
    changed = {
        key: f"{was[key]} -> {value}" if key in was else value for key, value in is_now.items() if was.get(key) != value
    }
    gone = {key: f"{value} -> nothing" for key, value in was.items() if key not in is_now}
    return _pairs(changed | gone)


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _worth_saying(value: Any) -> Iterator[tuple[str, str]]:
    """The fields that say something, instants as people read them. When it was done is in a column of its own."""
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        if key in NOT_SHOWN or one in (None, "", False, []) or key in ("at", "added_at"):
            continue
        yield key.removesuffix("_at").replace("_", " "), _said(key, one)


def _said(key: str, one: Any) -> str:
    if isinstance(one, float) and (key.endswith("_at") or key == "since"):
        return when(one)
    return " | ".join(map(str, one)) if isinstance(one, list) else str(one)
