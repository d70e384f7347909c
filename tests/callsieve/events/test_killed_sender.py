"""The sender is killed a hundred times: no event is lost, and a repeated one has the same id."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from callsieve.events.kinds import EventKind
from lab.children import ends_with_us
from reputation.events import NumberMarked
from reputation.store.database import open_store
from reputation.store.event_deliveries import receiver_states
from reputation.store.outbox import add_event
from reputation.store.transaction import transaction
from tests.callsieve.events.hooks import SECRET, HookServer, hook_server_in_thread, skip_digests
from tests.office import ROOT, SETTINGS, Office
from tests.waiting import wait_until

KILLS = 100
SUBJECTS = tuple(f"+120155501{place:02}" for place in range(20))
# Forks a sender process each time, which is fast.
NURSERY = """
import ctypes, os, signal, sys
from functools import partial
from pathlib import Path
from callsieve.events import process
from callsieve.main.capabilities import ALL
from callsieve.settings import load_settings
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        os.close(0)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test that fails leaves none behind
        try:
            process.run(partial(load_settings, Path(os.environ["CALLSIEVE_CONFIG"])), ALL)
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class RestartedSender:
    """A sender process that is started again and again."""

    def __init__(self, office: Office) -> None:
        self._nursery = subprocess.Popen(
            (*ends_with_us(), sys.executable, "-c", NURSERY),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**office.environment, "HOOK_SECRET": SECRET},
        )

    def start(self) -> int:
        """Start a sender and return its process id."""
        assert self._nursery.stdin
        assert self._nursery.stdout
        self._nursery.stdin.write("\n")
        self._nursery.stdin.flush()
        return int(self._nursery.stdout.readline())

    def end(self, process: int, how: int) -> None:
        """Signal a process and wait for its end."""
        assert self._nursery.stdout
        os.kill(process, how)
        assert self._nursery.stdout.readline() == "ended\n"

    def close(self) -> None:
        """End the nursery; a sender that still runs ends with it."""
        self._nursery.terminate()
        self._nursery.communicate()


class EventMaker(threading.Thread):
    """Adds events about twenty numbers until stopped, each with a counter of its number."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.stopped = threading.Event()
        self.ids: dict[str, tuple[str, int]] = {}

    def run(self) -> None:
        counts: dict[str, int] = defaultdict(int)
        with open_store(self._path) as db:
            while not self.stopped.wait(0.02):  # not more than a busy machine delivers
                with transaction(db):
                    for subject in random.sample(SUBJECTS, 3):
                        counts[subject] += 1
                        self._add_event(db, subject, counts[subject])

    def _add_event(self, db: sqlite3.Connection, subject: str, count: int) -> None:
        about = {"auth_class": "unknown", "verdict": "spam", "reporter": "201", "channel": "web"}
        data = NumberMarked(number=subject, reason=str(count), category=None, linkedid=None, **about)
        event = add_event(db, EventKind.NUMBER_MARKED, subject, time.time(), data)
        assert event is not None
        self.ids[event.id] = (subject, count)


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with hook_server_in_thread() as server:
        yield server


def more_than(hook: HookServer, seen: int) -> bool:
    return len(hook.posted) > seen


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_sender_killed_a_hundred_times_loses_no_event(
    request: pytest.FixtureRequest, tmp_path: Path, hook: HookServer
) -> None:
    office, chance = Office(tmp_path, SETTINGS + hook.toml()), random.Random(7)
    office.state.mkdir()
    office.write(skip_digests)
    senders = RestartedSender(office)
    request.addfinalizer(senders.close)
    process = senders.start()
    wait_until(lambda: office.store.exists() and office.read(receiver_states), "the first start")
    happening = EventMaker(office.store)
    happening.start()
    try:
        for kill in range(KILLS):
            seen = len(hook.posted)
            if kill % 10:  # else it is killed while it starts
                wait_until(partial(more_than, hook, seen), "a delivery")
            time.sleep(chance.uniform(0.0, 0.15))
            senders.end(process, signal.SIGKILL)
            process = senders.start()
    finally:
        happening.stopped.set()
        happening.join()
    wait_until(lambda: office.read(receiver_states)[0].waiting == 0, "delivering the rest", 150)
    senders.end(process, signal.SIGTERM)

    assert set(hook.ids) == set(happening.ids)
    first: dict[str, bytes] = {}
    counts: dict[str, list[int]] = defaultdict(list)
    for posted in hook.posted:
        if first.setdefault(posted.id, posted.body) is posted.body:
            subject, count = happening.ids[posted.id]
            counts[subject].append(count)
        assert posted.body == first[posted.id], "what comes twice is the same"
    for subject, found in counts.items():
        assert found == list(range(1, len(found) + 1)), f"the order of {subject}"
    print(f"{len(first)} events, {len(hook.posted) - len(first)} came twice in {KILLS} kills")
