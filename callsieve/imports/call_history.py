"""Years of history for a new store: files of CDRs or of our own history, read in one pass and written in batches.

    with opened(path, sides, zone) as history:  ...  for item in history: OutcomeRecord | Mark | DoneTo
    write_calls(db, items, clock, ...) -> Written      a call that is known, from AMI or a file, changes nothing

A PBX's database is read in callsieve/imports/cdr_database.py. Our own history is JSON lines (replay/history_file.py):
of its marks only the evidence is taken, they block nothing.
"""

from __future__ import annotations

import csv
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from agi.site import Site
from callsieve.changes.operation import whole
from callsieve.imports.cdr import LEAST_COLUMNS, CdrRow, Sides, fields_of_csv, outcomes, parse_row
from callsieve.replay.history_file import Event, HistoryReader, events_of, lines_of
from callsieve.system.privileges import acting_for, open_named
from callsieve.text.csv_table import unpacked
from reputation.model import AuthClass, Mark, OutcomeRecord
from reputation.own.hours import AS_INSTALLED, CallingHours
from reputation.store.call_imports import set_calls_done_to
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes, settle_outcomes

BATCH = 1000
REMEMBERED_CALLS = 100_000  # whose class a mark that follows is kept in; and whose marks wait for them
NO_CDR = "no CDR: no time, duration or disposition that can be read"
PAUSE_SECONDS = 0.01  # between two batches, for the daemon's own writes
SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class DoneTo:
    """Every call of this database that began before `at` (UTC seconds) came before this item."""

    source: str
    at: float


Item = OutcomeRecord | Mark | DoneTo


class HistoryError(ValueError):
    """The file is no history of calls. The text says what was expected."""


@dataclass(slots=True)
class History(HistoryReader):
    """What was read so far; iterate over it once.

    `place`: how far in the file, where that is packed, or how many seconds of the `size` that a database covers.
    `going_on`: calls that are not over, left for the next import.
    """

    items: Iterator[Item] = field(default_factory=lambda: iter(()))
    kind: str = ""
    place: Callable[[], int] | None = None
    size: int | None = None
    going_on: int = 0
    remarks: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        return self.items


@dataclass(slots=True)
class Written:
    """What became of a history. `known`: calls that were there already."""

    new: int = 0
    known: int = 0
    signals: int = 0
    marks: int = 0


@contextmanager
def opened(path: Path, sides: Sides, zone: tzinfo | None) -> Iterator[History]:
    """The history in a file, whichever of the three kinds it is; lines may be packed with gzip. HistoryError or OSError
    if none.
    """
    history = History()
    with open_named(path) as packed:
        stream = unpacked(packed)
        start = stream.read(4096)
        stream.seek(0)
        if stream is not packed:
            history.place = packed.tell
            if start.startswith(SQLITE):
                raise HistoryError(f"{path.name}: a packed database: unpack it first (gunzip)")
        if start.startswith(SQLITE):
            history.kind = "cdr-sqlite"
            with closing(_opened_database(path)) as db:
                history.items = outcomes(cdr_rows(_records_of_sqlite(db, path.name), history, zone), sides)
                yield history
            return
        if start.lstrip().startswith(b"{"):
            history.kind = "history"
            history.items = _items(events_of(stream, history, Site(sides.region, sides.trunks)))
        else:
            history.kind = "cdr-csv"
            history.items = outcomes(_rows_of_csv(stream, path.name, history, zone), sides)
        yield history


def write_calls(
    db: sqlite3.Connection,
    items: Iterable[Item],
    clock: Callable[[], float],
    hours: CallingHours = AS_INSTALLED,
) -> Written:
    """Writes what is read, a thousand in a transaction. Run again it changes nothing."""
    written = Written()
    items = iter(items)
    while batch := list(islice(items, BATCH)):
        with whole(db):
            _write(db, batch, clock(), hours, written)
        time.sleep(PAUSE_SECONDS)
    with whole(db):
        written.signals += len(settle_outcomes(db, clock()))
    return written


def _write(db: sqlite3.Connection, batch: list[Item], now: float, hours: CallingHours, written: Written) -> None:
    """In any order the rows are the same, so calls and marks need not wait for each other."""
    for recorded in record_outcomes(db, [item for item in batch if isinstance(item, OutcomeRecord)], now, hours):
        written.new += recorded.new
        written.known += not recorded.new
        written.signals += recorded.signal is not None
    for item in batch:
        if isinstance(item, Mark):
            add_mark(db, item)
            written.marks += 1
        elif isinstance(item, DoneTo):  # in the transaction of the calls that it is about, or in a later one
            set_calls_done_to(db, item.source, item.at)


# CDRs.


def _rows_of_csv(stream: BinaryIO, name: str, history: History, zone: tzinfo | None) -> Iterator[CdrRow]:
    """Master.csv has no header; an export of FreePBX's table has one."""
    records = _records(stream, history)
    first = next(records, None)
    if first is None:
        raise HistoryError(f"{name}: the file is empty")
    header = [word.strip().lower() for word in first]
    has_header = "disposition" in header
    if not has_header and len(first) < LEAST_COLUMNS:
        raise HistoryError(f"{name}: no CDRs: expected Asterisk's Master.csv, its cdr table, or JSON lines")
    if has_header:
        return cdr_rows((dict(zip(header, record, strict=False)) for record in records), history, zone)
    return cdr_rows(map(fields_of_csv, chain([first], records)), history, zone)


def cdr_rows(found: Iterable[dict[str, str] | None], history: History, zone: tzinfo | None) -> Iterator[CdrRow]:
    """The CDRs among what was found, by the names of their fields; what is none is refused in the history."""
    for fields in found:
        history.read += 1
        row = parse_row(fields, zone) if fields else None
        if row is None:
            history.refuse(NO_CDR)
        else:
            yield row


def _records(stream: BinaryIO, history: History) -> Iterator[list[str]]:
    """The fields of each line. Text is taken whatever callers called themselves: Asterisk writes their bytes as they
    came. Line by line, so that a quote that is never closed costs one CDR.
    """
    for raw in lines_of(stream, history):
        text = raw.decode("utf-8", "replace").replace("\0", "").strip("\r\n").replace("\r", " ")
        if text:
            yield next(csv.reader([text]))


def _opened_database(path: Path) -> sqlite3.Connection:
    """Read from at once, inside a transaction: afterwards root may act for somebody who may not open it."""
    with acting_for(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with suppress(sqlite3.DatabaseError):  # said when its rows are read
            db.execute("BEGIN")
            db.execute("SELECT 1 FROM sqlite_schema").fetchone()
    return db


def _records_of_sqlite(db: sqlite3.Connection, name: str) -> Iterator[dict[str, str]]:
    """The first table with a disposition, in the order it was written: cdr_sqlite3_custom's, or a copy of FreePBX's.

    SQLite's errors become ours here: around us they would be taken for the store's.
    """
    try:
        tables = [table for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")]
        for table in sorted(tables, key=lambda table: (table != "cdr", table)):
            quoted = '"' + table.replace('"', '""') + '"'
            cursor = db.execute(f"SELECT * FROM {quoted}")
            columns = [column[0].lower() for column in cursor.description]
            if "disposition" in columns:
                break
        else:
            raise HistoryError(f"{name}: no table with a column 'disposition': expected Asterisk's cdr")
        while (record := cursor.fetchone()) is not None:
            yield {column: "" if v is None else str(v) for column, v in zip(columns, record, strict=True)}
    except sqlite3.DatabaseError as error:
        raise HistoryError(f"{name}: cannot be read as an sqlite3 file ({error})") from error


# Our own history.


def _items(events: Iterable[Event]) -> Iterator[Item]:
    """What is learnt from, each mark in the class of its call: as far as that is remembered or comes in time, so that
    the order of the lines does not matter.
    """
    classes: OrderedDict[str, AuthClass] = OrderedDict()
    waiting: OrderedDict[str, list[Mark]] = OrderedDict()
    for event in events:
        if isinstance(event, Mark):
            call = event.linkedid
            if call is None or call in classes:
                yield replace(event, auth_class=classes.get(call or "", AuthClass.UNKNOWN))
                continue
            waiting.setdefault(call, []).append(event)
            if len(waiting) > REMEMBERED_CALLS:
                yield from waiting.popitem(last=False)[1]
            continue
        outcome = event.outcome
        classes[outcome.linkedid] = outcome.auth_class
        if len(classes) > REMEMBERED_CALLS:
            classes.popitem(last=False)
        yield outcome
        for mark in waiting.pop(outcome.linkedid, ()):
            yield replace(mark, auth_class=outcome.auth_class)
    yield from chain.from_iterable(waiting.values())
