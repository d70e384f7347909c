"""Open and read recordings in the format that Asterisk writes: WAV, 8 kHz, 16 bits, mono."""

import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from callsieve.hearing.recogniser import RATE, SAMPLE_BYTES

MOST_SECONDS = 15.0
MOST_BYTES = int(MOST_SECONDS * RATE * SAMPLE_BYTES)
MOST_FILES = 4
_HEAD_BYTES = 1024
_FORM = struct.pack("<HHI", 1, 1, RATE)  # PCM, one channel


def open_recordings(paths: Iterable[Path]) -> list[int]:
    """Open recordings for another process and return their descriptors. Skip missing files and symbolic links."""
    descriptors: list[int] = []
    for path in paths:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and len(descriptors) < MOST_FILES:
                descriptors.append(descriptor)
            else:
                os.close(descriptor)
    return descriptors


def samples_in(descriptor: int) -> bytes:
    """Return the samples of a recording, at most MOST_BYTES. Empty if the file is no WAV file of this format."""
    head = os.pread(descriptor, _HEAD_BYTES, 0)
    form, data = head.find(b"fmt "), head.find(b"data")
    if head[:4] != b"RIFF" or form < 0 or data < form or head[form + 8 : form + 16] != _FORM:
        return b""
    samples = os.pread(descriptor, MOST_BYTES, data + 8)
    return samples[: len(samples) // SAMPLE_BYTES * SAMPLE_BYTES]
