"""Import a source's numbers from a file or feed. Each import stages a new generation, which then replaces the old one.

An import of millions of numbers must not block other writers or be visible half done. So the new generation is written
in small transactions, under a source that is not live. One transaction makes it live, and the old generation is deleted
in small transactions.

To resume an interrupted import (Ctrl-C, power cut), run it again. If it has the same name and the same rows, it
continues after the last stored number. The next import deletes a staged generation that is older than a day.

These functions make their own transactions: call them on a connection of `open_store`, not through `Store.write`.
"""

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
# After the lock was held for so long, in one transaction or several, it is free for as long. A waiting writer tries
# again after 1, 2, 5, 10, 15 and 20 ms, and then every 25 ms, so the first pause lets it in.
PAUSE_SECONDS = 0.025
# A staged generation untouched for so long belongs to an import that died and was not run again.
ABANDONED_SECONDS = 86_400.0
# A feed imported again within the hour is a retry, and does not show how often it comes.
AGAIN_SECONDS = 3600.0

STAGE = """
INSERT INTO import_source (name, verdict, live, imported_at, touched_at, numbers, format, digest)
VALUES (?, ?, 0, ?, ?, 0, ?, ?)
"""
# touched_at is 0 while a generation is being deleted.
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
    """The error that an import has too few numbers. The previous import stays in use. The new one is kept for a day."""

    def __init__(self, numbers: int) -> None:
        super().__init__(f"the import has {numbers:,} numbers: too few to replace the present list, which stays")
        self.numbers = numbers


def last_of(rows: Iterable[ImportedRow]) -> ImportedRow:
    """Return the last of several rows about the same number. This row replaces the earlier rows."""
    return deque(rows, maxlen=1)[0]


class Feed(NamedTuple):
    """How the rows of an import are combined and checked before they go live.

    `format`: the file format of a feed; None for a list that is imported once. `merge`: combines all rows of a number
    into one row. `least`: how many numbers a generation must have to go live.
    """

    format: str | None = None
    merge: Callable[[Iterable[ImportedRow]], ImportedRow] = last_of
    least: int = 0


LIST = Feed()


class ImportSource(NamedTuple):
    """A live source: its verdict (spam or ok), when it was imported, and how many numbers it lists.

    `continued`: how many of these numbers were stored by an earlier run that was interrupted.
    """

    name: str
    verdict: str
    imported_at: float
    numbers: int
    continued: int = 0


class _Turns:
    """Transactions with pauses between them, so that other writers get the lock."""

    def __init__(self) -> None:
        self._held_seconds = 0.0

    @contextmanager
    def transaction(self, db: sqlite3.Connection) -> Iterator[None]:
        """Run the block in a transaction. Pause after it if the lock has been held for long since the last pause."""
        with transaction(db):
            began = time.monotonic()
            yield
        self._held_seconds += time.monotonic() - began
        if self._held_seconds >= PAUSE_SECONDS:
            time.sleep(self._held_seconds)
            self._held_seconds = 0.0


class _Staged(NamedTuple):
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
    """Replace the numbers of the source `name`. `also` is called in the transaction that makes the source live.

    Raises:
        TooFewNumbers: The new generation has fewer numbers than `feed.least`. The old generation stays live.
        StoreError: The import failed for another reason. The old generation stays live.
    """
    with _scratch(db):
        digest = _read(db, rows)  # sorted on disk first: sorted rows take half the space in the store
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
    """Return the live sources, ordered by name."""
    return [ImportSource(*row) for row in db.execute(SOURCES)]


def remove_source(
    db: sqlite3.Connection,
    name: str,
    clock: Callable[[], float] = time.time,
    also: Callable[[], object] = lambda: None,
) -> bool:
    """Stop using a source and call `also` in one transaction, then delete its numbers. Return False if unknown."""
    with transaction(db):
        was_live = db.execute(RETIRE, (name,)).rowcount > 0
        also()
    drop_left_over(db, clock)
    return was_live


def drop_left_over(db: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
    """Delete generations that are no longer live, and staged generations that are older than a day."""
    before, turns = clock() - ABANDONED_SECONDS, _Turns()
    for (source,) in db.execute(LEFT_OVER, (before,)).fetchall():
        with transaction(db):
            given_up = db.execute(GIVE_UP, (source, before)).rowcount > 0  # from here on no import continues it
        if not given_up:
            continue
        for batch in _numbers_of(db, source):
            with turns.transaction(db):
                db.executemany("DELETE FROM imported WHERE number = ? AND source = ?", batch)
        with transaction(db):
            db.execute("DELETE FROM import_source WHERE id = ?", (source,))


def _staged(db: sqlite3.Connection, rows: tuple[str, str, str | None, str], now: float) -> _Staged:
    row = db.execute(STAGED, rows).fetchone()
    if row:
        staged = _Staged(*row)
        _touch(db, staged.source, now, 0, staged.to, staged.to)
        return staged
    name, verdict, form, digest = rows
    source = db.execute(STAGE, (name, verdict, now, now, form, digest)).lastrowid
    assert source is not None
    return _Staged(source)


def _touch(db: sqlite3.Connection, source: int, at: float, numbers: int, reached: str, to: str) -> str:
    """Record that the import has come to the number `reached`. Return it. Raise StoreError if another took over."""
    if db.execute(TOUCH, (at, numbers, reached, source, to)).rowcount != 1:
        raise StoreError(
            "another import of the same list has taken over, or this import was inactive for a day and was deleted; "
            "check with `callsieve import list`, and start the import again if needed"
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
    """Return the usual interval between imports of a feed in seconds. `every`: the usual interval so far, or None.

    `gap`: the latest interval. It is ignored if it is below an hour. The result is at least half of `every`.
    """
    if gap < AGAIN_SECONDS:
        return every
    return gap if every is None else max(gap, every / 2)


@contextmanager
def _scratch(db: sqlite3.Connection) -> Iterator[None]:
    """Attach a temporary database for the rows of an import, from which SQL copies them into the store."""
    db.execute("ATTACH '' AS scratch")
    try:
        db.execute("PRAGMA scratch.journal_mode = MEMORY")
        db.execute("CREATE TABLE scratch.row (number, category, name, note)")
        db.execute("CREATE TABLE scratch.sorted (number, category, name, note)")
        yield
    finally:
        db.execute("DETACH scratch")


def _read(db: sqlite3.Connection, rows: Iterable[ImportedRow]) -> str:
    """Store all rows in the temporary database (in TMPDIR, about 150 bytes per row), and return their digest."""
    digest = blake2b(digest_size=16)
    with store_errors(Path(tempfile.gettempdir())):
        for batch in _batches(iter(rows)):
            digest.update(msgspec.msgpack.encode(batch))
            with transaction(db, begin_reading):
                _insert(db, batch)
    return digest.hexdigest()


def _insert(db: sqlite3.Connection, rows: list[ImportedRow]) -> None:
    """Insert rows in any order. Several per statement, without columns that are always empty: this is much faster."""
    columns = zip(("number", "category", "name", "note"), zip(*rows, strict=True), strict=True)
    given = {name: values for name, values in columns if values.count(None) < len(rows)}
    values = list(chain.from_iterable(zip(*given.values(), strict=True)))
    placeholders, width = f"({', '.join('?' * len(given))})", len(given)
    for start in range(0, len(values), ROWS_IN_STATEMENT * width):
        some = values[start : start + ROWS_IN_STATEMENT * width]
        places = ", ".join([placeholders] * (len(some) // width))
        db.execute(f"INSERT INTO scratch.row ({', '.join(given)}) VALUES {places}", some)


def _sorted(
    db: sqlite3.Connection, after: str, merge: Callable[[Iterable[ImportedRow]], ImportedRow]
) -> Iterator[tuple[int, int]]:
    """Sort and merge the rows with numbers above `after`. Yield the rowid before each batch, and its last rowid."""
    with store_errors(Path(tempfile.gettempdir())), transaction(db, begin_reading):
        if merge is last_of:
            db.execute(LAST_IN_ORDER, (after,))
        else:
            with closing(db.execute(IN_ORDER, (after,))) as in_order:  # left open, it would keep the file
                merged = (merge(same) for _, same in groupby(in_order, itemgetter(0)))
                db.executemany("INSERT INTO scratch.sorted VALUES (?, ?, ?, ?)", merged)
        [(count,)] = db.execute(HOW_MANY).fetchall()
    for first in range(0, count, BATCH):
        yield first, min(first + BATCH, count)


def _batches(rows: Iterator[ImportedRow]) -> Iterator[list[ImportedRow]]:
    while batch := list(islice(rows, READ_BATCH)):
        yield batch


def _numbers_of(db: sqlite3.Connection, source: int) -> Iterator[list[tuple[str, int]]]:
    after = ""
    while batch := db.execute(NUMBERS_OF, (source, after, BATCH)).fetchall():
        yield batch
        after = batch[-1][0]
