"""Measures a restart: from the start of the process to its first decision, and from SIGTERM to its end."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.callers import questions
from benchmarks.calls import place_calls
from benchmarks.figures import Budget, Figure
from benchmarks.processes import DECIDED, SETTINGS, START_SECONDS
from benchmarks.workbench import Workbench
from lab.daemon import Daemon

FEW = 10_000
ROUNDS = 5

START = Budget(0.2, "s")
STOP = Budget(2.0, "s")


def measure(bench: Workbench) -> list[Figure]:
    """Measure restarts with a small store and with large stores."""
    return [figure for numbers in (FEW, *bench.sizes) for figure in _measure(bench, numbers)]


def _measure(bench: Workbench, numbers: int) -> list[Figure]:
    note = f"store of {numbers:,} numbers"
    state = bench.built(numbers).state
    bench.say(f"lifecycle: {note}")
    starts, stops = zip(*(_seconds_of_one(state, turn) for turn in range(bench.rounds(ROUNDS))), strict=True)
    return [
        Figure("from the start of the daemon to its first decision", starts, "s", budget=START, note=note),
        Figure("from SIGTERM to the end of the daemon", stops, "s", budget=STOP, note=note),
    ]


def _seconds_of_one(state: Path, turn: int) -> tuple[float, float]:
    daemon = Daemon(state, SETTINGS)
    try:
        began = time.perf_counter()
        daemon.start()
        _wait_for_decision(daemon, began + START_SECONDS, turn)
        started = time.perf_counter() - began
        time.sleep(0.3)  # until the journal has written its first batch
    finally:
        stopped = daemon.stop()
    return started, stopped


def _wait_for_decision(daemon: Daemon, give_up_at: float, turn: int) -> None:
    address, block = ("127.0.0.1", daemon.port), questions(1, FEW, turn)
    while place_calls(address, block, DECIDED).failed:
        if time.perf_counter() > give_up_at:
            raise RuntimeError(f"the daemon decided no call within {START_SECONDS:.0f} s of the start")
