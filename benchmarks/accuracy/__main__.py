"""Simulate offices, compare CallSieve with simpler methods, and print the tables.

    python -m benchmarks.accuracy [--seeds 2001-2030] [--quick] [--only OFFICE] [--set TABLE.KEY=VALUE,...] [--write]
    python -m benchmarks.accuracy fit            fit the weights of the counts of evidence

A seed determines all random draws of a simulated office. Weights are fitted on seeds 1 to 999, and the model is
developed on seeds 1001 to 1999. The published results come from seeds 2001 to 2030.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from benchmarks.accuracy import first_calls, fit
from benchmarks.accuracy.chart import chart_of
from benchmarks.accuracy.front import FRONT, FRONT_BLOCKS, front_sheets
from benchmarks.accuracy.offices import OFFICES
from benchmarks.accuracy.running import FIRST_SEED, measure_all, measure_shadows, seeds_of, weights_with
from benchmarks.accuracy.tables import BLOCKS, PAGE, PICTURE, markdown, methods_sheet, terminal_table
from benchmarks.accuracy.targets import Measured, sheets_of
from benchmarks.tables import write_page

PUBLISHED, QUICK = f"{FIRST_SEED}-{FIRST_SEED + 29}", f"{FIRST_SEED}-{FIRST_SEED + 2}"
FEW = 6  # seeds of measurements that vary little: first calls, and calls without screening


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=PUBLISHED, metavar="A-B", help=f"the seeds ({PUBLISHED})")
    parser.add_argument("--quick", action="store_true", help=f"use only the seeds {QUICK}; takes ten minutes at most")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="simulate only offices whose names contain TEXT"
    )
    parser.add_argument(
        "--set",
        type=weights_with,
        default="",
        metavar="TABLE.KEY=VALUE,...",
        help="weights that differ from the default weights",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="number of processes (default: one per core)")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the tables and the picture into benchmarks/accuracy/RESULTS.md and benchmarks/accuracy/SUMMARY.md",
    )
    arguments = parser.parse_args()
    seeds: Sequence[int] = seeds_of(QUICK) if arguments.quick else arguments.seeds
    weights, workers, began = arguments.set, arguments.workers, time.monotonic()
    names = [name for name in OFFICES if not arguments.only or any(text in name for text in arguments.only)]
    measured = Measured(measure_all(seeds, names, weights, workers))
    if arguments.only:
        sheets = sheets_of(measured)
    else:
        of_first_calls = first_calls.measure_all(seeds[:FEW], weights, workers)
        shadow = measure_shadows(seeds[:FEW], workers)
        measured = measured._replace(first_calls=of_first_calls[first_calls.STANDARD_NAME])
        sheets = sheets_of(measured)
        sheets += [
            first_calls.first_calls_sheet(seeds[:FEW], of_first_calls),
            methods_sheet(shadow),
        ]
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    for sheet in sheets:
        console.print(terminal_table(sheet))
    how = (
        f"Seeds {seeds[0]} to {seeds[-1]}; for first calls and calls without screening the first {FEW}. In brackets: 95"
        f" % intervals of a bootstrap over seeds. Measured in {(time.monotonic() - began) / 60:.0f} minutes."
    )
    console.print(how)
    if arguments.write and not arguments.only:
        write_page(PAGE, {"seeds": how, **{sheet.name: markdown(sheet) for sheet in sheets}}, BLOCKS)
        of_front = f"Seeds {seeds[0]} to {seeds[-1]}; for first calls and storms the first {FEW}."
        write_page(FRONT, {sheet.name: markdown(sheet) for sheet in front_sheets(measured, of_front)}, FRONT_BLOCKS)
        PICTURE.write_text(chart_of(shadow), "utf-8")


if __name__ == "__main__":
    fit.main(sys.argv[2:]) if sys.argv[1:2] == ["fit"] else main()
