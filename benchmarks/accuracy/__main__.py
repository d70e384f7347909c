"""`python -m benchmarks.accuracy [--seeds N] [--quick] [--write]`: simulate, compare, and print the tables.

The seeds begin at 1001. Those below were for trying things out, so that what is published was never tuned on.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console

from benchmarks.accuracy.chart import chart_of
from benchmarks.accuracy.closed_tables import closed_sheets
from benchmarks.accuracy.first_calls import first_calls_sheet
from benchmarks.accuracy.first_calls import measure_all as measure_first_calls
from benchmarks.accuracy.running import FIRST_SEED, Results, measure_all
from benchmarks.accuracy.tables import (
    BLOCKS,
    PAGE,
    PICTURE,
    Sheet,
    levels_sheet,
    markdown,
    methods_sheet,
    terminal_table,
)
from benchmarks.tables import write_page

QUICK_SEEDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=30, metavar="N", help="how many seeds (30)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds")
    parser.add_argument("--workers", type=int, metavar="N", help="how many processes (one a core)")
    parser.add_argument("--write", action="store_true", help="keep tables and picture in docs/accuracy.md and .svg")
    arguments = parser.parse_args()
    count = QUICK_SEEDS if arguments.quick else arguments.seeds
    if count < 1:
        parser.error("--seeds: at least 1")
    began = time.monotonic()
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    results = measure_all(seeds, arguments.workers)
    first_calls = first_calls_sheet(seeds, measure_first_calls(seeds, workers=arguments.workers))
    sheets = [*closed_sheets(results), first_calls, methods_sheet(results.shadow), levels_sheet(results.shadow)]
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    for sheet in sheets:
        console.print(terminal_table(sheet))
    how = (
        f"Seeds {FIRST_SEED} to {FIRST_SEED + count - 1}; of other offices but the cold one the first fifth."
        " 95 % intervals in brackets: a bootstrap over seeds."
    )
    console.print(f"{how} {time.monotonic() - began:.0f} s.")
    if arguments.write:
        keep(results, sheets, how)


def keep(results: Results, sheets: list[Sheet], how: str) -> None:
    """Into the page, between its markers, and the picture beside it."""
    write_page(PAGE, {"seeds": how, **{sheet.name: markdown(sheet) for sheet in sheets}}, BLOCKS)
    PICTURE.write_text(chart_of(results.shadow), "utf-8")


if __name__ == "__main__":
    main()
