"""What is stored about one number, given to its owner or forgotten (data protection).

stored_about, export, erase     operations (callsieve/changes/operation.py)
clear_files                     afterwards, with the store closed: the bytes that the rows have left
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callsieve.calls import spoken_names
from callsieve.changes.describe import number_field
from callsieve.changes.operation import Context, change
from callsieve.settings import Loaded
from reputation.store.event_deliveries import read_again
from reputation.store.privacy import (
    ERASED,
    clear_freed,
    erase_from_backups,
    erase_number,
    export_number,
    files_naming,
    find_mentions,
)


@dataclass(frozen=True, slots=True)
class NumberData:
    """All rows about a number by table, and the recordings of its callers' names."""

    number: str
    tables: Mapping[str, list[dict[str, object]]]
    recordings: tuple[Path, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows, by table."""
        return {table: len(rows) for table, rows in self.tables.items()}

    @property
    def erasable(self) -> dict[str, int]:
        """How many of them are erased."""
        return {table: count for table, count in self.counts.items() if table in ERASED}

    @property
    def kept(self) -> dict[str, int]:
        """How many stay: what is known of a number of ours is about nobody who called."""
        return {table: count for table, count in self.counts.items() if table not in ERASED}


@dataclass(frozen=True, slots=True)
class ErasedNumber:
    """How many rows went, by table, and how many recordings."""

    number: str
    counts: Mapping[str, int]
    recordings: int


def stored_about(db: sqlite3.Connection, context: Context, number: str) -> NumberData:
    """What there is. Changes nothing, and leaves no row in the audit."""
    e164 = number_field(context, number)
    tables = export_number(db, e164)
    ids = [row["id"] for row in tables["decision"]]
    return NumberData(e164, tables, tuple(spoken_names.of_decisions(context.loaded.state, ids)))


def export(db: sqlite3.Connection, context: Context, number: str) -> NumberData:
    """The same, for its owner."""
    stored = stored_about(db, context, number)
    with change(db, context, "privacy export", stored.number):
        return stored


def erase(db: sqlite3.Connection, context: Context, number: str) -> ErasedNumber:
    """Deletes every row about the number, for good. The audit says that this was done, and not of which number."""
    stored = stored_about(db, context, number)
    mentions = find_mentions(db, stored.number)
    spoken = spoken_names.erase(stored.recordings)  # first: without the decisions nothing says whose they are
    with change(db, context, "privacy erase"):
        counts = erase_number(db, stored.number, mentions)
        if counts["event"]:
            read_again(db, context.at)
        return ErasedNumber(stored.number, counts, spoken)


def clear_files(loaded: Loaded, number: str) -> tuple[bool, dict[Path, str]]:
    """Clears what SQLite has freed, and backups: whether the store could be, and of which backups not, and why."""
    is_clear = clear_freed(loaded.store_path, number)
    return is_clear, {backup: problem for backup, problem in erase_from_backups(loaded.store_path, number) if problem}


def files_about(loaded: Loaded, number: str) -> list[Path]:
    """The files of ours that name the number, or cannot be searched. Only while the store is closed."""
    return files_naming((loaded.state, loaded.store_path.parent), number)
