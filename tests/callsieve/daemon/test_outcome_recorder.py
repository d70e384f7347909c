"""The outcome recorder: from AMI events to rows in the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agi.site import Site
from callsieve.daemon.outcome_recorder import OutcomeRecorder
from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.settings import Ami, parse_settings
from callsieve.wiring import site_of
from lab.recorder import load_recording
from reputation.feature_codes import apply_feature_code
from reputation.model import SignalCategory
from reputation.own.daily_counts import OwnDay
from reputation.store.evidence_rows import signals_of
from reputation.store.outcomes import SETTLE_SECONDS, outcomes, settle_outcomes
from reputation.store.own_days import days_of
from reputation.store.site import latest_emergency
from tests.ami_listener.fake_manager import FakeManager, managing
from tests.ami_listener.replaying import FOLDER, NAMES, expected, items_of, replay, rounded
from tests.waiting import until

CALLER = "+12017421834"  # the caller in the recordings
CALLED = b"+13125550142"  # the callee
OWN = "+442071838751"  # which calls somebody in Chicago in the recording
TRUNK = '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"\n'
NEVER = f'{TRUNK}[[hours]]\nregion = "US"\n'
ALWAYS = f'{TRUNK}[outbound]\nfirst_hour = 0\nlast_hour = 24\n[[hours]]\nregion = "GB"\n'
OFFICE = site_of(parse_settings(TRUNK, "callsieve.toml"))
REFUSE = "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'no'); END"


@asynccontextmanager
async def listening(
    tmp_path: Path, site: Callable[[], Site] = lambda: OFFICE
) -> AsyncIterator[tuple[OutcomeRecorder, FakeManager, StoreSupervisor]]:
    """An office that listens to a manager interface, with a store of its own."""
    async with managing() as manager:
        store = StoreSupervisor(tmp_path / "callsieve.db")
        await store.start()
        account = manager.account
        learning = OutcomeRecorder(Ami("127.0.0.1", manager.port, account.username, account.secret), site, store)
        learning.start()
        try:
            await until(lambda: learning.listener.status.connects)
            yield learning, manager, store
        finally:
            try:
                await learning.close()
            finally:
                await store.close()  # an open store's thread would keep the test process alive


def play(manager: FakeManager, name: str, *, dialled: bytes = CALLED) -> None:
    """Say what Asterisk said in a recording, but of a call to `dialled`."""
    said = [chunk.data for chunk in load_recording(FOLDER / f"{name}.ami")]
    manager.send(b"".join(data for data in said if data.startswith(b"Event: ")).replace(CALLED, dialled))


@pytest.mark.parametrize(("settings", "outside"), [(NEVER, 1), (ALWAYS, 0)], ids=["never", "always"])
async def test_bad_hours_follow_the_settings(tmp_path: Path, settings: str, outside: int) -> None:
    site = site_of(parse_settings(settings, "callsieve.toml"))
    async with listening(tmp_path, lambda: site) as (learning, manager, store):
        play(manager, "outbound-unanswered")
        await until(lambda: learning.recorded)
        [day] = await store.read(days_of, OWN, 0)
    assert day == OwnDay(OWN, day.day, 1, unanswered=1, abandoned=day.abandoned, outside=outside, people=1, most=1)


@pytest.mark.parametrize("name", NAMES)
def test_phones_are_known_by_name_without_trunks(tmp_path: Path, name: str) -> None:
    learning = OutcomeRecorder(Ami(), Site, StoreSupervisor(tmp_path / "callsieve.db"))
    items = items_of(name)
    ended = [*replay(learning.tracker, items), *learning.tracker.tick(items[-1].at + 31)]
    told = [replace(item, trunk=item.trunk and f"PJSIP/{item.trunk}") for item in expected(name)]
    assert [rounded(name, outcome) for outcome in ended] == told


async def test_calls_and_codes_are_learnt_from_without_people(tmp_path: Path) -> None:
    async with listening(tmp_path, Site) as (learning, manager, store):
        play(manager, "callee-hangs-up")
        await until(lambda: learning.recorded)
        [outcome] = await store.read(lambda db: outcomes(db, number=CALLER))
        assert outcome.answered_by == "PJSIP/201"
        await store.write(settle_outcomes, outcome.ended_at + 1e9)
        [signal] = await store.read(signals_of, CALLER)
        assert (signal.category, signal.callee) == (SignalCategory.HUNG_UP_ON, "PJSIP/201")
        assert await store.write(apply_feature_code, "PJSIP/201", "spam", outcome.ended_at + SETTLE_SECONDS) == "spam"


async def test_unwritable_outcome_alone_is_dropped(tmp_path: Path) -> None:
    async with listening(tmp_path) as (learning, manager, store):
        one, other = (call.linkedid for call in expected("two-at-once"))
        await store.write(sqlite3.Connection.execute, REFUSE.format(table="outcome", when=f"NEW.linkedid = '{one}'"))
        play(manager, "two-at-once")
        await until(lambda: learning.recorded)
        play(manager, "one-ring")
        await until(lambda: learning.recorded == 2)
        assert other in {outcome.linkedid for outcome in await store.read(outcomes)}
        assert (learning.dropped, learning.waiting, learning.trouble) == (1, 0, "")


async def test_learning_continues_after_an_internal_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sites = [OFFICE]

    async with listening(tmp_path, lambda: sites[0]) as (learning, manager, _):
        sites.clear()  # an IndexError wherever it is asked for
        await until(lambda: caplog.text.count("recording outcomes failed, trying again") > 1, 20)
        sites.append(OFFICE)
        play(manager, "one-ring")
        await until(lambda: learning.recorded)
        assert learning.trouble == ""


async def test_ended_learning_task_is_reported(tmp_path: Path) -> None:
    async with listening(tmp_path) as (learning, _, _):
        assert learning.trouble == ""
        next(task for task in asyncio.all_tasks() if task.get_name() == "learning_tick").cancel()
        await until(lambda: learning.trouble)
        assert "learning_tick" in learning.trouble


async def test_unwritten_emergency_call_is_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with listening(tmp_path) as (_, manager, store):
        await store.write(sqlite3.Connection.execute, REFUSE.format(table="emergency_call", when="true"))
        play(manager, "outbound-answered", dialled=b"911")
        await until(lambda: "recording outcomes failed, trying again" in caplog.text, 20)
        assert await store.read(latest_emergency) is None
        await store.write(sqlite3.Connection.execute, "DROP TRIGGER refuse")
        async with asyncio.timeout(20):
            while await store.read(latest_emergency) is None:  # noqa: ASYNC110 (the store has no events)
                await asyncio.sleep(0.01)
