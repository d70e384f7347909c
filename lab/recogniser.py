"""Recognises English prompts: Debian's pocketsphinx chooses which of the known texts a sound file contains.

The recogniser's model expects audio at 16 kHz, but the prompts have a lower rate. So it cannot recognise free speech,
and only chooses among the given texts. A little noise is added, because without noise the frequencies above the
telephone band would be empty, unlike in the audio that trained the model.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from array import array
from collections.abc import Mapping
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAM = "pocketsphinx_batch"
NOISE = 60  # the standard deviation, of 32767: -55 dB
NOISE_SAMPLES = 48_000
SECONDS_ALLOWED = 300.0

_NUMBERS = dict(zip("123456789", ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True))
# Words that are not in its dictionary, in its own phonetic alphabet.
_UNKNOWN = {"passcode": "P AE S K OW D", "robocall": "R OW B OW K AO L", "vouches": "V AW CH AH Z"}
# Wide beams: there are so few texts that it can compare each one completely. No part of a prompt is noise or silence.
_BEAMS = ("-beam", "1e-80", "-wbeam", "1e-60", "-pbeam", "1e-80")
_OPTIONS = ("-adcin", "yes", *_BEAMS, "-remove_noise", "no", "-remove_silence", "no")
_LINE = ("-t", "raw", "-r", "16000", "-e", "signed", "-b", "16", "-c", "1")
_HEARD = re.compile(r"(?P<words>.*?) ?\((?P<key>\S+) -?\d+\)")


def can_recognise() -> bool:
    """Return whether pocketsphinx and its model are installed."""
    return shutil.which(PROGRAM) is not None and _model().is_dir()


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are spoken: digits become words."""
    return [_NUMBERS.get(word, word) for word in re.findall(r"[a-z']+|\d", text.lower())]


def heard_in(sounds: Mapping[str, Path], texts: list[str]) -> dict[str, list[str]]:
    """Return, for each key of `sounds`, the recognised words: those of one of `texts`, or an empty list."""
    with TemporaryDirectory(prefix="callsieve-ear-") as name:
        folder = Path(name)
        for key, path in sounds.items():
            (folder / f"{key}.raw").write_bytes(_on_a_line(path))
        (folder / "keys").write_text("\n".join(sounds) + "\n")
        (folder / "texts.jsgf").write_text(_grammar(texts))
        model = _model()
        known = (model / "cmudict-en-us.dict").read_text()
        (folder / "words.dict").write_text(known + "".join(f"{word} {spoken}\n" for word, spoken in _UNKNOWN.items()))
        words = ["-hmm", str(model / "en-us"), "-jsgf", "texts.jsgf", "-dict", "words.dict"]
        files = ["-ctl", "keys", "-cepdir", ".", "-cepext", ".raw", "-hyp", "heard"]
        command = [PROGRAM, *words, *files, *_OPTIONS]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS_ALLOWED)
        lines = (folder / "heard").read_text().splitlines()
    return {match["key"]: match["words"].split() for line in lines if (match := _HEARD.fullmatch(line))}


def word_errors(spoken: list[str], heard: list[str]) -> int:
    """Return how many words of `spoken` were replaced or left out in `heard`, plus how many words were inserted."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(spoken, 1):
        above, row = row, [count]
        for place, other in enumerate(heard, 1):
            row.append(min(row[-1] + 1, above[place] + 1, above[place - 1] + (word != other)))
    return row[-1]


def _model() -> Path:
    """Return the path of the English model. It lies beside the program, whether installed or fetched."""
    return Path(shutil.which(PROGRAM) or "/usr/bin/none").resolve().parent.parent / "share/pocketsphinx/model/en-us"


def _on_a_line(path: Path) -> bytes:
    """Return the samples of a sound file at 16 kHz, with added noise. A file gets the same noise in every run."""
    command = ["sox", "-V1", "-D", str(path), *_LINE, "-", "pad", "0.3", "0.3"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=20)
    noise = islice(cycle(_noise()), random.Random(path.stem).randrange(NOISE_SAMPLES), None)
    noisy = (round(value + added) for value, added in zip(array("h", done.stdout), noise, strict=False))
    return array("h", (max(-32768, min(32767, value)) for value in noisy)).tobytes()


@cache
def _noise() -> list[float]:
    """Return three seconds of noise to repeat. New noise for each file would take longer than the recognition."""
    chance = random.Random(NOISE)
    return [chance.gauss(0, NOISE) for _ in range(NOISE_SAMPLES)]


def _grammar(texts: list[str]) -> str:
    choices = sorted({" ".join(words_of(text)) for text in texts})
    return f"#JSGF V1.0;\ngrammar texts;\npublic <text> = {' | '.join(choices)} ;\n"
