"""Measures how fast console pages over a million calls respond to fifty users, and how much decisions slow down."""

from __future__ import annotations

import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from benchmarks.callers import questions
from benchmarks.decision import CALLS, LOADED, p99_millis
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import ROOT, SETTINGS, Server, process_cpu_seconds, running_daemon
from benchmarks.workbench import Workbench
from callsieve.web.tokens import hash_of, new_token
from lab.ports import free_port
from lab.programs import CONSOLE
from reputation.model import AuthClass, CallerKind, DecisionRecord, Direction, Disposition
from reputation.outcome import OutcomeRecord
from reputation.site_names import ALPHABET
from reputation.store.calls import CallFilter, find_calls
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction
from reputation.store.users import Lifetime, add_user, start_session
from reputation.users import ConsoleUser, Role, Session

PAGE = Budget(50, "ms")
SLOWDOWN = Budget(2.0, "x")
KNOWN = 1_000_000  # imported numbers
USERS = 50
PAUSE_SECONDS = 3.0  # between two pages of a user, on average: nobody reads faster
BATCH = 20_000
DAYS = 90
ENDED_DAYS = 5  # calls of the last days have outcomes, which take longer to learn from than to store
PEOPLE = 200
ROUNDS = 5
READS = 40

# Percentage of calls with each action, and the evidence for it.
SHARES = {"allow": 88, "tag": 5, "warn": 4, "challenge": 2, "reject": 1}
LOG_ODDS = {"allow": 0.0, "tag": 1.7, "warn": 3.3, "challenge": 4.9, "reject": 7.2}
VECTOR = json.dumps(
    {
        "families": [
            {"family": "marks", "log_odds": 2.46, "counts": {"marked": 1, "answered": 3, "silent": 2}},
            {"family": "behaviour", "log_odds": 1.9, "counts": {"hung-up-on": 3, "unanswered": 2}},
        ],
        "would_change": [{"what": "one of us calls the number back and talks for 30 s", "level": "tag"}],
    }
)
PAGES = {
    "today": "/",
    "calls": "/calls",
    "calls that were rejected 40 days ago": "/calls?action=reject&after={after}-0",
    "calls of a number": "/calls?number={number}",
    "calls of a person": "/calls?callee=201",
    "a call": "/calls/{call}",
    "a number": "/numbers/{number}",
}


def measure(bench: Workbench) -> list[Figure]:
    """Measure response times for one user and for fifty, the memory, and the p99 of decisions under this load."""
    calls = 100_000 if bench.quick else 1_000_000
    state = bench.copy(KNOWN)
    bench.say(f"console: storing {calls:,} calls")
    paths, token = fill(state / "callsieve.db", calls)
    note = f"{calls:,} calls"
    with running_daemon(state) as (_, server), running_console(state) as (pid, port):
        bench.say("console: one user opens one page at a time")
        alone = [
            Figure(f"page: {name}", _pages(port, token, path), "ms", budget=PAGE, note=note)
            for name, path in paths.items()
        ]
        bench.say(f"console: {USERS} users open pages at the same time")
        before = process_cpu_seconds(pid)
        with simulated_users(port, list(paths.values()), token) as taken:
            time.sleep(5 if bench.quick else 20)
        cpu_millis = 1e3 * (process_cpu_seconds(pid) - before) / len(taken)
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return [
            *alone,
            Figure(
                f"p95 of the response time of a page, {USERS} people",
                [_quantile(taken, 0.95)],
                "ms",
                note=f"{len(taken):,} pages",
            ),
            Figure("CPU time of a page", [cpu_millis], "ms", note=f"{USERS} people"),
            Figure("memory of the console", [resident / 1e6], "MB", note=f"{USERS} people"),
            _measure_decisions(bench, server, port, list(paths.values()), token),
        ]


def fill(path: Path, calls: int) -> tuple[dict[str, str], str]:
    """Store the calls of the last DAYS days, and a user. Return the paths of the pages and a session token."""
    rng, now, token = random.Random(1), time.time(), new_token()
    with open_store(path) as db:
        for start in range(0, calls, BATCH):
            places = range(start, start + BATCH)
            made = [made_call(rng, place, now - DAYS * 86400 * (1 - place / calls)) for place in places]
            with transaction(db):
                record_decisions(db, (decision for decision, _ in made))
            _add_outcomes(db, [ended for _, ended in made if ended.at > now - ENDED_DAYS * 86400])
        with transaction(db):
            add_user(db, ConsoleUser("bench", Role.OPERATOR, "201", now, now), "no password")
            session = Session(hash_of(token), "bench", now, now, "127.0.0.1", "benchmark")
            start_session(db, session, Lifetime(3600.0, 86400.0))
        (call,) = find_calls(db, CallFilter(action="warn"), None, 1)
    about = {"call": call.id, "number": quote(call.caller or ""), "after": f"{now - 40 * 86400:.1f}"}
    return {name: path.format(**about) for name, path in PAGES.items()}, token


def made_call(rng: random.Random, place: int, at: float) -> tuple[DecisionRecord, OutcomeRecord]:
    """Return the decision and the outcome of an invented inbound call.

    `place`: its index, from which its number follows.
    """
    action = rng.choices(list(SHARES), list(SHARES.values()))[0]
    number = f"+1201{rng.randrange(2_000_000, 9_999_999)}"
    decision = DecisionRecord(
        id="".join(ALPHABET[(place * 2_654_435_761 >> shift) & 31] for shift in range(0, 40, 5)),
        at=at,
        linkedid=f"bench.{place}",
        caller=number,
        caller_kind=CallerKind.NUMBER,
        auth_class=AuthClass.UNKNOWN,
        did=f"+4420718387{50 + place % 20}",
        trunk="carrier",
        callee=None,
        action=action,
        would_be=action,
        rule="default" if action == "allow" else f"level-{action}",
        reason="other people have complained about this number",
        level="none" if action == "allow" else action,
        log_odds=LOG_ODDS[action],
        vector='{"families": [], "would_change": []}' if action == "allow" else VECTOR,
        policy="cautious",
        elapsed_ms=0.5,
    )
    talk = rng.choice((0.0, 0.0, 4.0, 12.0, 45.0, 120.0))
    ended = OutcomeRecord(
        linkedid=decision.linkedid,
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED if talk else Disposition.NO_ANSWER,
        caller=number,
        did=decision.did,
        answered_by=str(201 + rng.randrange(PEOPLE)) if talk else None,
        ring_seconds=8.0,
        talk_seconds=talk,
        decision_id=decision.id,
        action=action,
    )
    return decision, ended


@contextmanager
def running_console(state: Path) -> Iterator[tuple[int, int]]:
    """Run the console as the daemon starts it. Yield its process ID and its port."""
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    config = state / "console.toml"
    config.write_text(f'{SETTINGS}\n[web]\nlisten = "127.0.0.1:{port}"\n[asterisk]\ncommand = "no-asterisk-here"\n')
    process = subprocess.Popen(
        (sys.executable, "-m", CONSOLE, str(config)),
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "CALLSIEVE_STATE": str(state)},
    )
    try:
        _wait_for(port, process)
        yield process.pid, port
    finally:
        process.kill()
        process.communicate()


@contextmanager
def simulated_users(port: int, paths: list[str], token: str, count: int = USERS) -> Iterator[list[float]]:
    """Simulate `count` users who open pages continuously. Yield a list to which their response times (ms) are added."""
    taken: list[float] = []
    over = threading.Event()

    def request_pages(seed: int) -> None:
        rng = random.Random(seed)
        while not over.wait(PAUSE_SECONDS * rng.random() * 2):
            taken.append(_page_millis(port, token, rng.choice(paths)))

    threads = [threading.Thread(target=request_pages, args=(seed,), daemon=True) for seed in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield taken
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def _measure_decisions(bench: Workbench, server: Server, port: int, paths: list[str], token: str) -> Figure:
    """Measure the p99 of decisions in alternate rounds: while users open pages, and without users."""
    bench.say(f"console: decisions while {USERS} users open pages")
    failed: list[int] = []

    def with_people(turn: int) -> float:
        with simulated_users(port, paths, token):
            time.sleep(1.0)
            return p99_millis(failed, server, turn)

    def without(turn: int) -> float:
        return p99_millis(failed, server, turn)

    server.ask(questions(CALLS, KNOWN, turn=-1), LOADED)
    samples, reference = alternate(bench.rounds(ROUNDS), with_people, without)
    note = f"{LOADED} calls in flight, {USERS} people" + (f", {sum(failed)} without a decision" if any(failed) else "")
    return Figure("p99 of a decision while people open pages", samples, "ms", reference, "no users", SLOWDOWN, note)


def _pages(port: int, token: str, path: str) -> list[float]:
    _page_millis(port, token, path)  # the first reads from the disk
    return [_page_millis(port, token, path) for _ in range(READS)]


def _page_millis(port: int, token: str, path: str) -> float:
    began = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"cookie": f"callsieve={token}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return 1e3 * (time.perf_counter() - began)


def _add_outcomes(db: sqlite3.Connection, ended: list[OutcomeRecord]) -> None:
    if ended:
        with transaction(db):
            record_outcomes(db, ended, ended[-1].at + 60)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the web console ended or did not listen within 60 s")


def _quantile(taken: list[float], share: float) -> float:
    return sorted(taken)[min(len(taken) - 1, int(share * len(taken)))]
