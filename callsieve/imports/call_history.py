"""Calls of the past for a new store: from a PBX's own database, and written in batches.

    write_calls(db, items_of(events), clock, ...) -> Written    a call that is known changes nothing
    with opened_tables(tables, sides, zone, done_to, now) as (history, items):  ...  items: OutcomeRecord | DoneTo

Files are read in callsieve/replay/call_files.py. Of marks in our own history only the evidence is taken, they block
nothing.

The database is MariaDB's `cdr`, with `cel` beside it for who hung up, as FreePBX has them. The PBX writes there while
we read, and its tables may be of the kind that a long SELECT locks (MyISAM): so a few hours are asked for at a time, by
the index on `calldate`. A call that is not over yet is left for the next import.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain, count, islice

from callsieve.changes.operation import whole
from callsieve.pbx.freepbx_database import CallTables
from callsieve.pbx.mysql import Database, connected
from callsieve.replay.call_files import History, HistoryError, cdr_rows
from callsieve.replay.cdr import NO_EVENTS, CdrRow, ChannelEvents, OpenCalls, Sides, outcome_of_call
from callsieve.replay.history_file import Event
from reputation.model import AuthClass, Mark
from reputation.outcome import OutcomeRecord
from reputation.own.hours import AS_INSTALLED, CallingHours
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes, settle_outcomes
from reputation.store.sources import set_calls_done_to

BATCH = 1000
REMEMBERED_CALLS = 100_000  # whose class a mark that follows is kept in; and whose marks wait for them
PAUSE_SECONDS = 0.01  # between two batches, for the daemon's own writes


@dataclass(frozen=True, slots=True)
class DoneTo:
    """Every call of this database that began before `at` (UTC seconds) came before this item."""

    source: str
    at: float


Item = OutcomeRecord | Mark | DoneTo


@dataclass(slots=True)
class Written:
    """What became of a history. `known`: calls that were there already."""

    new: int = 0
    known: int = 0
    signals: int = 0
    marks: int = 0


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


def items_of(events: Iterable[Event]) -> Iterator[Item]:
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


# The fields of a CDR that are read (cdr.parse_row); `did` is FreePBX's.
CDR_FIELDS = (
    *("calldate", "clid", "src", "dst", "channel", "dstchannel", "lastapp", "duration", "billsec"),
    *("disposition", "uniqueid", "linkedid", "did"),
)
NEEDED = ("calldate", "channel", "dstchannel", "disposition", "uniqueid")
# FreePBX's first tables of CEL call it eventextra.
EXTRAS = ("extra", "eventextra")
WINDOW = timedelta(hours=6)
PAGE = "WHERE calldate >= %s AND calldate < %s ORDER BY calldate, uniqueid, dstchannel LIMIT %s OFFSET %s"
PAGE_ROWS = 5000
# `calldate` is in the PBX's local time, or in UTC where it was told so: whichever it is, we begin early enough.
MARGIN = timedelta(hours=27)
# Rows are dated by their beginning and written at their end: what began a day ago is there, and over.
OVER_SECONDS = 86_400.0
SETTLED_SECONDS = 60.0  # by then the channel events are there too, if any are kept
CALLS_AT_ONCE = 200  # looked up in CEL together
EVENTS = "'ANSWER', 'HANGUP', 'LINKEDID_END'"
EVENTS_A_CALL = 200
# Beyond these a date is none: MariaDB takes the year 0. Without a zone, as the table has them.
FIRST, LAST = datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2100-01-01")
NO_DATE = "no date that can be read"
NO_CEL = "who hung up is not known: there is no table {table} (FreePBX: install the module Call Event Logging)"
NO_INDEX = (
    "who hung up was not read: {table} has no index on linkedid (CREATE INDEX linkedid_index ON {table} (linkedid))"
)
IS_DATE = "calldate >= %s AND calldate < %s AND MONTH(calldate) > 0 AND DAY(calldate) > 0"


@contextmanager
def opened_tables(
    tables: CallTables, sides: Sides, zone: tzinfo | None, done_to: float | None, now: float
) -> Iterator[tuple[History, Iterator[Item]]]:
    """The calls that began from `done_to` on (UTC seconds), all of them for None. DatabaseError, HistoryError."""
    history = History(kind="cdr-mysql")
    with connected(tables.address) as db:
        columns = db.columns(tables.cdr)
        if missing := next((name for name in NEEDED if name not in columns), None):
            raise HistoryError(f"{tables.address}: {tables.cdr} has no column {missing!r}: no cdr table of Asterisk's")
        found = _records(db, tables.cdr, columns, _begin(done_to), history)
        rows = (row for row in cdr_rows(found, history, zone) if done_to is None or row.began_at >= done_to)
        cel = _Cel.of(db, tables.cel, history)
        yield history, _items(OpenCalls(rows), cel, sides, history, str(tables.address), now)


def _begin(done_to: float | None) -> datetime:
    return FIRST if done_to is None else max(FIRST, datetime.fromtimestamp(done_to, UTC).replace(tzinfo=None) - MARGIN)


def _items(
    calls: OpenCalls, cel: _Cel | None, sides: Sides, history: History, source: str, now: float
) -> Iterator[Item]:
    """The outcomes of calls that are over; again and again up to where all are taken."""
    first_open = now - OVER_SECONDS
    while batch := list(islice(calls, CALLS_AT_ONCE)):
        events = cel.events_of(batch) if cel else {}
        for rows in batch:
            of_call = events.get(rows[0].call)
            if _is_over(rows, of_call, now):
                yield outcome_of_call(rows, sides, of_call or NO_EVENTS)
            else:
                history.going_on += 1
                first_open = min(first_open, *(row.began_at for row in rows))
        oldest = calls.oldest_at
        yield DoneTo(source, first_open if oldest is None else min(first_open, oldest))


def _is_over(rows: Sequence[CdrRow], events: ChannelEvents | None, now: float) -> bool:
    """By its events; where there are none, by the caller's own row, which is written at his end; else by its age."""
    age = now - max(row.at + row.duration for row in rows)
    if age > OVER_SECONDS:
        return True
    return events.has_ended if events else age > SETTLED_SECONDS and any(row.is_callers for row in rows)


def _records(
    db: Database, table: str, columns: Sequence[str], begin: datetime, history: History
) -> Iterator[dict[str, str]]:
    """The CDRs from then on, a window at a time, by their dates."""
    wanted = [name for name in CDR_FIELDS if name in columns]
    if begin == FIRST:
        _refuse_undated(db, table, history)
    first, last = (_date(db, table, begin, way) for way in ("ASC", "DESC"))
    if first is None or last is None:
        return
    start = at = first
    history.size = int((last - start).total_seconds())
    history.place = lambda: int((at - start).total_seconds())
    while (found := _date(db, table, at, "ASC")) is not None:
        at = found
        for page in count():
            rows = db.rows(table, wanted, PAGE, (at, at + WINDOW, PAGE_ROWS, page * PAGE_ROWS))
            yield from rows
            if len(rows) < PAGE_ROWS:
                break
        at += WINDOW


def _date(db: Database, table: str, begin: datetime, way: str) -> datetime | None:
    """The first, or the last, date that there is from then on."""
    text = db.value(table, "calldate", f"WHERE {IS_DATE} ORDER BY calldate {way} LIMIT 1", (begin, LAST))
    return datetime.fromisoformat(text) if text else None


def _refuse_undated(db: Database, table: str, history: History) -> None:
    """Counts the rows that no window can find."""
    undated = int(
        db.value(table, "count(*)", "WHERE calldate IS NULL OR calldate < %s OR calldate >= %s", (FIRST, LAST))
    )
    if undated:
        history.read += undated
        history.refuse(NO_DATE)
        history.skipped += undated - 1


class _Cel:
    """The table of channel events, where calls are found by their linkedid."""

    def __init__(self, db: Database, table: str, extra: str) -> None:
        self._db = db
        self._table = table
        self._extra = extra

    @classmethod
    def of(cls, db: Database, table: str, history: History) -> _Cel | None:
        """The table, if it is there and can be used; else that is remarked."""
        if not db.has_table(table):
            history.remarks.append(NO_CEL.format(table=table))
            return None
        columns = db.columns(table)
        extra = next((name for name in EXTRAS if name in columns), None)
        if extra is None or not db.has_index(table, "linkedid"):
            history.remarks.append(NO_INDEX.format(table=table))
            return None
        return cls(db, table, extra)

    def events_of(self, calls: Sequence[Sequence[CdrRow]]) -> dict[str, ChannelEvents]:
        """What is told of these calls, by their linkedid."""
        ids = [rows[0].call for rows in calls]
        marks = ", ".join(["%s"] * len(ids))
        rest = f"WHERE linkedid IN ({marks}) AND eventtype IN ({EVENTS}) ORDER BY id LIMIT {len(ids) * EVENTS_A_CALL}"
        columns = ("linkedid", "eventtype", "eventtime", "channame", self._extra)
        found: dict[str, list[dict[str, str]]] = {}
        for event in self._db.rows(self._table, columns, rest, ids):
            found.setdefault(event["linkedid"], []).append(event)
        return {call: self._told(events) for call, events in found.items()}

    def _told(self, events: Sequence[Mapping[str, str]]) -> ChannelEvents:
        hang_ups: dict[str, str] = {}
        answered: dict[str, datetime] = {}
        talks: dict[str, float] = {}
        for event in events:
            channel, at = event["channame"], _instant(event["eventtime"])
            if event["eventtype"] == "ANSWER" and at is not None:
                answered[channel] = at
            elif event["eventtype"] == "HANGUP":
                hang_ups[channel] = _source_in(event[self._extra])
                if at is not None and channel in answered:
                    talks[channel] = (at - answered[channel]).total_seconds()
        return ChannelEvents(hang_ups, talks, any(event["eventtype"] == "LINKEDID_END" for event in events))


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _source_in(extra: str) -> str:
    """{"hangupcause": 16, "hangupsource": "PJSIP/201-00000003", "dialstatus": ""}; empty for anything else."""
    try:
        told = json.loads(extra)
    except (ValueError, RecursionError):
        return ""
    source = told.get("hangupsource") if isinstance(told, dict) else None
    return source if isinstance(source, str) else ""
