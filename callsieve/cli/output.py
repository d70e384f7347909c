"""Output of commands: plain columns, few colours, no control characters, and progress bars for long commands.

Names and notes come from outside, so they pass through `clean` and are never interpreted as markup.
"""

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from callsieve.system.privileges import acting_for

# Colours by level or action, which have the same names.
COLOURS = {
    "none": "",
    "allow": "green",
    "tag": "cyan",
    "warn": "yellow",
    "challenge": "magenta",
    "route": "magenta",
    "reject": "red",
}
WIDE = 110
GAP = 2  # between columns
WORD = 12  # the least width of a column that may be folded
ROW_BEGINS = "\ue000"  # not printable, so `clean` removes it from all texts
WIDTH_OF_FILES = 200  # without a terminal, lines are not folded at 80

Cell = str | Text


def console() -> Console:
    """Return a console for standard output, with colours only on a terminal and only if NO_COLOR is not set."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH_OF_FILES
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, width=width)


def clean(text: object) -> str:
    """Return a text that is safe to print. Control characters, as in escape sequences, are replaced by `?`."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def word(text: str) -> Text:
    """Return the name of a level or action in the colour of this level or action."""
    return Text(text, style=COLOURS.get(text, ""))


def ordered(action: str, would_be: str) -> Text:
    """Return the action for a table. If the policy only observed, return the would-be action in brackets instead."""
    return word(action) if action == would_be else Text.assemble("(", word(would_be), ")")


def dim(text: str) -> Text:
    """Return dimmed text."""
    return Text(clean(text), style="dim")


def bold(text: str) -> Text:
    """Return bold text."""
    return Text(clean(text), style="bold")


def lines(texts: Iterable[object]) -> Text:
    """Return texts as the lines of a table cell."""
    return Text("\n").join(Text(clean(text)) for text in texts)


def say(*parts: Cell) -> None:
    """Print one line, wrapped between words on a narrow terminal."""
    console().print(Text.assemble(*(_cell(part) for part in parts)), soft_wrap=not sys.stdout.isatty())


def say_command(command: str) -> None:
    """Print a command for copying, on a single line."""
    console().print(Text(f"  {clean(command)}", style="cyan"), soft_wrap=True)


def is_wide() -> bool:
    """Return whether the terminal has room for optional columns."""
    return console().width >= WIDE


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    keep: Sequence[int] = (),
    right: Collection[int] = (),
    below: Sequence[str] = (),
) -> None:
    """Print columns without borders.

    `keep`: positions of columns that are never wrapped. `right`: positions of right-aligned columns. `below`: a remark
    for each row, printed below it. Empty `headings`: print only rows. Phone numbers and ids are never cut off: on a
    narrow terminal whole lines wrap.
    """
    texts = [[_cell(cell) for cell in row] for row in rows]
    if not below:
        _write(_table_lines(headings, texts, keep, right))
        return
    marked = [[Text.assemble(ROW_BEGINS, row[0]), *row[1:]] for row in texts]
    begin = (ROW_BEGINS + headings[0], *headings[1:]) if headings else ()
    # Each printed row begins with a line that has the mark, and may continue below it.
    remarks = iter((*([""] if headings else []), *below))
    remark = ""
    for line in _table_lines(begin, marked, (0, *keep), right, more=1):
        if ROW_BEGINS in line:
            _write_remark(remark)
            remark = next(remarks)
        _write([line.replace(ROW_BEGINS, "") if ROW_BEGINS in line else line[1:]])
    _write_remark(remark)


def _table_lines(
    headings: Sequence[str], rows: Sequence[Sequence[Text]], keep: Sequence[int], right: Collection[int], more: int = 0
) -> list[str]:
    table = _plain_table(show_header=bool(headings))
    for index in range(len(headings) or max(map(len, rows), default=0)):
        heading = Text(headings[index] if headings else "")
        justify: JustifyMethod = "right" if index in right else "left"
        table.add_column(heading, no_wrap=index in keep, overflow="fold", justify=justify)
    for row in rows:
        table.add_row(*row)
    return _lines_of(table, _least_width([list(map(Text, headings)), *rows], keep), more)


def _write_remark(remark: str) -> None:
    if remark:
        _write(_lines_of(Padding(dim(remark), (0, 0, 0, 2))))


def print_pairs(pairs: Iterable[tuple[str, Cell]], width: int = 0) -> None:
    """Print lines of `name   value`, and skip empty values. Names are at least `width` characters wide."""
    table = _plain_table(show_header=False)
    table.add_column(no_wrap=True, style="dim", min_width=width)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if str(value):
            table.add_row(Text(name), _cell(value))
    print_plain(table)


def _plain_table(*, show_header: bool) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim", show_header=show_header)


def print_plain(table: Table) -> None:
    """Print a table without trailing spaces, so that its lines can be copied."""
    _write(_lines_of(table))


def _least_width(rows: Sequence[Sequence[Text]], keep: Sequence[int]) -> int:
    columns = zip_longest(*rows, fillvalue=Text())
    widths = [max(map(_width_of, column)) for column in columns]
    widths = [width if index in keep else min(WORD, width) for index, width in enumerate(widths)]
    return sum(widths) + GAP * (len(widths) - 1)


def _width_of(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.splitlines()), default=0)


def _lines_of(what: Table | Padding, least: int = 0, more: int = 0) -> list[str]:
    """Return a table as lines. They are as wide as the terminal, but at least `least`, plus `more` characters."""
    out = console()
    out.width = max(out.width, least) + more
    with out.capture() as captured:
        out.print(what)
    return captured.get().splitlines()


def _write(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))


def some(words: Sequence[str], most: int = 5) -> str:
    """Return the first words, joined by commas, and how many more words there are."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def plural(count: int, singular: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 number`, `1,000 numbers`."""
    return f"{count:,} {singular if count == 1 else many or singular + 's'}"


def _cell(cell: Cell) -> Text:
    text = cell if isinstance(cell, Text) else Text(clean(cell))
    text.plain = "\n".join(map(clean, text.plain.split("\n")))  # of the same length, so all styles stay in place
    return text


def say_undo(change_id: int | None, config: Path | None) -> None:
    """Print the command that undoes a change. Print nothing if nothing was changed."""
    if change_id is None:
        return
    words = ["callsieve", "undo", str(change_id), *(["--config", str(config)] if config else [])]
    say("To undo it:")
    say_command(shlex.join(words))


def cells_of(counts: Sequence[int], most: int, width: int) -> list[int]:
    """Return how many cells each part of a stacked bar gets. A bar whose counts add up to `most` has `width` cells.

    A part that is not 0 gets at least one cell. The largest part absorbs the rounding error, so the sum is right.
    """
    wanted = [count * width / most for count in counts]
    cells = [max(1, round(share)) if count else 0 for count, share in zip(counts, wanted, strict=True)]
    if any(counts):
        largest = max(range(len(counts)), key=counts.__getitem__)
        cells[largest] = max(1, cells[largest] + round(sum(wanted)) - sum(cells))
    return cells


T = TypeVar("T")

ROWS_BETWEEN_LOOKS = 2000

# Called with the bytes and rows that are read.
Tell = Callable[[int, int], None]


def meter(file: Path, afterwards: str = "storing") -> AbstractContextManager[Tell]:
    """Show a progress bar while a file is read, then a spinner while its rows are stored. `afterwards`: its text."""
    with acting_for(file):  # the user that root acts as cannot read root's directories
        size = file.stat().st_size if file.is_file() else None
    return meter_of(size, afterwards)


@contextmanager
def meter_of(size: int | None, afterwards: str = "storing") -> Iterator[Tell]:
    """Show a progress bar for an input of `size` bytes (None: unknown), then a spinner with the text `afterwards`."""
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
    """Show a progress bar for `total` items. Each call of the yielded function advances the bar by one item."""
    if not sys.stderr.isatty():
        yield _no_one
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def watched(rows: Iterator[T], bytes_read: Callable[[], int], tell: Tell) -> Iterator[T]:
    """Yield the rows. Now and then, call `tell` with the bytes and rows read so far (at the end, -1 for the bytes)."""
    count = 0
    for count, row in enumerate(rows, 1):
        if count % ROWS_BETWEEN_LOOKS == 0:
            tell(bytes_read(), count)
        yield row
    tell(-1, count)


def _nobody(_bytes_read: int, _rows: int) -> None:
    pass


def _no_one() -> None:
    pass
