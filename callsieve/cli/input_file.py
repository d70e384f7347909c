"""Input of imports: a file or standard input, with or without gzip compression."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol, TypeVar

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.output import plural
from callsieve.system.files import naming
from callsieve.system.privileges import open_named
from callsieve.text import csv_table
from callsieve.text.csv_table import DAMAGE, FIELD_CHARACTERS, CsvTable, RowProblem, unpacked
from callsieve.text.table_errors import TableError, TableProblem, table_error

T = TypeVar("T")

FileArgument = Annotated[Path, typer.Argument(help="CSV in UTF-8; - for standard input.", show_default=False)]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Check the whole file, but change nothing.")]


@contextmanager
def table_in(
    file: Path,
    columns: Sequence[str],
    *,
    others: Sequence[Sequence[str]] = (),
    bare: re.Pattern[str] | None = None,
    longest: int = FIELD_CHARACTERS,
) -> Iterator[tuple[CsvTable, Callable[[], int]]]:
    """Open the table in a file. Yield it, and a function that returns how many bytes were read so far.

    `others`: other allowed sets of columns. `bare`: matches the lines of a file without a header, one value per line.
    `longest`: maximum length of a field, in characters. Raise CommandError or OSError, as `input_as` does.
    """

    def table_of(stream: BinaryIO, name: str) -> CsvTable:
        return CsvTable(stream, columns, name, others=others, bare=bare, longest=longest)

    with input_as(file, table_of) as (table, packed_bytes):
        yield table, packed_bytes or (lambda: table.bytes_read)


@contextmanager
def input_as(file: Path, reader: Callable[[BinaryIO, str], T]) -> Iterator[tuple[T, Callable[[], int] | None]]:
    """Open a file with `reader`. Yield its result, and a function that returns how many bytes were read so far.

    For an uncompressed file, the function is None. Raise CommandError if the content is invalid, or OSError if the file
    cannot be read.
    """
    name = "standard input" if str(file) == "-" else str(file)
    with naming(name), nullcontext(sys.stdin.buffer) if str(file) == "-" else open_named(file) as packed:
        stream = unpacked(packed)
        try:
            yield reader(stream, name), packed.tell if stream is not packed and packed.seekable() else None
        except (TableError, *DAMAGE) as error:
            problem = error if isinstance(error, TableError) else table_error(TableProblem.DAMAGED, name)
            raise CommandError(str(problem)) from problem


def nothing_usable(problems: Sequence[RowProblem]) -> CommandError:
    """Return the error for a table without any usable row."""
    return CommandError(f"{csv_table.nothing_usable(problems)}. Nothing was changed")


class RowsRead(Protocol):
    """The reader of a file, such as a table, with the rows that it skipped or cut. `warn_of_rows` warns about them."""

    skipped: int
    cut: int
    problems: list[RowProblem]

    @property
    def ignored(self) -> tuple[str, ...]:
        """Return the names of the columns that the import does not use."""


def warn_of_rows(rows: RowsRead, longest: int = FIELD_CHARACTERS) -> None:
    """Warn about skipped rows, shortened fields and unused columns."""
    warn_of_skipped(rows.problems, rows.skipped)
    if rows.cut:
        warn(f"cut {plural(rows.cut, 'field')} longer than {longest:,} characters")
    if rows.ignored:
        warn(f"ignored the columns {', '.join(rows.ignored[:10])}")


def warn_of_skipped(problems: Sequence[RowProblem], skipped: int) -> None:
    """Warn about each row in `problems`, and say how many further rows were skipped."""
    for problem in problems:
        warn(f"skipped {problem}")
    if skipped > len(problems):
        warn(f"skipped {plural(skipped - len(problems), 'more row')}")
