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
from callsieve.keeper import Keeper
from tests.agi.test_guarding import ACTING, LONDON, NOON, answer, make_request
from tests.builders import Clock, Memory, make_screening, make_site

ALL_AT_ONCE = 10


@pytest.fixture
async def screening(tmp_path: Path) -> AsyncIterator[Screening]:
    screening = make_screening(Memory(Clock(NOON)), site=make_site(outbound=ACTING))
    keeper = screening.knowledge = Keeper(tmp_path / "callsieve.db")
    await keeper.start()
    yield screening
    await keeper.close()


async def called(screening: Screening, first: int) -> Counter[str]:
    """What became of so many calls to one person, asked about in one turn of the loop."""
    asked = [make_request(linkedid=f"{first}.{one}", did=LONDON) for one in range(ALL_AT_ONCE)]
    said = await asyncio.gather(*(answer(screening, request) for request in asked))
    return Counter(one["CALLSIEVE_OUTBOUND"] for one in said)


async def test_of_ten_calls_at_once_three_go_out(screening: Screening) -> None:
    assert await called(screening, 1) == {"allow": 3, "hold": 7}
    await asyncio.sleep(0.5)
    assert await called(screening, 2) == {"hold": 10}, "written meanwhile"


async def test_so_it_is_while_the_store_takes_nothing(screening: Screening, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "callsieve.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await called(screening, 1) == {"allow": 3, "hold": 7}
        await asyncio.sleep(0.5)
        assert await called(screening, 2) == {"hold": 10}
