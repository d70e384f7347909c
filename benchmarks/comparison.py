"""Compares CallSieve with other ways to look up a caller. Also measures CallSieve's cost by store size and call rate.

An Asterisk has seven numbers with the same dialplan, except for what looks up the caller:

- nothing
- a list in AstDB, like FreePBX's blacklist
- a script with pyst2 or in PHP that opens a SQLite file for each call
- panoramisk with an empty handler
- panoramisk with a look-up by aiosqlite
- CallSieve with a store that has as many numbers
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import naive_handler
from benchmarks.callers import callers, number_at, questions
from benchmarks.calls import REPLY
from benchmarks.decision import SETTLE_SECONDS
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import DECIDED, Server, empty_server, process_cpu_seconds, running_daemon
from benchmarks.setups import CONF, OPEN, RATE
from benchmarks.workbench import Workbench
from lab import Asterisk, Carrier, Load
from lab.load import EACH
from lab.php import ensure_php_with_sqlite

KNOWN = 1_000_000
QUICK_KNOWN = 10_000
LISTED = 20  # numbers in AstDB
ROUNDS = 2
CALLS, OTHERS_CALLS = ({"pyst2": 60, "php": 60}, 600)  # fewer calls if each starts a process
OPEN_SCRIPTS = 8
STEADY, STEADY_CALLS = (10.0, 100)  # rate (calls/s) and number of the calls whose delay is measured
RATES = (1, 10, 100, 400)
RATE_SECONDS = 6.0
FEW = 10_000
SLOWDOWN = Budget(1.2, "x")

WAYS = {
    "plain": "no query to a program",
    "astdb": "a list in AstDB, read by the dialplan",
    "pyst2": "a pyst2 script per call",
    "php": "a PHP script per call",
    "empty": "panoramisk, nothing looked up",
    "naive": "panoramisk, one look-up by aiosqlite",
    "ours": "CallSieve",
}
EXTENSIONS = """\
[from-carrier]
exten => plain,1,Answer()
 same => n,Wait(5)
 same => n,Hangup()
exten => astdb,1,Gosub(listed,s,1)
 same => n,GotoIf($["${LISTED}" = "1"]?blocked)
 same => n,Goto(plain,1)
 same => n(blocked),Hangup(21)
exten => pyst2,1,AGI(${PYST2_SCRIPT},${NAIVE_DATABASE})
 same => n,Goto(plain,1)
exten => php,1,AGI(${PHP_SCRIPT},${NAIVE_DATABASE})
 same => n,Goto(plain,1)
exten => empty,1,AGI(${EMPTY_AGI}/screen)
 same => n,Goto(plain,1)
exten => naive,1,AGI(${NAIVE_AGI}/screen)
 same => n,Goto(plain,1)
exten => ours,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Goto(plain,1)
[listed]
exten => s,1,Set(LISTED=${DB_EXISTS(blacklist/${CALLERID(num)})})
 same => n,Return()
[from-internal]
exten => s,1,Hangup()
"""
PYST2 = f"""\
#!{sys.executable}
import sqlite3, sys
from asterisk.agi import AGI
agi = AGI()
db = sqlite3.connect(sys.argv[1])
found = db.execute("{naive_handler.LOOK_UP}", (agi.env["agi_callerid"],)).fetchone()
agi.set_variable("KNOWN", "0" if found is None else "1")
"""
PHP = f"""\
#!PHP_PROGRAM
<?php
$said = [];
while (($line = trim((string) fgets(STDIN))) !== '') {{
    [$name, $value] = array_pad(explode(': ', $line, 2), 2, '');
    $said[$name] = $value;
}}
$db = new SQLite3($argv[1], SQLITE3_OPEN_READONLY);
$asked = $db->prepare('{naive_handler.LOOK_UP}');
$asked->bindValue(1, $said['agi_callerid'] ?? '');
$known = $asked->execute()->fetchArray() === false ? 0 : 1;
echo "SET VARIABLE KNOWN $known\\n";
fgets(STDIN);
"""


@dataclass(slots=True)
class Office:
    """The load generator, Asterisk, and the programs that look up callers.

    `cost`: CPU milliseconds of Asterisk and program per call, by way to look up.
    """

    carrier: Carrier
    asterisk: int
    servers: dict[str, int]
    callers: Sequence[str]
    cost: dict[str, list[float]] = field(default_factory=dict)

    def rate(self, way: str, turn: int) -> float:
        """Run a round of calls. Return how many calls per second Asterisk sets up when it is saturated."""
        calls, opened = (CALLS.get(way, OTHERS_CALLS), OPEN_SCRIPTS if way in CALLS else OPEN)
        load = Load(RATE, calls, way, self.callers[turn * calls :][:calls], concurrent=opened, talk_seconds=0.02)
        before = self._seconds(way)
        result = self.carrier.load(load)
        if result.failed > calls // 2:  # on a busy server some scripts take longer than SIPp waits
            raise RuntimeError(
                f"calls screened by {way}: {result.failed} of {calls} calls failed: {dict(result.failures)}"
            )
        time.sleep(SETTLE_SECONDS)
        self.cost.setdefault(way, []).append(1e3 * (self._seconds(way) - before) / result.succeeded)
        return result.rate

    def delays(self, way: str) -> list[float]:
        """Return the milliseconds from INVITE to answer for each call, at a rate that does not saturate Asterisk."""
        numbers = self.callers[-STEADY_CALLS:]
        result = self.carrier.load(Load(STEADY, STEADY_CALLS, way, numbers, talk_seconds=0.02, options=EACH))
        return sorted(1e3 * seconds for seconds in result.setups)

    def _seconds(self, way: str) -> float:
        server = self.servers.get(way)
        return seconds_with_children(self.asterisk) + (process_cpu_seconds(server) if server else 0.0)


def measure(bench: Workbench) -> list[Figure]:
    """Measure call set-ups per second, delay and CPU time for each way to look up a caller."""
    known = QUICK_KNOWN if bench.quick else KNOWN
    database = bench.directory / "naive.db"
    make_database(database, known)
    with ExitStack() as stack:
        daemon, ours = stack.enter_context(running_daemon(bench.copy(known)))
        empty = stack.enter_context(empty_server())
        naive = stack.enter_context(empty_server(handler=naive_handler.__name__, arguments=(str(database),)))
        variables = {
            "CALLSIEVE_AGI": daemon.url,
            "EMPTY_AGI": f"agi://127.0.0.1:{empty.port}",
            "NAIVE_AGI": f"agi://127.0.0.1:{naive.port}",
            "PYST2_SCRIPT": str(_script(bench.directory / "lookup-pyst2", PYST2)),
            "PHP_SCRIPT": str(
                _script(bench.directory / "lookup-php", PHP.replace("PHP_PROGRAM", ensure_php_with_sqlite()))
            ),
            "NAIVE_DATABASE": str(database),
        }
        asterisk = stack.enter_context(
            Asterisk(extensions=EXTENSIONS, includes=[CONF], globals=variables, verbose=False)
        )
        for n in range(LISTED):
            asterisk.cli(f"database put blacklist {number_at(10**9 + n)} 1")
        servers = {"empty": empty.pid, "naive": naive.pid, "ours": ours.pid}
        office = Office(Carrier(asterisk), asterisk.pid, servers, callers(20_000, known))
        bench.say("comparison: call set-ups per second")
        for way in ("plain", "naive", "ours"):
            office.rate(way, 0)
        office.cost.clear()
        rates = alternate(bench.rounds(ROUNDS), *[partial(office.rate, way) for way in WAYS])
        bench.say("comparison: delay of a call until its answer")
        delays = {way: office.delays(way) for way in WAYS}
    return [
        figure
        for way, values in zip(WAYS, rates, strict=True)
        for figure in _figures(way, values, rates[0], delays, office)
    ]


def _figures(
    way: str, rates: list[float], plain: list[float], delays: dict[str, list[float]], office: Office
) -> list[Figure]:
    what = WAYS[way]
    note = f"{STEADY:.0f} calls/s, INVITE to answer"
    p50, p99 = (percentile(delays[way], percent) for percent in (50, 99))
    if way == "plain":
        return [
            Figure(f"call set-ups, {what}", rates, "/s"),
            Figure(f"median delay, {what}", [p50], "ms", note=note),
            Figure(f"p99 of the delay, {what}", [p99], "ms", note=note),
            Figure(f"CPU time of a call, {what}", office.cost[way], "ms", note="Asterisk"),
        ]
    before = [percentile(delays["plain"], percent) for percent in (50, 99)]
    return [
        Figure(f"call set-ups, {what}", rates, "/s", plain, WAYS["plain"]),
        Figure(f"median of the added delay, {what}", [p50 - before[0]], "ms", note=note),
        Figure(f"p99 of the added delay, {what}", [p99 - before[1]], "ms", note=note),
        Figure(
            f"CPU time of a call, {what}",
            office.cost[way],
            "ms",
            office.cost["plain"],
            WAYS["plain"],
            note="Asterisk and the program that it queries",
        ),
    ]


def measure_scale(bench: Workbench) -> list[Figure]:
    """Measure the CPU time and the latency of a decision, by size of the store and by call rate."""
    sizes = tuple(dict.fromkeys((FEW, KNOWN, *bench.sizes)))
    with ExitStack() as stack:
        servers = [stack.enter_context(running_daemon(bench.built(size).state))[1] for size in sizes]
        bench.say("scale: cost of a decision by size of the store")
        costs = alternate(
            bench.rounds(5), *[partial(_micros, server, size) for server, size in zip(servers, sizes, strict=True)]
        )
        figures = [
            Figure(
                f"CPU time of a decision, store of {size:,} numbers",
                values,
                "µs",
                costs[0],
                f"store of {FEW:,} numbers",
                SLOWDOWN if place else None,
            )
            for place, (size, values) in enumerate(zip(sizes, costs, strict=True))
        ]
        bench.say("scale: cost of a decision by calls per second")
        for rate in RATES:
            figures += _at_rate(servers[1], KNOWN, rate)
    return figures


def _micros(server: Server, size: int, turn: int) -> float:
    blocks = questions(500, size, turn)
    before = server.cpu_seconds()
    server.ask(blocks, 4)
    time.sleep(SETTLE_SECONDS)
    return 1e6 * (server.cpu_seconds() - before) / len(blocks)


def _at_rate(server: Server, known: int, rate: int) -> list[Figure]:
    """Make calls one at a time at a fixed rate. If a call ends late, the next one starts sooner."""
    blocks = questions(max(20, int(rate * RATE_SECONDS)), known, rate)
    before, began = server.cpu_seconds(), time.perf_counter()
    seconds = []
    for number, block in enumerate(blocks):
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        seconds.append(_seconds_of(server.port, block))
    time.sleep(SETTLE_SECONDS)
    cpu = 1e6 * (server.cpu_seconds() - before) / len(blocks)
    reached = len(blocks) / (time.perf_counter() - began - SETTLE_SECONDS)
    note = f"store of {known:,} numbers, {reached:.3g} calls/s reached"
    return [
        Figure(f"CPU time of a call at {rate} calls/s", [cpu], "µs", note=f"{note}; everything the daemon does"),
        *(
            Figure(f"p{p} of a decision at {rate} calls/s", [1e3 * percentile(sorted(seconds), p)], "ms", note=note)
            for p in (50, 99)
        ),
    ]


def _seconds_of(port: int, block: bytes) -> float:
    """Return the seconds from the first packet of a call to its answer."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 2.0) as connection:
        for line in block.splitlines(keepends=True):
            connection.sendall(line)
        answer = b""
        while DECIDED not in answer and (data := connection.recv(8192)):
            answer += data
            connection.sendall(REPLY * data.count(b"\n"))
        took = time.perf_counter() - began
        while connection.recv(8192):
            pass
    return took


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values; 0 for an empty list."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def seconds_with_children(pid: int) -> float:
    """Return the CPU seconds of a process and its ended children, with the resolution of the kernel's clock tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def make_database(path: Path, known: int) -> None:
    """Create a table of numbers with an index, as in a database that a script queries."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE number (number TEXT PRIMARY KEY, category TEXT) WITHOUT ROWID")
        db.executemany(
            "INSERT INTO number VALUES (?, 'scam')", ((number,) for number in sorted(map(number_at, range(known))))
        )
        db.commit()


def _script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path
