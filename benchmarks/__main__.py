"""`python -m benchmarks [NAME ...] [--quick] [--largest N] [--write PAGE]`: run benchmarks, and print the results.

The exit code is 0 however good or bad the results are, because only tests judge results. It is 1 if a benchmark could
not run.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks import (
    classic,
    comparison,
    console,
    decision,
    events,
    events_out,
    exchange,
    hub,
    hub_wakeups,
    imports,
    lifecycle,
    listening,
    lookup,
    orders,
    own,
    parts,
    replay,
    setups,
)
from benchmarks.figures import Figure
from benchmarks.machine import describe_machine
from benchmarks.tables import markdown_block, terminal_table, write_page
from benchmarks.workbench import Workbench, place_on_disk
from lab import LabUnavailable

BENCHMARKS: dict[str, Callable[[Workbench], list[Figure]]] = {
    "decision": decision.measure_cpu,
    "latency": decision.measure_latency,
    "setups": setups.measure,
    "classic": classic.measure,
    "comparison": comparison.measure,
    "scale": comparison.measure_scale,
    "lookup": lookup.measure,
    "imports": imports.measure,
    "lifecycle": lifecycle.measure,
    "parts": parts.measure,
    "events": events.measure,
    "listening": listening.measure,
    "replayed": events.measure_replayed,
    "replay": replay.measure,
    "orders": orders.measure,
    "console": console.measure,
    "own": own.measure,
    "events-out": events_out.measure,
    "exchange": exchange.measure,
    "hub": hub.measure,
    "hub-wakeups": hub_wakeups.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"names of the benchmarks to run; default: all ({', '.join(BENCHMARKS)})",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="run fewer rounds, with a store of one million numbers instead of ten million",
    )
    parser.add_argument(
        "--largest",
        type=int,
        default=0,
        metavar="N",
        help="run `lookup`, `lifecycle` and `scale` also with a store of N numbers; 100,000,000 take 15 GB of disk "
        "while they are imported",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the tables into the page FILE, between its two markers"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"unknown benchmarks: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # like Ctrl-C, so that servers are stopped and stores removed
    sys.exit(run(arguments.names or list(BENCHMARKS), arguments.largest, quick=arguments.quick, page=arguments.write))


def run(names: list[str], largest: int, *, quick: bool, page: Path | None) -> int:
    """Run the benchmarks with these names, print their figures, and write the figures to `page`; None: only print.

    `largest`: how many phone numbers an additional store has. Return 1 if a benchmark could not run, else 0.
    """
    machine = describe_machine()  # before the load average includes the benchmarks
    progress = Console(stderr=True, highlight=False)
    measured: dict[str, list[Figure]] = {}
    failed = 0
    with tempfile.TemporaryDirectory(prefix="callsieve-bench-", dir=place_on_disk()) as directory:
        say = partial(progress.print, style="dim", soft_wrap=True)
        bench = Workbench(Path(directory), quick, say, largest)
        for name in names:
            began = time.monotonic()
            try:
                measured[name] = BENCHMARKS[name](bench)
            except LabUnavailable as reason:
                progress.print(f"{name}: skipped, Asterisk is missing: {reason}")
            except Exception:  # noqa: BLE001 (the others can still be taken)
                failed += 1
                progress.print_exception()
            progress.print(f"{name}: took {time.monotonic() - began:.0f} s")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(terminal_table(measured))
    for name, value in machine.items():
        console.print(f"{name}: {value}")
    if page is not None:
        blocks = {name: markdown_block(figures, machine) for name, figures in measured.items()}
        write_page(page, blocks, list(BENCHMARKS))
    return min(failed, 1)


if __name__ == "__main__":
    main()
