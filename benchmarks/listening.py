"""Lets the daemon follow the calls of a real Asterisk. Checks that no outcome is lost or wrong, and measures delays.

SIPp makes the calls. The caller hangs up in half of them, the callee in the others. Asterisk adds a time to each event.
So the delay runs from the end of a call in Asterisk to the time when another process can read its outcome.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.callers import number_at
from benchmarks.figures import Budget, Figure
from benchmarks.processes import ROOT, SETTINGS, process_cpu_seconds
from benchmarks.workbench import Workbench
from callsieve.install.plan import packaged
from lab import Answering, Asterisk, Carrier, Load, LoadResult, Phone, scenario
from lab.configuration import TRUNK_ADDRESSES
from lab.daemon import Daemon
from lab.load import load_statistics
from lab.ports import free_port
from lab.recorder import MANAGER_USER, SECRET, USER
from lab.sipp import SippJob, SippProcess
from reputation.model import EndedBy
from reputation.outcome import OutcomeRecord
from reputation.store.outcomes import outcomes

NUMBERS = 10_000
ALL = Budget(1, "x", at_least=True)
ONCE = Budget(1, "")
RATES, SECONDS = (120, 90, 60), 60  # calls/s; if calls fail, the next lower rate is tried
QUICK_RATE, QUICK_SECONDS = 40, 10
COST_RATE, COST_SECONDS = 50, 20
LOCKED_SECONDS = 5.0
TALK_SECONDS = 0.2
SETTLE_SECONDS = 20.0
LOOK_SECONDS = 0.02
WINDOW_SECONDS = 30.0  # longer than a call plus the delay of its outcome

CALLER_ENDS, CALLEE_ENDS = "+442071838750", "+442071838751"
EXTENSIONS = f"""\
[from-carrier]
exten => _+X.,1,Gosub(callsieve,s,1(${{FILTER(0-9A-Za-z+*#,${{EXTEN}})}}))
 same => n,Goto(office,${{FILTER(0-9A-Za-z+*#,${{EXTEN}})}},1)

[office]
exten => {CALLER_ENDS},1,Dial(PJSIP/201,20,${{CALLSIEVE_DIAL}})
exten => {CALLEE_ENDS},1,Dial(PJSIP/202,20,${{CALLSIEVE_DIAL}})

[from-internal]
exten => s,1,Hangup()
"""
FILTERS = [line for line in packaged("callsieve-manager.conf").splitlines() if line.startswith("eventfilter")]
MANAGER = "\n".join(("[general](+)\ntimestampevents = yes", MANAGER_USER, *FILTERS))
ENDED_BY = {CALLER_ENDS: EndedBy.CALLER, CALLEE_ENDS: EndedBy.CALLEE}


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The results of a run: SIPp's counts of calls, and counts of recorded outcomes.

    `lags`: seconds from the end of each call to the time when its outcome could be read.
    """

    created: int
    failed: int
    retransmissions: int
    rate: float
    outcomes: int
    right_end: int
    complete: int
    logins: int
    gaps: int
    lags: Sequence[float]


class Watch:
    """Reads the outcome table from another process. `seen`: when each outcome could first be read, by linkedid.

    Use it in a `with` block. A thread checks 50 times per second, and reads after each commit.
    """

    def __init__(self, store: Path, since: float) -> None:
        self.seen: dict[str, float] = {}
        self._store = store
        self._since = since
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until `count` outcomes could be read, but at most `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.seen) < count and time.monotonic() < deadline:
            time.sleep(0.05)

    def rows(self) -> list[OutcomeRecord]:
        with closing(sqlite3.connect(self._store)) as db:
            rows = outcomes(db, since=self._since, limit=1_000_000)
        return [row for row in rows if row.linkedid in self.seen]

    def _run(self) -> None:
        with closing(sqlite3.connect(self._store)) as db:
            version = -1
            while not self._stop.wait(LOOK_SECONDS):
                (now_version,) = db.execute("PRAGMA data_version").fetchone()
                if now_version == version:
                    continue
                version, now = now_version, time.time()
                since = max(self._since, now - WINDOW_SECONDS)
                for (linkedid,) in db.execute("SELECT linkedid FROM outcome WHERE at >= ?", (since,)).fetchall():
                    self.seen.setdefault(linkedid, now)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of values in any order; 0 for an empty list."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def measure(bench: Workbench) -> list[Figure]:
    """Measure delays at the highest rate without failed calls, and with a locked store.

    Measure the CPU time of listening.
    """
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    with ExitStack() as stack:
        daemon = Daemon(bench.copy(NUMBERS))
        stack.callback(daemon.stop)
        asterisk = stack.enter_context(
            Asterisk(
                extensions=EXTENSIONS,
                includes=[ROOT / "asterisk-conf" / "callsieve.conf"],
                globals={"CALLSIEVE_AGI": daemon.url},
                config={"manager.conf": MANAGER},
                verbose=False,
            )
        )
        for phone, hang_up_after in (("201", None), ("202", TALK_SECONDS)):
            answering = Answering(ring_seconds=0, hang_up_after=hang_up_after)
            stack.enter_context(Phone(asterisk, phone, answering, seconds=600.0, trace=False, echo=False))
        figures = []
        with _listening(daemon, asterisk):
            for rate in (QUICK_RATE,) if bench.quick else RATES:
                bench.say(f"listening: {rate} bridged calls a second for {seconds} s")
                report = _run_load(asterisk, daemon, rate, seconds)
                figures += _figures(report, f"{rate} calls/s for {seconds} s")
                if not report.failed:
                    break
            bench.say(f"listening: bridged calls while the store is locked for {LOCKED_SECONDS:.0f} s")
            report = _run_load(asterisk, daemon, rate, seconds, lambda: _lock(daemon.store, seconds / 2))
            figures += _figures(report, f"{rate} calls/s, store locked for {LOCKED_SECONDS:.0f} s")
        return [*figures, _cost(bench, asterisk, daemon)]


def _figures(report: LoadReport, note: str) -> list[Figure]:
    made, seen = [report.created - report.failed], [report.outcomes]
    reached = f"{report.rate:.0f} calls/s reached, {report.failed} calls failed in Asterisk or SIPp, {note}"
    return [
        Figure("number of outcomes recorded", seen, "", made, "calls that SIPp made", ALL, reached),
        Figure("outcomes with the right `ended_by`", [report.right_end], "", seen, "outcomes", ALL, note),
        Figure("complete outcomes", [report.complete], "", seen, "outcomes", ALL, note),
        Figure(
            "logins to Asterisk", [report.logins], "", budget=ONCE, note=f"{report.gaps} gaps in the events, {note}"
        ),
        *(
            Figure(f"delay until an outcome can be read, p{p}", [1e3 * percentile(report.lags, p)], "ms", note=note)
            for p in (50, 99)
        ),
    ]


@contextmanager
def _listening(daemon: Daemon, asterisk: Asterisk, *, listening: bool = True) -> Iterator[None]:
    host, port = asterisk.ami_address
    ami = f'\n[ami]\nhost = "{host}"\nport = {port}\nusername = "{USER}"\nsecret = "{SECRET}"\n'
    daemon.write_settings(SETTINGS + ami * listening)
    daemon.log.unlink(missing_ok=True)
    daemon.start()
    try:
        if listening:
            daemon.wait_for_log("listening to Asterisk")
        yield
    finally:
        daemon.stop()


def _run_load(
    asterisk: Asterisk, daemon: Daemon, rate: float, seconds: float, disturb: Callable[[], object] = lambda: None
) -> LoadReport:
    """Make calls for `seconds`, and report the results. Wait for a limited time until the outcomes are recorded.

    `disturb`: is called while the calls run.
    """
    since = time.time()
    with Watch(daemon.store, since) as watch, ThreadPoolExecutor(1) as pool:
        disturbed = pool.submit(disturb)
        results = _place_calls(asterisk, rate, seconds)
        disturbed.result()
        created = sum(result.calls for result in results)
        watch.wait_for(created, SETTLE_SECONDS)
        rows = watch.rows()
    log = daemon.log.read_text()
    return LoadReport(
        created=created,
        failed=sum(result.failed for result in results),
        retransmissions=sum(result.retransmissions for result in results),
        rate=sum(result.rate for result in results),
        outcomes=len(rows),
        right_end=sum(row.ended_by is not None and row.ended_by == ENDED_BY.get(row.did or "") for row in rows),
        complete=sum(row.complete for row in rows),
        logins=log.count("listening to Asterisk"),
        gaps=log.count("some outcomes are incomplete"),
        lags=[watch.seen[row.linkedid] - row.ended_at for row in rows],
    )


def _place_calls(asterisk: Asterisk, rate: float, seconds: float) -> list[LoadResult]:
    """Make calls, half of them to each of two numbers. The phones must be registered before."""
    count = round(rate * seconds / 2)
    callers = [number_at(index) for index in range(2 * count)]
    load = Load(rate / 2, count, CALLER_ENDS, callers[:count], talk_seconds=TALK_SECONDS)
    with ThreadPoolExecutor(2) as pool:
        halves = [
            pool.submit(Carrier(asterisk).load, load),
            pool.submit(_load_of_patient_callers, asterisk, rate / 2, callers[count:]),
        ]
        return [half.result() for half in halves]


def _load_of_patient_callers(asterisk: Asterisk, rate: float, callers: Sequence[str]) -> LoadResult:
    """Run a load like `Carrier.load`, but with callers who wait until the callee hangs up."""
    address = TRUNK_ADDRESSES["carrier"]
    calling = scenario.outgoing_call(hang_up_after=None, cancel_after=None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind((address, 0))
        keys = {
            "request_user": CALLEE_ENDS,
            "did": CALLEE_ENDS,
            "contact_user": "carrier",
            "audio_port": str(sink.getsockname()[1]),
            "extra_headers": "",
        }
        job = SippJob(
            scenario=calling.replace("From: [from];", "From: <sip:[field0]@[local_ip]>;"),
            address=address,
            port=free_port(address, socket.SOCK_DGRAM),
            target=asterisk.sip_address,
            calls=len(callers),
            seconds=len(callers) / rate + 35.0,
            keys=keys,
            files={"callers.csv": "\n".join(("SEQUENTIAL", *callers)) + "\n"},
            options=(
                *("-r", str(round(rate * 10)), "-rp", "10000", "-l", "1000", "-inf", "callers.csv"),
                *("-trace_stat", "-stf", "load.csv", "-fd", "1"),
            ),
            trace=False,
        )
        process = SippProcess(asterisk.paths, job)
        try:
            process.wait()
            return load_statistics(process.directory / "load.csv")
        finally:
            process.remove()


def _lock(store: Path, after: float) -> None:
    """Hold the store's write lock for a while, as a backup tool or the sqlite3 prompt may do."""
    threading.Event().wait(after - LOCKED_SECONDS / 2)
    with closing(sqlite3.connect(store, timeout=2.0, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        threading.Event().wait(LOCKED_SECONDS)
        db.execute("ROLLBACK")


def _cost(bench: Workbench, asterisk: Asterisk, daemon: Daemon) -> Figure:
    """Measure the daemon's CPU time per call, with and without listening."""
    seconds = QUICK_SECONDS if bench.quick else COST_SECONDS
    samples: list[float] = []
    for listening in (True, False):
        bench.say(f"listening: CPU time of the daemon while {'listening' if listening else 'only screening'}")
        with _listening(daemon, asterisk, listening=listening):
            before = process_cpu_seconds(daemon.pid)
            results = _place_calls(asterisk, COST_RATE, seconds)
            time.sleep(1.0)  # until the last batch is written
            created = sum(result.calls for result in results)
            samples.append(1e3 * (process_cpu_seconds(daemon.pid) - before) / created)
    note = f"{COST_RATE} bridged calls/s, each with a decision and an outcome"
    return Figure(
        "CPU time of the daemon for a call", samples[:1], "ms", samples[1:], "only decisions, no events read", note=note
    )
