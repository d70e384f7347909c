"""Two sites and their hub: rows a second each way, their cost in CPU and room, and how soon a mark counts elsewhere."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.callers import number_at
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import ROOT
from benchmarks.workbench import Workbench
from callsieve.hub import administration, process
from callsieve.hub.address import write_secret
from callsieve.hub.postgresql import connection_to
from callsieve.hub.secret_file import secret_path
from callsieve.settings import Loaded, load_settings
from lab.postgresql import PostgreSql
from lab.private_server import ADDRESS
from lab.programs import COMMAND_LINE
from reputation.model import AuthClass, FactsQuery, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction

ROWS = 20_000
MARKS = 300
READS = 5_000
ROUNDS = 7
DATABASE = "callsieve"
HUB_BYTES = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = %s::regclass"


def measure(bench: Workbench) -> list[Figure]:
    """A site tells another everything it has; then a mark at a time; then decisions beside what came."""
    rows, marks = (4_000, 60) if bench.quick else (ROWS, MARKS)
    with PostgreSql() as server:
        server.run(f"CREATE DATABASE {DATABASE}")
        berlin, london = (
            asyncio.run(_join(server, bench.directory / "hub" / name, name)) for name in ("berlin", "london")
        )
        bench.say(f"hub: {rows:,} rows, of as many numbers")
        _fill(berlin, rows)
        before = berlin.store_path.stat().st_size, _bytes(london)
        pushed, push_cpu, server_push = _timed(server, berlin)
        told = _bytes(berlin) - before[0]
        pulled, pull_cpu, server_pull = _timed(server, london)
        ((hub_bytes,),) = server.run(HUB_BYTES, ("callsieve.evidence_row",), database=DATABASE)
        bench.say(f"hub: {marks} marks, each counting at the other site")
        ages = sorted(_ages(berlin, london, marks))
        bench.say("hub: facts of numbers that two sites have marked")
        both, one = alternate(bench.rounds(ROUNDS), lambda _: _read(london, rows), lambda _: _read(berlin, rows))
    note = "an exchange of everything, in one process"
    return [
        Figure("rows pushed", [rows / pushed], "/s", note=note),
        Figure("CPU of a pushed row", [1e6 * push_cpu / rows], "µs", note="the site's process"),
        Figure("CPU of a pushed row", [1e6 * server_push / rows], "µs", note="PostgreSQL"),
        Figure("rows pulled", [rows / pulled], "/s", note=f"{note}; each number folded again"),
        Figure("CPU of a pulled row", [1e6 * pull_cpu / rows], "µs", note="the site's process"),
        Figure("CPU of a pulled row", [1e6 * server_pull / rows], "µs", note="PostgreSQL"),
        Figure("a row in the hub", [float(hub_bytes) / rows], "bytes", note="with its indices"),
        Figure("a row of another site", [(_bytes(london) - before[1]) / rows], "bytes", note="in a store, its sum too"),
        Figure("a row of ours that was told", [told / rows], "bytes", note="in a store, beside the row itself"),
        Figure("a mark counts elsewhere, p50", [ages[len(ages) // 2]], "s", note="two processes, one after the other"),
        Figure("a mark counts elsewhere, p99", [ages[int(0.99 * len(ages))]], "s", budget=Budget(2.0, "s")),
        Figure(
            "facts of a number", both, "µs", one, "the same rows of our own", Budget(1.05, "x"), "rows of another site"
        ),
    ]


async def _join(server: PostgreSql, folder: Path, name: str) -> Loaded:
    state = folder / "state"
    state.mkdir(parents=True)
    config = folder / "callsieve.toml"
    config.write_text(f'[hub]\naddress = "postgresql://{ADDRESS}:{server.port}/{DATABASE}"\nsite = "{name}"\n')
    loaded = load_settings(config, {"CALLSIEVE_STATE": str(state)})
    async with connection_to(server.address(database=DATABASE)) as hub:
        await administration.initialise(hub)
        write_secret(secret_path(loaded), await administration.add_site(hub, "main", name))
    with open_store(loaded.store_path):
        return loaded


def _fill(site: Loaded, rows: int) -> None:
    now = time.time()
    with open_store(site.store_path) as db, transaction(db):
        for one in range(rows):
            add_mark(db, _mark(number_at(one), now - one))


def _mark(number: str, at: float) -> Mark:
    return Mark(number, AuthClass.UNKNOWN, "201", Verdict.SPAM, at, MarkChannel.CLI)


def _timed(server: PostgreSql, site: Loaded) -> tuple[float, float, float]:
    """Seconds, CPU seconds of the site, and of the server's processes."""
    began, cpu, theirs = time.monotonic(), time.process_time(), server.cpu_seconds()
    process.run_once(site)
    return time.monotonic() - began, time.process_time() - cpu, server.cpu_seconds() - theirs


def _bytes(site: Loaded) -> int:
    """Of the file, with all of its log in it."""
    with open_store(site.store_path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return site.store_path.stat().st_size


def _ages(berlin: Loaded, london: Loaded, marks: int) -> Iterator[float]:
    with ExitStack() as stack:
        for site in (berlin, london):
            stack.enter_context(_running(site))
        here, there = (stack.enter_context(open_store(site.store_path)) for site in (berlin, london))
        for one in range(marks + 1):
            number = f"+1202555{one:04}"
            with transaction(here):
                add_mark(here, _mark(number, time.time()))
            began = time.monotonic()
            while not there.execute("SELECT 1 FROM standing WHERE number = ?", (number,)).fetchone():
                time.sleep(0.002)
            if one:  # the first waits for the processes
                yield time.monotonic() - began


def _read(site: Loaded, rows: int) -> float:
    """Microseconds of one read of facts."""
    with open_store(site.store_path) as db:
        began = time.process_time()
        for one in range(READS):
            facts_of(db, FactsQuery(number_at(one % rows), AuthClass.UNKNOWN, None, time.time()))
        return 1e6 * (time.process_time() - began) / READS


@contextmanager
def _running(site: Loaded) -> Iterator[None]:
    command = (sys.executable, "-m", COMMAND_LINE, "hub", "run", "--config", str(site.file))
    environment = {**os.environ, "CALLSIEVE_STATE": str(site.state)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment) as child:
        try:
            yield
        finally:
            child.terminate()
