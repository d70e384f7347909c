"""Write log lines to standard error, one line per event. systemd's journal reads standard error.

All code logs through the standard library. Only the format, and a thread that writes the lines, are defined here.
Because of the thread, a slow reader of standard error does not delay calls. The thread writes many lines at a time,
because waking it for each line costs as much as deciding about a call. `serve --log-json` uses structlog: 40 us for
each line; text takes 9 us.
"""

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

STDERR = 2
# Half a minute of a busy office. If the reader hangs for longer, further lines are lost.
MOST_WAITING = 10_000
FLUSH_SECONDS = 1.0
# After a write the thread waits so long for more lines. The first line after a pause is written at once.
GATHER_SECONDS = 0.05


class LogWriter(logging.Handler):
    """A log handler that writes in a thread, by file descriptor, so that a blocked write holds no interpreter lock.

    If more than MOST_WAITING lines wait, new lines are dropped, and a later line says how many.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._waiting: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._hurry = threading.Event()
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit a record without the base class's lock, because the queue has its own lock."""
        if is_wanted := not self.filters or bool(self.filter(record)):
            self.emit(record)
        return is_wanted

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line without waiting."""
        if self._waiting.qsize() >= MOST_WAITING:
            self.dropped += 1
            return
        try:
            self._waiting.put(self.format(record))
        except Exception:  # noqa: BLE001 (as the handlers of the standard library do)
            self.handleError(record)

    def flush(self) -> None:
        """Wait at most FLUSH_SECONDS until all lines are written. Python calls this at exit."""
        written = threading.Event()
        self._waiting.put(written)
        self._hurry.set()
        written.wait(FLUSH_SECONDS)

    def _write(self) -> None:
        reported = 0
        while True:
            gathered = [self._waiting.get(), *self._gathered()]
            _write_text("".join([f"{line}\n" for line in gathered if isinstance(line, str)]))
            if self.dropped > reported and self._waiting.empty():
                count, reported = self.dropped - reported, self.dropped
                lost = (
                    "callsieve.logs",
                    logging.WARNING,
                    "",
                    0,
                    "%s log lines were dropped: standard error was read too slowly",
                    (count,),
                )
                _write_text(f"{self.format(logging.LogRecord(*lost, None))}\n")
            for written in gathered:
                if isinstance(written, threading.Event):
                    written.set()
            self._hurry.wait(GATHER_SECONDS)
            self._hurry.clear()

    def _gathered(self) -> Iterator[str | threading.Event]:
        with contextlib.suppress(Empty):
            for _ in range(MOST_WAITING):
                yield self._waiting.get_nowait()


def configure_logs(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send all log lines to standard error, as text or JSON."""
    handler = LogWriter()
    handler.setFormatter(_json_formatter() if as_json else TextFormatter())
    # Skip data that no line shows (the logging HOWTO, "Optimization"): 16 us become 10.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def flush_logs() -> None:
    """Wait until all queued log lines are written, so that later output comes after them."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def lost_lines() -> int:
    """Return how many log lines were dropped because the reader was too slow."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


def _write_text(text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        try:
            data = data[os.write(STDERR, data) :]
        except BlockingIOError:  # our parent process made it non-blocking
            select.select([], [STDERR], [])
        except OSError:  # the reader is gone
            return


class TextFormatter(logging.Formatter):
    """A formatter for lines like `2026-01-31T09:05:07.123Z [WARNING ] message`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s [%(levelname)-8s] %(message)s")
        self._second = 0
        self._text = ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted line. Only lines with a traceback are left to the base class, which is slower."""
        if record.exc_info or record.exc_text or record.stack_info:
            return super().format(record)
        return f"{self.formatTime(record)} [{record.levelname:<8}] {record.getMessage()}"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the time in UTC. The text of each second is cached, which halves the time for a line."""
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
