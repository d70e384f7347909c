"""AMI without I/O: bytes in, packets out.

    packets = reader.receive_data(data)

A packet is a block of `Name: value` lines up to an empty line. Bytes are kept until a packet is whole and decoded
packet by packet, so a character cut between two reads is no different from one that was not. What Asterisk repeats
(`ChanVariable`) is kept apart; of any other name that occurs twice the first counts, because the second may have been
slipped in with a caller's text. A packet has some 20 fields and an event needs 5, so `some` looks for those alone.

What came from Asterisk and waits to be looked at: bounded, in order, and honest about what it could not hold.

The connection only puts in here, so that however slow the consumer is Asterisk is always read: one that finds its
reader stalled for a second disconnects it.

    taking everything -> full: the first loss is marked by a Gap, all packets are counted and dropped
                      -> half empty again: taking everything
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

PACKET_LIMIT = 1024 * 1024
_LINE_END, _END = b"\r\n", b"\r\n\r\n"
_EVENT = b"Event: "
_BANNER = "Asterisk Call Manager/"

# What ast_escape_c() of Asterisk's utils.c writes.
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


# Fields to look for: the name of each, how its line begins, and how long that is.
Names = tuple[tuple[str, str, int], ...]


class Packet(NamedTuple):
    """One event or answer. `name` is the event's, or empty for anything else."""

    text: str
    name: str

    def fields(self) -> dict[str, str]:
        """Every field but the channel variables, as Asterisk wrote it: names are still escaped."""
        lines = self.text.split("\r\n")
        lines.reverse()  # of two fields with one name the first is to stay
        try:
            return dict([line.split(": ", 1) for line in lines])
        except ValueError:  # a line without ": ": an empty value that lost its space, or no field at all
            return dict([(name, value.removeprefix(" ")) for name, colon, value in map(_partition, lines) if colon])

    def some(self, named: Names) -> dict[str, str]:
        """What `fields()` has for some names, by what `fields_named` made of them."""
        text, found = self.text, {}
        for name, beginning, length in named:
            start = text.find(beginning)
            if start >= 0:
                end = text.find("\r\n", start + length)
                value = text[start + length :] if end < 0 else text[start + length : end]
                found[name] = value.removeprefix(" ")
        return found

    def variables(self) -> dict[str, str]:
        """The variables of the packet's first channel: `ChanVariable: a=b` or `ChanVariable(PJSIP/x-1): a=b`."""
        found: dict[str, str] = {}
        if "\r\nChanVariable" not in self.text:
            return found
        for line in self.text.split("\r\n"):
            if line.startswith(("ChanVariable: ", "ChanVariable(")):
                name, equals, value = line.partition(": ")[2].partition("=")
                if equals:
                    found.setdefault(name, unescape(value))
        return found


class PacketReader:
    """One connection's bytes. `dropped` counts packets over PACKET_LIMIT: reading goes on after the next empty line.

    Where there are `wanted` events, others are counted in `unwanted` and given to nobody: of what Asterisk says of a
    call that is half.
    """

    def __init__(self, wanted: Collection[str] | None = None) -> None:
        self.dropped = 0
        self.unwanted = 0
        self._wanted = {_EVENT + name.encode(): name for name in wanted or ()}
        self._wants_all = wanted is None
        self._buffer = bytearray()
        self._searched = 0
        self._skipping = False

    def receive_data(self, data: bytes) -> list[Packet]:
        """What was read from the connection; gives the packets that are whole now."""
        buffer = self._buffer
        buffer += data
        blocks: list[bytes] = []
        if buffer.find(_END, self._searched) >= 0:
            *blocks, rest = bytes(buffer).split(_END)
            buffer[:] = rest
            if self._skipping:
                del blocks[0]
                self._skipping = False
        if len(buffer) > PACKET_LIMIT + 3:
            self.dropped += not self._skipping
            self._skipping = True
            del buffer[:-3]  # which may be the beginning of an end
        self._searched = max(len(buffer) - 3, 0)
        return self._of_use(blocks)

    def _of_use(self, blocks: list[bytes]) -> list[Packet]:
        found, wanted = [], self._wanted
        for block in blocks:
            if len(block) > PACKET_LIMIT:
                self.dropped += 1
            elif not (stripped := block.strip(_LINE_END)):
                continue
            elif name := wanted.get(first := stripped.partition(_LINE_END)[0]):
                found.append(Packet(stripped.decode("utf-8", "replace"), name))
            elif self._wants_all or not first.startswith(_EVENT):
                found.append(packet_of(stripped.decode("utf-8", "replace")))
            else:
                self.unwanted += 1
        return found


def fields_named(*names: str) -> Names:
    """For `Packet.some`: fields with these names, which are not that of the first line."""
    return tuple((name, f"\r\n{name}:", len(name) + 3) for name in names)


def packet_of(text: str) -> Packet:
    """A packet from its lines; Asterisk's greeting before the first one is taken off."""
    if text.startswith(_BANNER):
        text = text.partition("\r\n")[2]
    kind, _, name = text.partition("\r\n")[0].partition(": ")
    return Packet(text, name if kind == "Event" else "")


def unescape(text: str) -> str:
    """Caller names and variables as they were before Asterisk escaped them for AMI."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])


def _partition(line: str) -> tuple[str, str, str]:
    return line.partition(":")


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
