"""Measures a store with ten million or more phone numbers: look-up time, disk space, and memory of the daemon."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import ExitStack, closing
from functools import partial
from statistics import median

from benchmarks.callers import DID, callers, questions
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import Server, running_daemon
from benchmarks.workbench import Workbench
from callsieve.daemon.daemon import loop_factory
from reputation.facts import FactsQuery
from reputation.model import AuthClass
from reputation.numbers import stored_number
from reputation.store.connection import Store
from reputation.store.database import connect
from reputation.store.facts import facts_of

FEW = 10_000
ROUNDS = 7
LOOKUPS = 2000
QUESTIONS = 1000
IN_FLIGHT = 8

SLOWDOWN = Budget(1.2, "x")
BYTES = Budget(100, "bytes")
RESIDENT = Budget(80, "MB")
RESIDENT_LARGEST = Budget(120, "MB")


def measure(bench: Workbench) -> list[Figure]:
    return [figure for many in bench.sizes for figure in _measure(bench, many)]


def _measure(bench: Workbench, many: int) -> list[Figure]:
    built = bench.built(many)
    note = f"store of {many:,} numbers"
    return [
        Figure("numbers imported", [many / built.seconds], "/s", note=note),
        Figure("size of the store per number", [built.store.stat().st_size / many], "bytes", budget=BYTES, note=note),
        *_in_process(bench, many, note),
        *_through_fastagi(bench, many, note),
    ]


def _in_process(bench: Workbench, many: int, note: str) -> list[Figure]:
    bench.say("lookup: reading the facts about numbers in one process")
    sizes = (many, FEW)
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory()))
        stores = [runner.run(Store.open(bench.built(numbers).store)) for numbers in sizes]
        for store in stores:
            stack.callback(lambda store: runner.run(store.close()), store)
        plain = [stack.enter_context(closing(connect(bench.built(numbers).store))) for numbers in sizes]
        through_store = [partial(_micros_through, runner, *pair) for pair in zip(stores, sizes, strict=True)]
        alone = [partial(_micros_alone, *pair) for pair in zip(plain, sizes, strict=True)]
        return [
            _compared(bench, "look-up, SQL statement alone", alone, note),
            _compared(bench, "look-up through the store's reader thread", through_store, note),
        ]


def _through_fastagi(bench: Workbench, many: int, note: str) -> list[Figure]:
    with (
        running_daemon(bench.built(many).state) as (_, large),
        running_daemon(bench.copy(FEW)) as (_, small),
    ):
        bench.say("lookup: decisions over FastAGI")
        measures = [partial(_micros_of_call, large, many), partial(_micros_of_call, small, FEW)]
        figure = _compared(bench, "decision over FastAGI", measures, note)
        calls = 10_000 if bench.quick else 50_000
        bench.say(f"lookup: memory after {calls:,} calls")
        for turn in range(calls // QUESTIONS):
            large.ask(questions(QUESTIONS, many, 1000 + turn), IN_FLIGHT)
        resident = large.resident_bytes() / 1e6
    budget = RESIDENT if many <= bench.many else RESIDENT_LARGEST
    return [
        figure,
        Figure("memory of the daemon", [resident], "MB", budget=budget, note=f"{note}, after {calls:,} calls"),
    ]


def _compared(bench: Workbench, what: str, measures: list[partial[float]], note: str) -> Figure:
    many, few = alternate(bench.rounds(ROUNDS), *measures)
    return Figure(what, many, "µs", few, f"store of {FEW:,} numbers", SLOWDOWN, note)


def _micros_alone(db: sqlite3.Connection, numbers: int, turn: int) -> float:
    queries = _queries(numbers, turn)
    began = time.perf_counter()
    for query in queries:
        facts_of(db, query)
    return 1e6 * (time.perf_counter() - began) / len(queries)


def _micros_through(runner: asyncio.Runner, store: Store, numbers: int, turn: int) -> float:
    return runner.run(_micros_of_reads(store, _queries(numbers, turn)))


async def _micros_of_reads(store: Store, queries: list[FactsQuery]) -> float:
    give_up_at = time.monotonic() + 60.0
    began = time.perf_counter()
    for query in queries:
        await store.facts(query, give_up_at)
    return 1e6 * (time.perf_counter() - began) / len(queries)


def _micros_of_call(server: Server, numbers: int, turn: int) -> float:
    return 1e6 * median(server.ask(questions(QUESTIONS, numbers, turn)).seconds)


def _queries(numbers: int, turn: int) -> list[FactsQuery]:
    now = time.time()
    return [
        FactsQuery(stored_number(caller), AuthClass.UNKNOWN, DID, now) for caller in callers(LOOKUPS, numbers, turn)
    ]
