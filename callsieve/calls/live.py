"""The evidence vector as bars: how much each family says, and in which direction. Pure."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from callsieve.web.store_client import StoreClient
from reputation.explaining import parts_of
from reputation.model import Family
from reputation.store.calls import CallFilter, CallRow, calls_of_ids, find_calls
from reputation.store.errors import StoreError
from reputation.wording import Wording, listed

HALF = 50.0  # of the bar's width: nothing lies in the middle
LEAST_SCALE = 2.0  # log-odds


@dataclass(frozen=True, slots=True)
class Bar:
    """A family: its log-odds, what it says, and where its bar begins and how long it is, of 100."""

    family: str
    log_odds: float
    said: str | Wording
    start: float
    width: float


def bars_of(families: Sequence[Family]) -> tuple[Bar, ...]:
    """One bar a family, on a common scale that the longest fills; a small evidence stays small."""
    scale = max([LEAST_SCALE, *(abs(family.log_odds) for family in families)])
    return tuple(_bar(family, scale) for family in families)


def _bar(family: Family, scale: float) -> Bar:
    width = round(HALF * abs(family.log_odds) / scale, 1)
    start = HALF if family.log_odds >= 0 else HALF - width
    try:
        said = listed(list(parts_of(family)), "{some}; {more}")
    except (KeyError, ValueError):  # a vector of another version
        counts = [Wording("{n} x {category}", {"n": count, "category": what}) for what, count in family.counts]
        said = listed(counts, "{some}; {more}")
    return Bar(family.name, family.log_odds, said, start, width)


logger = logging.getLogger("callsieve.web")

LOOK_SECONDS = 1.0
LOOK_BACK_SECONDS = 30.0  # the journal is written within 0.2 s, but may be behind when the store was locked
MOST_NEW = 200
MOST_OPEN = 500
MOST_WAITING = 200
MOST_WATCHERS = 100
MOST_OF_USER = 6  # as many as a browser opens


class LiveCalls:
    """Looks as long as somebody watches."""

    def __init__(self, store: StoreClient, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._watchers: dict[asyncio.Queue[CallRow], str] = {}
        self._told: OrderedDict[str, bool] = OrderedDict()  # by id: whether it is known how the call ended
        self._task: asyncio.Task[None] | None = None

    def is_full(self, user: str) -> bool:
        """Whether nobody more can watch, or this user no more than already."""
        return len(self._watchers) >= MOST_WATCHERS or Counter(self._watchers.values())[user] >= MOST_OF_USER

    @asynccontextmanager
    async def watching(self, user: str) -> AsyncIterator[asyncio.Queue[CallRow]]:
        """A queue of calls from now on. Who does not read it misses the oldest."""
        queue: asyncio.Queue[CallRow] = asyncio.Queue(MOST_WAITING)
        self._watchers[queue] = user
        if self._task is None or self._task.done():
            self._told.clear()
            await self.look(tell=False)
            self._task = asyncio.create_task(self._run(), name="live")
        try:
            yield queue
        finally:
            self._watchers.pop(queue)

    async def close(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._watchers:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look(tell=True)

    async def look(self, *, tell: bool) -> None:
        """Finds what is new in the journal, and tells it."""
        still_open = [call_id for call_id, ended in self._told.items() if not ended]
        try:
            found = await self._store.read(_news, self._clock() - LOOK_BACK_SECONDS, still_open[-MOST_OPEN:])
        except StoreError as error:
            logger.warning("live calls: %s", error)
            return
        for call in reversed(found):
            ended = call.disposition is not None
            if self._told.get(call.id) == ended:
                continue
            self._told[call.id] = ended
            if tell:
                self.tell(call)
        while len(self._told) > MOST_OPEN + MOST_NEW:
            self._told.popitem(last=False)

    def tell(self, call: CallRow) -> None:
        """Puts a call into the queues of all who watch."""
        for queue in self._watchers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(call)


def _news(db: sqlite3.Connection, since: float, still_open: list[str]) -> list[CallRow]:
    """The latest calls, and those whose end was not known before, the latest first; each once."""
    latest = find_calls(db, CallFilter(since=since), None, MOST_NEW)
    older = calls_of_ids(db, still_open) if still_open else []
    return list({call.id: call for call in (*latest, *older)}.values())
