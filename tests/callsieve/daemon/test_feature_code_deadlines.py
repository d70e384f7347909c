"""A feature code that the phone reported as failed changes nothing later, and can be dialled again."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from callsieve.daemon.store_supervisor import StoreSupervisor
from lab.daemon import Daemon
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from tests.callsieve.phones import ask, dial, expecting, status
from tests.waiting import wait_until

PHONE, OTHER = "PJSIP/201", "PJSIP/202"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as daemon:
        wait_until(lambda: status(daemon) == "")
        yield daemon


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Keep the store locked for writing."""
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def test_code_that_timed_out_is_not_applied_later(daemon: Daemon) -> None:
    with locked(daemon.store):
        assert dial(daemon, PHONE) == ""
    assert dial(daemon, OTHER) == "expecting"  # written after whatever was queued
    assert expecting(daemon.store) == {OTHER}
    assert dial(daemon, PHONE) == "expecting"
    assert expecting(daemon.store) == {PHONE, OTHER}


@pytest.mark.parametrize(("age", "word"), [(0.0, "expecting"), (0.7, ""), (-5.0, "expecting")])
def test_code_older_than_its_deadline_is_not_applied(daemon: Daemon, age: float, word: str) -> None:
    asked = f"asked={1000 * (time.time() - age):.0f}"
    assert ask(daemon, "mark", f"endpoint={PHONE}", "code=expect", asked).get("CALLSIEVE_SAY", "") == word
    assert expecting(daemon.store) == ({PHONE} if word else set())


async def test_code_written_after_its_deadline_is_reverted(tmp_path: Path) -> None:
    store = StoreSupervisor(tmp_path / "callsieve.db")
    await store.start()
    freed = threading.Event()

    def hold(db: sqlite3.Connection) -> None:
        freed.wait(60.0)

    def done() -> bool:
        with open_store(store.path) as db:
            return [row.what for row in audit_rows(db, None, 10)] == ["whispers-on", "whispers-off"]

    holding = asyncio.create_task(store.write(hold))
    dialled = asyncio.create_task(store.apply_feature_code(PHONE, "whispers", time.time(), math.inf))
    await asyncio.sleep(0)
    dialled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialled
    freed.set()
    await holding
    await asyncio.to_thread(wait_until, done)
    await store.close()
