"""The look-up service: it queries sources about a number, and stores their answers.

    fresh answer in the store      the answer counts, and no source is queried
    old answer in the store        the answer counts, and is refreshed in the background
    expired answer, or no answer   the sources are queried, and the call waits for a limited time

At most one request runs per number and source. The store counts each request before it is sent, for the daily limits.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from callsieve.lookups.sources import BadAnswer, LookupSource, OutsideRequest, SourceVerdict, covers, limits_of
from reputation.backoff import wait_seconds
from reputation.numbers import masked
from reputation.store import lookups
from reputation.store.database import open_store
from reputation.store.errors import StoreError

FAILURES: Final = 3
FIRST_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 900.0


@dataclass(slots=True)
class Rest:
    """The pause of a source after three failures in a row: 10 s, then twice as long each time, up to 15 min."""

    _failures: int = 0
    _until: float = 0.0
    _is_trying: bool = False

    def is_resting(self, now: float) -> bool:
        """Return whether the source is paused at `now`, a value of time.monotonic()."""
        return self._failures >= FAILURES and now < self._until

    def allows(self, now: float) -> bool:
        """Return whether a request may be made now. After a pause, one test request is allowed."""
        if self._failures < FAILURES:
            return True
        if self.is_resting(now) or self._is_trying:
            return False
        self._is_trying = True
        return True

    def succeeded(self) -> None:
        """Record that the source answered."""
        self._failures = 0

    def ended(self) -> None:
        """Record that the test request is over, even if it was not sent."""
        self._is_trying = False

    def failed(self, now: float) -> None:
        """Record a failure, unless the source is already paused."""
        if self.is_resting(now):
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + wait_seconds(self._failures - FAILURES + 1, FIRST_SECONDS, LONGEST_SECONDS)


logger = logging.getLogger("callsieve.lookups.service")

HOUR: Final = 3600.0
# Part of a call's time limit, for the reply to the daemon and its reading the store.
TELLING_SECONDS: Final = 0.015
AT_ONCE: Final = 8
MOST_WAITING: Final = 200
MOST_READS: Final = 3  # of the store, before a source is asked


class Reached(Protocol):
    """An HTTP answer of a server, which was reached."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def body(self) -> bytes:
        """Content of the answer."""


class Unreachable(Exception):
    """The error for a server that did not answer. `code`: the reason, as in callsieve.outside.errors."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# Makes a source's request and returns the answer, of any status, or raises Unreachable.
Fetch = Callable[[OutsideRequest, bool], Awaitable[Reached]]


@dataclass(slots=True)
class AskedSource:
    """A source with its secret and its pause after failures."""

    source: LookupSource
    token: str = field(default="", repr=False)
    rest: Rest = field(default_factory=Rest)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    spent_on: int = -1  # the day for which the reached limit was logged

    @property
    def name(self) -> str:
        """Return the source's name in the settings."""
        return self.source.table.name


@dataclass(slots=True)
class LookUpService:
    """A service that looks up numbers. `store`: the store's file, opened for each read and write (1 ms)."""

    store: Path
    sources: list[AskedSource]
    fetch: Fetch
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    _running: dict[tuple[str, str], asyncio.Task[bool]] = field(default_factory=dict)
    _ended: int = 0

    async def look_up(self, number: str, wait_seconds: float) -> bool:
        """Query the sources if needed. Return within `wait_seconds` whether the store has a new verdict."""
        began = self.monotonic()
        try:
            states, known = await self._known_by_now(number)
        except StoreError as error:
            logger.warning("look-up not possible: %s", error)
            return False
        waited = []
        for asked in self.sources:
            if asked.name in states or not covers(asked.source.table, number):
                continue
            answer, now, table = known.get(asked.name), self.clock(), asked.source.table
            if answer is not None and 0 <= now - answer.at < table.fresh_hours * HOUR:
                continue
            task = self._start(asked, number)
            if task is not None and (answer is None or answer.expires_at <= now):
                waited.append((task, table.budget_ms / 1000))
        end = began + wait_seconds - TELLING_SECONDS
        return await self._first_answers(waited, began, end) if waited else False

    async def _known_by_now(self, number: str) -> tuple[set[str], dict[str, lookups.StoredAnswer]]:
        """Return which sources are off, and the stored answers. If a request ended meanwhile, read its answer too."""
        for _ in range(MOST_READS):
            ended, known = self._ended, await asyncio.to_thread(self._known, number)
            if ended == self._ended:
                break
        return known

    async def close(self) -> None:
        """Cancel the running requests."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _first_answers(self, waited: list[tuple[asyncio.Task[bool], float]], began: float, end: float) -> bool:
        """Wait for the first verdict of any source, which is enough for a call. Return whether one came in time."""
        tasks = {task for task, _ in waited}
        until = min(end, began + max(budget for _, budget in waited) - TELLING_SECONDS)
        while tasks and (left := until - self.monotonic()) > 0:
            done, tasks = await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if any(not task.cancelled() and task.result() for task in done):
                return True
        return False

    def _start(self, asked: AskedSource, number: str) -> asyncio.Task[bool] | None:
        key = asked.name, number
        if (running := self._running.get(key)) is not None:
            return running
        if len(self._running) >= MOST_WAITING or not asked.rest.allows(self.monotonic()):
            return None
        task = asyncio.create_task(self._guarded(asked, number), name=f"look-up at {asked.name}")
        self._running[key] = task
        task.add_done_callback(lambda _: self._forget(key))
        return task

    def _forget(self, key: tuple[str, str]) -> None:
        self._running.pop(key, None)
        self._ended += 1

    async def _guarded(self, asked: AskedSource, number: str) -> bool:
        """Query a source and return whether it has a verdict. After a bug or an error of the store, return False."""
        try:
            return await self._ask(asked, number)
        except StoreError as error:
            logger.warning("look-up at %s failed: %s", asked.name, error)
        except Exception:
            logger.exception("look-up at %s failed", asked.name)
        finally:
            asked.rest.ended()
        return False

    async def _ask(self, asked: AskedSource, number: str) -> bool:
        async with asked.slots:
            if asked.rest.is_resting(self.monotonic()):  # since this request began to wait
                return False
            at = self.clock()
            if not await asyncio.to_thread(self._reserve, asked, at):
                self._log_limit(asked, at)
                return False
            try:
                verdict = await self._answer_of(asked, number)
            except (Unreachable, BadAnswer) as error:
                code = error.code if isinstance(error, Unreachable) else str(error)
                await self._failed(asked, code, at)
                return False
        asked.rest.succeeded()
        days = asked.source.table.max_age_days
        answer = lookups.StoredAnswer(
            asked.name, verdict.verdict, verdict.category, at, at + days * lookups.DAY_SECONDS
        )
        await asyncio.to_thread(self._record, number, answer)
        logger.info("look-up answered: source=%s number=%s verdict=%s", asked.name, masked(number), verdict.verdict)
        return verdict.verdict != lookups.NOTHING

    async def _answer_of(self, asked: AskedSource, number: str) -> SourceVerdict:
        source = asked.source
        answer = await self.fetch(source.request_about(number, asked.token), source.table.private)
        return source.parse_answer(number, answer.status, answer.body)

    async def _failed(self, asked: AskedSource, code: str, at: float) -> None:
        rested = asked.rest.is_resting(self.monotonic())
        asked.rest.failed(self.monotonic())
        if asked.rest.is_resting(self.monotonic()) and not rested:
            logger.warning("look-up source does not answer, pausing it: %s (%s)", asked.name, code)
        await asyncio.to_thread(self._count_failure, asked.name, at, code)

    def _log_limit(self, asked: AskedSource, at: float) -> None:
        day = int(at // lookups.DAY_SECONDS)
        if asked.spent_on != day:
            asked.spent_on = day
            logger.warning(
                "look-up source not queried until tomorrow (UTC), because its daily limit is reached: %s", asked.name
            )

    # In a thread:

    def _known(self, number: str) -> tuple[set[str], dict[str, lookups.StoredAnswer]]:
        with open_store(self.store) as db:
            return {
                state.name for state in lookups.source_states(db) if state.off_at is not None
            }, lookups.answers_about(db, number)

    def _reserve(self, asked: AskedSource, at: float) -> bool:
        with open_store(self.store) as db:
            return lookups.reserve(db, asked.name, at, limits_of(asked.source.table))

    def _record(self, number: str, answer: lookups.StoredAnswer) -> None:
        with open_store(self.store) as db:
            lookups.record_answer(db, number, answer)

    def _count_failure(self, name: str, at: float, code: str) -> None:
        with open_store(self.store) as db:
            lookups.record_failure(db, name, at, code)
