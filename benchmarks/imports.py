"""Measures the speed of `callsieve import numbers`, with E.164 numbers and with national numbers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.callers import CATEGORIES, number_at
from benchmarks.figures import Budget, Figure
from benchmarks.workbench import Workbench
from lab.programs import COMMAND_LINE

ROUNDS = 3
E164 = Budget(250_000, "/s", at_least=True)
OTHERS = Budget(60_000, "/s", at_least=True)

BRITISH = ("207", "161496", "1302", "7911", "7700", "800")
GERMAN = ("30", "89", "4221", "151", "176", "800")


def measure(bench: Workbench) -> list[Figure]:
    """Measure imported rows per second, by elapsed and by CPU time, with the start and the end of the command."""
    rows = 200_000 if bench.quick else 2_000_000
    kinds: tuple[tuple[str, str, Callable[[int], str], Budget], ...] = (
        ("E.164 numbers", "US", number_at, E164),
        ("US numbers of ten digits, half of them allocated", "US", lambda n: number_at(n)[2:], OTHERS),
        ("US numbers such as (201) 742-1834, half of them allocated", "US", _in_brackets, OTHERS),
        ("GB numbers such as 07911 123456", "GB", lambda n: _dialled(BRITISH[n % len(BRITISH)], n, 10), OTHERS),
        ("DE numbers such as 030 1234567", "DE", lambda n: _dialled(GERMAN[n % len(GERMAN)], n, 10), OTHERS),
    )
    return [
        figure
        for what, region, number, budget in kinds
        for figure in _measure(bench, rows, what, region, number, budget)
    ]


def _measure(
    bench: Workbench, rows: int, what: str, region: str, number: Callable[[int], str], budget: Budget
) -> list[Figure]:
    bench.say(f"imports: {what}")
    path = bench.directory / "list.csv"
    with path.open("w", encoding="ascii") as file:
        file.write("number,category\n")
        file.writelines(f"{number(n)},{CATEGORIES[n % len(CATEGORIES)] or ''}\n" for n in range(rows))
    rounds = [_seconds_of_one(bench.directory / f"import-{region}", path, region) for _ in range(bench.rounds(ROUNDS))]
    by_clock, by_processor = zip(*rounds, strict=True)
    return [
        Figure(f"rows imported: {what}", [rows / s for s in by_clock], "/s", budget=budget, note=f"{rows:,} rows"),
        Figure(f"rows imported per second of CPU time: {what}", [rows / s for s in by_processor], "/s"),
    ]


def _seconds_of_one(state: Path, path: Path, region: str) -> tuple[float, float]:
    state.mkdir(exist_ok=True)
    for old in state.glob("callsieve.db*"):
        old.unlink()
    settings = state / "callsieve.toml"
    settings.write_text(f'[numbers]\nregion = "{region}"\n', "utf-8")
    command = [sys.executable, "-m", COMMAND_LINE, "import", "numbers", str(path), "--source", "list"]
    environment = {**os.environ, "CALLSIEVE_CONFIG": str(settings), "CALLSIEVE_STATE": str(state)}
    before, began = _children_seconds(), time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began, _children_seconds() - before


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _in_brackets(index: int) -> str:
    digits = number_at(index)[2:]
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


def _dialled(start: str, index: int, digits: int) -> str:
    """Return the number with this index in national format: it begins with `start`, and then looks random."""
    rest = digits - len(start)
    number = f"{start}{index * 7_919 % 10**rest:0{rest}}"
    return f"0{number[:4]} {number[4:]}"
