"""Opens files without the risk of blocking, finds the line of a TOML key, and suggests corrections for typos.

tomllib returns values without their lines, so this module finds the lines. It refuses only keys of too many parts,
because tomllib's time grows with the square of how many parts a key has.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from reprlib import Repr
from typing import BinaryIO

from policies.policy import PolicyError
from reputation.wording import Wording


class NotRegular(OSError):
    """The error for a file that is a pipe, a socket or a device."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raise NotRegular for a pipe or device, which could block; OSError for other errors."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise NotRegular(errno.EINVAL, "not a regular file", str(path))
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


MAX_SHOWN = 48
NO_HINT = Wording("")

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """Return a value for an error message, as one line of limited length."""
    return _SHORT.repr(value)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return what `hint` suggests for this word, as English text."""
    return str(hint(word, allowed))


def hint(word: str, allowed: Iterable[str], otherwise: Wording = NO_HINT) -> Wording:
    """Return ` (did you mean x?)` for a similar word, else the allowed words if they are few, else `otherwise`."""
    by_folded = {allowed_word.casefold(): allowed_word for allowed_word in sorted(allowed)}
    close = get_close_matches(word.casefold(), by_folded, n=1)
    if close:
        return Wording(" (did you mean {word}?)", {"word": by_folded[close[0]]})
    if len(by_folded) > MAX_SHOWN:
        return otherwise
    return Wording(" (allowed: {words})", {"words": ", ".join(by_folded.values())})


MAX_PARTS = 16  # parts of a dotted key: no policy has more
Step = str | int

TOKEN = re.compile(
    # A string without an end extends to the end of the text or line. A search at each quote would take quadratic time.
    r'"""(?:\\.|(?!""").)*(?:"{3,5}|\Z)'  # multi-line strings may end with quotes that belong to them
    r"|'''(?:(?!''').)*(?:'{3,5}|\Z)"
    r'|"(?:\\.|[^"\\\n])*"?'
    r"|'[^'\n]*'?"
    r"|\#[^\n]*"
    r"|[A-Za-z0-9_-]+"
    r"|[^ \t\r]",
    re.DOTALL,
)


@dataclass(slots=True)
class Position:
    """A value in a TOML text: its line, counted from 1, and its parts by key or list index."""

    line: int
    parts: dict[Step, Position] = field(default_factory=dict)

    def part(self, step: Step, line: int) -> Position:
        """Return the part of the value at a key or index. A missing part is added, with this line."""
        return self.parts.setdefault(step, Position(line))

    def line_of(self, path: tuple[Step, ...]) -> int:
        """Return the line of the value at a path. If that value is missing, return the line of its nearest parent."""
        place = self
        for step in path:
            if step not in place.parts:
                break
            place = place.parts[step]
        return place.line


def places_of(text: str) -> Position:
    """Return the tree of all keys in a TOML text. Raise PolicyError for a key of more than MAX_PARTS parts."""
    return _Scanner().scan(text)


@dataclass(slots=True)
class _Open:
    place: Position
    is_list: bool
    count: int = 0


class _Scanner:
    """Reads the tokens of a TOML text. `keys`: parts of the key being read, or None. `open`: the enclosing values."""

    def __init__(self) -> None:
        self.root = self.table = Position(1)
        self.value = self.root
        self.open: list[_Open] = []
        self.keys: list[str] | None = []
        self.brackets = 0  # of a header

    def scan(self, text: str) -> Position:
        for token, line in _tokens(text):
            if token == "\n":
                if not self.open:
                    self.keys, self.brackets = [], 0
            elif self.keys is not None:
                self._in_key(token, line)
            else:
                self._in_value(token, line)
        return self.root

    def _in_key(self, token: str, line: int) -> None:
        assert self.keys is not None
        if token == "[" and not self.open and not self.keys:
            self.brackets += 1
        elif token == "]" and self.brackets:
            if self.keys:
                self.table = self._table_of(self.keys, line)
            self.keys = []
        elif token == "=":
            place = self.open[-1].place if self.open else self.table
            for key in self.keys:
                place = place.part(key, line)
            self.value, self.keys = place, None
        elif token == "}" and self.open:
            self._close()
        elif token not in (".", ","):
            self.keys.append(token[1:-1] if token[:1] in ("'", '"') else token)
            if len(self.keys) > MAX_PARTS:
                raise PolicyError(
                    Wording(
                        "line {line}: a key has more than {most} parts: check its spelling",
                        {"line": line, "most": MAX_PARTS},
                    )
                )

    def _in_value(self, token: str, line: int) -> None:
        inside = self.open[-1] if self.open else None
        if token == "," and inside is not None:
            inside.count += 1
            if not inside.is_list:
                self.keys = []
        elif token in ("]", "}") and inside is not None:
            self._close()
        else:
            place = inside.place.part(inside.count, line) if inside is not None and inside.is_list else self.value
            if token in ("[", "{"):
                self.open.append(_Open(place, token == "["))
                self.keys = None if token == "[" else []

    def _close(self) -> None:
        self.open.pop()
        self.keys = None

    def _table_of(self, keys: list[str], line: int) -> Position:
        """Return the table that a header opens. A header `[[rule]]` opens a new item of the list."""
        place = self.root
        for key in keys[:-1]:
            place = _latest(place.part(key, line))
        last = place.part(keys[-1], line)
        return last.part(len(last.parts), line) if self.brackets > 1 else _latest(last)


def _latest(place: Position) -> Position:
    return place.parts.get(len(place.parts) - 1, place)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in TOKEN.finditer(text):
        token = match[0]
        if not token.startswith("#"):
            yield token, line
        line += token.count("\n")
