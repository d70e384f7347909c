"""The tables: on the terminal, and as Markdown in docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

from benchmarks.accuracy.attacks import HANG_UPS, MARKS, RING_OUTS, SLOW, SLOW_HANG_UPS, SPLIT
from benchmarks.accuracy.estimates import Estimate, calls, of, shown
from benchmarks.accuracy.methods import BASELINES, MODEL, TWO_FAMILIES
from benchmarks.accuracy.parameters import STANDARD, Kind
from benchmarks.accuracy.reading import ESTABLISHED, NEW, Cell, Counts
from benchmarks.accuracy.running import (
    ABLATION_NAME,
    SLOW_COLLUDERS,
    STANDARD_NAME,
    STRESS,
    STRESS_COLLUDERS,
    TABLE_COLLUDERS,
    Results,
)
from reputation.model import Level

# The blocks of docs/accuracy.md, in order.
BLOCKS = (
    "seeds",
    "targets",
    "methods",
    "levels",
    "attacks",
    "stress",
    "tried",
    "complaints of the last day",
    "complaints of the last fifth",
)
STOPPED = Level.CHALLENGE
LEVELS = tuple(Level)[1:]


class Sheet(NamedTuple):
    """One table: its name, what it shows in a line, and rows of text."""

    name: str
    says: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def sheets_of(results: Results) -> list[Sheet]:
    """All of them, in order."""
    seeds = results[STANDARD_NAME]
    return [
        methods_sheet(seeds, results[ABLATION_NAME]),
        targets_sheet(seeds),
        levels_sheet(seeds),
        attacks_sheet(seeds),
        stress_sheet(results),
    ]


def attack_cells(
    method: str, target: str, attack: str, colluders: Sequence[int] = STANDARD.colluders
) -> tuple[Cell, ...]:
    """The cells of one attack by so many."""
    return tuple(Cell(method, target, attack, count) for count in colluders)


def methods_sheet(seeds: Sequence[Counts], without: Sequence[Counts]) -> Sheet:
    """This model beside others."""
    rows = [_method_row(seeds, name, MARKS) for name in (*BASELINES, MODEL)]
    rows.append(_method_row(seeds, MODEL, HANG_UPS, f"{MODEL}, colluders also hang up"))
    rows.append(_method_row(without, TWO_FAMILIES, HANG_UPS, f"{TWO_FAMILIES}, colluders also hang up"))
    headings = (
        "method",
        "spam stopped",
        "service calls wrongly stopped",
        "attacked established number, by 3 / 10 / 40",
        "attacked new number, by 1 / 3 / 10 / 40",
        "new, mean",
    )
    return Sheet("methods", "Stopped: level challenge or more, in % of calls.", headings, rows)


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


def targets_sheet(seeds: Sequence[Counts]) -> Sheet:
    """What we set out to reach, and whether we did."""
    established = [cell for attack in (MARKS, HANG_UPS) for cell in attack_cells(MODEL, ESTABLISHED, attack)]
    new = [attack_cells(MODEL, NEW, attack) for attack in (MARKS, HANG_UPS)]
    service = Cell(MODEL, Kind.SERVICE)
    honest = [Cell(MODEL, kind) for kind in (Kind.SERVICE, Kind.CONTACT, Kind.ONE_OFF)]
    measured: list[tuple[str, Estimate, float, bool]] = [
        ("persistent spam, challenged or more", of(seeds, STOPPED, Cell(MODEL, Kind.SPAM)), 52.0, True),
        ("persistent spam, warned or more", of(seeds, Level.WARN, Cell(MODEL, Kind.SPAM)), 63.0, True),
        ("service calls wrongly challenged", of(seeds, STOPPED, service), 0.05, False),
        ("service calls wrongly rejected", of(seeds, Level.REJECT, service), 0.0, False),
        ("honest calls of any kind wrongly challenged, worst kind", _worst(seeds, honest, STOPPED), 0.1, False),
        ("attacked established number challenged, worst case", _worst(seeds, established, STOPPED), 0.5, False),
        ("attacked new number challenged, mean over colluders", of(seeds, STOPPED, *new[0]), 12.0, False),
        ("the same, colluders also hang up", of(seeds, STOPPED, *new[1]), 12.0, False),
        (
            "attacked number rejected, worst case",
            _worst(seeds, [*established, *new[0], *new[1]], Level.REJECT),
            0.1,
            False,
        ),
    ]
    rows = [
        [what, value.text, f"{'>=' if least else '<='} {limit:g}", "met" if _met(value, limit, least) else "MISSED"]
        for what, value, limit, least in measured
    ]
    return Sheet(
        "targets", "In % of calls. Met: the mean is within the target.", ("what", "measured", "target", ""), rows
    )


def _worst(seeds: Sequence[Counts], cells: Sequence[Cell], level: Level) -> Estimate:
    return max(of(seeds, level, cell) for cell in cells)


def _met(value: Estimate, limit: float, at_least: bool) -> bool:
    return value.mean >= limit if at_least else value.mean <= limit


def levels_sheet(seeds: Sequence[Counts]) -> Sheet:
    """Every kind of caller, and how far the model goes."""
    rows = []
    for kind in Kind:
        cell = Cell(MODEL, kind)
        rows.append([kind.value, f"{calls(seeds, cell):,}", *(of(seeds, level, cell).text for level in LEVELS)])
    return Sheet("levels", "CallSieve: % of calls at least at each level.", _level_headings("caller"), rows)


def attacks_sheet(seeds: Sequence[Counts]) -> Sheet:
    """Every attack on the model, by the number of colluders."""
    plan = (
        (MARKS, STANDARD.colluders),
        (HANG_UPS, STANDARD.colluders),
        (RING_OUTS, TABLE_COLLUDERS),
        (SPLIT, STANDARD.colluders),
        (SLOW, SLOW_COLLUDERS),
        (SLOW_HANG_UPS, SLOW_COLLUDERS),
    )
    rows = [
        [
            f"{target}: {attack}",
            str(cell.colluders),
            f"{calls(seeds, cell):,}",
            *(of(seeds, level, cell).text for level in (Level.WARN, Level.CHALLENGE, Level.REJECT)),
        ]
        for target in (ESTABLISHED, NEW)
        for attack, colluders in plan
        for cell in attack_cells(MODEL, target, attack, colluders)
    ]
    headings = ("attacked number", "colluders", "calls read", "warn", "challenge", "reject")
    return Sheet(
        "attacks", "CallSieve: % of the number's calls after the attack, at least at each level.", headings, rows
    )


def stress_sheet(results: Results) -> Sheet:
    """Harder offices."""
    rows = []
    for name in (STANDARD_NAME, *STRESS):
        seeds = results[name]
        spam, service = Cell(MODEL, Kind.SPAM), Cell(MODEL, Kind.SERVICE)
        (new,) = attack_cells(MODEL, NEW, HANG_UPS, STRESS_COLLUDERS)
        others = [Cell(MODEL, Kind.CONTACT), Cell(MODEL, Kind.ONE_OFF)]
        rows.append(
            [
                name,
                str(len(seeds)),
                *(of(seeds, level, spam).text for level in (Level.WARN, Level.CHALLENGE, Level.REJECT)),
                *(of(seeds, level, service).text for level in (Level.WARN, Level.CHALLENGE, Level.REJECT)),
                _worst(seeds, others, STOPPED).text,
                *(of(seeds, level, new).text for level in (Level.CHALLENGE, Level.REJECT)),
            ]
        )
    headings = (
        "office",
        "seeds",
        "spam: warn",
        "challenge",
        "reject",
        "service: warn",
        "challenge",
        "reject",
        "contacts, one-off: challenge",
        "new number attacked by 10: challenge",
        "reject",
    )
    return Sheet("stress", "CallSieve in harder offices: % of calls at least at each level.", headings, rows)


def _level_headings(first: str) -> tuple[str, ...]:
    return (first, "calls", *(level.word for level in LEVELS))


def terminal_table(sheet: Sheet) -> Table:
    """For a person at a terminal."""
    table = Table(*sheet.headings, title=sheet.says, title_justify="left")
    for row in sheet.rows:
        table.add_row(*row, style="bold red" if "MISSED" in row else "bold" if row[0].startswith(MODEL) else "")
    return table


def markdown(sheet: Sheet) -> str:
    """For the page."""
    lines = [sheet.headings, ["---"] * len(sheet.headings), *sheet.rows]
    return "\n".join([sheet.says, "", *(f"| {' | '.join(cells)} |" for cells in lines)])
