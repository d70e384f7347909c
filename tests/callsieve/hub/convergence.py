"""Five PBXs and their hub with many failures at once. `Storm(seed).run()` returns the result.

Real processes, SQLite files and one PostgreSQL; what is between them fails (cables.py). What a site has committed is to
be at all of them once everything is well again, and as it was said last. With `daemons` calls are decided meanwhile.

    python -m tests.callsieve.hub.convergence --storms 50       a line for each storm, and a table
    python -m tests.callsieve.hub.convergence --rows 1000000 1  over sites that know as much, and have told nothing yet
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Final

from lab.children import ends_with_us
from lab.programs import COMMAND_LINE
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.hub.link import Checksum, noted_checksums, pull_again
from reputation.store.hub.rows import KINDS, SharedWith
from reputation.store.marks import Tombstone, add_mark, add_tombstone
from reputation.store.standing import refresh_all
from reputation.store.transaction import transaction
from tests.callsieve.hub.cables import Accident, has_namespaces, lay_cables
from tests.callsieve.hub.clocks import MovedClock
from tests.callsieve.hub.office_calls import NUMBERS, OfficeCalls, decided_alone, shared_number
from tests.callsieve.hub.sites import STANDINGS, Site, TestHub
from tests.office import ROOT
from tests.waiting import wait_until

NAMES: Final = ("berlin", "london", "paris", "rome", "tokyo")
# Its corrections apply at all sites.
HEAD_OFFICE: Final = NAMES[0]
# Its clock is so far ahead: that of its hub process, of its daemon, and of what is written there.
AHEAD: Final = NAMES[-1]
AHEAD_SECONDS: Final = 600.0
AREAS: Final = dict(zip(NAMES, (202, 203, 205, 206, 207), strict=True))
START_SECONDS: Final = 120.0
HEAL_SECONDS: Final = 240.0
ACCIDENTS: Final = 0.2  # after so many of the writes
PAUSE_SECONDS: Final = 0.05  # a write after the other: so the storm lasts for some seconds
VERDICTS: Final = ("spam", "spam", "ok", "retracted")
# Numbers that the site with the wrong clock calls spam; head office finds that wrong; then it says so again of some.
CORRECTED: Final = tuple(f"+1201556{place:04}" for place in range(8))
SAID_AGAIN: Final = CORRECTED[4:]
COUNTED: Final = """
SELECT number FROM standing WHERE number BETWEEN ? AND ? AND marks > 0 GROUP BY number ORDER BY number
"""

SOME_NUMBERS: Final = "SELECT DISTINCT number FROM standing LIMIT 2000"
FILL: Final = """
INSERT INTO mark (number, auth_class, reporter, verdict, at, channel, grp, category, reason, linkedid, epoch)
VALUES (?1, 'unknown', ?2, ?3, ?4, 'cli', 'g', '', '', '', 0)
"""
# While all rows are exchanged for the first time.
ACCIDENTS_OF_ALL: Final = 40
ACCIDENT_EVERY_SECONDS: Final = 3.0
ALL_SECONDS: Final = 4 * 3600.0


@dataclass(slots=True)
class StormResult:
    """How it ended. `healed_seconds`: from when all was mended until all was equal. `lost`: rows that are not
    everywhere as they were said last. `wrong`: marks that count for longer or shorter than they should, calls without
    an answer, or with another one than without a hub.
    """

    rows: int
    accidents: Counter[str]
    healed_seconds: float
    sums: list[dict[str, Checksum]]
    calls: Counter[str] = field(default_factory=Counter)
    answered_seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether all sites and the hub have the same rows."""
        return all(sum_ == self.sums[0] for sum_ in self.sums)


class Storm:
    """Transactions of sites with accidents between them, and then a calm period."""

    def __init__(
        self, seed: int, *, writes: int = 120, daemons: bool = False, namespaces: bool = False, rows: int = 0
    ) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._writes = writes
        self._with_daemons = daemons
        self._namespaces = namespaces
        self._rows = rows
        self.figures: dict[str, str] = {}
        # The last verdict by site, number and person.
        self._said: dict[tuple[str, str, str], str] = {}
        self._accidents: Counter[str] = Counter()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._daemons: dict[str, OfficeCalls] = {}

    def run(self) -> StormResult:
        with ExitStack() as stack:
            self._server, self._cables = stack.enter_context(lay_cables(NAMES, namespaces=self._namespaces))
            folder = Path(tempfile.mkdtemp(prefix="callsieve-storm-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._hub = TestHub(self._server, folder).make()
            wrong_clock = MovedClock(folder / "clock", AHEAD_SECONDS)
            self._python = dict.fromkeys(NAMES, sys.executable) | {AHEAD: wrong_clock.python}
            for name in NAMES:
                follow = {} if name == HEAD_OFFICE else {"follow": [HEAD_OFFICE]}
                site = self._hub.join(name)
                address = self._cables[name].address(self._server, self._hub.database)
                site.write_settings({"poll_seconds": 1, **follow}, address)
            if self._with_daemons:
                self._expected = decided_alone(folder / "alone")
                for name in NAMES:
                    self._daemons[name] = stack.enter_context(self._open_office(name))
                    self._daemons[name].call_on()
            stack.callback(self._end_all)
            if self._rows:
                self._fill()
            for name in NAMES:
                self._start(name)
            wait_until(lambda: all(self._site(name).is_linked() for name in NAMES), "the first contact", START_SECONDS)
            if self._rows:
                self._exchange_all()
            self._run_accidents()
            return self._heal()

    def _fill(self) -> None:
        """Give each site its part of the rows, unordered and not yet sent."""
        for name in NAMES:
            with open_store(self._site(name).loaded.store_path) as db, transaction(db):
                db.executemany(FILL, self._made_rows(time.time() + self._ahead(name), self._rows // len(NAMES)))

    def _made_rows(self, now: float, count: int) -> Iterator[tuple[object, ...]]:
        """Return rows: four for a number on average, dated within 100 days, by people without other marks."""
        made: set[tuple[str, str]] = set()
        while len(made) < count:
            number = f"+1303{self._random.randrange(self._rows // 4):07}"
            made.add((number, str(self._random.randrange(400, 500))))
        for number, person in made:
            yield number, person, self._random.choice(VERDICTS), now - self._random.uniform(60, 8_640_000)

    def _exchange_all(self) -> None:
        """Exchange everything, first with accidents, then without."""
        began, told = time.monotonic(), self._rows * len(NAMES)
        for turn in range(ACCIDENTS_OF_ALL):
            time.sleep(ACCIDENT_EVERY_SECONDS)
            self._accident()
            if turn % 10 == 0:
                print(f"  {self._progress():.0%} after {time.monotonic() - began:.0f} s", flush=True)
        for cable in self._cables.values():
            cable.mend()
        looked = 0.0
        while not self._is_equal():
            assert time.monotonic() - began < ALL_SECONDS, "all rows were not everywhere in time"
            time.sleep(2.0)
            if time.monotonic() > looked + 60:
                looked = time.monotonic()
                print(f"  {self._progress():.0%} after {looked - began:.0f} s", flush=True)
        seconds = time.monotonic() - began
        ((database,),) = self._hub.run("SELECT pg_database_size(current_database())")
        stores = [self._site(name).loaded.store_path.stat().st_size for name in NAMES]
        self.figures = {
            "first exchange": f"{seconds:.0f} s, {told / seconds:,.0f} rows a second",
            "memory of a site's process (MB)": f"{max(map(most_memory, self._pids())):.0f}",
            "memory of a process of PostgreSQL (MB)": f"{max(map(most_memory, self._server.pids())):.0f}",
            "hub (MB)": f"{int(str(database)) / 1e6:,.0f}",
            "stores (MB)": ", ".join(f"{size / 1e6:,.0f}" for size in stores),
        }

    def _progress(self) -> float:
        """Return the share of rows that all sites have."""
        found = [self._site(name).rows("SELECT count(*) FROM hub_row")[0][0] for name in NAMES]
        return sum(map(int, map(str, found))) / (self._rows * len(NAMES))

    def _pids(self) -> list[int]:
        return [process.pid for process in self._processes.values()]

    def _open_office(self, name: str) -> OfficeCalls:
        site, seed = self._site(name), self._seed + NAMES.index(name)
        return OfficeCalls(site, self._python[name], seed, area=AREAS[name])

    def _run_accidents(self) -> None:
        steps: dict[int, Callable[[], None]] = {
            self._writes // 4: lambda: self._call_spam(CORRECTED, "202"),
            self._writes // 2: self._correct,
            self._writes * 3 // 4: lambda: self._call_spam(SAID_AGAIN, "203"),
        }
        for turn in range(self._writes):
            self._write(self._random.choice(NAMES), self._random.randint(1, 40))
            if turn in steps:
                steps[turn]()
            if self._random.random() < ACCIDENTS:
                self._accident()
            time.sleep(PAUSE_SECONDS)

    def _write(self, name: str, rows: int) -> None:
        """Write one transaction at a site. Committed rows must not be lost."""
        said = {
            (shared_number(self._random.randrange(NUMBERS)), str(self._random.randint(200, 205))): self._random.choice(
                VERDICTS
            )
            for _ in range(rows)
        }
        self._say(name, said)

    def _call_spam(self, numbers: Sequence[str], person: str) -> None:
        self._say(AHEAD, dict.fromkeys(((number, person) for number in numbers), "spam"))

    def _say(self, name: str, said: dict[tuple[str, str], str]) -> None:
        now = time.time() + self._ahead(name)
        with open_store(self._site(name).loaded.store_path) as db, transaction(db):
            for (number, person), verdict in said.items():
                about = (number, AuthClass.UNKNOWN, person, Verdict(verdict), now, MarkChannel.CLI)
                add_mark(db, Mark(*about, group="g"))
        self._said |= {(name, number, person): verdict for (number, person), verdict in said.items()}

    def _correct(self) -> None:
        """Head office finds all marks wrong that there are until now, by the right clock."""
        with open_store(self._site(HEAD_OFFICE).loaded.store_path) as db, transaction(db):
            for place, number in enumerate(CORRECTED):
                add_tombstone(db, Tombstone(number, "", f"CASE{place}", time.time()))

    def _accident(self) -> None:
        name = self._random.choice(NAMES)
        accidents: list[Accident] = [
            ("kill a site's process", 6, lambda: self._kill(name)),
            ("deliver everything twice", 2, lambda: self._site(name).write(pull_again)),
            ("kill PostgreSQL", 1, self._kill_server),
            ("restart PostgreSQL", 1, self._restart_server),
            *self._cables[name].accidents(),
        ]
        if self._with_daemons:
            accidents.append(("kill a site's daemon", 3, lambda: self._daemons[name].kill()))
        [(what, _, happen)] = self._random.choices(accidents, [weight for _, weight, _ in accidents])
        self._accidents[what] += 1
        happen()

    def _heal(self) -> StormResult:
        for office in self._daemons.values():
            office.rest()
        for cable in self._cables.values():
            cable.mend()
        began = time.monotonic()
        while not self._is_equal() and time.monotonic() - began < HEAL_SECONDS:
            time.sleep(0.05)
        healed = time.monotonic() - began
        sums = [self._site(name).stored() for name in NAMES]
        for name, office in self._daemons.items():
            self._said |= {(name, number, person): verdict for (person, number), verdict in office.said.items()}
        ended = StormResult(len(self._said), self._accidents, healed, [*sums, self._hub.checksums()])
        ended.lost = sorted(self._lost())
        ended.wrong = [*chain.from_iterable(map(self._wrong_at, NAMES)), *self._wrong_answers()]
        for office in self._daemons.values():
            ended.calls += office.counts
            ended.answered_seconds += office.seconds
        return ended

    def _lost(self) -> set[str]:
        lost = set()
        for place in NAMES:
            found = {
                (reporter, number): verdict
                for reporter, number, verdict in self._site(place).rows("SELECT reporter, number, verdict FROM mark")
            }
            filled = len(found) - len(self._said)
            if self._rows and filled < self._rows:
                lost.add(f"{place}: {filled} of {self._rows} rows")
            for (name, number, person), verdict in self._said.items():
                reporter = person if name == place else f"{name}:{person}"
                if (there := found.get((reporter, number))) != verdict:
                    lost.add(f"{place}: {reporter} said {verdict} of {number}, not {there}")
        return lost

    def _wrong_at(self, name: str) -> list[str]:
        """Return marks that wrongly count, or wrongly do not count, at a site."""
        site, wrong = self._site(name), []
        counted = [number for (number,) in site.rows(COUNTED, CORRECTED[0], CORRECTED[-1])]
        if counted != list(SAID_AGAIN):
            wrong.append(f"{name}: marks count of {counted}, not of {SAID_AGAIN}")
        ((latest,),) = site.rows("SELECT max(at) FROM mark")
        if latest > time.time():  # type: ignore[operator]
            wrong.append(f"{name}: a mark is dated {latest}, which is not there yet")
        before = site.rows(STANDINGS)
        site.write(lambda db: refresh_all(db, {number for (number,) in db.execute(SOME_NUMBERS)}))
        if site.rows(STANDINGS) != before:
            wrong.append(f"{name}: the sums of its numbers were not those of its rows")
        return wrong

    def _wrong_answers(self) -> list[str]:
        wrong = []
        for name, office in self._daemons.items():
            if office.counts["unanswered"]:
                wrong.append(f"{name}: {office.counts['unanswered']} calls were not answered: {office.failure}")
            for caller, answer in office.answers:
                if answer != self._expected[caller]:
                    wrong.append(f"{name}: of {caller.value}: {answer}, without a hub {self._expected[caller]}")
        return wrong

    def _is_equal(self) -> bool:
        if any(self._site(name).rows("SELECT count(*) FROM hub_outbox") != [(0,)] for name in NAMES):
            return False
        at_hub = self._hub.checksums()
        return all(self._noted(name) == at_hub for name in NAMES)

    def _noted(self, name: str) -> dict[str, Checksum]:
        """Return the checksums that a site has noted of shared rows, which are cheap to read."""
        noted = self._site(name).read(noted_checksums)
        return {kind: sums for kind, sums in noted.items() if KINDS[kind].scope is SharedWith.SHARED}

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._start(name)

    def _kill_server(self) -> None:
        self._server.kill()
        self._server.start()

    def _restart_server(self) -> None:
        self._server.stop()
        self._server.start()

    def _start(self, name: str) -> None:
        site = self._site(name)
        command = (self._python[name], "-m", COMMAND_LINE, "hub", "run", "--config", str(site.config))
        environment = {**os.environ, "CALLSIEVE_STATE": str(site.loaded.state)}
        with (site.folder / "log").open("ab") as log:
            words = (*ends_with_us(), *self._cables[name].prefix, *command)
            self._processes[name] = subprocess.Popen(words, env=environment, cwd=ROOT, stdout=log, stderr=log)

    def _end_all(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _site(self, name: str) -> Site:
        return self._hub.sites[name]

    @staticmethod
    def _ahead(name: str) -> float:
        return AHEAD_SECONDS if name == AHEAD else 0.0


def most_memory(pid: int) -> float:
    """The most that a process had in memory so far, in MB; 0 if it has ended."""
    try:
        words = Path(f"/proc/{pid}/status").read_text().split()
    except FileNotFoundError:
        return 0.0
    return int(words[words.index("VmHWM:") + 1]) / 1e3 if "VmHWM:" in words else 0.0


def storm_of(seed: int, writes: int) -> Storm:
    """Return a storm: without daemons, with daemons, or also in network namespaces if possible."""
    form = seed % 3
    return Storm(seed, writes=writes, daemons=form > 0, namespaces=form == 2 and has_namespaces())


def line_of(seed: int, ended: StormResult) -> str:
    """Return one storm as a line."""
    accidents = ", ".join(f"{count} x {what}" for what, count in ended.accidents.most_common())
    calls = ", ".join(f"{count} {what}" for what, count in sorted(ended.calls.items()))
    state = "equal" if ended.is_equal else "NOT EQUAL"
    about = f"storm {seed}: {ended.rows} rows, {state} after {ended.healed_seconds:.1f} s, {len(ended.lost)} rows lost"
    sums = [] if ended.is_equal else [str(sums) for sums in ended.sums]
    problems = [f"  {problem}" for problem in (*ended.lost[:5], *ended.wrong[:5], *sums)]
    return "\n".join((f"{about}; {accidents}; calls: {calls or 'none'}", *problems))


def table_of(all_of_them: Sequence[StormResult]) -> str:
    """Return the storms as a table."""
    healed = sorted(ended.healed_seconds for ended in all_of_them)
    answered = sorted(chain.from_iterable(ended.answered_seconds for ended in all_of_them))
    calls = sum((ended.calls for ended in all_of_them), Counter())
    lines = {
        "storms": len(all_of_them),
        "rows": sum(ended.rows for ended in all_of_them),
        "accidents": sum(ended.accidents.total() for ended in all_of_them),
        "not equal": sum(not ended.is_equal for ended in all_of_them),
        "rows lost": sum(len(ended.lost) for ended in all_of_them),
        "wrong": sum(len(ended.wrong) for ended in all_of_them),
        "equal after (s)": f"min {healed[0]:.1f}, median {median(healed):.1f}, max {healed[-1]:.1f}",
        **dict(sorted(calls.items())),
    }
    if answered:
        p99 = answered[int(0.99 * len(answered))]
        lines["answered after (ms)"] = (
            f"median {1000 * median(answered):.0f}, p99 {1000 * p99:.0f}, max {1000 * answered[-1]:.0f}"
        )
    return "\n".join(f"| {what} | {value} |" for what, value in lines.items())


def main(arguments: Sequence[str]) -> int:
    """1 when a storm has lost or changed something."""
    parser = argparse.ArgumentParser(prog="python -m tests.callsieve.hub.convergence")
    parser.add_argument("seeds", nargs="*", type=int, metavar="SEED")
    parser.add_argument("--storms", type=int, default=0, help="of the seeds 0 to N - 1")
    parser.add_argument("--writes", type=int, default=200, help="transactions of a storm")
    parser.add_argument("--rows", type=int, default=0, help="that the sites have when they meet")
    parser.add_argument("--form", choices=("plain", "daemons", "namespaces"), help="one form for all")
    chosen = parser.parse_args(arguments)
    done = []
    for seed in chosen.seeds or range(chosen.storms):
        storm = storm_of(seed, chosen.writes)
        if chosen.form:
            daemons, namespaces = chosen.form != "plain", chosen.form == "namespaces"
            storm = Storm(seed, writes=chosen.writes, daemons=daemons, namespaces=namespaces, rows=chosen.rows)
        elif chosen.rows:
            storm = Storm(seed, writes=chosen.writes, namespaces=has_namespaces(), rows=chosen.rows)
        done.append(storm.run())
        print(line_of(seed, done[-1]), flush=True)
        print("".join(f"  {what}: {value}\n" for what, value in storm.figures.items()), end="", flush=True)
    print(table_of(done))
    return int(any(ended.lost or ended.wrong or not ended.is_equal for ended in done))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
