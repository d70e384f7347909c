"""The journal writes every decision once, whatever the store does, in bounded memory."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest

from reputation.model import DecisionRecord
from reputation.store.connection import Store
from reputation.store.errors import StoreError
from reputation.store.journal import (
    BY_CALLER,
    BY_ID,
    BY_LINKEDID,
    BY_TIME,
    CALL_TIMES,
    FLUSH_SECONDS,
    CallTime,
    Journal,
    call_times,
    decision_of,
    decisions,
    record_decisions,
)
from tests.reputation.store_builders import CALLER, DID, NOW, make_record, read, run_python, write
from tests.waiting import until

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callsieve.db"


class TestRows:
    def test_a_decision_round_trips(self, path: Path) -> None:
        records = [make_record("d1"), make_record("d2", caller=None)]
        write(path, record_decisions, records)
        assert [read(path, decision_of, id) for id in ("d1", "d2", "d3")] == [*records, None]

    def test_recording_twice_changes_nothing(self, path: Path) -> None:
        write(path, record_decisions, [make_record("d1")])
        write(path, record_decisions, [make_record("d1", reason="another"), make_record("d2")])
        assert read(path, decision_of, "d1") == make_record("d1")
        assert len(read(path, decisions)) == 2

    def test_decisions_are_found_by_caller_call_and_time(self, path: Path) -> None:
        other = "+12015550999"
        records = [
            make_record("a", NOW, linkedid="1"),
            make_record("b", NOW + 1, linkedid="1"),
            make_record("c", NOW + 2, other, linkedid="2"),
            make_record("d", NOW + 3, None, linkedid="3"),
        ]
        write(path, record_decisions, records)

        def ids(fn: Callable[[sqlite3.Connection], list[DecisionRecord]]) -> str:
            return "".join(record.id for record in read(path, fn))

        assert ids(decisions) == "dcba"
        assert ids(lambda db: decisions(db, limit=2)) == "dc"
        assert ids(lambda db: decisions(db, caller=CALLER)) == "ba"
        assert ids(lambda db: decisions(db, caller=CALLER, since=NOW + 1)) == "b"
        assert ids(lambda db: decisions(db, linkedid="1", until=NOW + 1)) == "a"
        assert ids(lambda db: decisions(db, since=NOW + 1, until=NOW + 3)) == "cb"

    def test_velocity_is_rebuilt_from_calls_with_a_number(self, path: Path) -> None:
        calls = [make_record(str(i), NOW - i, CALLER if i % 2 else None, linkedid=f"c{i}") for i in range(6)]
        again = make_record("again", NOW - 0.5, CALLER, linkedid="c1")  # for a callee: the same call
        calls[3] = calls[3]._replace(did=None, first_call=True)
        write(path, record_decisions, [*calls, again])
        assert read(path, lambda db: list(call_times(db, NOW - 3))) == [
            CallTime(CALLER, NOW - 3, None, True),
            CallTime(CALLER, NOW - 1, DID, False),
        ]

    @pytest.mark.parametrize("sql", [BY_ID, BY_CALLER, BY_LINKEDID, BY_TIME, CALL_TIMES])
    def test_every_search_uses_an_index(self, path: Path, sql: str) -> None:
        def plan(db: sqlite3.Connection) -> list[str]:
            steps = db.execute(f"EXPLAIN QUERY PLAN {sql}", [NOW] * sql.count("?"))
            return [step for *_, step in steps]

        [step] = read(path, plan)
        assert step.startswith("SEARCH decision USING INDEX")


class Faltering:
    """A store that waits until it is `ready`, fails while `trouble` is set, and never takes `refused`.

    It keeps the rest.
    """

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.refused = ""
        self.taken: list[str] = []
        self.attempts = 0
        self.ready = asyncio.Event()
        self.ready.set()

    async def write(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        self.attempts += 1
        await asyncio.sleep(0)
        await self.ready.wait()
        if self.trouble:
            raise self.trouble
        for batch in args:
            assert isinstance(batch, list)
            if self.refused in [record.id for record in batch]:
                raise sqlite3.IntegrityError("a bug of ours")
            self.taken += [record.id for record in batch]
        return None  # type: ignore[return-value]


@pytest.fixture
def faltering() -> Faltering:
    return Faltering()


@pytest.fixture
async def journal(faltering: Faltering) -> AsyncIterator[Journal]:
    journal = Journal(faltering, size=10)
    journal.start()
    yield journal
    await journal.close()


class TestQueue:
    async def test_a_decision_is_written_to_the_store(self, path: Path) -> None:
        store = await Store.open(path)
        journal = Journal(store)
        journal.start()
        try:
            assert FLUSH_SECONDS < 0.2
            journal.add(make_record())
            await until(lambda: len(journal) == 0)
            await store.write(lambda db: None)
            assert await store.read(decision_of, "d1") == make_record()
        finally:
            await journal.close()
            await store.close()

    async def test_decisions_are_written_in_batches(self, faltering: Faltering, journal: Journal) -> None:
        for i in range(10):
            journal.add(make_record(str(i)))
        await until(lambda: len(faltering.taken) == 10)
        assert faltering.attempts == 1

    async def test_a_failing_store_is_logged_once_and_nothing_is_lost(
        self, faltering: Faltering, journal: Journal, caplog: pytest.LogCaptureFixture
    ) -> None:
        faltering.trouble = StoreError("callsieve.db: the disk is full")
        journal.add(make_record("1"))
        await until(lambda: faltering.attempts == 2)
        await until(lambda: journal.degraded)
        warning = "decisions stay in memory until the store is writable, error=callsieve.db: the disk is full"
        assert [record.levelno for record in caplog.records if warning in record.getMessage()] == [logging.WARNING]
        journal.add(make_record("2"))
        faltering.trouble = None
        await until(lambda: faltering.taken == ["1", "2"])
        await until(lambda: not journal.degraded)
        assert journal.dropped == 0

    async def test_a_full_ring_drops_and_counts_the_oldest(self, faltering: Faltering, journal: Journal) -> None:
        faltering.trouble = StoreError("locked")
        for i in range(8):
            journal.add(make_record(str(i)))
        await until(lambda: faltering.attempts == 1)
        for i in range(8, 14):
            journal.add(make_record(str(i)))
        await until(lambda: journal.degraded)
        assert (len(journal), journal.dropped) == (10, 4)
        faltering.trouble = None
        await until(lambda: faltering.taken == [str(i) for i in range(4, 14)])

    async def test_a_ring_that_fills_while_it_is_written_stays_bounded(
        self, faltering: Faltering, journal: Journal
    ) -> None:
        faltering.trouble = StoreError("locked")
        faltering.ready.clear()
        for i in range(8):
            journal.add(make_record(str(i)))
        await until(lambda: faltering.attempts == 1)
        for i in range(8, 18):
            journal.add(make_record(str(i)))
        faltering.ready.set()
        await until(lambda: journal.degraded)
        assert (len(journal), journal.dropped) == (10, 8)
        faltering.trouble = None
        await until(lambda: faltering.taken == [str(i) for i in range(8, 18)])

    async def test_an_unwritable_decision_does_not_block_the_rest(
        self, faltering: Faltering, journal: Journal, caplog: pytest.LogCaptureFixture
    ) -> None:
        faltering.trouble = sqlite3.IntegrityError("a bug of ours")
        journal.add(make_record("1"))
        await until(lambda: journal.dropped == 1)
        faltering.trouble = None
        journal.add(make_record("2"))
        await until(lambda: faltering.taken == ["2"])
        assert "cannot be written" in caplog.text

    async def test_an_unwritable_decision_loses_no_other_of_its_batch(
        self, faltering: Faltering, journal: Journal
    ) -> None:
        faltering.refused = "3"
        for i in range(6):
            journal.add(make_record(str(i)))
        await until(lambda: faltering.taken == ["0", "1", "2", "4", "5"])
        await until(lambda: journal.dropped == 1)

    async def test_closing_writes_the_remaining_decisions(self, faltering: Faltering, journal: Journal) -> None:
        for i in range(5):
            journal.add(make_record(str(i)))
        await journal.close()
        assert len(faltering.taken) == 5

    async def test_closing_is_bounded_and_counts_lost_decisions(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = await Store.open(path)
        journal = Journal(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            journal.add(make_record())
            started = time.monotonic()
            await journal.close(seconds=0.2)
            await store.close()
            assert time.monotonic() - started < 20  # without a bound it would wait for the other for ever
            assert "count=1" in caplog.text
        finally:
            other.close()


FILL = """
import asyncio, logging, pathlib, resource, sys
from reputation.store.connection import Store
from reputation.store.journal import Journal
from tests.reputation.store_builders import make_record, make_query
import time
logging.basicConfig(level="WARNING", stream=sys.stdout, format="%(message)s")
path, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
async def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.01)
async def main():
    store = await Store.open(path)
    journal = Journal(store)
    journal.start()
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    added = 0
    while not journal.degraded:
        for _ in range(100):
            journal.add(make_record(str(added), reason="x" * 1000))
            added += 1
        await asyncio.sleep(0.05)
        assert added < 9000, "the disk never filled up"
    facts = await store.facts(make_query(), time.monotonic() + 5)  # decided all the same
    print("degraded", added, len(journal) > 0, flush=True)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        sys.stdin.readline()
    await until(lambda: len(journal) == 0 and not journal.degraded)
    await store.write(lambda db: None)  # after the batch that may still be on its way
    count = "SELECT count(*) FROM decision"
    (written,) = await store.read(lambda db: db.execute(count).fetchone())
    print("written", written == added, journal.dropped)
    await journal.close()
    await store.close()
asyncio.run(main())
"""


class TestDiskFull:
    def test_a_file_size_limit_loses_no_decision(self, path: Path) -> None:
        process = run_python(FILL, path, 600_000)
        output, _ = process.communicate(timeout=60)
        lines = output.splitlines()
        assert process.returncode == 0, output
        assert "decisions stay in memory" in lines[0]
        assert lines[1].startswith("degraded")
        assert lines[1].endswith("True")
        assert "dropped=0" in lines[2]
        assert lines[3:] == ["written True 0"]

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        directory = tmp_path / "small"
        directory.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)]
        subprocess.run(mount, check=True)
        yield directory
        subprocess.run(["umount", str(directory)], check=True)

    @pytest.mark.root
    def test_a_full_disk_loses_no_decision(self, small_disk: Path) -> None:
        process = run_python(FILL, small_disk / "callsieve.db", 0)
        assert process.stdin
        assert process.stdout
        first, second = process.stdout.readline(), process.stdout.readline()
        assert "the disk is full" in first
        assert second.startswith("degraded")
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        output, _ = process.communicate("the disk was made larger\n", timeout=60)
        assert process.returncode == 0, output
        assert "dropped=0" in output
        assert output.endswith("written True 0\n")
