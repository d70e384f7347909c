"""How imports read: the file or standard input, packed with gzip or not, and the options that all of them have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.system.files import naming
from callsieve.system.privileges import open_named
from callsieve.text.csv_table import FIELD_CHARACTERS, Problem

if TYPE_CHECKING:
    import re

    from callsieve.text.csv_table import Table


FileArgument = Annotated[Path, typer.Argument(help="CSV in UTF-8; - for standard input.", show_default=False)]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Read all of it and change nothing.")]


@contextmanager
def table_in(
    file: Path,
    columns: Sequence[str],
    *,
    others: Sequence[Sequence[str]] = (),
    bare: re.Pattern[str] | None = None,
    longest: int = FIELD_CHARACTERS,
) -> Iterator[tuple[Table, Callable[[], int]]]:
    """The table in the file and how many bytes of the file are read; its errors as ours."""
    from callsieve.text.csv_table import DAMAGE, DAMAGED, Table, TableError, unpacked

    name = "standard input" if str(file) == "-" else str(file)
    with naming(name), nullcontext(sys.stdin.buffer) if str(file) == "-" else open_named(file) as packed:
        stream = unpacked(packed)
        try:
            table = Table(stream, columns, name, others=others, bare=bare, longest=longest)
            yield table, packed.tell if stream is not packed and packed.seekable() else lambda: table.bytes_read
        except TableError as error:
            raise CommandError(str(error)) from None
        except DAMAGE:
            raise CommandError(f"{name}: {DAMAGED}") from None


def nothing_usable(problems: Sequence[Problem]) -> CommandError:
    """The error for a table of which nothing can be used."""
    first = f": {f'line {problems[0].line}: ' if problems[0].line else ''}{problems[0].text}" if problems else ""
    return CommandError(f"not one row can be used{first}. Nothing was changed")
