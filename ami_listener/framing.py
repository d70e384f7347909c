"""AMI's bytes -> greeting and packets, without I/O and without reading what is in them.

Bytes are never decoded here: a character may be cut anywhere. A packet ends with an empty line; what is longer than
1 MiB is not Asterisk.
"""

from __future__ import annotations

GREETING = b"Asterisk Call Manager/"
GREETING_LIMIT = 100
PACKET_LIMIT = 1024 * 1024

_END = b"\r\n\r\n"
_LINE_END = b"\r\n"


class FramingError(Exception):
    """What came is not AMI."""


class Framer:
    """Collects what was received; `version` is that of AMI once Asterisk has said who it is."""

    def __init__(self, packet_limit: int = PACKET_LIMIT) -> None:
        self.version: str | None = None
        self._limit = packet_limit
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> list[bytes]:
        """The packets that are complete now, without their empty line. FramingError."""
        buffer = self._buffer
        searched = max(0, len(buffer) - len(_END) + 1)  # what was here before has no end in it
        buffer += data
        if self.version is None:
            if not self._read_greeting():
                return []
            searched = 0
        end = buffer.rfind(_END, searched)
        if end < 0:
            if len(buffer) > self._limit:
                raise FramingError(f"a packet of more than {self._limit} bytes")
            return []
        packets = bytes(buffer[:end]).split(_END)
        del buffer[: end + len(_END)]
        if len(buffer) > self._limit or max(map(len, packets)) > self._limit:
            raise FramingError(f"a packet of more than {self._limit} bytes")
        return [packet for packet in packets if packet]

    def _read_greeting(self) -> bool:
        buffer = self._buffer
        end = buffer.find(_LINE_END)
        if not buffer.startswith(GREETING[: len(buffer)]) or (end < 0 and len(buffer) > GREETING_LIMIT):
            raise FramingError("the first line is not that of Asterisk")
        if end < 0:
            return False
        self.version = buffer[len(GREETING) : end].decode("ascii", "replace")
        del buffer[: end + len(_LINE_END)]
        return True
