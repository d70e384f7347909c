"""Numbers imported from a file or feed, as generations: one is staged, then takes the place of the one before.

An import of millions of numbers must neither stop the other writers nor be seen half done. So it is written in
small transactions under a source that is not live yet, one transaction makes it live, and the generation before
is dropped in small transactions. What an import that died has left is dropped by the next one.

These functions make their own transactions: run them on a connection of `open_store`, not through `Store.write`.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from reputation.store.errors import StoreError, store_errors
from reputation.store.transaction import transaction

# number, category, name, note
ImportedRow = tuple[str, str | None, str | None, str | None]

BATCH = 20_000
# Between two batches the lock is free for so long: a waiting writer looks again every 25 to 100 ms.
PAUSE_SECONDS = 0.02
# A staged generation that nobody has touched for so long belongs to an import that died.
ABANDONED_SECONDS = 3600.0

STAGE = """
INSERT INTO import_source (name, verdict, live, imported_at, touched_at, numbers) VALUES (?, ?, 0, ?, ?, 0)
"""
ADD = "INSERT INTO imported (number, source, category, name, note) VALUES (?, ?, ?, ?, ?)"
TOUCH = "UPDATE import_source SET touched_at = ?, numbers = numbers + ? WHERE id = ? AND live = 0"
RETIRE = "UPDATE import_source SET live = 0, touched_at = 0 WHERE name = ? AND live = 1"
GO_LIVE = "UPDATE import_source SET live = 1, imported_at = ?, touched_at = ? WHERE id = ?"
SOURCES = "SELECT name, verdict, imported_at, numbers FROM import_source WHERE live = 1 ORDER BY name"
LEFT_OVER = "SELECT id FROM import_source WHERE live = 0 AND touched_at < ?"
NUMBERS_OF = "SELECT number, source FROM imported WHERE source = ? AND number > ? ORDER BY number LIMIT ?"


class ImportSource(NamedTuple):
    """A source in force: its verdict (spam or ok), when it was imported, and how many numbers it lists."""

    name: str
    verdict: str
    imported_at: float
    numbers: int


def import_numbers(
    db: sqlite3.Connection,
    name: str,
    verdict: str,
    rows: Iterable[ImportedRow],
    clock: Callable[[], float] = time.time,
    also: Callable[[ImportSource], object] = lambda _live: None,
) -> ImportSource:
    """Makes the numbers of the source exactly these; of a number that occurs twice the last row counts.

    Rows may come in any order and number: they are sorted on disk, because in order they take half the room. `also` is
    what is written in the transaction that puts the source in force. Raises StoreError; then the generation before
    stays in force.
    """
    drop_left_over(db, clock)
    with transaction(db):
        source = db.execute(STAGE, (name, verdict, clock(), clock())).lastrowid
    for batch in _batches(_sorted(rows)):
        with transaction(db):
            _touch(db, source, clock(), len(batch))
            db.executemany(ADD, ((row[0], source, *row[1:]) for row in batch))
        time.sleep(PAUSE_SECONDS)
    with transaction(db):
        _touch(db, source, clock(), 0)
        db.execute(RETIRE, (name,))
        db.execute(GO_LIVE, (clock(), clock(), source))
        live = next(live for live in sources(db) if live.name == name)
        also(live)
    drop_left_over(db, clock)
    return live


def sources(db: sqlite3.Connection) -> list[ImportSource]:
    """The sources in force, by name."""
    return [ImportSource(*row) for row in db.execute(SOURCES)]


def remove_source(
    db: sqlite3.Connection,
    name: str,
    clock: Callable[[], float] = time.time,
    also: Callable[[], object] = lambda: None,
) -> bool:
    """Takes the source out of force at once, with `also` in the same transaction, and then its numbers out of the
    store. False: no such source.
    """
    with transaction(db):
        found = db.execute(RETIRE, (name,)).rowcount > 0
        also()
    drop_left_over(db, clock)
    return found


def drop_left_over(db: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
    """Drops the generations that are out of force and those of imports that died."""
    for (source,) in db.execute(LEFT_OVER, (clock() - ABANDONED_SECONDS,)).fetchall():
        for batch in _numbers_of(db, source):
            with transaction(db):
                db.executemany("DELETE FROM imported WHERE number = ? AND source = ?", batch)
            time.sleep(PAUSE_SECONDS)
        with transaction(db):
            db.execute("DELETE FROM import_source WHERE id = ?", (source,))


def _touch(db: sqlite3.Connection, source: int | None, at: float, numbers: int) -> None:
    if db.execute(TOUCH, (at, numbers, source)).rowcount != 1:
        raise StoreError("the import stood still for an hour and was cleaned up by another one; start it again")


def _sorted(rows: Iterable[ImportedRow]) -> Iterator[ImportedRow]:
    """Any number of rows by number, in little memory: SQLite sorts them in private temporary files.

    They take some 100 bytes a row where TMPDIR says; a disk that is full there is told as such.
    """
    place = Path(tempfile.gettempdir())
    with store_errors(place), closing(sqlite3.connect("", isolation_level=None)) as scratch:
        scratch.execute("CREATE TABLE row (number, category, name, note)")
        with transaction(scratch):
            scratch.executemany("INSERT INTO row VALUES (?, ?, ?, ?)", rows)
        # A bare column next to max() comes from the row that holds the maximum (sqlite.org/quirks.html).
        for number, category, name, note, _ in scratch.execute(
            "SELECT number, category, name, note, max(rowid) FROM row GROUP BY number"
        ):
            yield number, category, name, note


def _batches(rows: Iterator[ImportedRow]) -> Iterator[list[ImportedRow]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _numbers_of(db: sqlite3.Connection, source: int) -> Iterator[list[tuple[str, int]]]:
    """The keys of a source in batches. They are looked for outside any transaction, so nobody waits for that."""
    after = ""
    while batch := db.execute(NUMBERS_OF, (source, after, BATCH)).fetchall():
        yield batch
        after = batch[-1][0]
