"""Measures two sites and the hub through which they share evidence: speed, CPU time, disk space, and delay.

python -m benchmarks.hub     calculate the cost of many sites from the figures in benchmarks/PERFORMANCE.md
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from benchmarks.callers import number_at
from benchmarks.console import made_call
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import ROOT, process_cpu_seconds
from benchmarks.workbench import Workbench
from callsieve.hub import administration, process
from callsieve.hub.administration import write_secret
from callsieve.hub.operations import secret_path
from callsieve.hub.postgresql import connection_to
from callsieve.hub.sync import COLLECT_SECONDS
from callsieve.settings import Loaded, load_settings
from lab.postgresql import PostgreSql
from lab.private_server import ADDRESS
from lab.programs import COMMAND_LINE
from reputation.facts import FactsQuery
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.numbers import stored_number
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.hub.link import set_link
from reputation.store.hub.outgoing import outbox_size, start_capture
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes, settle_outcomes
from reputation.store.transaction import transaction
from reputation.weights import DAY_SECONDS

ROWS = 20_000
MARKS = 300
READS = 5_000
ROUNDS = 7
CALLS = 100_000
BATCH = 5_000
IDLE_SECONDS = 20.0
US_A_DAY = 86_400e6
DATABASE = "callsieve"
HUB_BYTES = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = %s::regclass"


def measure(bench: Workbench) -> list[Figure]:
    """Push all marks of one site to another, then single marks.

    Then measure how fast facts are read at the other site.
    """
    rows, marks = (4_000, 60) if bench.quick else (ROWS, MARKS)
    with PostgreSql() as server:
        asyncio.run(make_hub(server))
        berlin, london = (
            asyncio.run(join(server, bench.directory / "hub" / name, name)) for name in ("berlin", "london")
        )
        bench.say(f"hub: pushing and pulling {rows:,} rows about as many numbers")
        _fill(berlin, rows)
        before = berlin.store_path.stat().st_size, _bytes(london)
        pushed, push_cpu, server_push = _timed(server, berlin)
        added_bytes = _bytes(berlin) - before[0]
        pulled, pull_cpu, server_pull = _timed(server, london)
        ((hub_bytes,),) = server.run(HUB_BYTES, ("callsieve.evidence_row",), database=DATABASE)
        bench.say(f"hub: {marks} marks, one at a time until it counts at the other site")
        ages = sorted(_ages(berlin, london, marks))
        bench.say("hub: reading the facts about numbers that another site has marked")
        both, own = alternate(bench.rounds(ROUNDS), lambda _: _read(london, rows), lambda _: _read(berlin, rows))
        bench.say("hub: load of an idle site")
        idle = _idle(server, london, 2.0 if bench.quick else IDLE_SECONDS)
    calls = 10_000 if bench.quick else CALLS
    bench.say(f"hub: outbox of a site after {calls:,} calls while the hub is down")
    outbox = [_outbox(bench, calls, private=private) for private in (False, True)]
    note = "one exchange of all rows, in one process"
    return [
        Figure("rows pushed", [rows / pushed], "/s", note=note),
        Figure("CPU time to push a row", [1e6 * push_cpu / rows], "µs", note="the site's process"),
        Figure("CPU time to push a row", [1e6 * server_push / rows], "µs", note="PostgreSQL"),
        Figure("rows pulled", [rows / pulled], "/s", note=f"{note}; including the new standing of each number"),
        Figure("CPU time to pull a row", [1e6 * pull_cpu / rows], "µs", note="the site's process"),
        Figure("CPU time to pull a row", [1e6 * server_pull / rows], "µs", note="PostgreSQL"),
        Figure("size of a row in the hub", [float(hub_bytes) / rows], "bytes", note="including its indices"),
        Figure(
            "size of a row of another site",
            [(_bytes(london) - before[1]) / rows],
            "bytes",
            note="in a site's store, including its part of the standing",
        ),
        Figure(
            "size of a site's own row that was pushed",
            [added_bytes / rows],
            "bytes",
            note="in the site's store, in addition to the row itself",
        ),
        Figure(
            "delay until a mark counts at the other site, p50",
            [ages[len(ages) // 2]],
            "s",
            note="hub processes of two sites, one mark at a time",
        ),
        Figure(
            "delay until a mark counts at the other site, p99",
            [ages[int(0.99 * len(ages))]],
            "s",
            budget=Budget(2.0, "s"),
        ),
        Figure("load of an idle site", [idle.site], "% of a core", note="the site's process"),
        Figure("load of an idle site", [idle.server], "% of a core", note="PostgreSQL"),
        Figure("memory of an idle site", [idle.bytes / 1e6], "MB"),
        *(
            Figure(what, [value], unit, note=f"{calls:,} calls of as many callers, hub unreachable; {words}")
            for (rows_waiting, room), words in zip(
                outbox,
                ("rows that all sites share", "these, and rows that only standbys and the central console need"),
                strict=True,
            )
            for what, value, unit in (
                ("rows in the outbox", float(rows_waiting), "rows"),
                ("size of the outbox", room / 1e6, "MB"),
            )
        ),
        Figure(
            "time to read the facts about a number",
            both,
            "µs",
            own,
            "numbers that the site itself has marked",
            Budget(1.05, "x"),
            "numbers that another site has marked",
        ),
    ]


class Costs(NamedTuple):
    """The costs of shared rows of evidence and of connected sites.

    `..._us`: CPU microseconds to push or pull a row, at the site or in PostgreSQL (`server`). `..._bytes`: bytes per
    row. `idle_server`: cores that PostgreSQL uses per connected site. `wake_ms`: CPU milliseconds in PostgreSQL to wake
    a site.
    """

    push_us: float
    push_server_us: float
    pull_us: float
    pull_server_us: float
    hub_bytes: float
    store_bytes: float
    idle_server: float
    wake_ms: float

    def server(self, sites: int, rows_a_day: int) -> float:
        """Return how many cores PostgreSQL needs if each site pushes this many rows per day."""
        rate = sites * rows_a_day / 86_400
        row_us = self.push_server_us + (sites - 1) * self.pull_server_us
        return rate * row_us / 1e6 + sites * (self.idle_server + wakeups_per_second(rate) * self.wake_ms / 1000)


def wakeups_per_second(rate: float) -> float:
    """Return how often per second a site is woken to pull, if `rate` rows per second arrive at random.

    A wake-up handles all rows of the last 0.75 s.
    """
    return 1 / (COLLECT_SECONDS + math.exp(-rate * COLLECT_SECONDS) / rate)


def costs_in(page: str) -> Costs:
    """Read the costs from the text of benchmarks/PERFORMANCE.md, as measured by the benchmarks hub and hub-wakeups."""
    measured = _figures_in(page, "hub")
    woken = _figures_in(page, "hub-wakeups")
    names = (
        "CPU time to push a row (the site's process)",
        "CPU time to pull a row (the site's process)",
        "CPU time to pull a row (PostgreSQL)",
        "size of a row in the hub (including its indices)",
        "size of a row of another site (in a site's store, including its part of the standing)",
    )
    push_us, *others = [measured[name] for name in names]
    alone_ms, wake_ms = (
        woken[f"{what} (PostgreSQL; 5 and 50 connected sites, 4 rows/s)"]
        for what in ("CPU time to push a single row", "CPU time of a wake-up with its pull")
    )
    pull_us, pull_server_us, hub_bytes, store_bytes = others
    return Costs(
        push_us=push_us,
        push_server_us=1000 * alone_ms,  # a row in a batch takes only microseconds
        pull_us=pull_us,
        pull_server_us=pull_server_us,
        hub_bytes=hub_bytes,
        store_bytes=store_bytes,
        idle_server=woken["load of a connected site (PostgreSQL; no rows are pushed)"] / 100,
        wake_ms=wake_ms,
    )


def _figures_in(page: str, name: str) -> dict[str, float]:
    table = page.partition(f"\n### {name}\n")[2].partition("\nprocessor:")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines() if line.startswith("| ")]
    return {what: float(value.split()[0].replace(",", "")) for what, value in cells[2:]}


def cost_tables(costs: Costs, rows_a_day: int = 2_000) -> str:
    """Return the calculated tables of benchmarks/MANY-SITES.md.

    `rows_a_day`: how many rows each site pushes per day.
    """
    lines = [
        "| sites | rows a day | cores of PostgreSQL | share of a core at each site | growth of the hub per year"
        " | growth of each store per year |",
        "|---|---|---|---|---|---|",
    ]
    for sites in (10, 100, 1_000, 10_000):
        rows = sites * rows_a_day
        server = costs.server(sites, rows_a_day)
        site = (rows_a_day * costs.push_us + (rows - rows_a_day) * costs.pull_us) / US_A_DAY
        hub, store = (f"{rows * 365 * size / 1e9:,.0f} GB" for size in (costs.hub_bytes, costs.store_bytes))
        lines.append(f"| {sites:,} | {rows:,} | {_two_digits(server)} | {_two_digits(site)} | {hub} | {store} |")
    billion = {
        "size of the hub": f"{costs.hub_bytes:,.0f} GB",
        "size of each partition, with 16 and with 128 partitions": ", ".join(
            f"{costs.hub_bytes / partitions:.0f} GB" for partitions in (16, 128)
        ),
        "size of the store of each site": f"{costs.store_bytes:,.0f} GB",
        "first exchange of a site: CPU time at the site": f"{1e9 * costs.pull_us / 3.6e9:.0f} h",
        "first exchange of a site: CPU time in PostgreSQL": f"{1e9 * costs.pull_server_us / 3.6e9:.1f} h",
    }
    most = bisect_left(range(1, 100_000), 1.0, key=lambda sites: costs.server(sites, rows_a_day))
    limit = f"more than one core, if each site pushes {rows_a_day:,} rows a day"
    idle = {
        "cores of PostgreSQL for 10,000 idle sites": f"{1e4 * costs.idle_server:.0f} cores",
        f"number of sites from which on PostgreSQL needs {limit}": f"{most + 1:,}",
    }
    lines += ["", "| 1 billion rows | |", "|---|---|", *(f"| {what} | {value} |" for what, value in billion.items())]
    return "\n".join([*lines, *(f"| {what} | {value} |" for what, value in idle.items())])


def _two_digits(value: float) -> str:
    """Format a number with two significant digits and without exponent, such as 0.000013."""
    return format(Decimal(f"{value:.2g}"), "f")


async def make_hub(server: PostgreSql) -> None:
    server.run(f"CREATE DATABASE {DATABASE}")
    async with connection_to(server.address(database=DATABASE)) as hub:
        await administration.initialise(hub)


async def join(server: PostgreSql, folder: Path, name: str) -> Loaded:
    """Return a new site with an empty store that has joined the hub."""
    state = folder / "state"
    state.mkdir(parents=True)
    config = folder / "callsieve.toml"
    config.write_text(f'[hub]\naddress = "postgresql://{ADDRESS}:{server.port}/{DATABASE}"\nsite = "{name}"\n')
    loaded = load_settings(config, {"CALLSIEVE_STATE": str(state)})
    async with connection_to(server.address(database=DATABASE)) as hub:
        write_secret(secret_path(loaded), await administration.add_site(hub, "main", name))
    with open_store(loaded.store_path):
        return loaded


def _fill(site: Loaded, rows: int) -> None:
    now = time.time()
    with open_store(site.store_path) as db, transaction(db):
        for number in range(rows):
            add_mark(db, _mark(number_at(number), now - number))


def _mark(number: str, at: float) -> Mark:
    return Mark(number, AuthClass.UNKNOWN, "201", Verdict.SPAM, at, MarkChannel.CLI)


def _timed(server: PostgreSql, site: Loaded) -> tuple[float, float, float]:
    """Synchronise a site once. Return the elapsed seconds, and the CPU seconds of the site and of the server."""
    began, cpu, theirs = time.monotonic(), time.process_time(), server.cpu_seconds()
    process.run_once(site)
    return time.monotonic() - began, time.process_time() - cpu, server.cpu_seconds() - theirs


def _bytes(site: Loaded) -> int:
    """Return the size of a site's database file, including the rows of the write-ahead log."""
    with open_store(site.store_path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return site.store_path.stat().st_size


def _ages(berlin: Loaded, london: Loaded, marks: int) -> Iterator[float]:
    with ExitStack() as stack:
        for site in (berlin, london):
            stack.enter_context(_running(site))
        here, there = (stack.enter_context(open_store(site.store_path)) for site in (berlin, london))
        for number_ in range(marks + 1):
            number = f"+1202555{number_:04}"
            with transaction(here):
                add_mark(here, _mark(number, time.time()))
            began = time.monotonic()
            while not there.execute("SELECT 1 FROM standing WHERE number = ?", (number,)).fetchone():
                time.sleep(0.002)
            if number_:  # the first mark waits for the start of the processes
                yield time.monotonic() - began


def _read(site: Loaded, rows: int) -> float:
    """Return how many microseconds it takes on average to read the facts that a decision needs."""
    with open_store(site.store_path) as db:
        began = time.process_time()
        for number in range(READS):
            facts_of(db, FactsQuery(stored_number(number_at(number % rows)), AuthClass.UNKNOWN, None, time.time()))
        return 1e6 * (time.process_time() - began) / READS


class _Idle(NamedTuple):
    """The load of an idle site: percent of a core at the site and in PostgreSQL, and bytes of memory."""

    site: float
    server: float
    bytes: int


def _idle(server: PostgreSql, site: Loaded, seconds: float) -> _Idle:
    """Measure the load of a site's hub process that has nothing to exchange.

    The start of the process does not count.
    """
    with _running(site) as process:
        time.sleep(3.0)
        cpu, theirs, began = process_cpu_seconds(process.pid), server.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        share = 100 / (time.monotonic() - began)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return _Idle(
            share * (process_cpu_seconds(process.pid) - cpu),
            share * (server.cpu_seconds() - theirs),
            pages * os.sysconf("SC_PAGE_SIZE"),
        )


def _outbox(bench: Workbench, calls: int, *, private: bool) -> tuple[int, int]:
    """Return how many rows wait to be pushed if the hub is unreachable during this many calls, and their size in bytes.

    `private`: whether rows wait that only standbys and the central console need.
    """
    rng, now = random.Random(1), time.time()
    path = bench.directory / f"outbox-{private}.db"
    with open_store(path) as db:
        with transaction(db):
            set_link(db, "berlin", "main", "dead")
            start_capture(db, private=private)
        for start in range(0, calls, BATCH):
            made = [made_call(rng, place, now - calls + place) for place in range(start, min(start + BATCH, calls))]
            with transaction(db):
                record_decisions(db, (decision for decision, _ in made))
                record_outcomes(db, [ended for _, ended in made], now)
        with transaction(db):
            while settle_outcomes(db, now + DAY_SECONDS, BATCH):
                pass
        ((room,),) = db.execute("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'hub_outbox%'")
        return outbox_size(db)[0], room


@contextmanager
def _running(site: Loaded) -> Iterator[subprocess.Popen[bytes]]:
    command = (sys.executable, "-m", COMMAND_LINE, "hub", "run", "--config", str(site.file))
    environment = {**os.environ, "CALLSIEVE_STATE": str(site.state)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment) as child:
        try:
            yield child
        finally:
            child.terminate()


if __name__ == "__main__":
    print(cost_tables(costs_in((ROOT / "benchmarks/PERFORMANCE.md").read_text())))
