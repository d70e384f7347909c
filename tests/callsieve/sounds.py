"""Recordings for tests: tones, silence, and where the two programs are that make prompts."""

from __future__ import annotations

import shutil
from array import array
from math import pi, sin
from pathlib import Path

import pytest

from callsieve.prompts.files import ESPEAK, SOX
from callsieve.prompts.wav import RATE, wav_of

needs_voice = pytest.mark.skipif(
    not all(map(shutil.which, (ESPEAK, SOX))), reason="espeak-ng and sox make the prompts: python -m lab fetch --tools"
)


SPEAKS = """\
#!/bin/sh
cat > /dev/null
while [ "$1" != -w ]; do shift; done
exec cp "${0%/*}/spoken" "$2"
"""
CONVERTS = """\
#!/bin/sh
exec cat "${0%/*}/spoken"
"""


def put_quick_voice(folder: Path) -> Path:
    """Programs that take the place of espeak-ng and sox on PATH, for tests of the files and not of how they sound: each
    prompt is the same tone.
    """
    folder.mkdir(mode=0o755)
    (folder / "spoken").write_bytes(tone(0.3))
    for name, script in ((ESPEAK, SPEAKS), (SOX, CONVERTS)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


def tone(seconds: float, amplitude: float = 0.5, hertz: float = 440.0) -> bytes:
    """Samples of a tone; `amplitude` 1 is full scale."""
    steps = range(round(seconds * RATE))
    return array("h", (round(32767 * amplitude * sin(2 * pi * hertz * n / RATE)) for n in steps)).tobytes()


def record(path: Path, seconds: float = 0.6, amplitude: float = 0.3) -> Path:
    """A recording with half a second of silence at both ends, as people make them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_of(tone(0.5, 0) + tone(seconds, amplitude) + tone(0.5, 0), "somebody's studio"))
    return path
