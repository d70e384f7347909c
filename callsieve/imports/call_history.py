"""Import of past calls into the store, from files or a PBX's own database, in batches.

The database is MariaDB with FreePBX's tables `cdr` and, to know which side hung up, `cel`. The PBX writes to these
tables at the same time, and a long SELECT may lock them (MyISAM). So each query reads a few hours, by the index on
`calldate`. Calls that are still running are left to the next import. A mark in a file is imported only as evidence,
and blocks nothing.
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
REMEMBERED_CALLS = 100_000  # calls whose auth class is kept for later marks, and calls whose marks came first
PAUSE_SECONDS = 0.01  # between two batches, so that the daemon can write


@dataclass(frozen=True, slots=True)
class DoneTo:
    """A position in a database of calls: all calls of `source` that began before `at` (UTC seconds) were yielded."""

    source: str
    at: float


Item = OutcomeRecord | Mark | DoneTo


@dataclass(slots=True)
class Written:
    """The result of an import of calls. `known`: how many of the calls were already in the store."""

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
    """Write outcomes and marks, a thousand per transaction. A repeated import changes nothing."""
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
    # The order of calls and marks makes no difference.
    for recorded in record_outcomes(db, [item for item in batch if isinstance(item, OutcomeRecord)], now, hours):
        written.new += recorded.new
        written.known += not recorded.new
        written.signals += recorded.signal is not None
    for item in batch:
        if isinstance(item, Mark):
            add_mark(db, item)
            written.marks += 1
        elif isinstance(item, DoneTo):  # in the transaction of its calls or a later one, never before
            set_calls_done_to(db, item.source, item.at)


def items_of(events: Iterable[Event]) -> Iterator[Item]:
    """Yield outcomes and marks. A mark gets the authentication class of its call if both are close in the file."""
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
# `calldate` is in the PBX's local time or in UTC. Beginning this much earlier is right for both.
MARGIN = timedelta(hours=27)
# A row has the time at which its call began, but is written at the end. After a day a call is taken to be over.
OVER_SECONDS = 86_400.0
SETTLED_SECONDS = 60.0  # after this time the channel events are written too
CALLS_AT_ONCE = 200  # looked up in CEL together
EVENTS = "'ANSWER', 'HANGUP', 'LINKEDID_END'"
EVENTS_A_CALL = 200
# Other dates are errors: MariaDB accepts the year 0. Without a zone, as in the table.
FIRST, LAST = datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2100-01-01")
NO_DATE = "the date of the call is missing or not a valid date"
NO_CEL = "who hung up is unknown: there is no table {table} (FreePBX: install the module Call Event Logging)"
NO_INDEX = (
    "who hung up is unknown: {table} has no index on linkedid (CREATE INDEX linkedid_index ON {table} (linkedid))"
)
IS_DATE = "calldate >= %s AND calldate < %s AND MONTH(calldate) > 0 AND DAY(calldate) > 0"


@contextmanager
def open_tables(
    tables: CallTables, sides: Sides, zone: tzinfo | None, done_to: float | None, now: float
) -> Iterator[tuple[History, Iterator[Item]]]:
    """Yield the history and its calls that began at `done_to` (UTC seconds) or later; all calls if it is None."""
    history = History(kind="cdr-mysql")
    with connected(tables.address) as db:
        columns = db.columns(tables.cdr)
        if missing := next((name for name in NEEDED if name not in columns), None):
            raise HistoryError(
                f"{tables.address}: {tables.cdr} has no column {missing!r}, so it is not Asterisk's cdr table"
            )
        records = _records(db, tables.cdr, columns, _begin(done_to), history)
        rows = (row for row in cdr_rows(records, history, zone) if done_to is None or row.began_at >= done_to)
        cel = _Cel.of(db, tables.cel, history)
        yield history, _items(OpenCalls(rows), cel, sides, history, str(tables.address), now)


def _begin(done_to: float | None) -> datetime:
    return FIRST if done_to is None else max(FIRST, datetime.fromtimestamp(done_to, UTC).replace(tzinfo=None) - MARGIN)


def _items(
    calls: OpenCalls, cel: _Cel | None, sides: Sides, history: History, source: str, now: float
) -> Iterator[Item]:
    """Yield the outcomes of finished calls. After each batch, yield the time up to which all calls were yielded."""
    first_open = now - OVER_SECONDS
    while batch := list(islice(calls, CALLS_AT_ONCE)):
        events = cel.events_of(batch) if cel else {}
        for rows in batch:
            events_of_call = events.get(rows[0].call)
            if _is_over(rows, events_of_call, now):
                yield outcome_of_call(rows, sides, events_of_call or NO_EVENTS)
            else:
                history.going_on += 1
                first_open = min(first_open, *(row.began_at for row in rows))
        oldest = calls.oldest_at
        yield DoneTo(source, first_open if oldest is None else min(first_open, oldest))


def _is_over(rows: Sequence[CdrRow], events: ChannelEvents | None, now: float) -> bool:
    age = now - max(row.at + row.duration for row in rows)
    if age > OVER_SECONDS:
        return True
    return events.has_ended if events else age > SETTLED_SECONDS and any(row.is_callers for row in rows)


def _records(
    db: Database, table: str, columns: Sequence[str], begin: datetime, history: History
) -> Iterator[dict[str, str]]:
    wanted = [name for name in CDR_FIELDS if name in columns]
    if begin == FIRST:
        _refuse_undated(db, table, history)
    first, last = (_date(db, table, begin, way) for way in ("ASC", "DESC"))
    if first is None or last is None:
        return
    start = at = first
    history.size = int((last - start).total_seconds())
    history.place = lambda: int((at - start).total_seconds())
    while (next_date := _date(db, table, at, "ASC")) is not None:
        at = next_date
        for page in count():
            rows = db.rows(table, wanted, PAGE, (at, at + WINDOW, PAGE_ROWS, page * PAGE_ROWS))
            yield from rows
            if len(rows) < PAGE_ROWS:
                break
        at += WINDOW


def _date(db: Database, table: str, begin: datetime, way: str) -> datetime | None:
    text = db.value(table, "calldate", f"WHERE {IS_DATE} ORDER BY calldate {way} LIMIT 1", (begin, LAST))
    return datetime.fromisoformat(text) if text else None


def _refuse_undated(db: Database, table: str, history: History) -> None:
    # No window of dates can find these rows.
    undated = int(
        db.value(table, "count(*)", "WHERE calldate IS NULL OR calldate < %s OR calldate >= %s", (FIRST, LAST))
    )
    if undated:
        history.read += undated
        history.refuse(NO_DATE)
        history.skipped += undated - 1


class _Cel:
    def __init__(self, db: Database, table: str, extra: str) -> None:
        self._db = db
        self._table = table
        self._extra = extra

    @classmethod
    def of(cls, db: Database, table: str, history: History) -> _Cel | None:
        """Return the table `cel` if it exists and has an index. Otherwise add the reason to the history's remarks."""
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
        ids = [rows[0].call for rows in calls]
        marks = ", ".join(["%s"] * len(ids))
        rest = f"WHERE linkedid IN ({marks}) AND eventtype IN ({EVENTS}) ORDER BY id LIMIT {len(ids) * EVENTS_A_CALL}"
        columns = ("linkedid", "eventtype", "eventtime", "channame", self._extra)
        rows_by_call: dict[str, list[dict[str, str]]] = {}
        for event in self._db.rows(self._table, columns, rest, ids):
            rows_by_call.setdefault(event["linkedid"], []).append(event)
        return {call: self._parse(events) for call, events in rows_by_call.items()}

    def _parse(self, events: Sequence[Mapping[str, str]]) -> ChannelEvents:
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
    # {"hangupcause": 16, "hangupsource": "PJSIP/201-00000003", "dialstatus": ""}
    try:
        fields = json.loads(extra)
    except (ValueError, RecursionError):
        return ""
    source = fields.get("hangupsource") if isinstance(fields, dict) else None
    return source if isinstance(source, str) else ""
