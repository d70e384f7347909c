"""How long a restart takes: from the start of the process to its first decision, and from SIGTERM to its end."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from benchmarks.callers import questions
from benchmarks.calls import place_calls
from benchmarks.figures import Budget, Figure
from benchmarks.processes import DECIDED, SETTINGS, START_SECONDS
from benchmarks.workbench import Workbench
from lab.daemon import Daemon
from reputation.store.backup import backup_directory

FEW = 10_000
ROUNDS = 5

START = Budget(0.5, "s")
STOP = Budget(2.0, "s")


def measure(bench: Workbench) -> list[Figure]:
    """With a small store and with a large one, in daily use; and when the daily backup is due."""
    few, many = bench.built(FEW).state, bench.built(bench.many).state
    cases = ((few, f"{FEW:,} numbers", False), (many, f"{bench.many:,} numbers", False))
    due = (many, f"{bench.many:,} numbers, and a backup is due", True)
    return [figure for state, note, backup_due in (*cases, due) for figure in _measure(bench, state, note, backup_due)]


def _measure(bench: Workbench, state: Path, note: str, backup_due: bool) -> list[Figure]:
    bench.say(f"lifecycle: {note}")
    starts, stops = [], []
    for turn in range(bench.rounds(ROUNDS)):
        backups = backup_directory(state / "callsieve.db")
        shutil.rmtree(backups, ignore_errors=True)
        if not backup_due:
            backups.mkdir()
            (backups / "callsieve-20260101T000000.db").touch()
        start, stop = _seconds_of_one(state, turn)
        starts.append(start)
        stops.append(stop)
    shutil.rmtree(backups)
    return [
        Figure("start to first decision", starts, "s", budget=START, note=note),
        Figure("SIGTERM to exit", stops, "s", budget=STOP, note=note),
    ]


def _seconds_of_one(state: Path, turn: int) -> tuple[float, float]:
    daemon = Daemon(state, SETTINGS)
    try:
        began = time.perf_counter()
        daemon.start()
        _wait_for_decision(daemon, began + START_SECONDS, turn)
        started = time.perf_counter() - began
        time.sleep(0.3)  # the journal's first batch, and the backup has begun
    finally:
        stopped = daemon.stop()
    return started, stopped


def _wait_for_decision(daemon: Daemon, give_up_at: float, turn: int) -> None:
    address, block = ("127.0.0.1", daemon.port), questions(1, FEW, turn)
    while place_calls(address, block, DECIDED).failed:
        if time.perf_counter() > give_up_at:
            raise RuntimeError(f"nothing was decided within {START_SECONDS:.0f} s of the start")
