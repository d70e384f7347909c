"""Undoing a change by its row in the audit, which tells how it was: one way back behind every door.

Only as long as it is still as that change left it: whoever changed it again has said the later word.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from callsieve.changes.describe import name_of
from callsieve.changes.kinds import kind_of
from callsieve.changes.names import ADMINISTRATORS_ONLY, AGAIN, CLEARED, FINAL, IMPORTS, UNDOABLE, WITH
from callsieve.changes.operation import Context, Refused, change
from callsieve.text.number_entry import area_covered, objections_to
from callsieve.text.times import when
from callsieve.wiring import known_own_numbers
from reputation.model import ListEntry
from reputation.store.audit import AuditRow, value_of
from reputation.store.audit_search import KeptChange, change_of_id, changed_at_once, latest_of, undone_at
from reputation.users import Role
from reputation.wording import Wording

LATEST = 8
CHANGED = Wording("It has been changed again since: it is not as that change left it. Nothing was undone.")
GONE = Wording("There is no such change, or it cannot be undone here.")
NOT_KEPT = Wording("Nothing is kept of how it was.")
ADMINISTRATORS = Wording("Only an administrator can undo this.")


class UndoRequest(NamedTuple):
    """The change of this id, which must be one of `whats`, and about this number where one is given."""

    change_id: int
    whats: Collection[str] | None = None
    number: str | None = None


class Undone(NamedTuple):
    """What was undone, and of how many things. `subject`: the number or name that it was about."""

    change_id: int | None
    what: str
    subject: str
    things: int


@dataclass(frozen=True, slots=True)
class Latest:
    """A change that was made lately. `can_undo`: not what is undone already or the erasure of a number has emptied, or
    an undoing itself.
    """

    id: int
    row: AuditRow
    can_undo: bool

    @property
    def is_administrators(self) -> bool:
        """Whether administrators alone make such changes and take them back."""
        return self.row.what in ADMINISTRATORS_ONLY


def undo(db: sqlite3.Connection, context: Context, request: UndoRequest) -> Undone:
    """Takes back a change; an import with all that it brought.

    Nobody does by undoing what they may not do: others than administrators import nothing, and force nothing.
    """
    with change(db, context, "undo") as changed:
        kept = _wanted(db, context, request)
        row = kept.row
        changed.what, changed.number, changed.name = f"undo {row.what}", row.number, row.name
        things, ids = _things_of(db, kept)
        changed.before = (_value(row.after) or {}) | {"undone": [min(ids), max(ids)]}
        changed.after = _value(row.before)
        rows = [one.row for one in things if one.row.before or one.row.after]
        if not rows:
            raise Refused("cannot-undo", NOT_KEPT)
        for one in rows:
            _take_back(db, context, one)
    return Undone(changed.id, row.what, row.number or row.name, len(rows))


def latest_changes(db: sqlite3.Connection, whats: tuple[str, ...], number: str | None = None) -> tuple[Latest, ...]:
    """The latest changes of these kinds, and what was undone of them; all, or those of one number."""
    found = latest_of(db, (*whats, *(f"undo {what}" for what in whats)), LATEST, number)
    return tuple(Latest(one.id, one.row, can_undo(db, one)) for one in found)


def can_undo(db: sqlite3.Connection, change: KeptChange) -> bool:
    """Whether it is worth trying: it is not final, undone already, or emptied by the erasure of a number."""
    row = change.row
    return row.what in UNDOABLE and bool(row.before or row.after) and undone_at(db, change) is None


def why_final(what: str) -> Wording:
    """Why a change of this name cannot be undone, and what can be done instead. An undoing has no way back either."""
    return Wording("'{change}' cannot be undone. {why}", {"change": name_of(what), "why": FINAL.get(what, AGAIN)})


def _wanted(db: sqlite3.Connection, context: Context, request: UndoRequest) -> KeptChange:
    """The change, which can be undone by its kind, and by who asks."""
    kept = change_of_id(db, request.change_id)
    if kept is None or request.number not in (None, kept.row.number):
        raise Refused("no-such-change", GONE)
    what = kept.row.what
    if request.whats is not None and what not in request.whats:
        raise Refused("no-such-change", GONE)
    if what not in UNDOABLE:
        raise Refused("cannot-undo", why_final(what))
    if (at := undone_at(db, kept)) is not None:
        raise Refused("undone-already", Wording("It was undone already, at {time}.", {"time": when(at)}))
    if what in ADMINISTRATORS_ONLY and context.role < Role.ADMINISTRATOR:
        raise Refused("administrators-only", ADMINISTRATORS)
    return kept


def _things_of(db: sqlite3.Connection, kept: KeptChange) -> tuple[list[KeptChange], list[int]]:
    """What is taken back, the latest first, and the ids of the changes that say so."""
    row = kept.row
    if row.what in IMPORTS:
        together = changed_at_once(db, row)
        return together[1:], [one.id for one in together]
    found = [one for what in WITH.get(row.what, ()) for one in changed_at_once(db, row._replace(what=what))]
    things = sorted((one for one in found if one.row.number == row.number), key=lambda one: -one.id)
    return things if row.what in CLEARED else [*things, kept], [kept.id]


def _take_back(db: sqlite3.Connection, context: Context, row: AuditRow) -> None:
    was, is_now = _value(row.before), _value(row.after)
    kind = kind_of(row, is_now or was or {})
    try:
        before, after = (None if value is None else kind.read(row, value) for value in (was, is_now))
    except (msgspec.ValidationError, KeyError):  # a row of an older version, which kept less
        raise Refused("cannot-undo", NOT_KEPT) from None
    if kind.there(db, context, after or before) != after:
        raise Refused("changed-since", CHANGED)
    if after is not None and (before is None or not kind.replaces):
        kind.remove(db, context, after)
    if before is not None:
        _check_may_put_back(db, context, before)
        kind.put_back(db, context, before)


def _check_may_put_back(db: sqlite3.Connection, context: Context, before: object) -> None:
    if context.role >= Role.ADMINISTRATOR or not isinstance(before, ListEntry):
        return
    if area_covered(before) or objections_to(before, known_own_numbers(db, context.loaded)):
        raise Refused("administrators-only", ADMINISTRATORS)


def _value(text: str | None) -> dict[str, Any] | None:
    found = value_of(text) if text else None
    return found if isinstance(found, dict) else None
