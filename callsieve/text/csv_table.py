"""Read tables from text files: CSV with a header, of any size and from any source.

A list without a header, with one value per line and comments after `#`, can be read as a table of one column. The size
of everything is limited: a field has at most 200 characters by default, a line 64 kB, and a quoted field 20 lines.
There may be 100,000 more empty lines than rows. An unclosed quote spoils one row, not the rest of the file. For this
reason the lines of a quoted field are joined here and not by the csv module.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import chain, islice
from operator import itemgetter
from typing import BinaryIO, NamedTuple, Protocol, TextIO, TypeVar

from callsieve.text.table_errors import TableError, TableProblem, table_error
from reputation.wording import Places, Wording

T = TypeVar("T")

# Spreadsheets read such a field as a formula. A leading quote makes it text there, and is removed here.
FORMULAS = ("=", "+", "-", "@", "\t")

FIELD_CHARACTERS = 200
LINE_BYTES = 64 * 1024
BLOCK_BYTES = 64 * 1024  # bytes per read
RECORD_LINES = 20
# Empty lines beyond the number of rows. 300 million empty lines, compressed, are 300 kB and take minutes to skip.
EMPTY_LINES = 100_000
DELIMITERS = ",;\t"
NO_DELIMITER = "\0"  # never in a line: lines with a NUL are refused
KEPT_PROBLEMS = 10

GZIP = b"\x1f\x8b"
NOTHING_USABLE = "nothing-usable"
# Errors from reading a damaged compressed file.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)


# The first bytes of files that are not text.
_OTHER_FORMATS = (
    (GZIP, TableProblem.PACKED),
    (b"PK\x03\x04", TableProblem.SPREADSHEET_OR_ARCHIVE),
    (b"\xd0\xcf\x11\xe0", TableProblem.SPREADSHEET),
    (codecs.BOM_UTF16_LE, TableProblem.UTF_16),
    (codecs.BOM_UTF16_BE, TableProblem.UTF_16),
    (b"SQLite format 3\x00", TableProblem.DATABASE),
)


class RowProblem(NamedTuple):
    """A skipped row, with the reason. `line`: its line in the file, from 1; 0 without a file.

    `unit`: what `line` counts; `row` if the file has no lines.
    """

    line: int
    text: str | Wording
    unit: str = "line"

    @property
    def words(self) -> str | Wording:
        """The reason as text, preceded by the line of the row if it is known."""
        if not self.line:
            return self.text
        places: Places = {"line": str(self.line), "problem": self.text}
        if self.unit == "row":
            return Wording("row {line}: {problem}", places)
        return Wording("line {line}: {problem}", places)

    def __str__(self) -> str:
        return str(self.words)


def problem_of_number(text: str) -> Wording:
    """Return the reason to skip a row with this field, which is not a telephone number."""
    if not text:
        return Wording("the number is missing")
    return Wording("{text!r} is not a telephone number", {"text": "".join(filter(str.isprintable, text))[:40]})


class CsvTable:
    """A table that is read row by row. Each row is a tuple in the order of `columns`; missing fields are empty.

    Attributes:
        read: How many rows were read.
        skipped: How many rows were skipped.
        cut: How many fields were truncated.
        problems: The first ten errors.
        columns: The columns to read.
        given: Which of `columns` the file has.
        ignored: The file's other columns.
        header: The names of all the file's columns.
        record: All fields of the last row, unchanged, in the order of `header`.
    """

    def __init__(
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        name: str | Wording,
        *,
        others: Sequence[Sequence[str]] = (),
        bare: re.Pattern[str] | None = None,
        longest: int = FIELD_CHARACTERS,
    ) -> None:
        """Read the header, which must contain the first column of `columns` or of one of the `others`.

        If the first line matches `bare`, there is no header, and each line is a value of the first column. Fields are
        truncated to `longest` characters.
        """
        self.read = self.skipped = self.cut = self.bytes_read = 0
        self.problems: list[RowProblem] = []
        self._empty = 0
        self._stream = stream
        self._name = name
        self._longest = longest
        self._held: deque[bytes] = deque()  # lines of a block that needs checks
        self._again: deque[tuple[int, str]] = deque()
        self._lines_read = 0
        self._line = 1
        self.record: list[str] = []
        header = self._header(comments=bare is not None)
        self.is_bare = bare is not None and bare.fullmatch(header) is not None
        if self.is_bare:
            self._again.append((self._lines_read, header))
            names, self.delimiter = [columns[0]], NO_DELIMITER
            self.header = names
        else:
            ways = (columns, *others)
            columns = next((way for way in ways if _delimiter_of(header, way[0])), columns)
            self.delimiter = _delimiter_of(header, columns[0]) or max(DELIMITERS, key=header.count)
            names = _names_in(header, self.delimiter)
            self.header = self._split(header) or names
            self._check(names, [way[0] for way in ways], bare is not None)
        self.columns = tuple(columns)
        self._width = len(names)
        self._places = tuple(names.index(column) if column in names else -1 for column in columns)
        self._chosen: Callable[[list[str]], Iterable[str]] = itemgetter(*self._places)
        if len(columns) == 1:
            self._chosen = lambda fields: (fields[self._places[0]],)
        self.given = frozenset(columns).intersection(names)
        self.ignored = tuple(_shown(field) for field in names if field not in columns and field)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        while True:
            if not self._held and not self._again and (lines := self._plain_lines()):
                yield from self._plain_rows(lines)
            elif (record := self._next_record()) is not None:
                self._line, text = record
                if (fields := self._fields(text)) is not None:
                    self.record = fields
                    yield tuple([self._field(fields, place) for place in self._places])
            else:
                return

    def _plain_lines(self) -> list[str] | None:
        """Return the lines of the next block if all are short, printable and without quotes, as usual; else None."""
        # Lines of a block that is not returned, and at the end of the file, are kept for the slow path.
        block = self._stream.read(BLOCK_BYTES)
        if not block.endswith(b"\n"):
            block += self._stream.readline(LINE_BYTES + 1)
        text = block.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        lines = text.removesuffix("\n").split("\n")
        if text and '"' not in text and max(map(len, lines)) <= self._longest and "".join(lines).isprintable():
            self.bytes_read += len(block)
            return lines
        self._held.extend(io.BytesIO(block))
        return None

    def _plain_rows(self, lines: list[str]) -> Iterator[tuple[str, ...]]:
        delimiter, width, chosen = self.delimiter, self._width, self._chosen
        for number, text in enumerate(lines, self._lines_read + 1):
            self._line = self._lines_read = number
            fields: list[str] | None = text.split(delimiter)
            if fields is not None and len(fields) == width > 1:  # nearly every row
                self.read += 1
            elif (fields := self._fields(text)) is None:
                continue
            else:
                fields += [""] * (width - len(fields))
            self.record = fields
            fields.append("")  # for missing columns
            yield tuple(map(str.strip, chosen(fields)))

    @property
    def line(self) -> int:
        """The line on which the last row begins, from 1."""
        return self._line

    def place_of(self, column: str) -> int:
        """Return the index of a column in `record`."""
        return self._places[self.columns.index(column)]

    def refuse(self, problem: str | Wording) -> None:
        """Count the last row as skipped, with this reason."""
        self.skipped += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(RowProblem(self._line, problem))

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > EMPTY_LINES + self.read:
            raise self._error(TableProblem.EMPTY_LINES, line=self._lines_read, lines=self._empty)

    def _fields(self, text: str) -> list[str] | None:
        if self.is_bare:
            text = text.partition("#")[0]
        if not text.strip():
            self._count_empty()
            return None
        self.read += 1
        problem = None
        fields = text.split(self.delimiter) if '"' not in text else self._split(text)
        if "\0" in text:
            problem = Wording("contains a NUL character")
        elif fields is None:
            problem = Wording("a quotation mark is misplaced or not closed")
        elif len(fields) > self._width and any(map(str.strip, fields[self._width :])):
            problem = Wording(
                "has {fields} fields, but the header has {columns}: put texts with a separator in quotes",
                {"fields": len(fields), "columns": self._width},
            )
        if problem:
            self.refuse(problem)
            return None
        return fields

    def _split(self, text: str) -> list[str] | None:
        try:
            records = list(csv.reader([text], delimiter=self.delimiter, strict=True))
        except csv.Error:
            return None
        return records[0] if len(records) == 1 else None

    def _field(self, fields: list[str], place: int) -> str:
        if not 0 <= place < len(fields):
            return ""
        field = fields[place].strip()
        if len(field) > self._longest:
            field = field[: self._longest]
            self.cut += 1
        return _printable(field).strip()

    def _next_record(self) -> tuple[int, str] | None:
        first = self._next_line()
        if first is None or first[1].count('"') % 2 == 0:
            return first
        lines = [first]
        size = len(first[1])
        while len(lines) < RECORD_LINES and size < LINE_BYTES and (line := self._next_line()) is not None:
            lines.append(line)
            size += len(line[1])
            if line[1].count('"') % 2:
                break
        together = "\n".join(text for _, text in lines)
        if len(lines) > 1 and self._split(together) is not None:
            return first[0], together
        self._again.extendleft(reversed(lines[1:]))
        return first

    def _next_line(self) -> tuple[int, str] | None:
        if self._again:
            return self._again.popleft()
        while raw := self._held.popleft() if self._held else self._stream.readline(LINE_BYTES + 1):
            self._lines_read += 1
            self.bytes_read += len(raw)
            if len(raw) <= LINE_BYTES:
                return self._lines_read, self._decoded(raw).rstrip("\r\n")
            self._pass_over_the_rest(raw)
            self._line = self._lines_read
            self.read += 1
            self.refuse(Wording("is longer than {most:,} bytes", {"most": LINE_BYTES}))
        return None

    def _pass_over_the_rest(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._stream.readline(LINE_BYTES)
            self.bytes_read += len(raw)

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = f"0x{raw[error.start]:02x}"
            raise self._error(TableProblem.NOT_UTF_8, line=self._lines_read, byte=byte) from None

    def _header(self, *, comments: bool) -> str:
        header = self._first_line()
        while comments and header.strip()[:1] in ("", "#"):
            line = self._next_line()
            if line is None:
                raise self._error(TableProblem.NOTHING)
            self._count_empty()
            header = line[1]
        return header

    def _first_line(self) -> str:
        raw = self._stream.readline(LINE_BYTES + 1)
        for start, problem in _OTHER_FORMATS:
            if raw.startswith(start):
                raise self._error(problem)
        if not raw.strip():
            raise self._error(TableProblem.NO_HEADER)
        if b"\0" in raw or len(raw) > LINE_BYTES:
            raise self._error(TableProblem.NO_TEXT)
        if b"\r" in raw.rstrip(b"\r\n"):
            raise self._error(TableProblem.CR_LINES)
        self._lines_read = 1
        self.bytes_read = len(raw)
        return self._decoded(raw.removeprefix(codecs.BOM_UTF8)).rstrip("\r\n")

    def _check(self, names: list[str], required: list[str], bare: bool) -> None:
        columns = ", ".join(_shown(name) for name in names[:10]) + (", ..." if len(names) > 10 else "")
        if not any(name in names for name in required):
            wanted = " or ".join(map(repr, required))
            problem = TableProblem.NO_COLUMN_OR_NUMBER if bare else TableProblem.NO_COLUMN
            raise self._error(problem, wanted=wanted, line=self._lines_read, found=columns)
        for name in names:
            if names.count(name) > 1 and name:
                raise self._error(TableProblem.COLUMN_TWICE, column=_shown(name))

    def _error(self, problem: TableProblem, **about: str | int) -> TableError:
        return table_error(problem, self._name, **about)


class Refusing(Protocol):
    """A reader of rows that keeps the problems of skipped rows."""

    problems: list[RowProblem]


def usable(table: Refusing, rows: Iterable[T], most: int, too_many: str | Wording) -> list[T]:
    """Return all rows of a table. Raise TableError if no row is usable, or more than `most` rows are.

    `too_many`: the text of the error if more rows are usable.
    """
    taken = list(islice(rows, most + 1))
    if not taken:
        raise TableError(nothing_usable(table.problems), NOTHING_USABLE)
    if len(taken) > most:
        raise TableError(too_many, "too-many-rows")
    return taken


def nothing_usable(problems: Sequence[RowProblem]) -> Wording:
    """Return a message that no row is usable, with the first problem."""
    why = problems[0].words if problems else Wording("the table has no rows")
    return Wording("no row can be used: {why}", {"why": why})


def unpacked(stream: BinaryIO) -> BinaryIO:
    """Return a stream that decompresses gzip, or the stream itself. Decompressed lines have the same limits."""
    if isinstance(stream, BufferedReader) and stream.peek(len(GZIP)).startswith(GZIP):
        return BufferedReader(gzip.GzipFile(fileobj=stream))
    return stream


def _delimiter_of(header: str, required: str) -> str | None:
    """Return the delimiter that splits the header into names that include the required column, or None."""
    return next((delimiter for delimiter in DELIMITERS if required in _names_in(header, delimiter)), None)


def _names_in(header: str, delimiter: str) -> list[str]:
    return [field.strip().strip('"').strip().lower() for field in header.split(delimiter)]


def _shown(name: str) -> str:
    return "".join(filter(str.isprintable, name))[:40]


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV with a header."""
    out = io.StringIO()
    write_csv(out, columns, rows)
    return out.getvalue()


def write_csv(out: TextIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV with a header. Unprintable characters become spaces, as when a table is read."""
    csv.writer(out, lineterminator="\n").writerows(map(_printable, row) for row in chain((columns,), rows))


def _printable(field: str) -> str:
    return field if field.isprintable() else "".join(c if c.isprintable() else " " for c in field)


def as_text(field: str) -> str:
    """Return the field escaped, so that a spreadsheet does not evaluate it as a formula."""
    return f"'{field}" if field.startswith((*FORMULAS, "'")) else field
