"""AMI without I/O: bytes in, packets out, and the bounded queue in which packets wait for the consumer.

    packets = reader.receive_data(data)      the packets that these bytes complete

A packet is a block of `Name: value` lines up to an empty line. Bytes are decoded only when a packet is complete, so a
character may be split between two reads. If a name occurs twice, the first value is used, because the second may have
been injected with a caller's text.

The connection only appends to the queue, so Asterisk's output is always read, however slow the consumer is. Asterisk
disconnects a client that does not read for a second.

    accepting all -> full: a Gap marks the first loss, further packets are counted and dropped
                  -> half empty: accepting all again
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

PACKET_LIMIT = 1024 * 1024
_LINE_END, _END = b"\r\n", b"\r\n\r\n"
_EVENT = b"Event: "
_BANNER = "Asterisk Call Manager/"

# The escapes written by ast_escape_c() of Asterisk's utils.c.
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


# Fields to search for: the name, the start of the line, and the length of this start.
Names = tuple[tuple[str, str, int], ...]


class Packet(NamedTuple):
    """An AMI event or response. `name`: the name of the event, empty for a response."""

    text: str
    name: str

    def fields(self) -> dict[str, str]:
        """Return every field except channel variables. Values are still escaped, as Asterisk wrote them."""
        lines = self.text.split("\r\n")
        lines.reverse()  # if two fields have the same name, the first is used
        try:
            return dict([line.split(": ", 1) for line in lines])
        except ValueError:  # a line without ": ": an empty value without its space, or not a field
            return dict([(name, value.removeprefix(" ")) for name, colon, value in map(_partition, lines) if colon])

    def some(self, named: Names) -> dict[str, str]:
        """Return those fields in `named` that the packet has. Faster than `fields`: an event needs 5 of 20."""
        text, fields = self.text, {}
        for name, beginning, length in named:
            start = text.find(beginning)
            if start >= 0:
                end = text.find("\r\n", start + length)
                value = text[start + length :] if end < 0 else text[start + length : end]
                fields[name] = value.removeprefix(" ")
        return fields

    def variables(self) -> dict[str, str]:
        """Return the first channel's variables: lines such as `ChanVariable: a=b`, `ChanVariable(PJSIP/x-1): a=b`."""
        variables: dict[str, str] = {}
        if "\r\nChanVariable" not in self.text:
            return variables
        for line in self.text.split("\r\n"):
            if line.startswith(("ChanVariable: ", "ChanVariable(")):
                name, equals, value = line.partition(": ")[2].partition("=")
                if equals:
                    variables.setdefault(name, unescape(value))
        return variables


class PacketReader:
    """Splits the bytes of one connection into packets. `dropped` counts packets longer than PACKET_LIMIT.

    `unwanted` counts the events that are not in `wanted`. Half of all events about a call are unwanted.
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
        """Add bytes from the connection and return the packets that they complete."""
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
            del buffer[:-3]  # these bytes may be the start of a packet's end
        self._searched = max(len(buffer) - 3, 0)
        return self._decode_wanted(blocks)

    def _decode_wanted(self, blocks: list[bytes]) -> list[Packet]:
        packets, wanted = [], self._wanted
        for block in blocks:
            if len(block) > PACKET_LIMIT:
                self.dropped += 1
            elif not (stripped := block.strip(_LINE_END)):
                continue
            elif name := wanted.get(first := stripped.partition(_LINE_END)[0]):
                packets.append(Packet(stripped.decode("utf-8", "replace"), name))
            elif self._wants_all or not first.startswith(_EVENT):
                packets.append(packet_of(stripped.decode("utf-8", "replace")))
            else:
                self.unwanted += 1
        return packets


def fields_named(*names: str) -> Names:
    """Prepare a search for these fields with `Packet.some`. The first line of a packet cannot be searched."""
    return tuple((name, f"\r\n{name}:", len(name) + 3) for name in names)


def packet_of(text: str) -> Packet:
    """Return the packet with this text. Asterisk's greeting before the first line is removed."""
    if text.startswith(_BANNER):
        text = text.partition("\r\n")[2]
    kind, _, name = text.partition("\r\n")[0].partition(": ")
    return Packet(text, name if kind == "Event" else "")


def unescape(text: str) -> str:
    """Undo Asterisk's AMI escaping of a caller's name or a variable."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])


def _partition(line: str) -> tuple[str, str, str]:
    return line.partition(":")


# About 27,000 events of the usual size, which is 5 s at 5,000 events a second.
LIMIT_CHARACTERS = 16 * 1024 * 1024

# The consumer shares its event loop with calls that wait for a decision, so it yields after this time.
SLICE_SECONDS = 0.001


class Received(NamedTuple):
    """An event packet, with the time at which it was read."""

    at: float
    packet: Packet


class Gap(NamedTuple):
    """A gap in the events from `since`, noticed at `at`. Of calls in progress then, only a part is known."""

    at: float
    since: float
    why: str


Notice = Received | Gap


class EventQueue:
    """The queue between connection and consumer. `limit`: the total size of waiting packets in characters."""

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
        """Return how many packets and gaps wait for the consumer."""
        return len(self._items)

    @property
    def oldest_at(self) -> float | None:
        """Return when the first waiting packet or gap was received; None if the queue is empty."""
        return self._items[0].at if self._items else None

    def put(self, packet: Packet, at: float) -> None:
        """Append a packet. If the queue is full, count the packet as lost, and append a Gap before the first loss."""
        self.received += 1
        self.received_at = at
        if self._losing:
            self.dropped += 1
        elif self._characters + len(packet.text) > self._limit:
            self._losing = True
            self.dropped += 1
            self.put_gap(Gap(at, at, "more events arrived than could be processed"))
        else:
            self._characters += len(packet.text)
            self._add(Received(at, packet))

    def skip(self, count: int, at: float) -> None:
        """Count `count` packets that are not needed, without storing them."""
        self.received += count
        self.received_at = at

    def put_gap(self, gap: Gap) -> None:
        """Append a Gap even if the queue is full."""
        self.gaps += 1
        self._add(gap)

    def close(self) -> None:
        """End `notices` after the consumer has read the waiting packets."""
        self._closed = True
        self._wake.set()

    async def notices(self) -> AsyncIterator[Notice]:
        """Yield all packets and gaps in order, for one consumer, until `close` is called."""
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
