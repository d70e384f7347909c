"""The outbound guard over a real store: calls at once see each other, also where the store takes no writes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from agi.screening import Screening
from callsieve.daemon.store_supervisor import StoreSupervisor
from tests.agi.test_outbound_request import ACTING, LONDON, NOON, answer, make_request
from tests.builders import Clock, Memory, make_screening, make_site
from tests.waiting import until

ALL_AT_ONCE = 10


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StoreSupervisor]:
    store = StoreSupervisor(tmp_path / "callsieve.db")
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def screening(store: StoreSupervisor) -> Screening:
    screening = make_screening(Memory(Clock(NOON)), site=make_site(outbound=ACTING))
    screening.knowledge = store
    return screening


async def called(screening: Screening, first: int) -> Counter[str]:
    """What became of so many calls to one person, asked about in one turn of the loop."""
    asked = [make_request(linkedid=f"{first}.{number}", did=LONDON) for number in range(ALL_AT_ONCE)]
    said = await asyncio.gather(*(answer(screening, request) for request in asked))
    return Counter(item["CALLSIEVE_OUTBOUND"] for item in said)


async def test_three_of_ten_simultaneous_calls_go_out(screening: Screening, store: StoreSupervisor) -> None:
    assert await called(screening, 1) == {"allow": 3, "hold": 7}
    await until(lambda: not store.journal.outbound_waiting(), 20)  # now they are in the store
    assert await called(screening, 2) == {"hold": 10}


async def test_limit_holds_while_the_store_is_locked(screening: Screening, store: StoreSupervisor) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await called(screening, 1) == {"allow": 3, "hold": 7}
        await until(lambda: not len(store.journal), 20)  # all are being written, which waits for the other one
        assert len(store.journal.outbound_waiting()) == ALL_AT_ONCE
        assert await called(screening, 2) == {"hold": 10}
