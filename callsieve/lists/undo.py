"""Functions that undo changes of the organisation's lists and of people's own lists."""

import sqlite3
from typing import Any

from callsieve.changes.operation import Context, Refused
from callsieve.changes.undo import ADMINISTRATORS, UndoKind, put_row_back
from callsieve.text.number_entry import area_covered, objections_to
from callsieve.wiring import known_own_numbers
from reputation.encoding import parse_plain
from reputation.model import ListEntry
from reputation.store.lists import PersonalEntry, add_entry, find_entry, remove_entry
from reputation.users import Role


def _put_back(db: sqlite3.Connection, context: Context, entry: ListEntry) -> None:
    """Restore an entry. Raise Refused if only an administrator may add this entry."""
    is_forced = area_covered(entry) or objections_to(entry, known_own_numbers(db, context.loaded))
    if is_forced and context.role < Role.ADMINISTRATOR:
        raise Refused("administrators-only", ADMINISTRATORS)
    add_entry(db, entry)


ENTRY = UndoKind(
    lambda _db, _row, value: parse_plain(value, ListEntry),
    lambda db, _, entry: find_entry(db, entry),
    lambda db, _, entry: remove_entry(db, entry),
    _put_back,
)
PERSONAL = put_row_back("personal_entry", PersonalEntry)


def undo_of_entry(value: dict[str, Any]) -> UndoKind:
    """Return how to undo a change of an entry. `value`: the stored entry. Entries of personal lists have a person."""
    return PERSONAL if "person" in value else ENTRY
