"""A hearing process with a recogniser that knows what it will hear.

    python -m tests.callsieve.hearing.fake SOCKET TEXT SECONDS

It does all that `callsieve hearing` does, without a model. Each recording that is not silent takes it SECONDS.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from callsieve.hearing.process import connect, serve
from callsieve.hearing.recogniser import RATE, SAMPLE_BYTES, Recognised, Segment, Span

# Attempts of a compromised process. The recognised text is the result of the attempt.
ATTEMPTS: dict[str, Callable[[], object]] = {
    "a file": lambda: Path("/etc/passwd").read_text(),
    "a network": lambda: socket.create_connection(("127.0.0.1", 1)),
    "a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "a new file": lambda: Path("/tmp/taken-over").write_text(""),
}


def attempt(what: str) -> str:
    try:
        ATTEMPTS[what]()
    except OSError as error:
        return type(error).__name__
    return "done"


class FakeRecogniser:
    """Hears `text` in any recording that is not silent."""

    def __init__(self, _model: Path, *, text: str = "This is Tom Baker.", seconds: float = 0.0) -> None:
        self.text = text
        self.seconds = seconds

    def recognise(self, samples: bytes, language: str) -> Recognised:
        speech = self.speech_in(samples)
        if speech:
            time.sleep(self.seconds)
        text = attempt(self.text) if self.text in ATTEMPTS else self.text
        return Recognised((Segment(text),) if speech else (), language or "en", speech)

    def speech_in(self, samples: bytes) -> tuple[Span, ...]:
        return ((0.0, len(samples) / SAMPLE_BYTES / RATE),) if any(samples) else ()


def main() -> None:
    path, text, seconds = sys.argv[1:]
    with connect(Path(path)) as sock:
        serve(sock, partial(FakeRecogniser, text=text, seconds=float(seconds)))


if __name__ == "__main__":
    main()
