"""The journal: the stored decisions, and a bounded queue that writes them without delaying calls."""

import asyncio
import logging
import math
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar, TypeVarTuple

from reputation.backoff import wait_seconds
from reputation.columns import insert_sql
from reputation.model import AuthClass, CallerKind, DecisionRecord
from reputation.own.outbound_types import OutboundRecord
from reputation.store.errors import StoreError
from reputation.store.outbound import record_outbound
from reputation.store.outbox import add_decisions

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1  # docs/contributing/architecture.md promises 0.2
BATCH = 500

RECORD = insert_sql("decision", DecisionRecord) + " ON CONFLICT (id) DO NOTHING"
LAST_ROW = "SELECT coalesce(max(rowid), 0) FROM decision"
BY_ID = "SELECT * FROM decision WHERE id = ?"
BY_CALLER = "SELECT * FROM decision WHERE caller = ? AND at >= ? AND at < ? ORDER BY at DESC LIMIT ?"
BY_LINKEDID = "SELECT * FROM decision WHERE linkedid = ? AND at >= ? AND at < ? ORDER BY at DESC LIMIT ?"
BY_TIME = "SELECT * FROM decision WHERE at >= ? AND at < ? ORDER BY at DESC LIMIT ?"
OF_SPAN = "SELECT * FROM decision WHERE at >= ? AND at < ? ORDER BY at, id"
CALL_TIMES = """
SELECT caller, at, linkedid, did, first_call FROM decision
 WHERE at >= ? AND at < ? AND caller IS NOT NULL ORDER BY at
"""
# By number: calls, and those that were answered. A call counts once, however often it was decided about.
CALLS_BETWEEN = """
SELECT d.caller, count(DISTINCT CASE d.linkedid WHEN '' THEN d.id ELSE d.linkedid END),
       count(DISTINCT CASE o.disposition WHEN 'answered' THEN d.linkedid END),
       EXISTS (SELECT 1 FROM contact WHERE number = d.caller)
  FROM decision d LEFT JOIN outcome o ON o.linkedid = d.linkedid
 WHERE d.caller >= ? AND d.caller <= ? AND d.at >= ? GROUP BY d.caller
"""
CAPPED_BY = """
SELECT linkedid FROM decision
 WHERE at < ? AND CASE WHEN json_valid(reason) THEN json_extract(reason, '$.cap') END = ?
"""
LATEST_FOR = "SELECT * FROM decision WHERE callee = ? AND at >= ? ORDER BY at DESC LIMIT 1"


def record_decisions(db: sqlite3.Connection, records: Iterable[DecisionRecord]) -> None:
    """Add decisions. A decision whose id is already stored is not changed."""
    (last,) = db.execute(LAST_ROW).fetchone()
    db.executemany(RECORD, records)
    add_decisions(db, last)


def decision_of(db: sqlite3.Connection, decision_id: str) -> DecisionRecord | None:
    """Return the decision with this id, or None."""
    return next(map(_record, db.execute(BY_ID, (decision_id,))), None)


def decisions(
    db: sqlite3.Connection,
    *,
    caller: str | None = None,
    linkedid: str | None = None,
    since: float = -math.inf,
    until: float = math.inf,
    limit: int = 100,
) -> list[DecisionRecord]:
    """Return decisions from `since` to before `until`, newest first.

    `caller`, `linkedid`: only decisions about this caller or this call.
    """
    if caller is not None:
        rows = db.execute(BY_CALLER, (caller, since, until, limit))
    elif linkedid is not None:
        rows = db.execute(BY_LINKEDID, (linkedid, since, until, limit))
    else:
        rows = db.execute(BY_TIME, (since, until, limit))
    return [_record(row) for row in rows]


def latest_for(db: sqlite3.Connection, callee: str, since: float) -> DecisionRecord | None:
    """Return the latest decision since `since` about a call for this callee (an extension), or None."""
    return next(map(_record, db.execute(LATEST_FOR, (callee, since))), None)


def first_decisions(db: sqlite3.Connection, since: float, until: float) -> Iterator[DecisionRecord]:
    """Yield the first decision of each call in a period, in time order. Later decisions are for single phones."""
    seen: set[str] = set()
    for row in db.execute(OF_SPAN, (since, until)):
        record = _record(row)
        if not record.linkedid or record.linkedid not in seen:
            seen.add(record.linkedid)
            yield record


def calls_capped_by(db: sqlite3.Connection, code: str, until: float) -> set[str]:
    """Return the linkedids of calls before `until` whose action was weakened by the cap (upper limit) `code`."""
    return {linkedid for (linkedid,) in db.execute(CAPPED_BY, (until, code)) if linkedid}


class CallTime(NamedTuple):
    """A call: its caller, time and DID (None if unknown). `first`: whether it was the caller's first call here."""

    caller: str
    at: float
    did: str | None
    first: bool


def call_times(
    db: sqlite3.Connection, since: float, before: float = math.inf, seen: set[tuple[str, str]] | None = None
) -> Iterator[CallTime]:
    """Yield the calls from `since` to before `before` in time order. The daemon counts them again when it starts.

    A call with several decisions is yielded once. To read in several parts, pass the same `seen` each time.
    """
    seen = set() if seen is None else seen
    for caller, at, linkedid, did, first in db.execute(CALL_TIMES, (since, before)):
        if not linkedid or (caller, linkedid) not in seen:
            seen.add((caller, linkedid))
            yield CallTime(caller, at, did, bool(first))


class CallerCalls(NamedTuple):
    """A caller: how often they called, how many calls were answered, and whether they are a contact of anybody here."""

    caller: str
    calls: int
    answered: int
    is_contact: bool


def calls_between(db: sqlite3.Connection, first: str, last: str, since: float) -> Iterator[CallerCalls]:
    """Yield callers with a number from `first` to `last`, compared as text, and count their calls since `since`."""
    for caller, calls, answered, is_contact in db.execute(CALLS_BETWEEN, (first, last, since)):
        yield CallerCalls(caller, calls, answered, bool(is_contact))


def _record(row: tuple[object, ...]) -> DecisionRecord:
    record = DecisionRecord._make(row)
    return record._replace(
        caller_kind=CallerKind(record.caller_kind),
        auth_class=AuthClass(record.auth_class),
        first_call=bool(record.first_call),
    )


Kept = DecisionRecord | OutboundRecord


def record_all(db: sqlite3.Connection, records: Iterable[Kept]) -> None:
    """Store decisions about incoming and outgoing calls."""
    inbound: list[DecisionRecord] = []
    outbound: list[OutboundRecord] = []
    for record in records:
        inbound.append(record) if isinstance(record, DecisionRecord) else outbound.append(record)
    record_decisions(db, inbound)
    record_outbound(db, outbound)


class Writer(Protocol):
    """An object with the `write` method of `connection.Store`: the store, or its substitute during an outage."""

    async def write(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Run `fn(db, *args)` in one transaction and return its result (see `Store.write`)."""
        ...


class Journal:
    """A bounded queue of decisions that a background task writes to the store. Call `start` first and `close` last.

    While the store cannot be written (locked, disk full), the decisions stay in the queue and `degraded` is set. When
    the queue is full, the oldest decisions are dropped and counted in `dropped`.
    """

    def __init__(self, store: Writer, size: int = 10_000) -> None:
        self._store = store
        self._size = size
        self._ring: deque[Kept] = deque()
        self._batch: list[Kept] = []  # being written
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.degraded = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._ring)

    def start(self) -> None:
        """Start the task that writes decisions. An event loop must be running."""
        self._task = asyncio.create_task(self._run(), name="journal")

    def add(self, record: Kept) -> None:
        """Queue a decision. Never blocks and never fails."""
        if len(self._ring) >= self._size:
            self._ring.popleft()
            self.dropped += 1
        self._ring.append(record)
        self._filled.set()

    def outbound_waiting(self) -> list[OutboundRecord]:
        """Return queued decisions about outgoing calls, which may not be stored yet."""
        return [record for record in chain(self._batch, self._ring) if isinstance(record, OutboundRecord)]

    async def close(self, seconds: float = 1.0) -> None:
        """Write as many of the queued decisions as possible within `seconds`. Log how many are lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(seconds):
                while self._ring and await self._flush():
                    pass
        except TimeoutError:
            self._note_trouble(f"the store did not accept the decisions within {seconds:.1f} s")
        if self._ring:
            logger.warning("journal: decisions lost at shutdown, count=%d", len(self._ring))

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._filled.wait()
            await asyncio.sleep(FLUSH_SECONDS)  # lets a batch gather
            if await self._flush():
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(wait_seconds(failures))

    async def _flush(self) -> bool:
        self._batch = [self._ring.popleft() for _ in range(min(BATCH, len(self._ring)))]
        try:
            await self._write_batch()
        except StoreError as error:
            self._put_back()
            self._note_trouble(str(error))
            return False
        except asyncio.CancelledError:
            self._put_back()  # the write may still succeed; writing it again then changes nothing
            raise
        self._batch = []
        if not self._ring:
            self._filled.clear()
        if self.degraded:
            self.degraded = False
            logger.warning("journal: store writable again, decisions dropped=%d", self.dropped)
        return True

    async def _write_batch(self) -> None:
        """Write the batch in one transaction. If that fails, write each decision separately and drop what fails."""
        try:
            await self._store.write(record_all, self._batch)
        except StoreError:
            raise
        except Exception:
            logger.exception("journal: batch failed, writing each decision separately, count=%d", len(self._batch))
            for record in self._batch:
                await self._write_alone(record)

    async def _write_alone(self, record: Kept) -> None:
        try:
            await self._store.write(record_all, [record])
        except StoreError:
            raise
        except Exception:
            logger.exception("journal: decision dropped, it cannot be written")
            self.dropped += 1

    def _put_back(self) -> None:
        batch, self._batch = self._batch, []
        fitting = batch[max(0, len(batch) + len(self._ring) - self._size) :]
        self.dropped += len(batch) - len(fitting)
        self._ring.extendleft(reversed(fitting))

    def _note_trouble(self, trouble: str) -> None:
        if not self.degraded:
            self.degraded = True
            logger.warning("journal: decisions stay in memory until the store is writable, error=%s", trouble)
