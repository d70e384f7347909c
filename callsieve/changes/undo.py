"""Undoing a change by its row in the audit, which tells how it was: one way back behind every door.

Only as long as it is still as that change left it: whoever changed it again has said the later word.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from callsieve.capability import NOT_KEPT, Changes, Undo
from callsieve.changes.describe import ChangeId, name_of
from callsieve.changes.operation import Context, Refused, change
from callsieve.text.times import when
from reputation.encoding import plain
from reputation.store import audit
from reputation.store.tables.every import TABLE_BY_NAME
from reputation.users import Role
from reputation.wording import Wording

LATEST = 8
OFFERED_SECONDS = 900.0
CHANGED = Wording("It has been changed again since then. Nothing was undone.")
GONE = Wording("There is no such change, or it cannot be undone here.")
AGAIN = Wording("Make the change again.")
ADMINISTRATORS = Wording("Only an administrator can undo this.")


class UndoRequest(NamedTuple):
    """The change of this id, which must be one of `whats`, and about this number where one is given."""

    change_id: int
    whats: Collection[str] | None = None
    number: str | None = None


class Undone(NamedTuple):
    """What was undone.

    Attributes:
        what: The change that was undone.
        subject: The number or name that it was about.
        things: How many things were undone.
        is_import: It was an import, undone with all that it brought.
    """

    change_id: ChangeId | None
    what: str
    subject: str
    things: int
    is_import: bool


@dataclass(frozen=True, slots=True)
class Latest:
    """A change that was made lately. `can_undo`: not what is undone already or the erasure of a number has emptied, or
    an undoing itself. `is_administrators`: administrators alone make such changes and undo them.
    """

    id: int
    row: audit.AuditRow
    can_undo: bool
    is_administrators: bool


class UndoKind(NamedTuple):
    """Something that is changed.

    `read`: it, from a row of the audit and one side of that. `current`: what stands now where the one given stood, or
    would stand; None: nothing. `put_back` replaces what stands there where `remove` cannot. `replaces`: it does so
    always, and nothing is removed before: of files no transaction brings back what was removed when `put_back` refuses.
    """

    read: Callable[[sqlite3.Connection, audit.AuditRow, dict[str, Any]], Any]
    current: Callable[[sqlite3.Connection, Context, Any], Any]
    remove: Callable[[sqlite3.Connection, Context, Any], object]
    put_back: Callable[[sqlite3.Connection, Context, Any], object]
    replaces: bool = False


def put_row_back(table: str, record: type) -> UndoKind:
    """Return how a row of a table is put back as it was, of which the audit keeps such a record."""
    return UndoKind(
        lambda db, _row, value: audit.stored_row(db, table, record, value),
        lambda db, _, row: row.read(db),
        lambda db, _, row: row.remove(db),
        lambda db, _, row: row.put(db),
        replaces=True,
    )


def _kind_of(undo: Undo, value: dict[str, Any]) -> UndoKind:
    """Return how a change is undone. A command may change one thing or another: `value` tells which."""
    if undo.table:
        record = TABLE_BY_NAME[undo.table].row
        assert record is not None, undo.table
        return put_row_back(undo.table, record)
    module, _, name = undo.by.partition(":")
    found = getattr(import_module(module), name)
    return found if isinstance(found, UndoKind) else found(value)


def undo(db: sqlite3.Connection, context: Context, request: UndoRequest) -> Undone:
    """Takes back a change; an import with all that it brought.

    Nobody does by undoing what they may not do: others than administrators import nothing, and force nothing.
    """
    with change(db, context, "undo") as changed:
        kept = _wanted(db, context, request)
        row = kept.row
        changed.what, changed.number, changed.name = f"undo {row.what}", row.number, row.name
        things, ids = _things_of(db, context, kept)
        changed.before = (_value(row.after) or {}) | {"undone": [min(ids), max(ids)]}
        changed.after = _value(row.before)
        rows = [one.row for one in things if one.row.before or one.row.after]
        if not rows:
            raise Refused("cannot-undo", NOT_KEPT)
        for one in rows:
            _take_back(db, context, one)
    return Undone(changed.id, row.what, row.number or row.name, len(rows), _undo_of(context, row.what).is_import)


def latest_changes(db: sqlite3.Connection, changes: Changes, number: str | None = None) -> tuple[Latest, ...]:
    """Return the latest changes of these names, and what was undone of them; all, or those of one number."""
    found = audit.latest_of(db, (*changes, *(f"undo {what}" for what in changes)), LATEST, number)
    return tuple(
        Latest(one.id, one.row, can_undo(db, changes, one), is_administrators(changes, one.row.what)) for one in found
    )


def find_made(db: sqlite3.Connection, context: Context, change_id: int) -> Latest | None:
    """Return a change that whoever asks made in the last minutes, None if there is no such change."""
    kept = audit.change_of_id(db, change_id)
    if kept is None or kept.row.who != context.actor or not 0 <= context.at - kept.row.at <= OFFERED_SECONDS:
        return None
    changes, what = context.changes, kept.row.what
    return Latest(kept.id, kept.row, can_undo(db, changes, kept), is_administrators(changes, what))


def can_undo(db: sqlite3.Connection, changes: Changes, change: audit.KeptChange) -> bool:
    """Return whether it is worth trying: it is not final, undone already, or emptied by the erasure of a number."""
    row = change.row
    is_final = not isinstance(changes.get(row.what), Undo)
    return not is_final and bool(row.before or row.after) and audit.undone_at(db, change) is None


def is_administrators(changes: Changes, what: str) -> bool:
    """Return whether administrators alone make such changes and undo them."""
    undo = changes.get(what)
    return isinstance(undo, Undo) and undo.role >= Role.ADMINISTRATOR


def why_final(changes: Changes, what: str) -> Wording:
    """Return why a change of this name cannot be undone, and what can be done instead. An undoing is final, too."""
    why = changes.get(what, AGAIN)
    assert isinstance(why, Wording)
    return Wording("'{change}' cannot be undone. {why}", {"change": name_of(what), "why": why})


def _wanted(db: sqlite3.Connection, context: Context, request: UndoRequest) -> audit.KeptChange:
    """The change, which can be undone by its kind, and by who asks."""
    kept = audit.change_of_id(db, request.change_id)
    if kept is None or request.number not in (None, kept.row.number):
        raise Refused("no-such-change", GONE)
    what = kept.row.what
    if request.whats is not None and what not in request.whats:
        raise Refused("no-such-change", GONE)
    if not isinstance(context.changes.get(what), Undo):
        raise Refused("cannot-undo", why_final(context.changes, what))
    if (at := audit.undone_at(db, kept)) is not None:
        raise Refused("undone-already", Wording("It was already undone at {time}.", {"time": when(at)}))
    if is_administrators(context.changes, what) and context.role < Role.ADMINISTRATOR:
        raise Refused("administrators-only", ADMINISTRATORS)
    return kept


def _undo_of(context: Context, what: str) -> Undo:
    undo = context.changes[what]
    assert isinstance(undo, Undo), what
    return undo


def _things_of(
    db: sqlite3.Connection, context: Context, kept: audit.KeptChange
) -> tuple[list[audit.KeptChange], list[int]]:
    """What is taken back, the latest first, and the ids of the changes that say so."""
    row, undo = kept.row, _undo_of(context, kept.row.what)
    if undo.is_import:
        together = audit.changed_at_once(db, row)
        return together[1:], [one.id for one in together]
    found = [one for what in undo.along for one in audit.changed_at_once(db, row._replace(what=what))]
    things = sorted((one for one in found if one.row.number == row.number), key=lambda one: -one.id)
    return [*things, kept] if undo.table or undo.by else things, [kept.id]


def _take_back(db: sqlite3.Connection, context: Context, row: audit.AuditRow) -> None:
    was, is_now = _value(row.before), _value(row.after)
    kind = _kind_of(_undo_of(context, row.what), is_now or was or {})
    try:
        before, after = (None if value is None else kind.read(db, row, value) for value in (was, is_now))
    except (msgspec.ValidationError, KeyError):  # a row of an older version, which kept less
        raise Refused("cannot-undo", NOT_KEPT) from None
    # An instant is kept to the microsecond.
    if plain(kind.current(db, context, after or before)) != plain(after):
        raise Refused("changed-since", CHANGED)
    if after is not None and (before is None or not kind.replaces):
        kind.remove(db, context, after)
    if before is not None:
        try:
            kind.put_back(db, context, before)
        except sqlite3.IntegrityError:  # such a row, too
            raise Refused("cannot-undo", NOT_KEPT) from None


def _value(text: str | None) -> dict[str, Any] | None:
    found = audit.value_of(text) if text else None
    return found if isinstance(found, dict) else None
