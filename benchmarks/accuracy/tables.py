"""The table of methods that judge calls without screening, and the formatting of all tables for terminals and pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from benchmarks.accuracy.attacks import HANG_UPS, MARKS, SPLIT
from benchmarks.accuracy.estimates import of, shown
from benchmarks.accuracy.methods import BASELINES, MODEL
from benchmarks.accuracy.parameters import ESTABLISHED, STANDARD, Kind
from benchmarks.accuracy.reading import NEW, Cell, Counts
from reputation.model import Level

ROOT = Path(__file__).parents[2]
PAGE, PICTURE = ROOT / "benchmarks/accuracy/RESULTS.md", ROOT / "benchmarks/accuracy/methods.svg"
# The blocks of the page, in order. The short page for readers has its own (front.py).
BLOCKS = (
    "seeds",
    "targets",
    "closed loop",
    "first calls",
    "attacks",
    "offices",
    "collusion across sites",
    "sharing between sites",
    "how soon spam is labelled",
    "methods",
    "complaints of the last day",
    "complaints of the last fifth",
)
STOPPED = Level.CHALLENGE


class Sheet(NamedTuple):
    """A table: its name, a caption, and rows of text."""

    name: str
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def attack_cells(
    method: str, target: str, attack: str, colluders: Sequence[int] = STANDARD.colluders
) -> tuple[Cell, ...]:
    return tuple(Cell(method, target, attack, count) for count in colluders)


def methods_sheet(seeds: Sequence[Counts]) -> Sheet:
    """Return the table that compares the methods without screening."""
    rows = [_method_row(seeds, name, MARKS) for name in (*BASELINES, MODEL)]
    rows.append(_method_row(seeds, MODEL, HANG_UPS, f"{MODEL}, if the attackers also hang up on calls"))
    rows.append(_method_row(seeds, MODEL, SPLIT, f"{MODEL}, if half of the attackers mark and the others hang up"))
    headings = (
        "method",
        "spam calls stopped",
        "service calls wrongly stopped",
        "calls of an established number that are stopped, if attacked by 3 / 10 / 40 people",
        "calls of a new number that are stopped, if attacked by 1 / 3 / 10 / 40 people",
        "calls of a new number that are stopped, mean of all sizes of attack",
    )
    caption = (
        "In % of calls. The calls are not screened: each method only judges them. Stopped: level challenge or more."
    )
    return Sheet("methods", caption, headings, rows)


def _method_row(seeds: Sequence[Counts], method: str, attack: str, name: str | None = None) -> list[str]:
    def attacked(target: str, colluders: Sequence[int]) -> str:
        cells = attack_cells(method, target, attack, colluders)
        return " / ".join(shown(of(seeds, STOPPED, cell).mean) for cell in cells)

    return [
        name or method,
        of(seeds, STOPPED, Cell(method, Kind.SPAM)).text,
        of(seeds, STOPPED, Cell(method, Kind.SERVICE)).text,
        attacked(ESTABLISHED, (3, 10, 40)),
        attacked(NEW, (1, 3, 10, 40)),
        of(seeds, STOPPED, *attack_cells(method, NEW, attack)).text,
    ]


def terminal_table(sheet: Sheet) -> Table:
    table = Table(*sheet.headings, title=sheet.caption, title_justify="left")
    for row in sheet.rows:
        table.add_row(*row, style="bold red" if "MISSED" in row else "")
    return table


def markdown(sheet: Sheet) -> str:
    lines = [sheet.headings, ["---"] * len(sheet.headings), *sheet.rows]
    return "\n".join([sheet.caption, "", *(f"| {' | '.join(cells)} |" for cells in lines)])
