"""A store that is opened late or replaced gets people and numbers from the settings."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from callsieve.daemon import background
from callsieve.daemon.background import keep_settings, recall
from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.settings import load_settings
from reputation.first_calls import FirstCalls
from reputation.model import FirstCall
from reputation.numbers import stored_number
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.store.journal import record_decisions
from reputation.store.people import all_dids, all_people
from reputation.velocity import Velocity
from tests.builders import LONDON
from tests.reputation.store_builders import CALLER, NOW, make_record
from tests.waiting import until

NEIGHBOUR, OTHER_DID = CALLER[:-1] + "9", "+442071838751"  # beside LONDON
SETTINGS = """
[[did]]
number = "+442071838752"
screen = false

[[person]]
extension = "201"
endpoint = "PJSIP/201"
"""


@pytest.fixture
async def late_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StoreSupervisor]:
    """A store that is not open yet, with the task that copies the settings into it."""
    monkeypatch.setattr(background, "SETTINGS_RETRY_SECONDS", 0.01)
    config = tmp_path / "callsieve.toml"
    config.write_text(SETTINGS)
    settings = load_settings(config, {"CALLSIEVE_STATE": str(tmp_path)}).settings
    due = asyncio.Event()
    store = StoreSupervisor(tmp_path / "callsieve.db", opened=due.set)
    keeping = asyncio.create_task(keep_settings(store, lambda: settings, due))
    yield store
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await store.close()


async def is_known(store: StoreSupervisor) -> bool:
    try:
        return bool(await store.read(all_people) and await store.read(all_dids))
    except StoreError:
        return False


async def wait_until_known(store: StoreSupervisor) -> None:
    async with asyncio.timeout(20):
        while not await is_known(store):  # noqa: ASYNC110 (the same)
            await asyncio.sleep(0.01)


async def test_store_damaged_at_start_gets_the_settings(late_store: StoreSupervisor) -> None:
    late_store.path.write_bytes(b"this is no store\n" * 1000)
    await late_store.start()
    await wait_until_known(late_store)


async def test_locked_store_gets_the_settings_later(late_store: StoreSupervisor) -> None:
    with open_store(late_store.path) as other:
        other.execute("BEGIN IMMEDIATE")
        await late_store.start()
        assert not await is_known(late_store)
        other.execute("ROLLBACK")
        await wait_until_known(late_store)


def fail(_: sqlite3.Connection) -> None:
    raise StoreError("damaged", damaged=True)


async def test_replaced_store_gets_the_settings(late_store: StoreSupervisor) -> None:
    await late_store.start()
    await wait_until_known(late_store)
    with suppress(StoreError):
        await late_store.write(fail)
    await until(lambda: late_store.trouble == "" and list(late_store.path.parent.glob("callsieve.db.damaged-*")))
    await wait_until_known(late_store)


async def test_calls_before_the_start_are_counted_once(
    late_store: StoreSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger=background.logger.name)
    times = [NOW - 7200, NOW - 60, NOW - 30, NOW + 5]
    with open_store(late_store.path) as db:
        record_decisions(db, [make_record(str(at), at=at, linkedid=str(at), caller=CALLER) for at in times])
        stranger = make_record("stranger", at=NOW - 40, linkedid="s", caller=NEIGHBOUR)
        record_decisions(db, [stranger._replace(did=OTHER_DID, first_call=True)])
    velocity, first_calls = Velocity(), FirstCalls()
    velocity.add(stored_number(CALLER), NOW + 5)
    recalling = asyncio.create_task(recall(late_store, velocity, first_calls, NOW))
    await until(lambda: "the store is not open yet" in caplog.text)  # the first try was too early
    await late_store.start()
    await recalling
    assert velocity.calls(stored_number(CALLER), NOW + 10) == (NOW - 60, NOW - 30, NOW + 5)
    assert first_calls.before(stored_number(CALLER), LONDON, NOW) == FirstCall(neighbours=1, in_a_row=2)


async def test_calls_are_answered_while_earlier_ones_are_counted(late_store: StoreSupervisor) -> None:
    with open_store(late_store.path) as db:
        record_decisions(
            db, [make_record(str(n), at=NOW - n, linkedid=str(n), caller=f"+1201742{n:04}") for n in range(1, 900)]
        )
    await late_store.start()
    await wait_until_known(late_store)
    velocity, reads, counted = Velocity(), 0, [0]

    async def read() -> None:
        nonlocal reads
        while True:
            await late_store.read(lambda _: None)
            reads += 1

    async def look() -> None:
        while True:
            counted.append(len(velocity))
            await asyncio.sleep(0)

    others = [asyncio.create_task(read()), asyncio.create_task(look())]
    await recall(late_store, velocity, FirstCalls(), NOW)
    for other in others:
        other.cancel()
    assert len(velocity) == 899
    assert max(after - before for before, after in pairwise(counted)) <= 100
    assert reads >= 10
