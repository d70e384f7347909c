"""The console's store: opened when it is asked for, and once, however many ask and however short they wait."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from callsieve.web.store_client import StoreClient
from reputation.store.errors import StoreError
from tests.callsieve.browsing import Office
from tests.waiting import until


def tables(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])


def opened(store: Path) -> int:
    """How many times this process has the file open."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += descriptor.readlink() == store
    return count


async def test_opening_continues_after_its_caller_was_cancelled(tmp_path: Path) -> None:
    """A call waits for half a second; where opening takes longer, it would else never be open."""
    office = Office(tmp_path)
    first, client = StoreClient(office.store), StoreClient(office.store)
    await first.read(tables)
    needed = opened(office.store)
    await first.close()
    assert opened(office.store) == 0
    with closing(sqlite3.connect(office.store, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.read(tables)
    await until(lambda: opened(office.store) == needed)
    assert await client.read(tables) > 0
    assert opened(office.store) == needed
    await client.close()


async def test_concurrent_readers_share_one_connection(tmp_path: Path) -> None:
    office = Office(tmp_path)
    client, one = StoreClient(office.store), StoreClient(office.store)
    await one.read(tables)
    needed = opened(office.store)
    counts = await asyncio.gather(*(client.read(tables) for _ in range(20)))
    assert len(set(counts)) == 1
    assert opened(office.store) == 2 * needed
    await client.close()
    await one.close()


async def test_missing_store_fails_for_all_readers(tmp_path: Path) -> None:
    client = StoreClient(tmp_path / "none.db")
    asked = await asyncio.gather(*(client.read(tables) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(item, StoreError) for item in asked)
    await client.open(1.0)  # and is no error before it is asked for
    with pytest.raises(StoreError):
        await client.read(tables)
    await client.close()


async def test_replaced_store_file_is_reopened(tmp_path: Path) -> None:
    office = Office(tmp_path)
    client = StoreClient(office.store)
    assert await client.read(tables) > 0
    (tmp_path / "other").mkdir()
    other = Office(tmp_path / "other")
    other.store.rename(office.store)
    assert await client.read(tables) > 0
    await client.close()
