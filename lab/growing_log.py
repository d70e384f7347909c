"""Reads a log that another process writes. Each call reads only the new lines."""

from __future__ import annotations

import threading
from pathlib import Path


class GrowingLog:
    """A log file that grows. The file may not exist yet. If it has become shorter, it is read again from its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._lines: list[str] = []
        self._unfinished = b""
        self._lock = threading.Lock()

    def lines(self) -> list[str]:
        """Return all lines so far, including an incomplete last line."""
        with self._lock:
            try:
                self._go_on()
            except FileNotFoundError:
                self._read, self._lines, self._unfinished = 0, [], b""
            return [*self._lines, *_lines_of(self._unfinished)]

    def _go_on(self) -> None:
        with self._path.open("rb") as file:
            if self._path.stat().st_size < self._read:
                self._read, self._lines, self._unfinished = 0, [], b""
            file.seek(self._read)
            added = file.read()
        self._read += len(added)
        whole, newline, self._unfinished = (self._unfinished + added).rpartition(b"\n")
        self._lines += _lines_of(whole + newline)


def _lines_of(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "replace").splitlines()
