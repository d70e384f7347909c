"""The files of national do-not-call registers, read line by line: millions of numbers in little memory.

    for number in RegisterFile(stream, "US"): ...      E.164; lines that hold no number are counted in `skipped`

FTC: `201,5550123`, area code and number. TPS and CTPS: one number a line. Others: CSV whose first column that holds a
number of the country is taken; a header is a line without one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from callsieve.text.csv_table import RowProblem
from reputation.numbers import number_of

LINE_BYTES = 1000
MOST_PROBLEMS = 10
_NORTH_AMERICA = frozenset({"US", "CA"})
_TEN_DIGITS = re.compile(r'"?([2-9]\d\d)"?[,;\t -]?"?([2-9]\d{2})-?(\d{4})"?', re.ASCII)
_SEPARATOR = re.compile(r"[,;\t]")


class RegisterFile:
    """Numbers of a file. `read` counts lines, `skipped` those without a number; `sha256` is of what was read."""

    def __init__(self, stream: BinaryIO, country: str) -> None:
        self.read = self.skipped = self.bytes_read = 0
        self.problems: list[RowProblem] = []
        self._stream = stream
        self._country = country
        self._hash = hashlib.sha256()
        self.watch: Callable[[Iterator[str]], Iterator[str]] = iter  # what looks on while it is read

    @property
    def sha256(self) -> str:
        """Of the bytes that were read, unpacked; after the last line, of the file."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[str]:
        return self.watch(self._numbers())

    def _numbers(self) -> Iterator[str]:
        while raw := self._stream.readline(LINE_BYTES):
            self._hash.update(raw)
            self.bytes_read += len(raw)
            text = raw.decode("latin-1").strip().removeprefix("\u00ef\u00bb\u00bf")
            if not text:
                continue
            self.read += 1
            number = self._number_in(text)
            if number is not None:
                yield number
            elif self.read > 1:  # the first line may be a header
                self.skipped += 1
                if len(self.problems) < MOST_PROBLEMS:
                    self.problems.append(RowProblem(self.read, f"{text[:40]!r} has no telephone number"))

    def _number_in(self, text: str) -> str | None:
        if self._country in _NORTH_AMERICA and (match := _TEN_DIGITS.fullmatch(text)):
            return f"+1{match[1]}{match[2]}{match[3]}"
        for field in _SEPARATOR.split(text):
            # A local number without its area is none; of a name's digits the plan of the country makes none either.
            if (number := number_of(field.strip(' "'), self._country)) is not None:
                return number
        return None
