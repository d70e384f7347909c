"""The administrator's lists. Parsing an entry is not done here: entries come and go as ListEntry."""

from __future__ import annotations

import sqlite3
from typing import Any

from reputation.model import EntryKind, ListEntry, ListName

ADD = """
INSERT INTO list_entry (list, kind, first, last, action, note, expires_at, added_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (first, kind, last, list) DO UPDATE
SET action = excluded.action, note = excluded.note,
    expires_at = excluded.expires_at, added_at = excluded.added_at
"""
REMOVE = """
DELETE FROM list_entry WHERE first = ? AND kind = ? AND last = ? AND list = ?
RETURNING list, kind, first, last, action, note, expires_at, added_at
"""
SHOW = """
SELECT list, kind, first, last, action, note, expires_at, added_at
  FROM list_entry WHERE :list IS NULL OR list = :list ORDER BY first, last, list
"""


def add_entry(db: sqlite3.Connection, entry: ListEntry) -> None:
    """Adds the entry, or replaces the one that matches the same numbers on the same list."""
    key = (entry.list_name, entry.kind, entry.first, entry.last or "")
    db.execute(ADD, (*key, entry.action, entry.note, entry.expires_at, entry.added_at))


def remove_entry(db: sqlite3.Connection, entry: ListEntry) -> ListEntry | None:
    """Removes the entry that matches the same numbers on the same list, and returns it as it was."""
    rows = db.execute(REMOVE, (entry.first, entry.kind, entry.last or "", entry.list_name)).fetchall()
    return next(map(entry_of_row, rows), None)


def list_entries(db: sqlite3.Connection, list_name: ListName | None = None) -> list[ListEntry]:
    """All entries of one list or both, expired ones too, by number."""
    return [entry_of_row(row) for row in db.execute(SHOW, {"list": list_name})]


def entry_of_row(row: tuple[Any, ...]) -> ListEntry:
    """From the columns list, kind, first, last, action, note, expires_at, added_at."""
    list_name, kind, first, last, *others = row
    return ListEntry(ListName(list_name), EntryKind(kind), first, last or None, *others)
