"""Logs for the person on duty: one line an event, to standard error, where systemd's journal picks it up.

Everything inside logs through the standard library; only the form is made here. Under systemd the journal adds
the time itself; JSON lines on request (`serve --log-json`), by structlog, which makes a line in 40 us: text takes 9.
Lines are written by a thread of their own: when nobody reads them, a call must not wait for the log. Under load it
writes many at a time: to wake it for each costs as much as to decide about a call.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

STDERR = 2
# Half a minute of a busy office; a reader that hangs for longer misses what comes after these.
MOST_WAITING = 10_000
FLUSH_SECONDS = 1.0
# After a line the thread lets others gather: the first after a pause is written at once, the last so much later.
GATHER_SECONDS = 0.05


class LogWriter(logging.Handler):
    """Writes to standard error, by the descriptor: a thread that hangs in it must hold no lock of the interpreter's.

    Lines beyond MOST_WAITING are dropped and counted; how many is said when those that wait are written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._waiting: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._hurry = threading.Event()
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Takes no lock: the queue has its own."""
        if is_wanted := not self.filters or bool(self.filter(record)):
            self.emit(record)
        return is_wanted

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits."""
        if self._waiting.qsize() >= MOST_WAITING:
            self.dropped += 1
            return
        try:
            self._waiting.put(self.format(record))
        except Exception:  # noqa: BLE001 (as the handlers of the standard library do)
            self.handleError(record)

    def flush(self) -> None:
        """Waits until all is written, FLUSH_SECONDS at most. Called when the interpreter ends."""
        written = threading.Event()
        self._waiting.put(written)
        self._hurry.set()
        written.wait(FLUSH_SECONDS)

    def _write(self) -> None:
        told = 0
        while True:
            gathered = [self._waiting.get(), *self._gathered()]
            _write_text("".join([f"{line}\n" for line in gathered if isinstance(line, str)]))
            if self.dropped > told and self._waiting.empty():
                count, told = self.dropped - told, self.dropped
                lost = ("callsieve.logs", logging.WARNING, "", 0, "%s log lines were lost: nobody read them", (count,))
                _write_text(f"{self.format(logging.LogRecord(*lost, None))}\n")
            for written in gathered:
                if isinstance(written, threading.Event):
                    written.set()
            self._hurry.wait(GATHER_SECONDS)
            self._hurry.clear()

    def _gathered(self) -> Iterator[str | threading.Event]:
        """What else waits by now."""
        with contextlib.suppress(Empty):
            for _ in range(MOST_WAITING):
                yield self._waiting.get_nowait()


def configure_logs(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send all log lines to standard error in one form."""
    handler = LogWriter()
    handler.setFormatter(_json_formatter() if as_json else TextFormatter())
    # What no line of ours says need not be found out for each (the logging HOWTO, "Optimization"): 16 us become 10.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def flush_logs() -> None:
    """All lines are written, if anybody reads them: what is printed after this comes after them."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def lost_lines() -> int:
    """How many lines were dropped because nobody read them."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


def _write_text(text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        try:
            data = data[os.write(STDERR, data) :]
        except BlockingIOError:  # whoever started us made it so
            select.select([], [STDERR], [])
        except OSError:  # nobody is there to read it
            return


class TextFormatter(logging.Formatter):
    """2026-01-31T09:05:07.123Z [WARNING ] what there is to say"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s [%(levelname)-8s] %(message)s")
        self._second = 0
        self._text = ""

    def format(self, record: logging.LogRecord) -> str:
        """What `logging.Formatter` makes of it, without what only lines with a traceback need."""
        if record.exc_info or record.exc_text or record.stack_info:
            return super().format(record)
        return f"{self.formatTime(record)} [{record.levelname:<8}] {record.getMessage()}"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """In UTC. The text of a second is made once: it takes half as long as all else of a line."""
        second, millis = divmod(int(record.created * 1000), 1000)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{millis:03}Z"


def _json_formatter() -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
