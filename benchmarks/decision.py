"""Measures the CPU time of a full decision, and its latency under load, compared with a handler without decision."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks import constant_handler
from benchmarks.callers import questions
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import Server, empty_server, has_uvloop, python_without_uvloop, running_daemon
from benchmarks.workbench import Workbench

NUMBERS = 1_000_000
CALLS = 1200
ROUNDS = 5
BUSY = 16  # calls in flight
LOADED = 64
# The journal writes 0.1 s after a decision. Its CPU time is part of the calls' cost.
SETTLE_SECONDS = 0.3

AGAINST = "empty handler"
CPU_LIMITS = {"uvloop": 1.2, "asyncio": 1.6}
P99_LIMIT = 1.5


def measure_cpu(bench: Workbench) -> list[Figure]:
    """Measure the server's CPU time per call, with and without uvloop."""
    figures = []
    for loop, python in _pythons(bench).items():
        bench.say(f"decision: CPU time, {loop}")
        with (
            running_daemon(bench.copy(NUMBERS), python) as (_, ours),
            empty_server(python) as empty,
            empty_server(python, constant_handler.__name__) as undecided,
        ):
            _warm_up(ours, empty, undecided)
            for in_flight, note in ((1, "one call at a time"), (BUSY, f"{BUSY} calls in flight")):
                rounds = _alternate(bench, partial(cpu_micros, in_flight), ours, empty, undecided)
                limit = Budget(CPU_LIMITS[loop], "x") if in_flight == 1 else None
                decided, reference, answered = rounds
                figures += [
                    Figure(f"CPU time of one decision, {loop}", decided, "µs", reference, AGAINST, limit, note),
                    Figure(
                        f"CPU time of our FastAGI server alone, {loop}", answered, "µs", reference, AGAINST, note=note
                    ),
                ]
    return figures


def measure_latency(bench: Workbench) -> list[Figure]:
    """Measure the time from the first packet to the answer, with 64 parallel calls."""
    figures = []
    for loop, python in _pythons(bench).items():
        bench.say(f"decision: latency with {LOADED} calls in flight, {loop}")
        with running_daemon(bench.copy(NUMBERS), python) as (_, ours), empty_server(python) as empty:
            _warm_up(ours, empty)
            failed: list[int] = []
            samples, reference = _alternate(bench, partial(p99_millis, failed), ours, empty)
        note = f"{LOADED} calls in flight" + (f", {sum(failed)} calls without a decision" if any(failed) else "")
        figures.append(
            Figure(f"p99 of a decision, {loop}", samples, "ms", reference, AGAINST, Budget(P99_LIMIT, "x"), note)
        )
    return figures


def cpu_micros(in_flight: int, server: Server, turn: int) -> float:
    """Run a round of calls. Return the server's CPU microseconds per call."""
    blocks = questions(CALLS, NUMBERS, turn)
    before = server.cpu_seconds()
    server.ask(blocks, in_flight)
    time.sleep(SETTLE_SECONDS)
    return 1e6 * (server.cpu_seconds() - before) / CALLS


def p99_millis(failed: list[int], server: Server, turn: int) -> float:
    """Run a round of calls. Return the p99 of the latency in milliseconds. Append the count of failures to `failed`."""
    answers = server.ask(questions(2 * CALLS, NUMBERS, turn), LOADED)
    failed.append(answers.failed)
    return 1e3 * answers.percentile(99)


def _alternate(bench: Workbench, measure: Callable[[Server, int], float], *servers: Server) -> list[list[float]]:
    of_each = [partial(measure, server) for server in servers]
    return alternate(bench.rounds(ROUNDS), *of_each)


def _warm_up(*servers: Server) -> None:
    for server in servers:
        server.ask(questions(500, NUMBERS, turn=-1))


def _pythons(bench: Workbench) -> dict[str, str]:
    """Return the Python interpreters, by the name of their event loop."""
    with_uvloop = {"uvloop": sys.executable} if has_uvloop() else {}
    return {**with_uvloop, "asyncio": python_without_uvloop(bench.directory)}
