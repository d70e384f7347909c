"""Asterisk's configuration files as text: what counts in them, what they include, and lines of ours in them.

How Asterisk reads them (main/config.c): `;` begins a comment unless `\\;`, `;--` opens one of several lines and `--;`
ends it; `#include` and `#tryinclude` take a glob, relative to the configuration directory wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path, PurePath

from policies.files import open_regular

# At the end of each line that we add: it tells which lines are ours when they are to go again.
MARK = "by callsieve asterisk install"
LEVELS = 10  # config.c, MAX_INCLUDE_LEVEL

_COMMENT = re.compile(r"(?<!\\);")
_OPENS_BLOCK = re.compile(r";--(?!-)")
_INCLUDE = re.compile(r"#(?:try)?include\s+(\S.*)", re.IGNORECASE)
_SECTION = re.compile(r"\[([^]]+)]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that counts: without comments, and never empty."""

    file: Path
    number: int
    text: str

    @property
    def section(self) -> str | None:
        """The name of the section that it opens or goes on with."""
        match = _SECTION.match(self.text)
        return match[1].strip() if match else None

    @property
    def included(self) -> str | None:
        """The pattern of files that it includes."""
        return included_by(self.text)


def read_text(path: Path) -> str | None:
    """A file as it is, byte for byte, or None when there is none. OSError, at once for what is no regular file."""
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def included_by(line: str) -> str | None:
    """`callsieve.d/*.conf` for `#include "callsieve.d/*.conf"` in any of its spellings."""
    match = _INCLUDE.fullmatch(line.strip())
    if not match:
        return None
    name = match[1].strip()
    if (name[0], name[-1]) in {('"', '"'), ("<", ">")} and len(name) > 1:
        name = name[1:-1]
    return name.strip()


def lines_of(file: Path, text: str) -> Iterator[Line]:
    """The lines of one file that count."""
    depth = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line, depth = _without_comments(raw, depth)
        if line:
            yield Line(file, number, line)


def _without_comments(raw: str, depth: int) -> tuple[str, int]:
    """What counts of a line, and how many blocks of comments are open after it."""
    kept, rest = "", raw
    while rest:
        if depth:
            _, end, rest = rest.partition("--;")
            depth -= bool(end)
            continue
        comment = _COMMENT.search(rest)
        if comment is None:
            kept += rest
            break
        kept += rest[: comment.start()]
        if not _OPENS_BLOCK.match(rest, comment.start()):
            break
        depth += 1
        rest = rest[comment.start() + 3 :]
    return kept.strip(), depth


def walk(etc: Path, file: Path, level: int = 0) -> Iterator[Line]:
    """The lines of a file and of all that it includes, in the order in which Asterisk reads them."""
    text = read_text(file)
    if text is None or level >= LEVELS:
        return
    for line in lines_of(file, text):
        yield line
        if line.included is not None:
            for path in sorted(glob(str(etc / line.included))):
                yield from walk(etc, Path(path), level + 1)


def covers(etc: Path, pattern: str, path: Path) -> bool:
    """Whether an include pattern takes in this path, be it there or not."""
    return PurePath(path).match(str(etc / pattern))


def with_lines(text: str | None, lines: Sequence[str]) -> str:
    """`text` with lines of ours at its end, marked. `without_our_lines` gives the very bytes back."""
    block = "\n".join(f"{line} ; {MARK}" for line in lines)
    if text and not text.endswith("\n"):
        return f"{text}\n{block}"
    return f"{text or ''}{block}\n"


def without_our_lines(text: str) -> str:
    """`text` without the lines that `with_lines` added, wherever they have been moved to."""
    return "\n".join(line for line in text.split("\n") if not line.rstrip().endswith(MARK))
