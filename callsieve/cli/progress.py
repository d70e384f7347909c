"""How far a long command is, on a terminal; elsewhere nothing is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from callsieve.system.privileges import acting_for

T = TypeVar("T")

ROWS_BETWEEN_LOOKS = 2000

# How many bytes of the file and how many rows are read.
Tell = Callable[[int, int], None]


def meter(file: Path, afterwards: str = "storing") -> AbstractContextManager[Tell]:
    """A bar while the file is read, then a sign of life while its rows are stored, or whatever comes afterwards."""
    with acting_for(file):  # root's own directories are closed to whom it acts as
        size = file.stat().st_size if file.is_file() else None
    return meter_of(size, afterwards)


@contextmanager
def meter_of(size: int | None, afterwards: str = "storing") -> Iterator[Tell]:
    """The same for what is no file: of bytes, or of whatever it is told; None where nobody knows how many."""
    if not sys.stderr.isatty():
        yield _nobody
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=size, rows=0)

        def tell(bytes_read: int, rows: int) -> None:
            if bytes_read < 0:
                progress.reset(task, total=None, description=afterwards, rows=rows)
            else:
                progress.update(task, completed=bytes_read, rows=rows)

        yield tell


@contextmanager
def counted(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar of so many things; it is told of each that is done."""
    if not sys.stderr.isatty():
        yield _no_one
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def watched(rows: Iterator[T], bytes_read: Callable[[], int], tell: Tell) -> Iterator[T]:
    """The rows; every few of them, and at the end, it is told how far that is."""
    count = 0
    for count, row in enumerate(rows, 1):
        if count % ROWS_BETWEEN_LOOKS == 0:
            tell(bytes_read(), count)
        yield row
    tell(-1, count)


def _nobody(_bytes_read: int, _rows: int) -> None:
    """Nobody is looking."""


def _no_one() -> None:
    """Nobody is looking."""
