"""From a text, or a recording, to a sound: espeak-ng speaks, sox converts. The two programs are run here only.

    samples = voiced(Source(prompt, recording=None), directory_for_scratch)

Silence at both ends goes, and all are as loud as Asterisk's own sounds, so that they can follow each other.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from callsieve.prompts.catalogue import Prompt, PromptError
from callsieve.prompts.wav import RATE, SAMPLE_BYTES, amplified, loudness_of, peak_of
from callsieve.system.privileges import acting_ids

ESPEAK, SOX = "espeak-ng", "sox"
PACKAGES = {ESPEAK: "espeak-ng", SOX: "sox"}  # as Debian, Fedora and Arch call them
SECONDS_ALLOWED = 30.0  # for one run of either; a prompt takes 0.05 s

# What Asterisk's en_US_f_Allison measures by callsieve.prompts.wav.loudness_of: -14.9 to -19.0 dB, -17.5 in the middle.
LOUDNESS_DB = -18.0
PEAK_DB = -1.0
LONGEST_SECONDS = 30.0  # of a recording: nobody listens longer

# To be raised when the same text would become another sound.
RECIPE = 1

_RAW = ("-t", "raw", "-r", str(RATE), "-e", "signed", "-b", "16", "-c", "1")
_AT_THE_ENDS = ("silence", "1", "0.02", "-50d", "reverse") * 2
# Seconds after it, so that prompts which follow each other do not run together; people write digits and letters down.
_PAUSE_BY_TABLE = {"digit": 0.2, "letter": 0.2}
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Source:
    """What a prompt is made from: its text, or a recording of somebody who says it."""

    prompt: Prompt
    recording: Path | None = None

    @property
    def note(self) -> str:
        """What stands in the finished file: another text, voice, pace or recording has another note."""
        if self.recording is not None:
            return f"callsieve {RECIPE} recorded {sha256(self.recording.read_bytes()).hexdigest()[:32]}"
        said = f"{self.prompt.voice}\n{self.prompt.words_per_minute}\n{self.prompt.text}"
        return f"callsieve {RECIPE} spoken {sha256(said.encode()).hexdigest()[:32]}"


def programs_missing(sources: list[Source]) -> list[str]:
    """The programs that these need and that are not there."""
    needed = [SOX] if sources else []
    if any(source.recording is None for source in sources):
        needed.insert(0, ESPEAK)
    return [program for program in needed if shutil.which(program) is None]


def voiced(source: Source, scratch: Path) -> bytes:
    """The samples: 8 kHz, 16 bits, little-endian, equally loud. `scratch` is a directory. PromptError."""
    spoken = source.recording or _spoken(source.prompt, scratch / f"{source.prompt.language}-{source.prompt.key}.wav")
    samples = _converted(source, spoken)
    seconds = len(samples) / RATE / SAMPLE_BYTES
    if seconds > LONGEST_SECONDS:
        raise PromptError(f"{spoken}: {seconds:.0f} s: a prompt is {LONGEST_SECONDS:.0f} s at most")
    loudness = loudness_of(samples)
    if loudness < -60:
        raise PromptError(f"{spoken}: nothing is to be heard in it: record it again, or take the file away")
    # A voice that has peaks far above its loudness stays a little quieter: nothing is cut off or compressed.
    return amplified(samples, min(LOUDNESS_DB - loudness, PEAK_DB - peak_of(samples)))


def _spoken(prompt: Prompt, path: Path) -> Path:
    arguments = ("-v", prompt.voice, "-s", str(prompt.words_per_minute), "-w", str(path), "--stdin")
    _run([ESPEAK, *arguments], f"{prompt.language}: {prompt.key}", prompt.text.encode())
    return path


def _converted(source: Source, sound: Path) -> bytes:
    where = str(source.recording or f"{source.prompt.language}: {source.prompt.key}")
    pause = _PAUSE_BY_TABLE.get(source.prompt.key.partition("-")[0], _PAUSE)
    effects = ("gain", "-6", "highpass", "100", *_AT_THE_ENDS, "pad", "0.02", str(pause))
    return _run([SOX, "-V1", "-D", str(sound), *_RAW, "-", *effects], where)


def _run(command: list[str], where: str, fed: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            command, input=fed, capture_output=True, timeout=SECONDS_ALLOWED, check=False, **acting_ids()
        )
    except FileNotFoundError:
        raise PromptError(f"{command[0]} is not there: {way_out_of([command[0]])}") from None
    except subprocess.TimeoutExpired:
        raise PromptError(f"{where}: {command[0]} did not end within {SECONDS_ALLOWED:.0f} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise PromptError(f"{where}: {command[0]} cannot use it: {said[-1] if said else 'it does not say why'}")
    return done.stdout


def way_out_of(missing: list[str]) -> str:
    """How the programs come onto this machine."""
    return f"install them, as with: apt-get install {' '.join(PACKAGES[program] for program in missing)}"
