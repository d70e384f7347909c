"""Numbers imported from a file or feed, as generations: one is staged, then takes the place of the one before.

An import of millions of numbers must neither stop the other writers nor be seen half done. So it is written in
small transactions under a source that is not live yet, one transaction makes it live, and the generation before
is dropped in small transactions.

An import that was cut off, by Ctrl-C or a power cut, is run again: where the same rows were being staged under the
name it goes on with the number after the last one stored. The rows know that they are the same by a digest, so it does
not matter from which file, pipe or format they come. What nobody goes on with is dropped after a day, by the next
import.

These functions make their own transactions: run them on a connection of `open_store`, not through `Store.write`.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import msgspec

from reputation.store.errors import StoreError, store_errors
from reputation.store.transaction import begin_reading, transaction

# number, category, name, note
ImportedRow = tuple[str, str | None, str | None, str | None]

BATCH = 5000
READ_BATCH = 1000
ROWS_IN_STATEMENT = 20
# Once the lock was held for so long, in one transaction or several, it is free for as long. A waiting writer looks
# again after 1, 2, 5, 10, 15 and 20 ms, and then every 25 ms: the first pause lets it in.
PAUSE_SECONDS = 0.025
# A staged generation that nobody has touched for so long belongs to an import that died and is not run again.
ABANDONED_SECONDS = 86_400.0
# A feed that comes again within the hour is somebody trying again: that says nothing of how often it comes.
AGAIN_SECONDS = 3600.0

STAGE = """
INSERT INTO import_source (name, verdict, live, imported_at, touched_at, numbers, format, digest)
VALUES (?, ?, 0, ?, ?, 0, ?, ?)
"""
# touched_at is 0 in what is being dropped.
STAGED = """
SELECT id, staged_to, numbers FROM import_source
 WHERE live = 0 AND touched_at > 0 AND name = ? AND verdict = ? AND format IS ? AND digest = ?
 ORDER BY touched_at DESC LIMIT 1
"""
ADD = """
INSERT INTO imported (number, source, category, name, note)
SELECT number, ?, category, name, note FROM scratch.sorted WHERE rowid > ? AND rowid <= ?
"""
TOUCH = """
UPDATE import_source SET touched_at = ?, numbers = numbers + ?, staged_to = ?
 WHERE id = ? AND live = 0 AND touched_at > 0 AND staged_to = ?
"""
LIVE = "SELECT imported_at, numbers, every_seconds FROM import_source WHERE name = ? AND live = 1"
RETIRE = "UPDATE import_source SET live = 0, touched_at = 0 WHERE name = ? AND live = 1"
GO_LIVE = """
UPDATE import_source SET live = 1, imported_at = ?, touched_at = ?, every_seconds = ?, numbers_before = ? WHERE id = ?
"""
SOURCES = "SELECT name, verdict, imported_at, numbers FROM import_source WHERE live = 1 ORDER BY name"
NUMBERS_STAGED = "SELECT numbers FROM import_source WHERE id = ?"
LEFT_OVER = "SELECT id FROM import_source WHERE live = 0 AND touched_at < ?"
GIVE_UP = "UPDATE import_source SET touched_at = 0 WHERE id = ? AND live = 0 AND touched_at < ?"
NUMBERS_OF = "SELECT number, source FROM imported WHERE source = ? AND number > ? ORDER BY number LIMIT ?"
IN_ORDER = "SELECT number, category, name, note FROM scratch.row WHERE number > ? ORDER BY number, rowid"
# SQLite takes the other columns from the row that has the maximum (its documentation: bare columns in an aggregate).
LAST_IN_ORDER = """
INSERT INTO scratch.sorted
SELECT number, category, name, note FROM
    (SELECT number, category, name, note, max(rowid) FROM scratch.row WHERE number > ? GROUP BY number ORDER BY number)
"""
SORTED = "SELECT number FROM scratch.sorted WHERE rowid = ?"
HOW_MANY = "SELECT coalesce(max(rowid), 0) FROM scratch.sorted"


class TooFewNumbers(StoreError):
    """The import has fewer numbers than it must have: what was in force stays, and what is staged waits for a day."""

    def __init__(self, numbers: int) -> None:
        super().__init__(f"the import has {numbers:,} numbers: too few to take the place of those in force")
        self.numbers = numbers


def last_of(rows: Iterable[ImportedRow]) -> ImportedRow:
    """Of the rows of one number the last one counts."""
    return deque(rows, maxlen=1)[0]


class Feed(NamedTuple):
    """How rows become a generation.

    `format`: what a feed's file is; None: a list. `merge`: the one row of a number, from all its rows in their order.
    `least`: with fewer numbers it does not go live.
    """

    format: str | None = None
    merge: Callable[[Iterable[ImportedRow]], ImportedRow] = last_of
    least: int = 0


LIST = Feed()


class ImportSource(NamedTuple):
    """A source in force: its verdict (spam or ok), when it was imported, and how many numbers it lists.

    `continued`: of an import just made, how many of them were stored already by a run that was cut off.
    """

    name: str
    verdict: str
    imported_at: float
    numbers: int
    continued: int = 0


class _Turns:
    """Transactions between which other writers have their turn."""

    def __init__(self) -> None:
        self._held_seconds = 0.0

    @contextmanager
    def transaction(self, db: sqlite3.Connection) -> Iterator[None]:
        """All of the block or nothing; then a pause, if one is due."""
        with transaction(db):
            began = time.monotonic()
            yield
        self._held_seconds += time.monotonic() - began
        if self._held_seconds >= PAUSE_SECONDS:
            time.sleep(self._held_seconds)
            self._held_seconds = 0.0


class _Staged(NamedTuple):
    """A generation being staged: all numbers up to `to` are there, `numbers` of them."""

    source: int
    to: str = ""
    numbers: int = 0


def import_numbers(
    db: sqlite3.Connection,
    name: str,
    verdict: str,
    rows: Iterable[ImportedRow],
    clock: Callable[[], float] = time.time,
    also: Callable[[ImportSource], object] = lambda _live: None,
    feed: Feed = LIST,
) -> ImportSource:
    """Makes the numbers of the source exactly these.

    Rows may come in any order and number: they are sorted on disk, because in order they take half the room. `also` is
    what is written in the transaction that puts the source in force. Raises StoreError, TooFewNumbers among them; then
    the generation before stays in force.
    """
    with _scratch(db):
        digest = _read(db, rows)
        with transaction(db):
            staged = _staged(db, (name, verdict, feed.format, digest), clock())
        drop_left_over(db, clock)
        to, turns = staged.to, _Turns()
        for first, last in _sorted(db, staged.to, feed.merge):
            with turns.transaction(db):
                [(reached,)] = db.execute(SORTED, (last,)).fetchall()
                to = _touch(db, staged.source, clock(), last - first, reached, to)
                db.execute(ADD, (staged.source, first, last))
    with transaction(db):
        _touch(db, staged.source, clock(), 0, to, to)
        _go_live(db, name, staged.source, feed.least, clock())
        live = next(live for live in sources(db) if live.name == name)._replace(continued=staged.numbers)
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
    """Drops the generations that are out of force and those of imports that died and were not run again."""
    before, turns = clock() - ABANDONED_SECONDS, _Turns()
    for (source,) in db.execute(LEFT_OVER, (before,)).fetchall():
        with transaction(db):
            given_up = db.execute(GIVE_UP, (source, before)).rowcount > 0  # from here on nobody goes on with it
        if not given_up:
            continue
        for batch in _numbers_of(db, source):
            with turns.transaction(db):
                db.executemany("DELETE FROM imported WHERE number = ? AND source = ?", batch)
        with transaction(db):
            db.execute("DELETE FROM import_source WHERE id = ?", (source,))


def _staged(db: sqlite3.Connection, rows: tuple[str, str, str | None, str], now: float) -> _Staged:
    """Where to store the rows (name, verdict, format, digest): what an import of the same has left, or a new one."""
    found = db.execute(STAGED, rows).fetchone()
    if found:
        staged = _Staged(*found)
        _touch(db, staged.source, now, 0, staged.to, staged.to)
        return staged
    name, verdict, form, digest = rows
    source = db.execute(STAGE, (name, verdict, now, now, form, digest)).lastrowid
    assert source is not None
    return _Staged(source)


def _touch(db: sqlite3.Connection, source: int, at: float, numbers: int, reached: str, to: str) -> str:
    """Notes that so many follow on `to`; returns up to where all is there. StoreError: somebody else was here."""
    if db.execute(TOUCH, (at, numbers, reached, source, to)).rowcount != 1:
        raise StoreError(
            "another import of the same list has taken over, or this one stood still for a day and was cleaned up; "
            "look with `callsieve import list` and start it again if need be"
        )
    return reached


def _go_live(db: sqlite3.Connection, name: str, source: int, least: int, now: float) -> None:
    (numbers,) = db.execute(NUMBERS_STAGED, (source,)).fetchone()
    if numbers < least:
        raise TooFewNumbers(numbers)
    imported_at, before, every = db.execute(LIVE, (name,)).fetchone() or (now, None, None)
    db.execute(RETIRE, (name,))
    db.execute(GO_LIVE, (now, now, usual_gap(every, now - imported_at), before, source))


def usual_gap(every: float | None, gap: float) -> float | None:
    """How often a feed comes (seconds) after it came again after `gap`: one that came early at most halves it."""
    if gap < AGAIN_SECONDS:
        return every
    return gap if every is None else max(gap, every / 2)


@contextmanager
def _scratch(db: sqlite3.Connection) -> Iterator[None]:
    """A private temporary file beside the store, so that rows get from one to the other without passing Python."""
    db.execute("ATTACH '' AS scratch")
    try:
        db.execute("PRAGMA scratch.journal_mode = MEMORY")
        db.execute("CREATE TABLE scratch.row (number, category, name, note)")
        db.execute("CREATE TABLE scratch.sorted (number, category, name, note)")
        yield
    finally:
        db.execute("DETACH scratch")


def _read(db: sqlite3.Connection, rows: Iterable[ImportedRow]) -> str:
    """Any number of rows, in little memory: SQLite keeps them in its temporary file. Returns their digest.

    They take some 150 bytes a row where TMPDIR says; a disk that is full there is told as such.
    """
    digest = blake2b(digest_size=16)
    with store_errors(Path(tempfile.gettempdir())):
        for batch in _batches(iter(rows)):
            digest.update(msgspec.msgpack.encode(batch))
            with transaction(db, begin_reading):
                _insert(db, batch)
    return digest.hexdigest()


def _insert(db: sqlite3.Connection, rows: list[ImportedRow]) -> None:
    """Adds rows to those to be sorted. Most of what that takes is a statement and a value bound: several rows are one
    statement, and columns in which there is nothing are left out.
    """
    columns = zip(("number", "category", "name", "note"), zip(*rows, strict=True), strict=True)
    given = {name: values for name, values in columns if values.count(None) < len(rows)}
    values = list(chain.from_iterable(zip(*given.values(), strict=True)))
    one, width = f"({', '.join('?' * len(given))})", len(given)
    for start in range(0, len(values), ROWS_IN_STATEMENT * width):
        some = values[start : start + ROWS_IN_STATEMENT * width]
        places = ", ".join([one] * (len(some) // width))
        db.execute(f"INSERT INTO scratch.row ({', '.join(given)}) VALUES {places}", some)


def _sorted(
    db: sqlite3.Connection, after: str, merge: Callable[[Iterable[ImportedRow]], ImportedRow]
) -> Iterator[tuple[int, int]]:
    """The rows with numbers after this one, sorted by number, one for each; the rowids of one batch after the other.

    Of a batch the first is the last one of the batch before.
    """
    with store_errors(Path(tempfile.gettempdir())), transaction(db, begin_reading):
        if merge is last_of:
            db.execute(LAST_IN_ORDER, (after,))
        else:
            with closing(db.execute(IN_ORDER, (after,))) as found:  # open, it would keep the file
                merged = (merge(same) for _, same in groupby(found, itemgetter(0)))
                db.executemany("INSERT INTO scratch.sorted VALUES (?, ?, ?, ?)", merged)
        [(count,)] = db.execute(HOW_MANY).fetchall()
    for first in range(0, count, BATCH):
        yield first, min(first + BATCH, count)


def _batches(rows: Iterator[ImportedRow]) -> Iterator[list[ImportedRow]]:
    while batch := list(islice(rows, READ_BATCH)):
        yield batch


def _numbers_of(db: sqlite3.Connection, source: int) -> Iterator[list[tuple[str, int]]]:
    """The keys of a source in batches. They are looked for outside any transaction, so nobody waits for that."""
    after = ""
    while batch := db.execute(NUMBERS_OF, (source, after, BATCH)).fetchall():
        yield batch
        after = batch[-1][0]
