"""Measures PostgreSQL's CPU time to pass on a row while many sites are connected, because every row wakes all sites.

python -m benchmarks hub-wakeups     two to three minutes; prints the formula, and how many sites use a core
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Budget, Figure
from benchmarks.hub import join, make_hub, wakeups_per_second
from benchmarks.workbench import Workbench
from callsieve.hub.administration import address_of_site
from callsieve.hub.postgresql import connection_to
from callsieve.hub.sync import COLLECT_SECONDS, Sync
from lab.postgresql import PostgreSql
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.connection import Store
from reputation.store.marks import add_mark

SITES = (5, 50)
RATES = (1, 4, 20)
SECONDS = 12.0
WARM_UP = (20, 8.0)  # rows/s and seconds: then each connection has prepared its queries
LOOK_SECONDS = 0.02
TARGET_RATE, TARGET_MS = 4, 0.1
TARGET_SECONDS = 1.0
MOST_SITES = 100_000


class Connected(NamedTuple):
    """PostgreSQL's CPU load while `sites` sites are connected.

    `idle`: cores per site while nothing is pushed. `cores`: additional cores used while rows are pushed, by rows per
    second. `ages`: seconds until each mark arrived at another site, by rows per second.
    """

    sites: int
    idle: float
    cores: dict[int, float]
    ages: dict[int, list[float]]

    def row_ms(self, rate: int) -> float:
        """Return PostgreSQL's CPU milliseconds per row and connected site, including the push.

        `rate`: rows per second of all sites together.
        """
        return 1000 * self.cores[rate] / rate / self.sites


class Cost(NamedTuple):
    """PostgreSQL's CPU milliseconds to push a row (`push_ms`), and to wake a site that pulls it (`wake_ms`).

    `idle`: cores per connected site while nothing is pushed.
    """

    push_ms: float
    wake_ms: float
    idle: float

    def cores(self, sites: int, rate: float) -> float:
        """Return how many cores PostgreSQL uses if all sites together push `rate` rows per second."""
        return rate * self.push_ms / 1000 + sites * (self.idle + wakeups_per_second(rate) * self.wake_ms / 1000)

    def sites_of_a_core(self, rate: float) -> int:
        """Return from how many sites on PostgreSQL uses more than one core.

        `rate`: rows per second of all sites together.
        """
        return bisect_left(range(1, MOST_SITES), 1.0, key=lambda sites: self.cores(sites, rate)) + 1


def measure(bench: Workbench) -> list[Figure]:
    """Let the sites of an organisation push marks in turn, and measure PostgreSQL's load."""
    measured = []
    for sites in SITES:
        bench.say(f"hub-wakeups: {sites} connected sites that push {', '.join(map(str, RATES))} rows/s")
        seconds = SECONDS / 4 if bench.quick else SECONDS
        measured.append(asyncio.run(_measured(bench.directory / f"hub-{sites}", sites, seconds)))
    few, many = measured
    woken_ms = (many.cores[TARGET_RATE] - few.cores[TARGET_RATE]) / (many.sites - few.sites) / TARGET_RATE * 1000
    cost = cost_of(few, many)
    bench.say(load_formula(cost))
    note = f"PostgreSQL; {few.sites} and {many.sites} connected sites, {TARGET_RATE} rows/s"
    return [
        Figure("load of a connected site", [100 * many.idle], "% of a core", note="PostgreSQL; no rows are pushed"),
        Figure(
            "CPU time of a row for each further connected site",
            [woken_ms],
            "ms",
            budget=Budget(TARGET_MS, "ms"),
            note=note,
        ),
        Figure("CPU time to push a single row", [cost.push_ms], "ms", note=note),
        Figure("CPU time of a wake-up with its pull", [cost.wake_ms], "ms", note=note),
        *(figure for item in measured for figure in _figures(item)),
    ]


def cost_of(few: Connected, many: Connected) -> Cost:
    """Return the cost of a row and of a site, computed from the loads with few and with many sites."""
    site = (many.cores[TARGET_RATE] - few.cores[TARGET_RATE]) / (many.sites - few.sites)
    push_ms = 1000 * (few.cores[TARGET_RATE] - few.sites * site) / TARGET_RATE
    return Cost(push_ms, 1000 * site * COLLECT_SECONDS, many.idle)  # at this rate, rows cause wake-ups all the time


def load_formula(cost: Cost) -> str:
    """Return a formula for PostgreSQL's load, in cores, with n sites, and how many sites need more than one core."""
    lines = [
        f"cores = rows/s * {cost.push_ms / 1000:.5f} + n * ({cost.idle:.5f} + wake-ups/s * {cost.wake_ms / 1000:.6f}),",
        f"wake-ups/s = 1 / ({COLLECT_SECONDS} + exp(-{COLLECT_SECONDS} * rows/s) / (rows/s))",
    ]
    lines += [
        f"at {rate} rows/s, PostgreSQL needs more than one core from {cost.sites_of_a_core(rate):,} sites on"
        for rate in RATES
    ]
    return "\n".join(lines)


def _figures(connected: Connected) -> list[Figure]:
    figures = []
    for rate in connected.cores:
        note = f"{connected.sites} connected sites, {rate} rows/s"
        figures.append(
            Figure("CPU time per row and connected site, push included", [connected.row_ms(rate)], "ms", note=note)
        )
        if connected.sites == min(SITES):  # more sites would block each other, because they share a process here
            ages, within = sorted(connected.ages[rate]), Budget(TARGET_SECONDS, "s")
            p50, p99 = ages[len(ages) // 2], ages[int(0.99 * len(ages))]
            figures.append(Figure("delay until a mark is at another site, p50", [p50], "s", note=note))
            figures.append(Figure("delay until a mark is at another site, p99", [p99], "s", budget=within, note=note))
    return figures


async def _measured(folder: Path, count: int, seconds: float) -> Connected:
    with PostgreSql(options={"max_connections": str(count + 20), "autovacuum": "off"}) as server:
        await make_hub(server)
        async with _connected(server, folder, count) as stores:
            await _MarkExchange(stores, *WARM_UP).run()
            idle = await _cores(server, lambda: asyncio.sleep(seconds))
            cores, ages = {}, {}
            for rate in RATES:
                telling = _MarkExchange(stores, rate, seconds)
                cores[rate] = await _cores(server, telling.run) - idle
                ages[rate] = telling.ages
    return Connected(count, idle / count, cores, ages)


async def _cores(server: PostgreSql, work: Callable[[], Awaitable[None]]) -> float:
    """Return how many cores the processes of the server use during `work`."""
    before, began = server.cpu_seconds(), time.monotonic()
    await work()
    return (server.cpu_seconds() - before) / (time.monotonic() - began)


class _MarkExchange:
    """Lets sites push marks in turn.

    `rate`: marks per second. `ages`: the seconds until each mark arrived at the site that pushed before.
    """

    def __init__(self, stores: Sequence[Store], rate: int, seconds: float) -> None:
        self.ages: list[float] = []
        self._stores, self._rate, self._seconds = stores, rate, seconds

    async def run(self) -> None:
        began, seen = time.monotonic(), []
        for place in range(int(self._rate * self._seconds)):
            await asyncio.sleep(began + place / self._rate - time.monotonic())
            number, site = f"+1{secrets.randbelow(10**10):010}", place % len(self._stores)
            mark = Mark(number, AuthClass.UNKNOWN, "201", Verdict.SPAM, time.time(), MarkChannel.CLI)
            await self._stores[site].write(add_mark, mark)
            seen.append(asyncio.create_task(self._watch(self._stores[site - 1], number)))
        await asyncio.gather(*seen)

    async def _watch(self, store: Store, number: str) -> None:
        began = time.monotonic()
        while True:
            if await store.read(_is_marked, number):
                self.ages.append(time.monotonic() - began)
                return
            await asyncio.sleep(LOOK_SECONDS)


def _is_marked(db: sqlite3.Connection, number: str) -> bool:
    return db.execute("SELECT 1 FROM mark WHERE number = ?", (number,)).fetchone() is not None


@asynccontextmanager
async def _connected(server: PostgreSql, folder: Path, count: int) -> AsyncIterator[list[Store]]:
    """Connect `count` sites that share everything. Yield their stores during the `with` block."""
    stores = []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        tasks = []
        for site in [await join(server, folder / f"site{number}", f"site{number}") for number in range(count)]:
            stores.append(await Store.open(site.store_path))
            stack.push_async_callback(stores[-1].close)
            hub = await stack.enter_async_context(connection_to(address_of_site(site)))
            tasks.append(group.create_task(Sync(stores[-1], hub, site, secrets.token_hex(8)).run()))
        try:
            yield stores
        finally:
            for task in tasks:
                task.cancel()
