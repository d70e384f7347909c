"""What came from Asterisk and waits to be looked at: bounded, in order, and honest about what it could not hold.

The connection only puts in here, so that however slow the consumer is Asterisk is always read: one that finds its
reader stalled for a second disconnects it.

    taking everything -> full: the first loss is marked by a Gap, all packets are counted and dropped
                      -> half empty again: taking everything
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

from ami_listener.framing import Packet

# About 27,000 events of the usual size: 5 s of 5,000 a second.
LIMIT_CHARACTERS = 16 * 1024 * 1024

# The consumer shares its loop with calls that wait for a decision, so it gives way after this long.
SLICE_SECONDS = 0.001


class Received(NamedTuple):
    """One packet that is not the answer to something we asked. `at` is when it was read."""

    at: float
    packet: Packet


class Gap(NamedTuple):
    """From `since` on something may have been missed: no call in progress at `at` was seen whole."""

    at: float
    since: float
    why: str


Notice = Received | Gap


class EventQueue:
    """`put...` in, `notices` out. `limit` is the size of what waits, in characters of its packets."""

    def __init__(self, limit: int = LIMIT_CHARACTERS) -> None:
        self.received = 0
        self.received_at: float | None = None
        self.dropped = 0
        self.gaps = 0
        self._limit = limit
        self._items: deque[Notice] = deque()
        self._characters = 0
        self._losing = False
        self._closed = False
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many notices nobody has looked at."""
        return len(self._items)

    @property
    def oldest_at(self) -> float | None:
        """When the first notice that still waits came."""
        return self._items[0].at if self._items else None

    def put(self, packet: Packet, at: float) -> None:
        """Add a packet, or count it as lost; before the first that is lost there is a Gap."""
        self.received += 1
        self.received_at = at
        if self._losing:
            self.dropped += 1
        elif self._characters + len(packet.text) > self._limit:
            self._losing = True
            self.dropped += 1
            self.put_gap(Gap(at, at, "more events than could be looked at"))
        else:
            self._characters += len(packet.text)
            self._add(Received(at, packet))

    def skip(self, count: int, at: float) -> None:
        """Count packets that are of no use to anybody."""
        self.received += count
        self.received_at = at

    def put_gap(self, gap: Gap) -> None:
        """Add a Gap, whatever the bound."""
        self.gaps += 1
        self._add(gap)

    def close(self) -> None:
        """`notices` ends when what waits has been taken."""
        self._closed = True
        self._wake.set()

    async def notices(self) -> AsyncIterator[Notice]:
        """Everything in order. For one consumer; after `close` it ends."""
        loop = asyncio.get_running_loop()
        while True:
            give_way_at = loop.time() + SLICE_SECONDS
            while self._items:
                yield self._take()
                if loop.time() >= give_way_at:
                    await asyncio.sleep(0)
                    give_way_at = loop.time() + SLICE_SECONDS
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()

    def _add(self, notice: Notice) -> None:
        self._items.append(notice)
        self._wake.set()

    def _take(self) -> Notice:
        notice = self._items.popleft()
        if isinstance(notice, Received):
            self._characters -= len(notice.packet.text)
            if self._losing and self._characters <= self._limit // 2:
                self._losing = False
        return notice
