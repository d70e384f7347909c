"""A hearing process with a recogniser that knows what it will hear.

    python -m tests.callsieve.hearing.fake SOCKET TEXT SECONDS

It does all that `callsieve hearing` does, without a model. Each recording that is not silent takes it SECONDS.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from callsieve.hearing.process import connect, serve
from callsieve.hearing.recogniser import RATE, SAMPLE_BYTES, Recognised, Segment, Span


class FakeRecogniser:
    """Hears `text` in any recording that is not silent."""

    def __init__(self, _model: Path, *, text: str = "This is Tom Baker.", seconds: float = 0.0) -> None:
        self.text = text
        self.seconds = seconds

    def recognise(self, samples: bytes, language: str) -> Recognised:
        speech = self.speech_in(samples)
        if speech:
            time.sleep(self.seconds)
        return Recognised((Segment(self.text),) if speech else (), language or "en", speech)

    def speech_in(self, samples: bytes) -> tuple[Span, ...]:
        return ((0.0, len(samples) / SAMPLE_BYTES / RATE),) if any(samples) else ()


def main() -> None:
    path, text, seconds = sys.argv[1:]
    with connect(Path(path)) as sock:
        serve(sock, partial(FakeRecogniser, text=text, seconds=float(seconds)))


if __name__ == "__main__":
    main()
