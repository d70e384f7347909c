"""Read names and phone numbers from vCards (2.1, 3.0, 4.0), several in a file, from any source.

The parser accepts what phones, Google, iCloud and Outlook write, with their mistakes. Examples are folded lines,
quoted-printable with soft line breaks, a charset per value, groups (`item1.TEL`), and a card without an end. Everything
else, especially photographs, is skipped line by line. Sources: RFC 2426, RFC 6350; versit's vCard 2.1 of 1996.
"""

import codecs
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from typing import BinaryIO, NamedTuple

from callsieve.text.csv_table import FIELD_CHARACTERS, KEPT_PROBLEMS, LINE_BYTES, RowProblem
from callsieve.text.table_errors import TableProblem, table_error
from reputation.wording import Wording, one_line

BEGIN = b"BEGIN:VCARD"
PEEKED = 256
MOST_BYTES = 16 * 1024  # of one value, and of all its lines
MOST_NUMBERS = 100  # of one card
READ = frozenset((b"BEGIN", b"END", b"FN", b"N", b"ORG", b"TEL"))

_PROPERTY = re.compile(
    rb"(?:[A-Za-z0-9-]+\.)?(?P<name>[A-Za-z0-9-]+)"  # item1.TEL
    rb"(?P<options>(?:;[^:\"]*(?:\"[^\"]*\"[^:\"]*)*)?)"  # ;TYPE="home,voice"
    rb":(?P<value>.*)",
    re.DOTALL,
)
_CHARSET = re.compile(rb";CHARSET=\"?([A-Za-z0-9._-]{1,40})", re.I)
_QUOTED = re.compile(rb";(?:ENCODING=)?\"?QUOTED-PRINTABLE", re.I)
_ESCAPE = re.compile(r"\\(.)")
_SEPARATOR = re.compile(r"(?<!\\);")


class Card(NamedTuple):
    """A contact from a vCard. `line`: its first line. `numbers`: as written, including tel: and sip: addresses."""

    line: int
    name: str
    company: str
    numbers: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    line: int
    texts: dict[bytes, str] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)

    def closed(self) -> Card:
        family, given = (*_parts(self.texts.get(b"N", "")), "", "")[:2]
        company = _plain(_parts(self.texts.get(b"ORG", ""))[0])[:FIELD_CHARACTERS]
        names = (self.texts.get(b"FN"), f"{given} {family}")
        name = next((text for candidate in names if candidate and (text := _plain(candidate))), company)
        return Card(self.line, name[:FIELD_CHARACTERS], company, tuple(self.numbers))


def is_vcard(stream: BinaryIO) -> bool:
    """Return whether the stream continues with a vCard, without consuming anything."""
    start = stream.peek(PEEKED)[:PEEKED] if isinstance(stream, BufferedReader) else b""
    return start.removeprefix(codecs.BOM_UTF8).lstrip()[: len(BEGIN)].upper() == BEGIN


class Vcards:
    """The vCards in a file, to iterate over once. `read`: how many cards were read.

    `skipped`: how many phone numbers were skipped because they are invalid.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.read = self.skipped = self.cut = self.bytes_read = self.without_number = 0
        self.problems: list[RowProblem] = []
        self.ignored: tuple[str, ...] = ()
        self._stream = stream
        self._name = name
        self._lines_read = 0
        self._line = 0

    def refuse(self, problem: str | Wording) -> None:
        """Count a value of the last card as skipped, with this reason."""
        self.skipped += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(RowProblem(self._line, problem))

    def __iter__(self) -> Iterator[Card]:
        card: _Open | None = None
        for line, name, options, value in self._properties():
            if name == b"BEGIN" and value.strip().upper() == b"VCARD":
                if card is not None:  # it has no end
                    yield self._done(card)
                card = _Open(line)
            elif card is None:
                continue
            elif name == b"END":
                yield self._done(card)
                card = None
            elif name == b"TEL":
                if len(card.numbers) < MOST_NUMBERS and (number := _plain(_text(options, value))):
                    card.numbers.append(number[:FIELD_CHARACTERS])
            elif name not in card.texts:
                card.texts[name] = _text(options, value)
        if card is not None:
            yield self._done(card)
        if not self.read:
            raise table_error(TableProblem.NOTHING, self._name)

    def _done(self, card: _Open) -> Card:
        self.read += 1
        self._line = card.line
        self.without_number += not card.numbers
        return card.closed()

    def _properties(self) -> Iterator[tuple[int, bytes, bytes, bytes]]:
        """Yield the relevant properties, unfolded: line number, name in capitals, options, value."""
        kept: bytes | None = None
        begun = 0
        for number, line in self._lines():
            if kept is not None and kept.endswith(b"=") and _is_quoted(kept):
                kept = (kept[:-1] + line)[:MOST_BYTES]
                continue
            if line[:1] in (b" ", b"\t"):
                if kept is not None and len(kept) < MOST_BYTES:
                    kept = (kept + line[1:])[:MOST_BYTES]
                continue
            if kept is not None and (parsed := _property(kept)):
                yield begun, *parsed
            kept, begun = (line, number) if _name_of(line) in READ else (None, 0)
        if kept is not None and (parsed := _property(kept)):
            yield begun, *parsed

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        while raw := self._stream.readline(LINE_BYTES):
            self.bytes_read += len(raw)
            self._lines_read += 1
            if self._lines_read == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
                if b"\r" in raw.rstrip(b"\r\n"):
                    raise table_error(TableProblem.CR_LINES, self._name)
            yield self._lines_read, raw.rstrip(b"\r\n")
            while raw and not raw.endswith(b"\n"):
                raw = self._stream.readline(LINE_BYTES)
                self.bytes_read += len(raw)


def _name_of(line: bytes) -> bytes:
    return re.split(rb"[;:]", line, maxsplit=1)[0].rpartition(b".")[2].strip().upper()


def _property(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    match = _PROPERTY.match(line)
    return (match["name"].upper(), match["options"], match["value"]) if match else None


def _is_quoted(line: bytes) -> bool:
    """Return whether the value is quoted-printable. Such a value continues after a line that ends with `=`."""
    match = _PROPERTY.match(line)
    return match is not None and _QUOTED.search(match["options"]) is not None


def _text(options: bytes, value: bytes) -> str:
    if _QUOTED.search(options):
        value = quopri.decodestring(value)
    named = _CHARSET.search(options)
    for charset in (named[1].decode("ascii") if named else "utf-8", "utf-8"):
        try:
            return value.decode(charset).strip()
        except (UnicodeError, LookupError, ValueError):
            continue
    return value.decode("cp1252", "replace").strip()


def _parts(text: str) -> list[str]:
    return _SEPARATOR.split(text)


def _plain(text: str) -> str:
    return one_line(_ESCAPE.sub(lambda match: " " if match[1] in "nN" else match[1], text))
