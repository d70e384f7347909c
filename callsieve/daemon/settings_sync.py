"""What the daemon puts into a store that it opens, and what it takes out of it. A store that cannot is asked again."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable

from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.exchange.register import register_peers
from callsieve.lookups.operations import register_sources
from callsieve.settings import Settings
from callsieve.wiring import dids_of, own_numbers_of, people_of
from reputation.first_calls import FirstCalls
from reputation.model import Did, Person
from reputation.numbers import stored_number
from reputation.store.errors import StoreError
from reputation.store.journal import CallTime, call_times
from reputation.store.people import (
    replace_settings_dids,
    replace_settings_own_numbers,
    replace_settings_people,
)
from reputation.velocity import WINDOW_SECONDS, Velocity

logger = logging.getLogger("callsieve.daemon.settings_sync")

RETRY_SECONDS = 5.0
# Calls from before the start are read and counted in parts, between which calls of now have their turn.
RECALLED_SECONDS = 60.0
RECALLED_CALLS = 100


async def keep_settings(store: StoreSupervisor, settings: Callable[[], Settings], due: asyncio.Event) -> None:
    """Until cancelled: the people and numbers of the settings, whenever `due` is set.

    Without them nobody is known, and a line that is not to be screened is.
    """
    while True:
        await due.wait()
        due.clear()
        ours = settings()
        written = store.write(_replace_settings, people_of(ours), dids_of(ours), own_numbers_of(ours), ours)
        if not await _done(written):
            due.set()


async def recall(store: StoreSupervisor, velocity: Velocity, first_calls: FirstCalls, started_at: float) -> None:
    """Who called in the hour before the start; later calls are counted as they come."""
    while (times := await _times(store, started_at - WINDOW_SECONDS, started_at)) is None:
        pass
    for place, (caller, at, did, is_first) in enumerate(times):
        if place % RECALLED_CALLS == 0:
            await asyncio.sleep(0)
        number = stored_number(caller)
        velocity.add(number, at, did)
        if is_first:
            first_calls.add(number, did, at)


async def _times(store: StoreSupervisor, since: float, before: float) -> list[CallTime] | None:
    """All calls of that time; None: the store could not say, and a while has passed."""
    times, seen = list[CallTime](), set[tuple[str, str]]()

    def read(db: sqlite3.Connection, first: float) -> None:
        times.extend(call_times(db, first, min(first + RECALLED_SECONDS, before), seen))

    while since < before:
        if not await _done(store.read(read, since)):
            return None
        since += RECALLED_SECONDS
    return times


async def _done(asked: Awaitable[None]) -> bool:
    """Whether the store did it. If not, a while has passed: it may be asked again."""
    try:
        await asked
    except StoreError as error:
        logger.info("%s", error)
        await asyncio.sleep(RETRY_SECONDS)
        return False
    return True


def _replace_settings(
    db: sqlite3.Connection, people: list[Person], dids: list[Did], own_numbers: list[str], ours: Settings
) -> None:
    replace_settings_people(db, people)
    replace_settings_dids(db, dids)
    replace_settings_own_numbers(db, own_numbers)
    register_sources(db, ours)
    register_peers(db, ours)
