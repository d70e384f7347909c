"""Years of history for a new store: files of CDRs or of our own history, read in one pass and written in batches.

    with opened(path, sides, zone) as history:  ...  for item in history: OutcomeRecord | Mark
    write_calls(db, items, clock, tell) -> Written      a call that is known, from AMI or a file, changes nothing

Our own history is JSON lines (DESIGN section 8). Of its marks only the evidence is taken: they block nothing.
"""

from __future__ import annotations

import csv
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import msgspec

from callsieve.cdr import LEAST_COLUMNS, CdrRow, Sides, fields_of_csv, outcomes, parse_row
from reputation.model import (
    Attestation,
    AuthClass,
    CallerKind,
    Direction,
    Disposition,
    EndedBy,
    Mark,
    MarkChannel,
    OutcomeRecord,
    Verdict,
    Verification,
    auth_class_of,
)
from reputation.numbers import caller_of, number_of
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes, settle_outcomes
from reputation.store.transaction import transaction

BATCH = 1000
KEPT_PROBLEMS = 10
REMEMBERED_CALLS = 100_000  # whose class a mark that follows is kept in
LINE_BYTES = 64 * 1024  # below what the csv module takes as one field
NO_CDR = "no CDR: no time, duration or disposition that can be read"
PAUSE_SECONDS = 0.01  # between two batches, for the daemon's own writes
SQLITE = b"SQLite format 3\x00"

Item = OutcomeRecord | Mark
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class HistoryError(ValueError):
    """The file is no history of calls. The text says what was expected."""


@dataclass(slots=True)
class History:
    """What was read of a file so far; iterate over it once. `problems` keeps the first ten, with their lines."""

    items: Iterator[Item] = field(default_factory=lambda: iter(()))
    kind: str = ""
    read: int = 0
    skipped: int = 0
    bytes_read: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        return self.items

    def refuse(self, problem: str) -> None:
        """The row that was read last is passed over."""
        self.skipped += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append((self.read, problem))


@dataclass(slots=True)
class Written:
    """What became of a history. `known`: calls that were there already."""

    new: int = 0
    known: int = 0
    signals: int = 0
    marks: int = 0


@contextmanager
def opened(path: Path, sides: Sides, zone: tzinfo | None) -> Iterator[History]:
    """The history in a file, whichever of the three kinds it is. HistoryError or OSError if none."""
    history = History()
    with path.open("rb") as stream:
        start = stream.read(4096)
        stream.seek(0)
        if start.startswith(SQLITE):
            history.kind = "cdr-sqlite"
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                history.items = outcomes(_rows_of_sqlite(db, path.name, history, zone), sides)
                yield history
            return
        if start.lstrip().startswith(b"{"):
            history.kind = "history"
            history.items = _events(stream, history, sides)
        else:
            history.kind = "cdr-csv"
            history.items = outcomes(_rows_of_csv(stream, path.name, history, zone), sides)
        yield history


def write_calls(
    db: sqlite3.Connection,
    items: Iterable[Item],
    clock: Callable[[], float],
    tell: Callable[[int], None] = lambda _: None,
) -> Written:
    """Writes what is read, a thousand in a transaction; `tell` hears how many so far. Run again it changes nothing."""
    written = Written()
    items = iter(items)
    total = 0
    while batch := list(islice(items, BATCH)):
        with transaction(db):
            _write(db, batch, clock(), written)
        total += len(batch)
        tell(total)
        time.sleep(PAUSE_SECONDS)
    with transaction(db):
        written.signals += len(settle_outcomes(db, clock()))
    return written


def _write(db: sqlite3.Connection, batch: list[Item], now: float, written: Written) -> None:
    """In any order the rows are the same, so calls and marks need not wait for each other."""
    for recorded in record_outcomes(db, [item for item in batch if isinstance(item, OutcomeRecord)], now):
        written.new += recorded.new
        written.known += not recorded.new
        written.signals += recorded.signal is not None
    for item in batch:
        if isinstance(item, Mark):
            add_mark(db, item)
            written.marks += 1


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
    for record in records if has_header else chain([first], records):
        history.read += 1
        fields = dict(zip(header, record, strict=False)) if has_header else fields_of_csv(record)
        row = parse_row(fields, zone) if fields else None
        if row is None:
            history.refuse(NO_CDR)
        else:
            yield row


def _records(stream: BinaryIO, history: History) -> Iterator[list[str]]:
    """The fields of each line. Text is taken whatever callers called themselves: Asterisk writes their bytes as they
    came. Line by line, so that a quote that is never closed costs one CDR.
    """
    while raw := stream.readline(LINE_BYTES):
        history.bytes_read += len(raw)
        text = raw.decode("utf-8", "replace").replace("\0", "").strip("\r\n")
        if text:
            yield next(csv.reader([text]))


def _rows_of_sqlite(db: sqlite3.Connection, name: str, history: History, zone: tzinfo | None) -> Iterator[CdrRow]:
    """The first table with a disposition, in the order it was written: cdr_sqlite3_custom's, or a copy of FreePBX's."""
    for fields in _records_of_sqlite(db, name):
        history.read += 1
        row = parse_row(fields, zone)
        if row is None:
            history.refuse(NO_CDR)
        else:
            yield row


def _records_of_sqlite(db: sqlite3.Connection, name: str) -> Iterator[dict[str, str]]:
    """The rows of the table. SQLite's errors become ours here: around us they would be taken for the store's."""
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


class _Inbound(msgspec.Struct, tag="inbound", frozen=True):
    at: float
    call: str
    caller: str | None = None
    callee: str | None = None
    callee_group: str | None = None
    did: str | None = None
    trunk: str | None = None
    answered: bool = False
    ring_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    ended_by: Literal["caller", "callee", "system"] | None = None
    voicemail: bool = False
    attestation: Literal["A", "B", "C"] | None = None
    verification: Literal["passed", "failed"] | None = None
    shown: Literal["tag", "warn", "challenge", "route", "reject"] | None = None


class _Outbound(msgspec.Struct, tag="outbound", frozen=True):
    at: float
    call: str
    caller: str | None = None
    caller_group: str | None = None
    own_number: str | None = None
    callee: str | None = None
    answered: bool = False
    ring_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    ended_by: Literal["caller", "callee", "system"] | None = None


class _Marked(msgspec.Struct, tag="mark", frozen=True):
    at: float
    number: str
    reporter: str
    group: str | None = None
    verdict: Literal["spam", "ok"] = "spam"
    category: str | None = None
    call: str | None = None


_decoder: msgspec.json.Decoder[_Inbound | _Outbound | _Marked] = msgspec.json.Decoder(_Inbound | _Outbound | _Marked)


def _events(stream: BinaryIO, history: History, sides: Sides) -> Iterator[Item]:
    classes: OrderedDict[str, AuthClass] = OrderedDict()
    for line in stream:
        history.bytes_read += len(line)
        if not line.strip():
            continue
        history.read += 1
        try:
            event = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            history.refuse(str(error))
            continue
        item = _item(event, sides.region, classes)
        if item is None:
            history.refuse("a mark of what is no telephone number")
        else:
            yield item


def _item(event: _Inbound | _Outbound | _Marked, region: str, classes: OrderedDict[str, AuthClass]) -> Item | None:
    if isinstance(event, _Marked):
        return _mark_from(event, region, classes)
    if isinstance(event, _Outbound):
        return _outbound_from(event, region)
    outcome = _inbound_from(event, region)
    if outcome.auth_class is not AuthClass.UNKNOWN:
        classes[event.call] = outcome.auth_class
        if len(classes) > REMEMBERED_CALLS:
            classes.popitem(last=False)
    return outcome


def _inbound_from(event: _Inbound, region: str) -> OutcomeRecord:
    """Attestation A without a word about verification counts as verified."""
    caller = caller_of(event.caller or "", region)
    verification = Verification(event.verification or ("passed" if event.attestation == "A" else "none"))
    attestation = Attestation(event.attestation or "none")
    return OutcomeRecord(
        linkedid=event.call,
        at=event.at,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED if event.answered else Disposition.NO_ANSWER,
        caller=caller.e164,
        caller_kind=caller.kind,
        did=event.did and (number_of(event.did, region) or event.did),
        trunk=event.trunk,
        answered_by=event.callee if event.answered else None,
        group=event.callee_group,
        rung=(event.callee,) if event.callee else (),
        ring_seconds=event.ring_seconds,
        talk_seconds=event.talk_seconds,
        ended_by=EndedBy(event.ended_by) if event.ended_by else None,
        voicemail_left=event.voicemail,
        source="history",
        auth_class=auth_class_of(attestation, verification, trusted=False),
        action=event.shown,
    )


def _outbound_from(event: _Outbound, region: str) -> OutcomeRecord:
    return OutcomeRecord(
        linkedid=event.call,
        at=event.at,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED if event.answered else Disposition.NO_ANSWER,
        caller=event.caller,
        caller_kind=CallerKind.INTERNAL,
        dialled=event.callee and (number_of(event.callee, region) or event.callee),
        own_number=event.own_number and (number_of(event.own_number, region) or event.own_number),
        group=event.caller_group,
        ring_seconds=event.ring_seconds,
        talk_seconds=event.talk_seconds,
        ended_by=EndedBy(event.ended_by) if event.ended_by else None,
        source="history",
    )


def _mark_from(event: _Marked, region: str, classes: OrderedDict[str, AuthClass]) -> Mark | None:
    number = number_of(event.number, region)
    if number is None:
        return None
    return Mark(
        number=number,
        auth_class=classes.get(event.call or "", AuthClass.UNKNOWN),
        reporter=event.reporter,
        verdict=Verdict(event.verdict),
        at=event.at,
        channel=MarkChannel.CLI,
        group=event.group,
        category=event.category and event.category.lower(),
        linkedid=event.call,
    )
