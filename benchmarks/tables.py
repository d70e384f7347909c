"""The figures as a table: on the terminal, and kept in a page between two markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.figures import Figure, shown

HEADINGS = ("what", "measured", "reference, same run", "ratio", "budget", "result")
BEGIN = "<!-- figures: begin (written by `python -m benchmarks --write`) -->"
END = "<!-- figures: end -->"


def cells_of(figure: Figure) -> tuple[str, ...]:
    """One row."""
    what = f"{figure.what} ({figure.note})" if figure.note else figure.what
    reference = f"{shown(figure.reference_value, figure.unit)}, {figure.against}" if figure.reference else ""
    ratio = "" if figure.ratio is None else shown(figure.ratio, "x")
    budget = figure.budget.text if figure.budget else ""
    return what, shown(figure.value, figure.unit), reference, ratio, budget, figure.verdict


def terminal_table(figures: Sequence[Figure]) -> Table:
    table = Table(*HEADINGS)
    for figure in figures:
        table.add_row(*cells_of(figure), style="" if figure.verdict in ("", "met") else "bold red")
    return table


def markdown_table(figures: Sequence[Figure], machine: Mapping[str, str]) -> str:
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(cells_of(figure) for figure in figures)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join((*lines, "", *(f"- {name}: {value}" for name, value in machine.items())))


def write_page(path: Path, text: str) -> None:
    """Put the text between the page's markers. ValueError when they are not there."""
    page = path.read_text("utf-8")
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: has no {BEGIN} ... {END} to write between")
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", "utf-8")
