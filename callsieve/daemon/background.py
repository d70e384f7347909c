"""The daemon's background parts, such as the console. A failed part is started again, after ever longer pauses."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.exchange.health import register_peers
from callsieve.install.front_context import asked_in_files, is_answered_at
from callsieve.logs import lost_lines
from callsieve.lookups.operations import register_sources
from callsieve.settings import Loaded, Settings
from callsieve.telemetry import NAME, Listening, Telemetry
from callsieve.wiring import dids_of, own_numbers_of, people_of
from reputation.backoff import wait_seconds
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
from reputation.store.standing import fold_next, use_weights
from reputation.velocity import WINDOW_SECONDS, Velocity

logger = logging.getLogger("callsieve.daemon.background")

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
WELL_AFTER_SECONDS = 600.0  # longer than any pause, so that a part that keeps failing is always reported

Part = Callable[[], Coroutine[None, None, None]]


class BackgroundParts:
    """Runs background parts until the daemon stops. If a part fails, calls and the other parts are not affected."""

    def __init__(self) -> None:
        self._failed_at: dict[str, float] = {}

    def start(self, part: Part, stack: AsyncExitStack) -> None:
        """Run the part until `stack` is closed."""
        stack.push_async_callback(_end, asyncio.create_task(self._keep(part), name=part.__name__))

    def failed(self) -> list[str]:
        """Return the names of the parts that failed in the last WELL_AFTER_SECONDS."""
        now = time.monotonic()
        return [name for name, at in self._failed_at.items() if now - at < WELL_AFTER_SECONDS]

    async def _keep(self, part: Part) -> None:
        name = part.__name__.strip("_").replace("_", " ")
        failures = 0
        while True:
            began = time.monotonic()
            try:
                return await part()
            except Exception:
                failures = failures + 1 if time.monotonic() - began < WELL_AFTER_SECONDS else 1
                seconds = wait_seconds(failures, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
                logger.exception(
                    "a part of the daemon failed: %s, restart in %.0f s; calls are not affected", name, seconds
                )
                self._failed_at[name] = time.monotonic()
            await asyncio.sleep(seconds)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


EVERY_SECONDS = 10.0


def dialplan_problem(loaded: Loaded) -> str:
    """Return why calls do not reach this daemon and what to do. Empty if calls reach it, or if this is unknown."""
    etc, listen = Path(loaded.settings.asterisk.etc), loaded.settings.agi.listen
    try:
        asked = asked_in_files(etc)
    except OSError:
        return ""  # the service may lack permission for Asterisk's files: `callsieve doctor` checks as root
    if asked is None or is_answered_at(asked, listen):
        return ""
    return (
        f"no call is screened: the dialplan in {etc} connects to {asked}, but this daemon answers on {listen}: "
        'run `callsieve asterisk install`, then asterisk -rx "dialplan reload"'
    )


async def watch_dialplan(load: Callable[[], Loaded], tell: Callable[[str], None]) -> None:
    """Check the dialplan every few seconds. Call `tell` with a text about the problem, or with "" without a problem."""
    known = ""
    while True:
        trouble = await asyncio.to_thread(dialplan_problem, load())  # a thread, so that a stalled disk delays no call
        if trouble and trouble != known:
            logger.critical("%s", trouble)
        elif known and not trouble:
            logger.info("the dialplan queries this daemon now")
        known = trouble
        tell(trouble)
        await asyncio.sleep(EVERY_SECONDS)


AT_ONCE = 50  # numbers in a transaction, about 5 ms
PAUSE_SECONDS = 0.02  # between two transactions, for other writers
RETRY_SECONDS = 10.0


async def keep_folded(store: StoreSupervisor, changed: asyncio.Event) -> None:
    """Recompute outdated standings (stored sums about numbers) at the start and each time `changed` is set."""
    while True:
        changed.clear()
        try:
            await fold(store)
        except StoreError as error:
            logger.debug("recomputing the sums of evidence was postponed: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await changed.wait()


async def fold(store: StoreSupervisor) -> int:
    """Recompute all standings that were made with other weights than today's. Return how many were recomputed."""
    await store.write(use_weights, store.weights)
    total = 0
    while numbers := await store.write(fold_next, AT_ONCE):
        total += numbers
        await asyncio.sleep(PAUSE_SECONDS)
    if total:
        logger.info("weights changed: recomputed the sums of evidence of %d numbers", total)
    return total


CONSOLE_FIRST_RETRY_SECONDS = 2.0
CONSOLE_LONGEST_RETRY_SECONDS = 300.0
CONSOLE_WELL_AFTER_SECONDS = 60.0
END_SECONDS = 1.0


async def keep_console(load: Callable[[], Loaded]) -> None:
    """Run the console until cancelled, and restart it if it ends. Return at once if the settings switch it off."""
    loaded = load()
    if not loaded.settings.web.enabled:
        return
    failures = 0
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        code = await _run(loaded)
        if loop.time() - began > CONSOLE_WELL_AFTER_SECONDS:
            failures = 0
        failures += 1
        seconds = wait_seconds(failures, CONSOLE_FIRST_RETRY_SECONDS, CONSOLE_LONGEST_RETRY_SECONDS)
        logger.warning("the console ended: exit code %s, restart in %.0f s; calls are not affected", code, seconds)
        await asyncio.sleep(seconds)


async def _run(loaded: Loaded) -> int:
    """Run the console once. It exits when its standard input closes, so it never outlives this process."""
    words = [sys.executable, "-P", "-m", "callsieve.main.console_server", *([str(loaded.file)] if loaded.file else [])]
    process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.PIPE)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


SETTINGS_RETRY_SECONDS = 5.0
# Calls from before the start are read and counted in parts, so that current calls do not wait.
RECALLED_SECONDS = 60.0
RECALLED_CALLS = 100


async def keep_settings(store: StoreSupervisor, settings: Callable[[], Settings], due: asyncio.Event) -> None:
    """Copy the people and phone numbers in the settings to the store, each time `due` is set. Runs until cancelled."""
    while True:
        await due.wait()
        due.clear()
        current = settings()
        written = store.write(_replace_settings, people_of(current), dids_of(current), own_numbers_of(current), current)
        if not await _done(written):
            due.set()


async def recall(store: StoreSupervisor, velocity: Velocity, first_calls: FirstCalls, started_at: float) -> None:
    """Add the calls of the hour before the start to the counts in memory, as if the daemon had already been running."""
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
    times, seen = list[CallTime](), set[tuple[str, str]]()

    def read(db: sqlite3.Connection, first: float) -> None:
        times.extend(call_times(db, first, min(first + RECALLED_SECONDS, before), seen))

    while since < before:
        if not await _done(store.read(read, since)):
            return None
        since += RECALLED_SECONDS
    return times


async def _done(pending: Awaitable[None]) -> bool:
    """Return whether the store completed the request. After a failure, wait first, so the caller can retry at once."""
    try:
        await pending
    except StoreError as error:
        logger.info("%s", error)
        await asyncio.sleep(SETTINGS_RETRY_SECONDS)
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


if TYPE_CHECKING:
    from agi.screening import Screening
    from agi.server import AgiServer
    from callsieve.daemon.outcome_recorder import OutcomeRecorder
    from callsieve.daemon.store_supervisor import StoreSupervisor
    from callsieve.hearing.service import CallHearing
    from callsieve.lookups.client import LookUpClient


class Observed(Protocol):
    """The parts of the daemon that telemetry reports about."""

    @property
    def program(self) -> str:
        """Return the version and build of the running program."""
        ...

    @property
    def server(self) -> AgiServer:
        """Return the FastAGI server."""
        ...

    @property
    def screening(self) -> Screening:
        """Return the part that decides about calls."""
        ...

    @property
    def store(self) -> StoreSupervisor:
        """Return the store."""
        ...

    @property
    def look_ups(self) -> LookUpClient:
        """Return the client of the look-up process."""
        ...

    @property
    def hearing(self) -> CallHearing:
        """Return the part that turns callers' words into text."""
        ...

    @property
    def learning(self) -> OutcomeRecorder | None:
        """Return the recorder of call outcomes; None if the settings name no AMI user."""
        ...

    def trouble(self) -> str:
        """Return the current problems in one line, or an empty text."""
        ...


def telemetry_of(daemon: Observed, started_at: float, now: float) -> Telemetry:
    """Return the daemon's current state as telemetry."""
    screening, journal = daemon.screening, daemon.store.journal
    return Telemetry(
        at=now,
        started_at=started_at,
        policy=screening.policies.default.name,
        observing=screening.policies.default.observe,
        trouble=daemon.trouble(),
        server=daemon.server.stats,
        is_blind=daemon.server.is_blind and not daemon.server.key,
        by_action=dict(screening.counts.by_action),
        took=list(screening.counts.took),
        took_seconds=screening.counts.took_ms / 1000,
        store_refused=screening.counts.store_refused,
        breaker_open=screening.breaker.is_open,
        journal_waiting=len(journal),
        journal_dropped=journal.dropped,
        journal_degraded=journal.degraded,
        log_lost=lost_lines(),
        listening=_listening_of(daemon),
        by_carrier=dict(screening.counts.by_carrier),
        look_ups=replace(daemon.look_ups.counts) if daemon.look_ups.budget_seconds else None,
        hearing=daemon.hearing.state_now() if screening.hearing is not None else None,
        unrecorded=screening.counts.unrecorded,
        program=daemon.program,
    )


def _listening_of(daemon: Observed) -> Listening | None:
    learning = daemon.learning
    if learning is None:
        return None
    status = learning.listener.status
    return Listening(
        connected=status.connected_since is not None,
        trouble=learning.trouble,
        events=status.events,
        events_dropped=status.dropped,
        gaps=status.gaps,
        connects=status.connects,
        behind_seconds=status.behind_seconds,
        outcomes=learning.recorded,
        outcomes_dropped=learning.dropped,
        outcomes_waiting=learning.waiting,
    )


def write_telemetry(state: Path, telemetry: Telemetry) -> None:
    """Replace the telemetry file in one step, so that readers never see a partial file. Raise OSError on failure."""
    path = state / NAME
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(telemetry))
    os.replace(new, path)
