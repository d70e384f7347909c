"""What the look-up process does: asks the sources about a number, and puts what they say into the store.

    fresh answer in the store -> nothing to do        expired, or none -> asked, and the call waits a while
    old answer in the store   -> it stands, and is asked for again behind the call

Of one number and source there is one request at a time. A source that fails rests (Rest), has a few requests at once,
and its limits of the day, which are counted in the store before a request is made: they hold over restarts.
"""

from __future__ import annotations

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
    """After three failures in a row the source rests, 10 s at first, twice as long each time, 15 min at most; then one
    request tries it again.
    """

    _failures: int = 0
    _until: float = 0.0
    _is_trying: bool = False

    def is_resting(self, now: float) -> bool:
        """Whether it is left alone at that monotonic instant."""
        return self._failures >= FAILURES and now < self._until

    def allows(self, now: float) -> bool:
        """Whether a request may be made; the one that tries again is let through here."""
        if self._failures < FAILURES:
            return True
        if self.is_resting(now) or self._is_trying:
            return False
        self._is_trying = True
        return True

    def succeeded(self) -> None:
        """It answered."""
        self._failures = 0

    def ended(self) -> None:
        """The request is over, and perhaps was never made."""
        self._is_trying = False

    def failed(self, now: float) -> None:
        """It did not, or with nothing that can be used. Those under way when it began to rest say nothing new."""
        if self.is_resting(now):
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + wait_seconds(self._failures - FAILURES + 1, FIRST_SECONDS, LONGEST_SECONDS)


logger = logging.getLogger("callsieve.lookups.service")

HOUR: Final = 3600.0
# Kept of a call's budget for the daemon to be told, and to read the store again.
TELLING_SECONDS: Final = 0.015
AT_ONCE: Final = 8
MOST_WAITING: Final = 200
MOST_READS: Final = 3  # of the store, before a number is asked about


class Reached(Protocol):
    """What a server answered."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class Unreachable(Exception):
    """There is no answer, by the code of why (callsieve.outside.errors)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# Makes the request of a source and returns the answer, of any status. Unreachable.
Fetch = Callable[[OutsideRequest, bool], Awaitable[Reached]]


@dataclass(slots=True)
class AskedSource:
    """A source with what it takes to ask it: its secret, and how it has answered lately."""

    source: LookupSource
    token: str = field(default="", repr=False)
    rest: Rest = field(default_factory=Rest)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    spent_on: int = -1  # the day on which the log has said that its limit is reached

    @property
    def name(self) -> str:
        """As the settings have it."""
        return self.source.table.name


@dataclass(slots=True)
class LookUpService:
    """Looks numbers up. `store` is the store's file, which is opened for each read and write (1 ms)."""

    store: Path
    sources: list[AskedSource]
    fetch: Fetch
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    _running: dict[tuple[str, str], asyncio.Task[bool]] = field(default_factory=dict)
    _ended: int = 0

    async def look_up(self, number: str, wait_seconds: float) -> bool:
        """Whether the store knows more of the number now. It is answered within `wait_seconds`; what comes later is
        there for the next call.
        """
        began = self.monotonic()
        try:
            states, known = await self._known_by_now(number)
        except StoreError as error:
            logger.warning("nobody is asked: %s", error)
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
        """As `_known`; again where a request ended meanwhile, whose answer may have come too late to be read."""
        for _ in range(MOST_READS):
            ended, found = self._ended, await asyncio.to_thread(self._known, number)
            if ended == self._ended:
                break
        return found

    async def close(self) -> None:
        """Ends the requests that are running."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _first_answers(self, waited: list[tuple[asyncio.Task[bool], float]], began: float, end: float) -> bool:
        """Whether one of them brought something before the end: the first that does is enough for this call."""
        tasks = {task for task, _ in waited}
        until = min(end, began + max(budget for _, budget in waited) - TELLING_SECONDS)
        while tasks and (left := until - self.monotonic()) > 0:
            done, tasks = await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if any(not task.cancelled() and task.result() for task in done):
                return True
        return False

    def _start(self, asked: AskedSource, number: str) -> asyncio.Task[bool] | None:
        """The one request of this source about the number; None where the source rests or too many wait."""
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
        """A bug of ours, or a store that cannot be written, ends one look-up and not the process."""
        try:
            return await self._ask(asked, number)
        except StoreError as error:
            logger.warning("a look-up at %s: %s", asked.name, error)
        except Exception:
            logger.exception("a look-up at %s failed", asked.name)
        finally:
            asked.rest.ended()
        return False

    async def _ask(self, asked: AskedSource, number: str) -> bool:
        async with asked.slots:
            if asked.rest.is_resting(self.monotonic()):  # since it began to wait
                return False
            at = self.clock()
            if not await asyncio.to_thread(self._reserve, asked, at):
                self._tell_spent(asked, at)
                return False
            try:
                said = await self._said_by(asked, number)
            except (Unreachable, BadAnswer) as error:
                code = error.code if isinstance(error, Unreachable) else str(error)
                await self._failed(asked, code, at)
                return False
        asked.rest.succeeded()
        days = asked.source.table.max_age_days
        answer = lookups.StoredAnswer(asked.name, said.verdict, said.category, at, at + days * lookups.DAY_SECONDS)
        await asyncio.to_thread(self._record, number, answer)
        logger.info("%s says of %s: %s", asked.name, masked(number), said.verdict)
        return said.verdict != lookups.NOTHING

    async def _said_by(self, asked: AskedSource, number: str) -> SourceVerdict:
        source = asked.source
        answer = await self.fetch(source.request_about(number, asked.token), source.table.private)
        return source.said_of(number, answer.status, answer.body)

    async def _failed(self, asked: AskedSource, code: str, at: float) -> None:
        rested = asked.rest.is_resting(self.monotonic())
        asked.rest.failed(self.monotonic())
        if asked.rest.is_resting(self.monotonic()) and not rested:
            logger.warning("%s does not answer (%s): it is not asked for a while", asked.name, code)
        await asyncio.to_thread(self._count_failure, asked.name, at, code)

    def _tell_spent(self, asked: AskedSource, at: float) -> None:
        day = int(at // lookups.DAY_SECONDS)
        if asked.spent_on != day:
            asked.spent_on = day
            logger.warning("%s: the limit of the day is reached: it is asked again tomorrow (UTC)", asked.name)

    # In a thread:

    def _known(self, number: str) -> tuple[set[str], dict[str, lookups.StoredAnswer]]:
        """The sources that are off, and what all have said of the number."""
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
