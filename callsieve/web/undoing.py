"""Taking back what was changed in lists and identities, from the row of the audit that tells how it was.

Only as long as it is still as that change left it: whoever changed it again has said the later word.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from callsieve.known import value_of
from callsieve.listing import key_of
from callsieve.web.visit import Refused
from callsieve.web.words import N_
from reputation.model import Identity, ListEntry
from reputation.store.audit import AuditRow, Change
from reputation.store.audit_search import change_of_id, changed_at_once, latest_of
from reputation.store.identities import identity_of, remove_identity, set_identity
from reputation.store.lists import add_entry, list_entries, remove_entry

LATEST = 8
LISTS = ("list add", "list remove", "list import")
IDENTITIES = ("identity add", "identity remove")
CHANGED = N_("It has been changed again since: it is not as that change left it. Nothing was undone.")
GONE = N_("There is no such change, or it cannot be undone here.")


def undo(change_id: int, whats: tuple[str, ...], now: float) -> Callable[[sqlite3.Connection, Change], None]:
    """The change of this id, which is one of `whats`, taken back; an import with all its entries."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        kept = change_of_id(db, change_id)
        if kept is None or kept.row.what not in whats:
            raise Refused(GONE)
        row = kept.row
        change.what, change.number, change.name = f"undo {row.what}", row.number, row.name
        change.before, change.after = _value(row.after), _value(row.before)
        rows = [one.row for one in changed_at_once(db, row)] if row.what == "list import" else [row]
        took_back = [_take_back(db, one, now) for one in rows if one.before or one.after]
        if not any(took_back):
            raise Refused(GONE)

    return write


@dataclass(frozen=True, slots=True)
class Latest:
    """A change that was made lately. `can_undo`: not what the erasure of a number has emptied, or an undoing itself."""

    id: int
    row: AuditRow
    can_undo: bool


def latest_changes(db: sqlite3.Connection, whats: tuple[str, ...]) -> tuple[Latest, ...]:
    """The latest changes of these kinds, and what was undone of them."""
    found = latest_of(db, (*whats, *(f"undo {what}" for what in whats)), LATEST)
    return tuple(
        Latest(one.id, one.row, one.row.what in whats and bool(one.row.before or one.row.after)) for one in found
    )


def _take_back(db: sqlite3.Connection, row: AuditRow, now: float) -> bool:
    before, after = _value(row.before), _value(row.after)
    if row.what in IDENTITIES:
        _identity_back(db, _as(Identity, before), _as(Identity, after), now)
        return True
    if "list_name" not in (before or after or {}):
        return False  # the summary of an import, whose entries have rows of their own
    _entry_back(db, _as(ListEntry, before), _as(ListEntry, after))
    return True


def _entry_back(db: sqlite3.Connection, before: ListEntry | None, after: ListEntry | None) -> None:
    about = after or before
    assert about is not None
    there = next((one for one in list_entries(db, about.list_name) if key_of(one) == key_of(about)), None)
    if there != after:
        raise Refused(CHANGED)
    if after is not None:
        remove_entry(db, after)
    if before is not None:
        add_entry(db, before)


def _identity_back(db: sqlite3.Connection, before: Identity | None, after: Identity | None, now: float) -> None:
    about = after or before
    assert about is not None
    if identity_of(db, about.number) != after:
        raise Refused(CHANGED)
    remove_identity(db, about.number)
    if before is not None:
        set_identity(db, before, now, "put back")


def _value(text: str | None) -> Any:
    found = value_of(text) if text else None
    return found if isinstance(found, dict) else None


def _as(kind: type[Any], value: dict[str, Any] | None) -> Any:
    if value is None:
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise Refused(GONE) from None
