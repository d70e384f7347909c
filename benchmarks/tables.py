"""Tables of measured values, on the terminal and between two markers of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.figures import Figure, shown

HEADINGS = ("what", "measured", "reference, same run", "ratio", "budget", "result")
BEGIN = "<!-- figures: begin (written by `python -m benchmarks --write`) -->"
END = "<!-- figures: end -->"


def cells_of(figure: Figure) -> tuple[str, ...]:
    what = f"{figure.what} ({figure.note})" if figure.note else figure.what
    reference = f"{shown(figure.reference_value, figure.unit)}, {figure.against}" if figure.reference else ""
    ratio = "" if figure.ratio is None else shown(figure.ratio, "x")
    budget = figure.budget.text if figure.budget else ""
    return what, shown(figure.value, figure.unit), reference, ratio, budget, figure.verdict


def terminal_table(measured: Mapping[str, Sequence[Figure]]) -> Table:
    """Return a table for the terminal. `measured`: the measured values by name of the benchmark."""
    table = Table(*HEADINGS)
    for figures in measured.values():
        table.add_section()
        for figure in figures:
            table.add_row(*cells_of(figure), style="" if figure.verdict in ("", "met") else "bold red")
    return table


def markdown_block(figures: Sequence[Figure], machine: Mapping[str, str]) -> str:
    """Return the table of a benchmark, and the computer on which it was measured."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(cells_of(figure) for figure in figures)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join((*lines, "", "; ".join(f"{name}: {value}" for name, value in machine.items())))


def write_page(path: Path, blocks: Mapping[str, str], order: Sequence[str]) -> None:
    """Put blocks between the markers of a page, in this order of their names. Blocks of other names stay unchanged.

    Raise ValueError if the page has no markers.
    """
    head, begin, rest = path.read_text("utf-8").partition(BEGIN)
    body, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: cannot write the tables, because the page lacks the markers {BEGIN} and {END}")
    kept = dict([block.split("\n", 1) for block in body.split("\n### ")[1:]])
    texts = {**kept, **blocks}
    sections = [f"### {name}\n\n{texts[name].strip()}\n" for name in order if name in texts]
    path.write_text("\n".join((f"{head}{BEGIN}\n", *sections, f"{END}{tail}")), "utf-8")
