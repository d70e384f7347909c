"""Asterisk's configuration files as text: lines without comments, includes, and the lines that CallSieve adds.

Asterisk's syntax (main/config.c): `;` begins a comment unless escaped. `;--` opens a comment of several lines, and
`--;` closes it. `#include` and `#tryinclude` take a glob relative to the configuration directory.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path, PurePath

from policies.files import open_regular

# At the end of each line that we add, so that `uninstall` finds it.
MARK = "by callsieve asterisk install"
LEVELS = 10  # config.c, MAX_INCLUDE_LEVEL

_COMMENT = re.compile(r"(?<!\\);")
_OPENS_BLOCK = re.compile(r";--(?!-)")
_INCLUDE = re.compile(r"#(?:try)?include\s+(\S.*)", re.IGNORECASE)
_SECTION = re.compile(r"\[([^]]+)]")


@dataclass(frozen=True, slots=True)
class Line:
    """A non-empty line of a configuration file, without comments."""

    file: Path
    number: int
    text: str

    @property
    def section(self) -> str | None:
        """The name of the section that the line opens; None if the line opens no section."""
        match = _SECTION.match(self.text)
        return match[1].strip() if match else None

    @property
    def included(self) -> str | None:
        """The file pattern that the line includes; None if the line is not an include."""
        return included_by(self.text)


def read_text(path: Path) -> str | None:
    """Return a file's content; None if there is no such file. Raise OSError if it cannot be read or is not regular."""
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def included_by(line: str) -> str | None:
    """Return the file pattern of an include line, such as `callsieve.d/*.conf`; None if the line is no include."""
    match = _INCLUDE.fullmatch(line.strip())
    if not match:
        return None
    name = match[1].strip()
    if (name[0], name[-1]) in {('"', '"'), ("<", ">")} and len(name) > 1:
        name = name[1:-1]
    return name.strip()


def lines_of(file: Path, text: str) -> Iterator[Line]:
    """Yield the non-empty lines of a file without comments."""
    depth = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line, depth = _without_comments(raw, depth)
        if line:
            yield Line(file, number, line)


def _without_comments(raw: str, depth: int) -> tuple[str, int]:
    """Return the line without comments, and how many comment blocks stay open after the line."""
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
    """Yield the lines of a file and its includes, in the order in which Asterisk reads them."""
    text = read_text(file)
    if text is None or level >= LEVELS:
        return
    for line in lines_of(file, text):
        yield line
        if line.included is not None:
            for path in sorted(glob(str(etc / line.included))):
                yield from walk(etc, Path(path), level + 1)


def covers(etc: Path, pattern: str, path: Path) -> bool:
    """Return whether an include pattern matches the path. The file need not exist."""
    return PurePath(path).match(str(etc / pattern))


def with_lines(text: str | None, lines: Sequence[str]) -> str:
    """Return `text` with our lines appended, each with a comment by which `without_our_lines` finds the line."""
    block = "\n".join(f"{line} ; {MARK}" for line in lines)
    if text and not text.endswith("\n"):
        return f"{text}\n{block}"
    return f"{text or ''}{block}\n"


def without_our_lines(text: str) -> str:
    """Return `text` without the lines that `with_lines` added, even if somebody moved these lines."""
    return "\n".join(line for line in text.split("\n") if not line.rstrip().endswith(MARK))
