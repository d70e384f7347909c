"""Five PBXs and their hub, and everything that goes wrong at once: `Storm(seed).run()` says how it ended.

Real processes, SQLite files and one PostgreSQL on loopback; a proxy before each site cuts it off. What a site has
committed is to be at all of them once everything is well again, and as it was said last.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.children import ends_with_us
from lab.postgresql import PostgreSql
from lab.private_server import ADDRESS
from lab.proxy import Proxy
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.hub.checksum import Checksum
from reputation.store.hub.link import pull_again
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction
from tests.callsieve.hub.sites import Site, TestHub
from tests.office import ROOT
from tests.waiting import wait_until

NAMES: Final = ("berlin", "london", "paris", "rome", "tokyo")
AHEAD_SECONDS: Final = 600.0
# The last of them has a clock that is ahead: its process, and what is written there.
WITH_CLOCK: Final = """
import sys, time
ahead, real = float(sys.argv.pop(1)), time.time
time.time = lambda: real() + ahead
from callsieve.main.entry import main
main(sys.argv[1:])
"""
START_SECONDS: Final = 90.0
HEAL_SECONDS: Final = 90.0
ACCIDENTS: Final = 0.2  # after so many of the writes
PAUSE_SECONDS: Final = 0.05  # a write after the other: so the storm lasts for some seconds
VERDICTS: Final = ("spam", "spam", "ok", "retracted")


@dataclass(slots=True)
class Ended:
    """How it ended. `lost`: rows that are not everywhere as they were said last. `healed_seconds`: until all is
    equal.
    """

    rows: int
    accidents: Counter[str]
    healed_seconds: float
    sums: list[dict[str, Checksum]]
    lost: list[tuple[str, str, str]] = field(default_factory=list)


class Storm:
    """So many transactions of the sites with accidents between them, and then calm."""

    def __init__(self, seed: int, *, writes: int = 120, numbers: int = 300) -> None:
        self._random = random.Random(seed)
        self._writes = writes
        self._numbers = [f"+1201555{place:04}" for place in range(numbers)]
        # Who said what of which number last, by site.
        self._said: dict[tuple[str, str, str], str] = {}
        self._accidents: Counter[str] = Counter()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._proxies: dict[str, Proxy] = {}

    def run(self) -> Ended:
        with ExitStack() as stack:
            self._server = stack.enter_context(PostgreSql())
            folder = Path(tempfile.mkdtemp(prefix="callsieve-storm-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._hub = TestHub(self._server, folder).make()
            for name in NAMES:
                proxy = self._proxies[name] = stack.enter_context(Proxy((ADDRESS, self._server.port)))
                site = self._hub.join(name)
                site.write_settings({"poll_seconds": 1}, port=proxy.address[1])
            stack.callback(self._end_all)
            for name in NAMES:
                self._start(name)
            wait_until(lambda: all(self._site(name).is_linked() for name in NAMES), "the first contact", START_SECONDS)
            for _ in range(self._writes):
                self._write(self._random.choice(NAMES), self._random.randint(1, 40))
                if self._random.random() < ACCIDENTS:
                    self._accident()
                time.sleep(PAUSE_SECONDS)
            return self._heal()

    def _write(self, name: str, rows: int) -> None:
        """One transaction of a site: what it has committed must not be lost."""
        now = time.time() + (AHEAD_SECONDS if name == NAMES[-1] else 0.0)
        said = {
            (self._random.choice(self._numbers), str(self._random.randint(200, 205))): self._random.choice(VERDICTS)
            for _ in range(rows)
        }
        with open_store(self._site(name).loaded.store_path) as db, transaction(db):
            for (number, person), verdict in said.items():
                about = (number, AuthClass.UNKNOWN, person, Verdict(verdict), now, MarkChannel.CLI)
                add_mark(db, Mark(*about, group="g"))
        self._said |= {(name, number, person): verdict for (number, person), verdict in said.items()}

    def _accident(self) -> None:
        name = self._random.choice(NAMES)
        accidents = {
            "kill a site's process": lambda: self._kill(name),
            "cut a site off": lambda: self._proxies[name].cut(reset=True),
            "refuse a site": lambda: self._proxies[name].refuse(),
            "swallow what a site says": lambda: self._proxies[name].swallow(to_client=False),
            "swallow what a site hears": lambda: self._proxies[name].swallow(to_server=False),
            "let a site pass": lambda: self._calm(name),
            "deliver everything twice": lambda: self._site(name).write(pull_again),
            "kill PostgreSQL": self._kill_server,
            "restart PostgreSQL": self._restart_server,
        }
        weights = [6, 6, 3, 2, 2, 6, 2, 1, 1]
        [what] = self._random.choices(list(accidents), weights)
        self._accidents[what] += 1
        accidents[what]()

    def _heal(self) -> Ended:
        for name in NAMES:
            self._calm(name)
        began = time.monotonic()
        while not self._is_equal() and time.monotonic() - began < HEAL_SECONDS:
            time.sleep(0.1)
        healed = time.monotonic() - began
        sums = [self._site(name).stored() for name in NAMES]
        ended = Ended(len(self._said), self._accidents, healed, [*sums, self._hub.checksums()])
        ended.lost = sorted(self._lost())
        return ended

    def _lost(self) -> set[tuple[str, str, str]]:
        lost = set()
        for place in NAMES:
            found = {
                (reporter, number): verdict
                for reporter, number, verdict in self._site(place).rows("SELECT reporter, number, verdict FROM mark")
            }
            for (name, number, person), verdict in self._said.items():
                reporter = person if name == place else f"{name}:{person}"
                if found.get((reporter, number)) != verdict:
                    lost.add((place, reporter, number))
        return lost

    def _is_equal(self) -> bool:
        if any(self._site(name).rows("SELECT count(*) FROM hub_outbox") != [(0,)] for name in NAMES):
            return False
        sums = [self._site(name).stored() for name in NAMES]
        return all(one == self._hub.checksums() for one in sums)

    def _calm(self, name: str) -> None:
        proxy = self._proxies[name]
        proxy.refuse()
        proxy.cut()  # a connection that has swallowed something is of no use
        proxy.forward()
        proxy.accept()

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
        ahead = str(AHEAD_SECONDS if name == NAMES[-1] else 0.0)
        words = (*ends_with_us(), sys.executable, "-c", WITH_CLOCK, ahead, "hub", "run", "--config", str(site.config))
        environment = {**os.environ, "CALLSIEVE_STATE": str(site.loaded.state), "PYTHONPATH": str(ROOT)}
        with (site.folder / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(words, env=environment, cwd=ROOT, stdout=log, stderr=log)

    def _end_all(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _site(self, name: str) -> Site:
        return self._hub.sites[name]


def main(arguments: list[str]) -> int:
    """`python -m tests.callsieve.hub.convergence SEED [SEED...]`: a line a storm; 1 when one has lost something."""
    bad = 0
    for seed in map(int, arguments):
        ended = Storm(seed).run()
        is_equal = all(one == ended.sums[0] for one in ended.sums)
        bad += bool(ended.lost) or not is_equal
        accidents = ", ".join(f"{count} x {what}" for what, count in ended.accidents.most_common())
        words = (
            f"seed {seed}: {ended.rows} rows, equal {is_equal} after {ended.healed_seconds:.1f} s, lost {ended.lost}"
        )
        print(f"{words}; {accidents}", flush=True)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
