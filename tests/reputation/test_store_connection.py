"""The daemon's store: one thread to read, one to write, and nothing left behind by a cancelled caller."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from reputation.facts import Facts
from reputation.store.connection import Store, StoreError, open_store, transaction
from reputation.store.database import BUSY_SECONDS
from reputation.store.site import latest_emergency, record_emergency
from tests.reputation.store_builders import NOW, make_query, read, run_python

pytestmark = pytest.mark.usefixtures("migrating_stores")

# Runs for hours unless it is stopped, and stands for any statement that is slower than a call can wait.
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

HOLD_LOCK = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "callsieve.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = await Store.open(path)
    yield store
    await store.close()


def far_deadline() -> float:
    return time.monotonic() + 20.0


def read_endlessly(db: sqlite3.Connection) -> None:
    db.execute(ENDLESS).fetchone()


def select_one(db: sqlite3.Connection) -> int:
    (value,) = db.execute("SELECT 1").fetchone()
    return int(value)


@contextlib.contextmanager
def lock_held_elsewhere(path: Path, seconds: float) -> Iterator[None]:
    """Hold the write lock in another process."""
    process = run_python(HOLD_LOCK, path, seconds)
    assert process.stdout
    assert process.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        process.kill()
        process.communicate()


class TestOpening:
    async def test_a_new_store_is_made_for_its_owner_and_group_only(self, store: Store, path: Path) -> None:
        assert await store.facts(make_query(), far_deadline()) == await store.facts(make_query(), far_deadline())
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0
        for name in ("callsieve.db", "callsieve.db-wal", "callsieve.db-shm"):
            assert stat.S_IMODE((path.parent / name).stat().st_mode) & 0o137 == 0, name

    async def test_the_store_is_in_wal_mode_with_foreign_keys(self, store: Store) -> None:
        def settings(db: sqlite3.Connection) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "query_only")
            return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

        assert await store.read(settings) == ["wal", 1, 1, 0, 1]

    async def test_the_reader_cannot_write(self, store: Store) -> None:
        with pytest.raises(StoreError, match="readonly"):
            await store.read(record_emergency, NOW)

    @pytest.mark.parametrize(
        ("break_it", "words"),
        [
            pytest.param(lambda path: path.mkdir(parents=True), "no permission to open", id="directory"),
            pytest.param(lambda path: path.parent.write_text("a file"), "cannot be used", id="parent-is-a-file"),
        ],
    )
    async def test_a_failed_open_names_the_cause_and_ends_its_threads(
        self, path: Path, break_it: object, words: str
    ) -> None:
        assert callable(break_it)
        break_it(path)
        with pytest.raises(StoreError, match=words) as caught:
            await Store.open(path)
        assert str(path) in str(caught.value)
        assert not caught.value.damaged

    def test_a_file_that_is_no_store_counts_as_damaged(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"this is not a database, but a letter to my aunt. " * 100)
        with pytest.raises(StoreError, match="damaged") as caught:
            asyncio.run(Store.open(path))
        assert caught.value.damaged

    async def test_missing_permission_is_named_in_the_error(self, path: Path, request: pytest.FixtureRequest) -> None:
        path.parent.mkdir(mode=0o500)
        request.getfixturevalue("as_nobody")
        with pytest.raises(StoreError, match="no permission"):
            await Store.open(path)

    def test_libraries_never_log_bound_values(self) -> None:
        assert logging.getLogger("aiosqlite").getEffectiveLevel() == logging.WARNING

    async def test_many_processes_can_open_a_new_store_at_once(self, path: Path) -> None:
        script = "import sys, pathlib; from reputation.store.database import open_store\n"
        script += "with open_store(pathlib.Path(sys.argv[1])): print('ok')"
        processes = [run_python(script, path) for _ in range(6)]
        assert [process.communicate()[0] for process in processes] == ["ok\n"] * 6


class TestReading:
    async def test_a_read_returns_what_the_function_returns(self, store: Store) -> None:
        assert await store.read(select_one) == 1
        assert isinstance(await store.facts(make_query(), far_deadline()), Facts)

    async def test_a_read_after_its_deadline_is_not_begun(self, store: Store) -> None:
        begun: list[sqlite3.Connection] = []
        with pytest.raises(TimeoutError):
            await store.read(begun.append, give_up_at=time.monotonic())
        assert begun == []

    async def test_a_slow_read_stops_at_its_deadline(self, store: Store) -> None:
        with pytest.raises(TimeoutError):
            await store.read(read_endlessly, give_up_at=time.monotonic() + 0.05)

    async def test_a_slow_read_stops_when_its_caller_is_cancelled(self, store: Store) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await store.read(read_endlessly)
        assert await store.read(select_one, give_up_at=far_deadline()) == 1

    async def test_only_the_cancelled_read_is_stopped(self, store: Store) -> None:
        slow = asyncio.create_task(store.read(read_endlessly))
        others = [asyncio.create_task(store.read(select_one)) for _ in range(20)]
        await asyncio.sleep(0.02)
        others[3].cancel()  # it waits for its turn: the one that runs is not its business
        await asyncio.sleep(0.02)
        assert not slow.done()
        slow.cancel()
        results = await asyncio.gather(*others, return_exceptions=True)
        assert results[:3] + results[4:] == [1] * 19
        assert isinstance(results[3], asyncio.CancelledError)

    async def test_cancelling_at_any_instant_never_harms_the_next_read(self, store: Store) -> None:
        for delay in range(200):
            task = asyncio.create_task(store.read(select_one))
            for _ in range(delay % 7):
                await asyncio.sleep(0)
            task.cancel()
            assert await store.read(select_one, give_up_at=far_deadline()) == 1

    async def test_reading_goes_on_while_another_process_writes(self, store: Store, path: Path) -> None:
        with lock_held_elsewhere(path, 10):
            assert isinstance(await store.facts(make_query(), time.monotonic() + 0.4), Facts)


class TestWriting:
    async def test_a_write_is_visible_to_the_next_read(self, store: Store) -> None:
        await store.write(record_emergency, NOW)
        assert (await store.facts(make_query(), far_deadline())).emergency_at == NOW

    async def test_a_failed_write_is_rolled_back(self, store: Store) -> None:
        def fail(db: sqlite3.Connection) -> None:
            record_emergency(db, NOW)
            raise LookupError("a bug")

        with pytest.raises(LookupError):
            await store.write(fail)
        assert await store.read(latest_emergency) is None

    async def test_a_cancelled_write_is_finished_and_keeps_no_lock(self, store: Store, path: Path) -> None:
        def write_slowly(db: sqlite3.Connection) -> None:
            record_emergency(db, NOW)
            time.sleep(0.1)

        task = asyncio.create_task(store.write(write_slowly))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.write(select_one)  # after the other in the queue
        assert await store.read(latest_emergency) == NOW
        with open_store(path) as db, transaction(db):
            record_emergency(db, NOW + 1)

    async def test_a_write_waits_for_another_process_to_finish(self, store: Store, path: Path) -> None:
        with lock_held_elsewhere(path, 0.3):
            await store.write(record_emergency, NOW)
        assert await store.read(latest_emergency) == NOW

    async def test_a_store_locked_for_5_seconds_is_an_error(self, store: Store, path: Path) -> None:
        with lock_held_elsewhere(path, 60):
            started = time.monotonic()
            with pytest.raises(StoreError, match="another program"):
                await store.write(record_emergency, NOW)
            assert BUSY_SECONDS <= time.monotonic() - started < 60

    async def test_two_processes_write_at_once_and_nothing_is_lost(self, store: Store, path: Path) -> None:
        script = """
import sys, pathlib
from reputation.store.database import open_store
from reputation.store.transaction import transaction
from reputation.store.site import record_emergency
with open_store(pathlib.Path(sys.argv[1])) as db:
    for at in range(1, 401, 2):
        with transaction(db):
            record_emergency(db, float(at))
"""
        process = run_python(script, path)
        for at in range(0, 400, 2):
            await store.write(record_emergency, float(at))
        output, _ = await asyncio.to_thread(process.communicate)
        assert (process.returncode, output) == (0, "")
        count = "SELECT count(*) FROM emergency_call"
        assert read(path, lambda db: db.execute(count).fetchone()) == (400,)


class TestClosing:
    async def test_closing_does_not_wait_for_a_slow_read_or_for_a_lock(self, path: Path) -> None:
        store = await Store.open(path)
        with lock_held_elsewhere(path, 60):
            waiting = [asyncio.create_task(store.read(read_endlessly)), asyncio.create_task(store.write(select_one))]
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await store.close()
            assert time.monotonic() - started < 30
            results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [TimeoutError, StoreError]

    async def test_a_closed_store_raises_an_error(self, path: Path) -> None:
        store = await Store.open(path)
        await store.close()
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.read(select_one)
        with pytest.raises(StoreError, match="closed"):
            await store.write(select_one)

    async def test_a_cancelled_close_still_ends_both_threads(self, path: Path) -> None:
        before = set(threading.enumerate())
        store = await Store.open(path)
        threads = [item for item in threading.enumerate() if item not in before and not item.name.startswith("asyncio")]
        assert len(threads) == 2
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        deadline = time.monotonic() + 20
        while any(thread.is_alive() for thread in threads):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_closing_the_store_lets_a_program_end(self, path: Path, loop: str) -> None:
        script = f"""
import asyncio, sys, pathlib, {loop}
from reputation.store.connection import Store
async def main():
    store = await Store.open(pathlib.Path(sys.argv[1]))
    await store.close()
{loop}.run(main())
"""
        process = run_python(script, path)
        assert process.communicate(timeout=60)[0] == ""
