"""The administrator's lists. Parsing an entry is not done here: entries come and go as ListEntry."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from reputation.columns import column_list
from reputation.model import EntryKind, ListEntry, ListName

COLUMNS = column_list(ListEntry)
THERE = "first = ? AND last = ? AND kind = ? AND list = ?"
OF = f"SELECT {COLUMNS} FROM list_entry WHERE {THERE}"
REMOVE = f"DELETE FROM list_entry WHERE {THERE} RETURNING {COLUMNS}"
ADD = """
INSERT INTO list_entry (first, last, kind, list, action, note, expires_at, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_PREFIX = "INSERT INTO list_prefix (prefix, entry) VALUES (?, ?)"
SHOW = f"SELECT {COLUMNS} FROM list_entry WHERE :list IS NULL OR list = :list ORDER BY first, last, list"

ACTIONS = "SELECT DISTINCT action FROM list_entry WHERE expires_at IS NULL OR expires_at > ?"

# What is known of a number stands in one of these.
KNOWN = "SELECT count(*) FROM ({each} LIMIT :most)".format(
    each=" UNION ".join(
        f"""SELECT number FROM {table} WHERE number BETWEEN :first AND :last
        AND (:length IS NULL OR length(number) = :length)"""
        for table in ("standing", "imported", "contact", "identity")
    )
)


def add_entry(db: sqlite3.Connection, entry: ListEntry) -> None:
    """Adds the entry, or replaces the one that matches the same numbers on the same list. Call it in a transaction."""
    remove_entry(db, entry)
    row = (*_key(entry), entry.action, entry.note, entry.expires_at, entry.added_at)
    entry_id = db.execute(ADD, row).lastrowid
    prefixes = covering_prefixes(entry.first, entry.last) if entry.last else [entry.first]
    db.executemany(ADD_PREFIX, ((prefix, entry_id) for prefix in prefixes))


def remove_entry(db: sqlite3.Connection, entry: ListEntry) -> ListEntry | None:
    """Removes the entry that matches the same numbers on the same list, and returns it as it was."""
    return next(map(entry_of_row, db.execute(REMOVE, _key(entry)).fetchall()), None)


def entry_there(db: sqlite3.Connection, entry: ListEntry) -> ListEntry | None:
    """The entry that matches the same numbers on the same list, as it is."""
    return next(map(entry_of_row, db.execute(OF, _key(entry))), None)


def known_numbers(db: sqlite3.Connection, entry: ListEntry, most: int) -> int:
    """Return how many numbers that we know something of a prefix or a range matches; at most `most` are counted."""
    last = entry.last or f"{entry.first}:"  # the character after 9
    length = None if entry.last is None else len(entry.first)
    about = {"first": entry.first, "last": last, "length": length, "most": most}
    (count,) = db.execute(KNOWN, about).fetchone()
    return int(count)


def list_entries(db: sqlite3.Connection, list_name: ListName | None = None) -> list[ListEntry]:
    """All entries of one list or both, expired ones too, by number."""
    return [entry_of_row(row) for row in db.execute(SHOW, {"list": list_name})]


def has_entry_with(db: sqlite3.Connection, actions: Collection[str], now: float) -> bool:
    """Whether an entry that has not expired has one of these actions."""
    rows = db.execute(ACTIONS, (now,))
    return any(action in actions for (action,) in rows)


def entry_of_row(row: tuple[Any, ...]) -> ListEntry:
    """From the columns list, kind, first, last, action, note, expires_at, added_at."""
    list_name, kind, first, last, *others = row
    return ListEntry(ListName(list_name), EntryKind(kind), first, last or None, *others)


def covering_prefixes(first: str, last: str) -> Iterator[str]:
    """The fewest prefixes that all numbers from first to last, and no others of their length, begin with.

    At most 18 per digit: a range of whole hundreds or thousands, as numbers are given out, is one or a few.
    """
    if len(first) != len(last):
        raise ValueError(f"{first} and {last} are not of the same length")
    return _cover(first[:1], first[1:], last[1:])


def _cover(prefix: str, low: str, high: str) -> Iterator[str]:
    nothing, everything = "0" * len(low), "9" * len(low)
    if (low, high) == (nothing, everything):
        yield prefix
        return
    for digit in range(int(low[0]), int(high[0]) + 1):
        rest_low = low[1:] if digit == int(low[0]) else nothing[1:]
        rest_high = high[1:] if digit == int(high[0]) else everything[1:]
        yield from _cover(f"{prefix}{digit}", rest_low, rest_high)


def _key(entry: ListEntry) -> tuple[str, str, str, str]:
    return entry.first, entry.last or "", entry.kind, entry.list_name
