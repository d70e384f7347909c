"""Read past calls from a file, in one pass and with bounded memory.

The file contains Asterisk's CDRs as CSV or sqlite3, or CallSieve's own history as JSON lines.
"""

import csv
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import tzinfo
from heapq import heappop, heappush
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from callsieve.replay.cdr import LEAST_COLUMNS, CdrRow, Sides, fields_of_csv, outcomes, parse_row
from callsieve.replay.history_file import Event, HistoryReader, PastCall, at_of, events_of, lines_of
from callsieve.settings import Loaded
from callsieve.system.privileges import acting_for, open_named
from callsieve.text.csv_table import unpacked
from callsieve.wiring import people_of, site_of
from reputation.store.people import all_people

NO_CDR = "not a CDR: the time, duration or disposition cannot be read"
SQLITE = b"SQLite format 3\x00"
JSON_LINE = re.compile(rb"^\s*\{", re.MULTILINE)
LEAST_COMMAS = 4
ROW_BYTES = 1 << 20  # a longer row of a database ends the reading
# Asterisk writes a CDR when the call is over. So a long call comes after shorter ones that began later.
HELD_EVENTS = 50_000


class HistoryError(ValueError):
    """Raised if a file contains no history of calls. The text says what was expected."""


@dataclass(slots=True)
class History(HistoryReader):
    """The events of a file, to iterate over once, and the progress of reading. `remarks`: remarks for the user.

    `place`: function that returns how much of `size` was read. `size`: size of the file in bytes, or length of a
    database's history in seconds; None if unknown. `going_on`: how many calls may not be over yet, and so are left for
    the next import.
    """

    events: Iterator[Event] = field(default_factory=lambda: iter(()))
    place: Callable[[], int] | None = None
    size: int | None = None
    going_on: int = 0
    remarks: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Event]:
        return self.events


def sides_of(db: sqlite3.Connection | None, loaded: Loaded) -> Sides:
    """Return how to tell phones from trunks, based on the settings and, if there is one, the store."""
    people = (*(all_people(db) if db is not None else ()), *people_of(loaded.settings))
    site = site_of(loaded.settings)
    phones = frozenset(person.endpoint for person in people if person.endpoint)
    described = frozenset(trunk.name for trunk in site.trunks)

    def trunk_of(channel: str) -> str | None:
        name = site.trunk_of(channel).name
        return name if name in described else None

    return Sides(trunk_of, site, phones)


def in_time_order(events: Iterable[Event], held: int = HELD_EVENTS) -> Iterator[Event]:
    """Yield the events by start time. An event may be out of order by at most `held` events."""
    waiting: list[tuple[float, int, Event]] = []
    order = count()
    for event in events:
        heappush(waiting, (at_of(event), next(order), event))
        if len(waiting) > held:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


@contextmanager
def open_history(path: Path, sides: Sides, zone: tzinfo | None) -> Iterator[History]:
    """Open a file of CSV, sqlite3 or JSON lines. CSV and JSON lines may be compressed with gzip. Raise HistoryError.

    `zone`: the zone of times in CDRs; None: this server's zone.
    """
    history = History()
    with open_named(path) as packed:
        stream = unpacked(packed)
        start = stream.read(4096)
        stream.seek(0)
        if stream is not packed:
            history.place = packed.tell
            if start.startswith(SQLITE):
                raise HistoryError(f"{path.name}: a compressed database: decompress it first (gunzip)")
        if start.startswith(SQLITE):
            history.kind = "cdr-sqlite"
            with closing(_open_database(path)) as db:
                history.events = map(
                    PastCall, outcomes(cdr_rows(_records_of_sqlite(db, path.name), history, zone), sides)
                )
                yield history
            return
        if _is_json(start):
            history.kind = "history"
            history.events = events_of(stream, history, sides.site)
        else:
            history.kind = "cdr-csv"
            history.events = map(PastCall, outcomes(_rows_of_csv(stream, path.name, history, zone), sides))
        yield history


def _is_json(start: bytes) -> bool:
    # The first lines may be damaged. A line of a CDR has many commas.
    first, _, rest = start.lstrip().partition(b"\n")
    return first.startswith(b"{") or (first.count(b",") < LEAST_COMMAS and JSON_LINE.search(rest) is not None)


def _rows_of_csv(stream: BinaryIO, name: str, history: History, zone: tzinfo | None) -> Iterator[CdrRow]:
    """Yield the CDRs of a Master.csv without header, or of an export of FreePBX's table with a header."""
    records = _records(stream, history)
    first = next(records, None)
    if first is None:
        raise HistoryError(f"{name}: the file is empty")
    header = [word.strip().lower() for word in first]
    has_header = "disposition" in header
    if not has_header and len(first) < LEAST_COLUMNS:
        raise HistoryError(
            f"{name}: the file contains no CDRs: give Asterisk's Master.csv, its cdr table, or JSON lines"
        )
    if has_header:
        return cdr_rows((dict(zip(header, record, strict=False)) for record in records), history, zone)
    return cdr_rows(map(fields_of_csv, chain([first], records)), history, zone)


def cdr_rows(records: Iterable[dict[str, str] | None], history: History, zone: tzinfo | None) -> Iterator[CdrRow]:
    """Yield the CDRs among the records, and count other records as skipped. None stands for an unreadable line."""
    for fields in records:
        history.read += 1
        row = parse_row(fields, zone) if fields else None
        if row is None:
            history.refuse(NO_CDR)
        else:
            yield row


def _records(stream: BinaryIO, history: History) -> Iterator[list[str]]:
    """Yield the fields of each line."""
    # Each line is parsed separately, so that an unclosed quote spoils only one CDR. Any bytes are accepted, because
    # Asterisk writes callers' names as received.
    for raw in lines_of(stream, history):
        text = _as_text(raw).strip("\r\n").replace("\r", " ")
        if text:
            yield next(csv.reader([text]))


def _as_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\0", "")


def _open_database(path: Path) -> sqlite3.Connection:
    # SQLite opens the file at the first read. So read here, while root acts with the rights of the file's owner.
    with acting_for(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.text_factory = _as_text
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ROW_BYTES)
        with suppress(sqlite3.DatabaseError):  # reported when its rows are read
            db.execute("BEGIN")
            db.execute("SELECT 1 FROM sqlite_schema").fetchone()
    return db


def _records_of_sqlite(db: sqlite3.Connection, name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the first table with a `disposition` column, such as that of cdr_sqlite3_custom."""
    # SQLite's errors become HistoryError, because otherwise they would look like errors of the store.
    try:
        tables = [table for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")]
        for table in sorted(tables, key=lambda table: (table != "cdr", table)):
            quoted = '"' + table.replace('"', '""') + '"'
            cursor = db.execute(f"SELECT * FROM {quoted}")
            columns = [column[0].lower() for column in cursor.description]
            if "disposition" in columns:
                break
        else:
            raise HistoryError(
                f"{name}: no table has a column 'disposition': give a database with Asterisk's table cdr"
            )
        while (record := cursor.fetchone()) is not None:
            yield {column: "" if v is None else str(v) for column, v in zip(columns, record, strict=True)}
    except sqlite3.DatabaseError as error:
        raise HistoryError(f"{name}: SQLite cannot read the file: {error}") from error
