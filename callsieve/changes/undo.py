"""Undo a change that has a row in the audit. An undo is refused if a later change affects the same item."""

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
CHANGED = Wording("The same data has been changed again since then. Nothing was undone.")
GONE = Wording("There is no such change, or it cannot be undone here.")
AGAIN = Wording("Make the change again.")
ADMINISTRATORS = Wording("Only an administrator can undo this.")


class UndoRequest(NamedTuple):
    """A change to undo. `whats`: the kinds of change that may be undone here; None: all.

    `number`: the number that the change must be about; None: any.
    """

    change_id: int
    whats: Collection[str] | None = None
    number: str | None = None


class Undone(NamedTuple):
    """The result of an undo. `what`: the kind of change that was undone. `things`: how many items were restored.

    `subject`: the number or name that the change was about. `is_import`: whether a whole import was undone.
    """

    change_id: ChangeId | None
    what: str
    subject: str
    things: int
    is_import: bool


@dataclass(frozen=True, slots=True)
class Latest:
    """A recent change, as pages list it. `is_administrators`: whether only administrators may make and undo the change.

    `can_undo`: whether the change is not an undo, was not undone yet, and its values were not erased from the audit.
    """

    id: int
    row: audit.AuditRow
    can_undo: bool
    is_administrators: bool


class UndoKind(NamedTuple):
    """The functions that restore a kind of item.

    `read` parses the item in the column `before` or `after` of an audit row. `current` returns the present item, or
    None. An undo removes the present item with `remove`, then calls `put_back`. With `replaces` it only calls
    `put_back`. Files need `replaces`: if `put_back` refused, the transaction could not restore a removed file.
    """

    read: Callable[[sqlite3.Connection, audit.AuditRow, dict[str, Any]], Any]
    current: Callable[[sqlite3.Connection, Context, Any], Any]
    remove: Callable[[sqlite3.Connection, Context, Any], object]
    put_back: Callable[[sqlite3.Connection, Context, Any], object]
    replaces: bool = False


def put_row_back(table: str, record: type) -> UndoKind:
    """Return an UndoKind that restores a row of a table. `record`: the type in which the audit stores the row."""
    return UndoKind(
        lambda db, _row, value: audit.stored_row(db, table, record, value),
        lambda db, _, row: row.read(db),
        lambda db, _, row: row.remove(db),
        lambda db, _, row: row.put(db),
        replaces=True,
    )


def _kind_of(undo: Undo, value: dict[str, Any]) -> UndoKind:
    """Return the UndoKind for a change. If a command changes several kinds of items, `value` shows which kind."""
    if undo.table:
        record = TABLE_BY_NAME[undo.table].row
        assert record is not None, undo.table
        return put_row_back(undo.table, record)
    module, _, name = undo.by.partition(":")
    kind = getattr(import_module(module), name)
    return kind if isinstance(kind, UndoKind) else kind(value)


def undo(db: sqlite3.Connection, context: Context, request: UndoRequest) -> Undone:
    """Undo a change or a whole import. Raise Refused if this is impossible or the user may not undo such a change."""
    with change(db, context, "undo") as changed:
        kept = _wanted(db, context, request)
        row = kept.row
        changed.what, changed.number, changed.name = f"undo {row.what}", row.number, row.name
        things, ids = _things_of(db, context, kept)
        changed.before = (_value(row.after) or {}) | {"undone": [min(ids), max(ids)]}
        changed.after = _value(row.before)
        rows = [thing.row for thing in things if thing.row.before or thing.row.after]
        if not rows:
            raise Refused("cannot-undo", NOT_KEPT)
        for thing in rows:
            _restore(db, context, thing)
    return Undone(changed.id, row.what, row.number or row.name, len(rows), _undo_of(context, row.what).is_import)


def latest_changes(db: sqlite3.Connection, changes: Changes, number: str | None = None) -> tuple[Latest, ...]:
    """Return the latest changes of the kinds in `changes`, and their undos. `number`: only those about this number."""
    kept = audit.latest_of(db, (*changes, *(f"undo {what}" for what in changes)), LATEST, number)
    return tuple(
        Latest(change.id, change.row, can_undo(db, changes, change), is_administrators(changes, change.row.what))
        for change in kept
    )


def find_made(db: sqlite3.Connection, context: Context, change_id: int) -> Latest | None:
    """Return a change if the context's user made it in the last OFFERED_SECONDS, otherwise None."""
    kept = audit.change_of_id(db, change_id)
    if kept is None or kept.row.who != context.actor or not 0 <= context.at - kept.row.at <= OFFERED_SECONDS:
        return None
    changes, what = context.changes, kept.row.what
    return Latest(kept.id, kept.row, can_undo(db, changes, kept), is_administrators(changes, what))


def can_undo(db: sqlite3.Connection, changes: Changes, change: audit.KeptChange) -> bool:
    """Return whether this kind of change allows an undo, and this change was neither undone nor erased from the audit.

    This function does not check whether a later change of the same item prevents the undo.
    """
    row = change.row
    is_final = not isinstance(changes.get(row.what), Undo)
    return not is_final and bool(row.before or row.after) and audit.undone_at(db, change) is None


def is_administrators(changes: Changes, what: str) -> bool:
    """Return whether only administrators may make and undo this kind of change."""
    undo = changes.get(what)
    return isinstance(undo, Undo) and undo.role >= Role.ADMINISTRATOR


def why_final(changes: Changes, what: str) -> Wording:
    """Return why a change of this kind cannot be undone, and what to do instead. An undo is such a change too."""
    why = changes.get(what, AGAIN)
    assert isinstance(why, Wording)
    return Wording("'{change}' cannot be undone. {why}", {"change": name_of(what), "why": why})


def _wanted(db: sqlite3.Connection, context: Context, request: UndoRequest) -> audit.KeptChange:
    kept = audit.change_of_id(db, request.change_id)
    if kept is None or request.number not in (None, kept.row.number):
        raise Refused("no-such-change", GONE)
    what = kept.row.what
    if request.whats is not None and what not in request.whats:
        raise Refused("no-such-change", GONE)
    if not isinstance(context.changes.get(what), Undo):
        raise Refused("cannot-undo", why_final(context.changes, what))
    if (at := audit.undone_at(db, kept)) is not None:
        raise Refused("undone-already", Wording("This change was already undone at {time}.", {"time": when(at)}))
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
    row, undo = kept.row, _undo_of(context, kept.row.what)
    if undo.is_import:
        together = audit.changed_at_once(db, row)
        return together[1:], [change.id for change in together]
    along = [change for what in undo.along for change in audit.changed_at_once(db, row._replace(what=what))]
    things = sorted((change for change in along if change.row.number == row.number), key=lambda change: -change.id)
    return [*things, kept] if undo.table or undo.by else things, [kept.id]


def _restore(db: sqlite3.Connection, context: Context, row: audit.AuditRow) -> None:
    was, is_now = _value(row.before), _value(row.after)
    kind = _kind_of(_undo_of(context, row.what), is_now or was or {})
    try:
        before, after = (None if value is None else kind.read(db, row, value) for value in (was, is_now))
    except (msgspec.ValidationError, KeyError):  # a row of an older version, which stored less
        raise Refused("cannot-undo", NOT_KEPT) from None
    # Times are stored to the microsecond.
    if plain(kind.current(db, context, after or before)) != plain(after):
        raise Refused("changed-since", CHANGED)
    if after is not None and (before is None or not kind.replaces):
        kind.remove(db, context, after)
    if before is not None:
        try:
            kind.put_back(db, context, before)
        except sqlite3.IntegrityError:  # also a row of an older version
            raise Refused("cannot-undo", NOT_KEPT) from None


def _value(text: str | None) -> dict[str, Any] | None:
    value = audit.value_of(text) if text else None
    return value if isinstance(value, dict) else None
