"""Sound files for Asterisk: 8 kHz, 16 bits, one channel, each with a note about its source. Pure functions on bytes.

The note is a comment in the WAV file (LIST, INFO, ICMT) before the samples, so that a copied file still has its note.
"""

from __future__ import annotations

import math
import struct
import sys
import wave
from array import array
from io import BytesIO

RATE = 8000  # samples a second
SAMPLE_BYTES = 2
HEAD_BYTES = 512  # the note that we write ends before that

_NOTE = b"ICMT"
_FRAME = RATE // 50  # 20 ms: of one syllable there are several
# A frame is speech if it is above the first gate, and at most the second gate below the average of such frames. These
# are the gates of ITU-R BS.1770. Its frequency weighting does not matter in a telephone's band.
_SILENCE_DB = -60.0
_GATE_DB = 10.0
# Record's threshold of silence, as an average over a frame: 256 of 32768 (dsp.conf, silencethreshold).
_NOISE_DB = -42.0


def wav_of(samples: bytes, note: str) -> bytes:
    """Return a WAV file of little-endian 16-bit samples at RATE that contains the note (ASCII)."""
    text = note.encode("ascii") + b"\0"
    text += b"\0" * (len(text) % 2)
    info = b"INFO" + _NOTE + struct.pack("<I", len(text)) + text
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    chunks = _chunk(b"fmt ", form) + _chunk(b"LIST", info) + _chunk(b"data", samples)
    return _chunk(b"RIFF", b"WAVE" + chunks)


def note_in(head: bytes) -> str | None:
    """Return the note in the first bytes of a WAV file; None if it has no note."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    start = head.find(_NOTE, 12, HEAD_BYTES)
    if start < 0:
        return None
    (length,) = struct.unpack_from("<I", head[start + 4 : start + 8].ljust(4, b"\0"))
    return head[start + 8 : start + 8 + min(length, HEAD_BYTES)].rstrip(b"\0").decode("ascii", "replace")


def seconds_of(content: bytes) -> float | None:
    """Return the length of a WAV file in seconds; None if it is not a WAV file."""
    try:
        with wave.open(BytesIO(content)) as file:
            return float(file.getnframes() / file.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


def has_sound(content: bytes) -> bool:
    """Return whether any 20 ms of a WAV file are louder than line noise. True if the file has no data chunk."""
    _, data, rest = content.partition(b"data")
    return not data or any(power > _power(_NOISE_DB) for power in _powers_of(rest[4:]))


def loudness_of(samples: bytes) -> float:
    """Return the loudness of the speech without pauses, in dB: 0 for a full-scale square wave, -inf for silence."""
    powers = [power for power in _powers_of(samples) if power > _power(_SILENCE_DB)]
    if not powers:
        return -math.inf
    gate = sum(powers) / len(powers) * 10 ** (-_GATE_DB / 10)
    speech = [power for power in powers if power >= gate]
    return 10 * math.log10(sum(speech) / len(speech))


def peak_of(samples: bytes) -> float:
    """Return the level of the loudest sample in dB, at most 0."""
    return 20 * math.log10(max(map(abs, _values_of(samples)), default=0) / 32768 or 1e-9)


def amplified(samples: bytes, by_db: float) -> bytes:
    """Return the samples amplified by `by_db` dB. Samples above full scale are clipped: check `peak_of` first."""
    factor = 10 ** (by_db / 20)
    return _bytes_of(array("h", (max(-32768, min(32767, round(value * factor))) for value in _values_of(samples))))


def _values_of(samples: bytes) -> array[int]:
    values = array("h", samples[: len(samples) // SAMPLE_BYTES * SAMPLE_BYTES])
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _bytes_of(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _powers_of(samples: bytes) -> list[float]:
    values = _values_of(samples)
    frames = [values[start : start + _FRAME] for start in range(0, len(values), _FRAME)]
    return [sum(value * value for value in frame) / len(frame) / 32768.0**2 for frame in frames]


def _power(level_db: float) -> float:
    return float(10 ** (level_db / 10))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
