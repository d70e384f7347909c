"""The sender: a process that reads events from the store and delivers them.

    store -> Lane of each receiver -> Receiver.deliver -> results, written to the store in batches

Each receiver has its own lane, client and tasks, so a slow receiver does not delay the others. An event is removed from
the store after its delivery. If the process crashes in between, the event is delivered again, with the same id.
"""

import asyncio
import logging
import os
import random
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from callsieve.doctor.finding import ScheduledCheck
from callsieve.events.checks import run_scheduled
from callsieve.events.kinds import DELIVER_SECONDS, DeliveryError, Event, Receiver
from callsieve.events.lane import GIVE_UP_SECONDS, OF_SUBJECT, Lane
from callsieve.events.operations import HEARTBEAT, HEARTBEAT_SECONDS
from callsieve.settings import Loaded
from callsieve.telemetry import read_telemetry
from callsieve.wiring import wanted_events_of
from reputation.backoff import wait_seconds
from reputation.store.connection import Store
from reputation.store.database import files_of
from reputation.store.errors import StoreError
from reputation.store.event_deliveries import (
    REREAD,
    RESTORED,
    Delivery,
    FailedDelivery,
    Progress,
    bury_old,
    deliveries_after,
    deliveries_of_subject,
    names_of_event,
    record_deliveries,
    switch_off,
)
from reputation.store.outbox import forget_state, note_state, state_of, use_receivers

logger = logging.getLogger("callsieve.events.sender")

ASK_SECONDS: Final = 0.5  # between two checks whether anything was written
FLUSH_SECONDS: Final = 0.1
TICK_SECONDS: Final = 1.0  # between two checks of waiting events
CLOSE_SECONDS: Final = 3.0
REPORT_SECONDS: Final = 60.0  # between two lines about dead letters
MOST_UNWRITTEN: Final = 5000  # results; beyond, no delivery starts until the store has recorded them


class StoreChanged(Exception):
    """The store's file was replaced, or a backup was restored into it."""


class Sender:
    """Delivers the waiting events of one store, until closed. `receivers`: the receivers in the settings."""

    def __init__(
        self,
        store: Store,
        loaded: Loaded,
        receivers: Sequence[Receiver],
        scheduled: Sequence[ScheduledCheck] = (),
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._scheduled = scheduled
        self._lanes = [_LaneTasks(store, receiver) for receiver in receivers]
        self._reread: str | None = None
        self._restored: str | None = None
        self._files: tuple[object, ...] = ()

    async def run(self) -> None:
        """Deliver events until cancelled. Raise StoreError or StoreChanged when the store must be opened again."""
        self._files = await asyncio.to_thread(files_of, self._loaded.store_path)
        wanted = wanted_events_of(self._loaded.settings)
        await self._store.write(use_receivers, wanted, self._loaded.settings.reputation)
        self._reread = await self._store.read(state_of, REREAD)
        self._restored = await self._store.read(state_of, RESTORED)
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (self._watch, self._flush, self._run_checks, *(lane.run for lane in self._lanes)):
                    tasks.create_task(part())
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def close(self) -> None:
        """Wait some seconds for running deliveries, and record their results."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(lane.finish() for lane in self._lanes))
        for lane in self._lanes:
            lane.cancel()
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._write_progress()
                await self._store.write(forget_state, HEARTBEAT)

    async def _watch(self) -> None:
        """Wake the lanes after any process has written to the store."""
        path = self._loaded.store_path
        version = 0
        while True:
            if (now_version := await self._store.read(_data_version)) != version:
                version = now_version
                if await self._store.read(state_of, RESTORED) != self._restored:
                    raise StoreChanged
                if (reread := await self._store.read(state_of, REREAD)) != self._reread:
                    self._reread = reread
                    await self._write_progress()
                    for lane in self._lanes:
                        lane.reset()
                for lane in self._lanes:
                    lane.wake()
            await asyncio.sleep(ASK_SECONDS)
            if await asyncio.to_thread(files_of, path) != self._files:
                raise StoreChanged

    async def _flush(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(max(FLUSH_SECONDS, wait_seconds(failures) if failures else 0.0))
            try:
                await self._write_progress()
            except StoreError as error:  # locked, or the disk is full: the results are kept
                failures += 1
                logger.log(
                    logging.WARNING if failures == 1 else logging.DEBUG,
                    "results of deliveries not recorded yet: error=%s",
                    error,
                )
            else:
                failures = 0

    async def _write_progress(self) -> None:
        """Record the results of all lanes in one transaction. If the store fails, keep the results for a retry."""
        taken = {lane.name: lane.take_progress() for lane in self._lanes}
        if not any(taken.values()):
            return
        try:
            await self._store.write(_record, taken, time.time())
        except (StoreError, asyncio.CancelledError):  # recording a result twice changes nothing
            for lane in self._lanes:
                lane.put_back(taken[lane.name])
            raise
        for lane in self._lanes:
            lane.written(taken[lane.name])

    async def _run_checks(self) -> None:
        while True:
            telemetry = await asyncio.to_thread(read_telemetry, self._loaded.state)
            now = time.time()
            try:
                await self._store.write(run_scheduled, self._loaded.settings, telemetry, now, self._scheduled)
                await self._store.write(note_state, HEARTBEAT, str(os.getpid()), now)
                for lane in self._lanes:
                    await lane.give_up_old(now)
            except StoreError as error:
                logger.debug("scheduled checks failed: %s", error)
            await asyncio.sleep(HEARTBEAT_SECONDS)


class _LaneTasks:
    """The tasks of a lane (the deliveries to one receiver): load from the store, deliver, collect the results."""

    def __init__(self, store: Store, receiver: Receiver) -> None:
        self.name = receiver.name
        self._receiver = receiver
        self._seconds = float(getattr(receiver, "deliver_seconds", DELIVER_SECONDS))
        self._store = store
        self._lane = Lane(receiver.name, random.random)
        self._awake = asyncio.Event()
        self._has_more = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._delivered: list[int] = []
        self._skipped: list[int] = []
        self._failed: list[FailedDelivery] = []
        self._had: set[int] = set()  # delivered, but not recorded yet
        self._is_off = False
        self._is_failing = False
        self._logged_at = 0.0
        self._unlogged = 0  # dead letters

    async def run(self) -> None:
        ticked_at = 0.0
        while True:
            now = time.time()
            if not 0 <= now - ticked_at < TICK_SECONDS:
                ticked_at = now
                await self._refill(now)
            if self._has_more and self._lane.room >= OF_SUBJECT:
                await self._load(now)
            while len(self._delivered) + len(self._failed) + len(self._skipped) < MOST_UNWRITTEN:
                if (delivery := self._lane.next(now)) is None:
                    break
                task = asyncio.create_task(self._deliver(delivery))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            # Not wait_for: before Python 3.12 it forgets that it was cancelled, if it was woken at the same moment.
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._awake.wait()
            self._awake.clear()

    def wake(self) -> None:
        self._has_more = True
        self._awake.set()

    def reset(self) -> None:
        self._lane.reset()
        self._is_off = False
        self.wake()

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def take_progress(self) -> Progress:
        """Return the results to record. Call `written` when they are recorded, or `put_back` if that fails."""
        progress = Progress(self._delivered, self._failed, self._skipped)
        self._delivered, self._failed, self._skipped = [], [], []
        return progress

    def put_back(self, progress: Progress) -> None:
        self._delivered[:0] = progress.delivered
        self._failed[:0] = progress.failed
        self._skipped[:0] = progress.skipped

    def written(self, progress: Progress) -> None:
        self._had.difference_update((*progress.delivered, *progress.skipped))
        self._awake.set()

    async def give_up_old(self, now: float) -> None:
        """If the receiver has accepted nothing for a day, turn events that are a day old into dead letters."""
        since = self._lane.failing_since
        if since is not None and now - since >= GIVE_UP_SECONDS:
            why = "the receiver has accepted no event for a day"
            if buried := await self._store.write(bury_old, self.name, now - GIVE_UP_SECONDS, why, now):
                logger.warning("events became dead letters: receiver=%s count=%d error=%s", self.name, buried, why)
                self._lane.reset()

    async def _refill(self, now: float) -> None:
        resets = self._lane.resets
        for subject, seq in self._lane.due(now):
            deliveries = await self._store.read(
                deliveries_of_subject, self.name, subject, seq, self._lane.cursor, OF_SUBJECT
            )
            if self._lane.resets != resets:
                return
            self._lane.refill(subject, deliveries, self._had)

    async def _load(self, now: float) -> None:
        limit, resets = self._lane.room, self._lane.resets
        deliveries = await self._store.read(deliveries_after, self.name, self._lane.cursor, limit)
        if self._lane.resets != resets:
            return
        self._has_more = len(deliveries) == limit
        self._lane.load(deliveries, now, self._had)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                is_sent = await self._receiver.deliver(await self._named(delivery.event)) is not False
        except DeliveryError as error:
            await self._note_failure(delivery, error)
        except TimeoutError:
            await self._note_failure(delivery, DeliveryError(f"the delivery took longer than {self._seconds:.0f} s"))
        except Exception:
            logger.exception("unexpected error while delivering an event: receiver=%s", self.name)
            await self._note_failure(delivery, DeliveryError("delivery failed: see the log"))
        else:
            self._lane.delivered(delivery, time.time())
            self._had.add(delivery.event.seq)
            (self._delivered if is_sent else self._skipped).append(delivery.event.seq)
            if self._is_failing:
                self._is_failing = False
                logger.info("receiver accepts events again: receiver=%s", self.name)
        self._awake.set()

    async def _named(self, event: Event) -> Event:
        if getattr(self._receiver, "reads_names", False):
            with suppress(StoreError):
                return replace(event, names=await self._store.read(names_of_event, event))
        return event

    async def _note_failure(self, delivery: Delivery, error: DeliveryError) -> None:
        now = time.time()
        failed = self._lane.failed(delivery, error, now)
        self._failed.append(failed)
        if failed.next_at is None:
            self._log_dead(delivery, error, now)
        elif not self._is_failing:
            self._is_failing = True
            logger.warning("delivery failed, will be retried: receiver=%s error=%s", self.name, error.words)
        if error.gone and not self._is_off:
            await self._switch_off(error.words, now)

    def _log_dead(self, delivery: Delivery, error: DeliveryError, now: float) -> None:
        """Log a dead letter, but at most one a minute, because a receiver may refuse all events."""
        self._unlogged += 1
        if not 0 <= now - self._logged_at < REPORT_SECONDS:
            others = f" others={self._unlogged - 1}" if self._unlogged > 1 else ""
            logger.warning(
                "event became a dead letter: receiver=%s event=%s%s error=%s",
                self.name,
                delivery.event.id,
                others,
                error.words,
            )
            self._logged_at, self._unlogged = now, 0

    async def _switch_off(self, why: str, now: float) -> None:
        self._is_off = True  # other deliveries under way will be refused as well
        try:
            await self._store.write(switch_off, self.name, why, now)
        except StoreError:  # the next refusal tries again
            self._is_off = False
            return
        logger.warning(
            "receiver switched off, to switch it on again run `callsieve events test`: receiver=%s error=%s",
            self.name,
            why,
        )
        self._lane.reset()


def _record(db: sqlite3.Connection, progress: Mapping[str, Progress], now: float) -> None:
    for name, results in progress.items():
        if results:
            record_deliveries(db, name, results, now)


def _data_version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA data_version").fetchone()[0])
