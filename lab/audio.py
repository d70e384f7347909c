"""The audio of one side of a call: u-law over RTP, telephone events (RFC 4733), and keys as tones.

SIPp can do this only as root (it plays captures through a raw socket), so the lab speaks RTP itself. This module has no
thread and no clock: the caller must call `tick` every 20 ms.
"""

from __future__ import annotations

import math
import random
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

TICK_SECONDS: Final = 0.02
SAMPLES: Final = 160
ULAW, TELEPHONE_EVENT = 0, 101
SILENCE = b"\xff" * SAMPLES
# RFC 4733 section 3.2, table 3; and the two tones of each key (ITU-T Q.23), in Hz.
EVENTS = {key: code for code, key in enumerate("0123456789*#ABCD")}
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
TONES = {
    key: (_ROWS[row], _COLUMNS[column])
    for row, keys in enumerate(("123A", "456B", "789C", "*0#D"))
    for column, key in enumerate(keys)
}
PRESS_TICKS = 5
GAP_TICKS = 5
# u-law bytes count magnitude downwards in their low seven bits; speech is well above this, comfort noise below.
AUDIBLE = 0x30


@dataclass(frozen=True, slots=True)
class Heard:
    """How many audio packets were received, and how many of these were not silence. There are 50 packets a second."""

    packets: int = 0
    audible: int = 0

    @property
    def audible_seconds(self) -> float:
        return self.audible * TICK_SECONDS


@dataclass(frozen=True, slots=True)
class _Packet:
    payload_type: int
    payload: bytes
    starts: bool = False
    lasts: bool = True


class AudioEnd:
    """One side of a call: sends audio and pressed keys, and counts received audio.

    `voice`: whether a tone is sent instead of silence.
    """

    def __init__(self, address: str, *, voice: bool = False) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.setblocking(False)
        self._background = ulaw_tone((300,)) if voice else SILENCE
        self._queue: deque[_Packet] = deque()
        self._sequence = random.randrange(1 << 16)
        self._timestamp = random.randrange(1 << 31)
        self._event_timestamp = 0
        self._source = random.randrange(1 << 32)
        self.remote: tuple[str, int] | None = None
        self.heard = Heard()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def press(self, digits: str, *, after: float = 0.0, inband: bool = False) -> float:
        """Queue key presses that begin after `after` seconds. Return their duration in seconds, including `after`.

        `inband`: send the keys as tones instead of telephone events.
        """
        packets = [_Packet(ULAW, self._background)] * round(after / TICK_SECONDS)
        for digit in digits:
            packets += _tones(digit) if inband else _events(digit)
            packets += [_Packet(ULAW, self._background)] * GAP_TICKS
        self._queue.extend(packets)
        return sum(packet.lasts for packet in packets) * TICK_SECONDS

    def tick(self) -> None:
        """Read the received packets, and send the next 20 ms of audio if the address of the other side is known."""
        self._hear()
        if self.remote is None:
            return
        while True:
            packet = self._queue.popleft() if self._queue else _Packet(ULAW, self._background)
            self._send(packet)
            if packet.lasts:
                return

    def close(self) -> None:
        self._socket.close()

    def _hear(self) -> None:
        packets, audible = self.heard.packets, self.heard.audible
        while True:
            try:
                payload = self._socket.recv(2048)[12:]
            except BlockingIOError:
                break
            except ConnectionError:
                continue  # nobody received an earlier packet
            packets += 1
            audible += any(~sample & 0x7F > AUDIBLE for sample in payload)
        self.heard = Heard(packets, audible)

    def _send(self, packet: _Packet) -> None:
        assert self.remote is not None
        if packet.starts:
            self._event_timestamp = self._timestamp
        stamp = self._event_timestamp if packet.payload_type == TELEPHONE_EVENT else self._timestamp
        kind = packet.payload_type | (0x80 if packet.starts else 0)
        header = struct.pack("!BBHII", 0x80, kind, self._sequence, stamp & 0xFFFFFFFF, self._source)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp += SAMPLES if packet.lasts else 0
        try:
            self._socket.sendto(header + packet.payload, self.remote)
        except ConnectionError:
            self.remote = None


def _events(digit: str) -> Iterator[_Packet]:
    """Yield the telephone events of a key press: packets of growing duration, then the last packet three times."""
    for tick in range(1, PRESS_TICKS + 1):
        payload = struct.pack("!BBH", EVENTS[digit], 10, tick * SAMPLES)
        yield _Packet(TELEPHONE_EVENT, payload, starts=tick == 1)
    end = struct.pack("!BBH", EVENTS[digit], 0x80 | 10, PRESS_TICKS * SAMPLES)
    for repeat in range(3):
        yield _Packet(TELEPHONE_EVENT, end, lasts=repeat == 2)


def _tones(digit: str) -> Iterator[_Packet]:
    for tick in range(PRESS_TICKS):
        yield _Packet(ULAW, ulaw_tone(TONES[digit], first_sample=tick * SAMPLES))


def ulaw_tone(frequencies: Iterable[int], *, first_sample: int = 0) -> bytes:
    """Return 20 ms of u-law audio at 8 kHz: several tones at once, each at -12 dB of full scale."""
    waves = [2 * math.pi * frequency / 8000 for frequency in frequencies]
    samples = range(first_sample, first_sample + SAMPLES)
    return bytes(ulaw(round(sum(8000 * math.sin(wave * n) for wave in waves))) for n in samples)


def ulaw(sample: int) -> int:
    """Encode a 16-bit sample in u-law (ITU-T G.711)."""
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | mantissa) & 0xFF
