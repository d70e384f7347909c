"""Make synthetic voices, and simulate a telephone line. Numpy comes from the environment of lab/speech.py."""

from __future__ import annotations

import json
import subprocess
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from lab.speech import VOICE, SpeechPaths

RATE = 8000
PACKET = 160  # samples in 20 ms
# Parameters of piper in its own environment: one process for all texts.
_PIPER = """
import json, sys, wave
from piper import PiperVoice, SynthesisConfig
voice = PiperVoice.load(sys.argv[1])
for text, pace, path in json.load(sys.stdin):
    with wave.open(path, "wb") as file:
        voice.synthesize_wav(text, file, syn_config=SynthesisConfig(length_scale=pace))
"""


class Speaker(NamedTuple):
    """A synthetic voice.

    Attributes:
        espeak: Options of espeak-ng. If empty, piper speaks.
        pace: The pace of piper; above 1 is slower.
        cents: How much higher piper's voice is made, in hundredths of a semitone.
        is_held_out: Whether the voice was not used to make the rules that tell robots from people.
    """

    name: str
    espeak: tuple[str, ...] = ()
    pace: float = 1.0
    cents: int = 0
    is_held_out: bool = False


SPEAKERS = (
    Speaker("piper"),
    Speaker("piper, slow", pace=1.5),
    Speaker("piper, high", cents=250),
    Speaker("espeak, man", ("-v", "en-us")),
    Speaker("espeak, woman", ("-v", "en-gb+f3")),
    Speaker("piper, fast", pace=0.8, is_held_out=True),
    Speaker("piper, slow and high", pace=1.3, cents=400, is_held_out=True),
    Speaker("piper, low", pace=1.1, cents=-200, is_held_out=True),
    Speaker("espeak, child", ("-v", "en-us+f4", "-p", "95"), is_held_out=True),
    Speaker("espeak, slow", ("-v", "en-us+m3", "-s", "105", "-g", "8"), is_held_out=True),
)


Wanted = tuple[str, Speaker]  # a text, and its voice


class Line(NamedTuple):
    """The faults of a telephone line: share of lost packets, noise (dB below full scale), gain (dB)."""

    name: str
    loss: float = 0.0
    noise_db: float = -75.0
    gain_db: float = 0.0


LINES = (
    Line("clean"),
    Line("2 % lost", loss=0.02),
    Line("5 % lost, noise", loss=0.05, noise_db=-45.0),
    Line("quiet, noise", noise_db=-55.0, gain_db=-14.0),
    Line("loud", gain_db=9.0),
)


def speak(speech: SpeechPaths, wanted: Iterable[Wanted], folder: Path) -> dict[Wanted, Any]:
    """Return the samples of each text and speaker in `wanted`, at 8 kHz, with values from -1 to 1."""
    paths = {each: folder / f"{number}.raw.wav" for number, each in enumerate(wanted)}
    piper = [(text, one.pace, str(path)) for (text, one), path in paths.items() if not one.espeak]
    command = (str(speech.python), "-c", _PIPER, str(speech.voice / f"{VOICE}.onnx"))
    subprocess.run(command, input=json.dumps(piper), text=True, check=True, capture_output=True)
    for (text, one), path in paths.items():
        if one.espeak:
            subprocess.run(("espeak-ng", *one.espeak, "-w", str(path), text), check=True, capture_output=True)
    return {(text, one): at_8_khz(path, one.cents) for (text, one), path in paths.items()}


def at_8_khz(path: Path, cents: int = 0) -> Any:
    """Return the samples of a sound file at 8 kHz, raised by `cents` hundredths of a semitone."""
    import numpy

    low = path.with_suffix(".8k.wav")
    options = ("-r", str(RATE), "-b", "16", "-c", "1")
    effects = ("gain", "-n", "-6", *(("pitch", str(cents)) if cents else ()))
    subprocess.run(("sox", "-V1", str(path), *options, str(low), *effects), check=True, capture_output=True)
    with wave.open(str(low)) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(numpy.float64) / 32768


def on_line(samples: Any, line: Line, seed: int) -> bytes:
    """Simulate a telephone line: gain, noise, packet loss and G.711 (u-law). Return 16-bit samples."""
    import numpy

    chance = numpy.random.default_rng(seed)
    sound = samples * 10 ** (line.gain_db / 20) + chance.normal(0, 10 ** (line.noise_db / 20), len(samples))
    for start in range(0, len(sound), PACKET):
        if chance.random() < line.loss:
            sound[start : start + PACKET] = 0
    clipped = numpy.clip(sound, -1, 1)
    codes = numpy.round(numpy.sign(clipped) * numpy.log1p(255 * numpy.abs(clipped)) / numpy.log(256) * 127)
    heard = numpy.sign(codes) * (256 ** (numpy.abs(codes) / 127) - 1) / 255
    return bytes((heard * 32767).astype("<i2").tobytes())
