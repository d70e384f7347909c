"""Measures events for receivers: deliveries per minute, their delay, and how dead receivers slow down decisions."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import hook_server
from benchmarks.callers import number_at
from benchmarks.decision import LOADED, NUMBERS, cpu_micros, p99_millis
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import ROOT, SETTINGS, running_daemon
from benchmarks.workbench import Workbench
from lab.ports import free_port
from lab.programs import COMMAND_LINE
from reputation.events import CallEnded, EventKind
from reputation.store.database import open_store
from reputation.store.event_deliveries import receiver_states
from reputation.store.outbox import add_event
from reputation.store.transaction import transaction

A_MINUTE = 10_000
SECONDS = 60.0
TICK_SECONDS = 0.1  # as often as the journal writes
SUBJECTS = 2_000
BACKLOG = 20_000
ROUNDS = 7
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
HOOK = '[[webhook]]\nname = "{name}"\nurl = "http://{address}/"\nsecret = "env:HOOK_SECRET"\nprivate = true\n'


def measure(bench: Workbench) -> list[Figure]:
    """Measure deliveries by a real sender to a real web server, and decisions while receivers are dead."""
    return [*_deliveries(bench), *_decisions(bench)]


def _deliveries(bench: Workbench) -> list[Figure]:
    seconds = 20.0 if bench.quick else SECONDS
    bench.say(f"events: {A_MINUTE:,} events a minute for {seconds:.0f} s, then {BACKLOG:,} events at once")
    state = bench.directory / "events-out"
    state.mkdir()
    with _hook_server() as (address, told), open_store(state / "callsieve.db") as db:
        with _sender(state, HOOK.format(name="hook", address=address)):
            began, written = time.monotonic(), 0
            while (elapsed := time.monotonic() - began) < seconds:
                due = int(elapsed * A_MINUTE / 60) - written
                _store_endings(db, written, due)
                written += due
                time.sleep(TICK_SECONDS)
            _wait_until_delivered(db)
            rate = 60 * written / (time.monotonic() - began)
            began = time.monotonic()
            _store_endings(db, written, BACKLOG)
            _wait_until_delivered(db)
            most = 60 * BACKLOG / (time.monotonic() - began)
        ages = sorted(told()["ages"][:written])
    least, steady = Budget(0.95 * A_MINUTE, "/min", at_least=True), f"{A_MINUTE:,} events happen a minute"
    at_once = f"{BACKLOG:,} events wait, about {SUBJECTS:,} numbers; one receiver"
    return [
        Figure("events delivered", [rate], "/min", budget=least, note=steady),
        Figure("delay of an event until its delivery, p99", [ages[int(0.99 * len(ages))]], "s", note=steady),
        Figure("events delivered", [most], "/min", note=at_once),
    ]


def _decisions(bench: Workbench) -> list[Figure]:
    """Measure decisions with three dead receivers that want all kinds of events, and without receivers.

    The CPU time includes the whole daemon with its writer. On a shared machine CPU time is more reliable than latency.
    """
    bench.say("events: p99 of a decision while receivers of events are dead")
    closed = free_port("127.0.0.1", socket.SOCK_STREAM)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as silent:  # accepts connections, but never answers
        silent_address = f"127.0.0.1:{silent.getsockname()[1]}"
        addresses = {"closed": f"127.0.0.1:{closed}", "silent": silent_address, "nowhere": "192.0.2.1"}
        hooks = "".join(HOOK.format(name=name, address=address) for name, address in addresses.items())
        told, plain = bench.copy(NUMBERS), bench.copy(NUMBERS)
        with running_daemon(told) as (_, ours), running_daemon(plain) as (_, theirs), _sender(told, hooks):
            failed: list[int] = []
            latency = partial(p99_millis, failed)
            p99, plain_p99, cpu, plain_cpu = alternate(
                bench.rounds(ROUNDS),
                lambda turn: latency(ours, turn),
                lambda turn: latency(theirs, turn),
                lambda turn: cpu_micros(1, ours, turn),
                lambda turn: cpu_micros(1, theirs, turn),
            )
    dead, against = "events of all kinds for 3 dead receivers", "no receivers"
    return [
        Figure(
            "p99 of a decision", p99, "ms", plain_p99, against, Budget(1.1, "x"), f"{LOADED} calls in flight, {dead}"
        ),
        Figure("CPU time of one decision", cpu, "µs", plain_cpu, against, note=dead),
    ]


def _store_endings(db: sqlite3.Connection, first: int, count: int) -> None:
    """Store an event of the kind CALL_ENDED for each of `count` calls."""
    with transaction(db):
        for number_ in range(first, first + count):
            number, now = number_at(number_ % SUBJECTS), time.time()
            add_event(db, EventKind.CALL_ENDED, number, now, _ended(number, f"{now:.0f}.{number_}", now))


def _ended(number: str, linkedid: str, now: float) -> CallEnded:
    about: dict[str, Any] = dict.fromkeys(CallEnded.__struct_fields__)
    about |= {"linkedid": linkedid, "direction": "inbound", "disposition": "answered", "caller": number}
    about |= {"caller_kind": "number", "rung": ("201",), "started_at": now - 20.0, "ring_seconds": 8.0}
    return CallEnded(**about | {"talk_seconds": 12.0, "voicemail_left": False, "complete": True})


def _wait_until_delivered(db: sqlite3.Connection) -> None:
    while receiver_states(db)[0].waiting:
        time.sleep(0.05)


@contextmanager
def _hook_server() -> Iterator[tuple[str, Any]]:
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    command = (sys.executable, "-m", hook_server.__name__, str(port))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()

        def told() -> Any:
            process.terminate()
            return json.loads(process.communicate()[0])

        try:
            yield f"127.0.0.1:{port}", told
        finally:
            process.kill()


@contextmanager
def _sender(state: Path, hooks: str) -> Iterator[None]:
    """Run `callsieve events send` for the `with` block, which begins when the sender has stored its receivers."""
    config = state / "events.toml"
    config.write_text(f"{SETTINGS}\n{hooks}")
    about = {"CALLSIEVE_CONFIG": str(config), "CALLSIEVE_STATE": str(state), "HOOK_SECRET": SECRET}
    command = (sys.executable, "-m", COMMAND_LINE, "events", "send")
    with (
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, **about}
        ) as process,
        open_store(state / "callsieve.db") as db,
    ):
        try:
            while not receiver_states(db):
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
