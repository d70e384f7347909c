"""One connection, kept: what is lost is noticed, said, waited for and made good, and no wrong secret is tried twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from ami_listener.errors import TroubleKind
from ami_listener.framing import EventQueue, Gap, Notice, Packet, Received
from ami_listener.supervisor import STABLE_SECONDS, AmiListener, AmiListenerState, Pace
from tests.ami_listener.fake_manager import END, EVENT, SECRET, FakeManager, managing
from tests.waiting import until

QUICK = Pace(connect_seconds=2, login_seconds=0.2, ping_seconds=0.05, answer_seconds=0.08, slices=4)


class Waits:
    """Notes how long the listener wants to wait, and waits `scale` times that."""

    def __init__(self, scale: float = 0.01) -> None:
        self.scale = scale
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(seconds * self.scale)


@asynccontextmanager
async def listening(manager: FakeManager, **more: Any) -> AsyncIterator[tuple[AmiListener, list[Notice]]]:
    """A listener with an eager consumer, and what it was given."""
    more.setdefault("sleep", Waits())
    listener = AmiListener(manager.account, pace=more.pop("pace", QUICK), **more)
    seen: list[Notice] = []

    async def consume() -> None:
        async for notice in listener.notices():
            seen.append(notice)

    consumer = asyncio.create_task(consume())
    listener.start()
    try:
        yield listener, seen
    finally:
        await asyncio.wait_for(listener.close(), 20)
        await asyncio.wait_for(consumer, 20)
        assert listener.status.state is AmiListenerState.CLOSED


def kinds_of(seen: list[Notice]) -> list[type[Notice]]:
    return [type(notice) for notice in seen]


def gaps_of(seen: list[Notice]) -> list[Gap]:
    return [notice for notice in seen if isinstance(notice, Gap)]


async def test_listener_logs_in_and_forwards_events() -> None:
    async with managing() as manager:
        async with listening(manager) as (listener, seen):
            await until(lambda: listener.status.connects)
            manager.send(EVENT + END)
            await until(lambda: seen)
            status = listener.status
            assert kinds_of(seen) == [Received]
            assert (status.state, status.events, status.connects, status.gaps) == (AmiListenerState.LISTENING, 1, 1, 0)
            assert status.connected_since is not None
            assert status.last_event_at is not None
            assert status.connected_since <= status.last_event_at <= time.time()
            assert (status.trouble, status.last_trouble, status.waiting, status.behind_seconds) == (None, None, 0, 0)
        assert (manager.names()[0], manager.names()[-1]) == ("Login", "Logoff")
        assert set(manager.names()[1:-1]) <= {"Ping"}


async def test_a_lost_connection_is_a_gap(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with managing() as manager, listening(manager) as (listener, seen):
        await until(lambda: listener.status.connects)
        manager.send(EVENT + END)
        await until(lambda: seen)
        manager.writers[-1].transport.abort()
        await until(lambda: listener.status.connects == 2)
        assert kinds_of(seen) == [Received, Gap]
        gap = seen[1]
        assert isinstance(gap, Gap)
        assert seen[0].at <= gap.since <= gap.at
        status = listener.status
        assert (status.state, status.connects, status.gaps, status.trouble) == (AmiListenerState.LISTENING, 2, 1, None)
        assert status.last_trouble is not None
        assert status.last_trouble.kind is TroubleKind.LOST
    lines = [
        (record.levelname, record.message.partition(": ")[2]) for record in caplog.records if "127" in record.message
    ]
    assert [level for level, _ in lines] == ["INFO", "WARNING", "INFO"]
    assert "Asterisk closed the connection" in lines[1][1]
    assert "outage_seconds=" in caplog.records[-1].message


async def test_silent_asterisk_is_noticed_in_time() -> None:
    async with managing() as manager, listening(manager) as (listener, seen):
        await until(lambda: "Ping" in manager.names())
        manager.deaf_for = {"Ping"}
        await until(lambda: Gap in kinds_of(seen))
        assert listener.status.last_trouble is not None
        assert listener.status.last_trouble.kind is TroubleKind.DEAF
        manager.deaf_for = set()
        await until(lambda: listener.status.state is AmiListenerState.LISTENING)


def test_dead_connection_is_noticed_within_twelve_seconds() -> None:
    assert Pace().ping_seconds + Pace().answer_seconds <= 8


async def test_an_answer_behind_many_events_is_waited_for() -> None:
    async with managing() as manager, listening(manager) as (listener, seen):
        await until(lambda: "Ping" in manager.names())
        manager.deaf_for = {"Ping"}
        began = time.monotonic()
        while Gap not in kinds_of(seen):
            with suppress(ConnectionError):
                manager.send(EVENT + END)
            await asyncio.sleep(0.005)
        lasted = time.monotonic() - began
        assert 0.9 * QUICK.answer_seconds * QUICK.patience / 2 < lasted < 30
        assert listener.status.last_trouble is not None
        assert listener.status.last_trouble.kind is TroubleKind.DEAF


async def test_delayed_process_does_not_count_asterisk_as_dead() -> None:
    async with managing() as manager, listening(manager) as (listener, _):
        for _ in range(3):
            await until(lambda: "Ping" in manager.names())
            manager.actions.clear()
            time.sleep(3 * (QUICK.ping_seconds + QUICK.answer_seconds))  # noqa: ASYNC251 (holding it up is the test)
            await asyncio.sleep(0.1)
        assert (listener.status.connects, listener.status.gaps) == (1, 0)


async def test_stopping_asterisk_is_not_taken_for_a_wrong_secret() -> None:
    waits = Waits(scale=0.002)
    async with managing() as manager:
        manager.is_stopping = True
        async with listening(manager, sleep=waits) as (listener, _):
            await until(lambda: len(manager.logins) >= 2)
            assert listener.status.trouble is not None
            assert listener.status.trouble.kind is TroubleKind.STOPPING
            assert max(waits.seconds) < 60
            manager.is_stopping = False
            await until(lambda: listener.status.connects)


async def test_a_wrong_secret_is_tried_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    waits = Waits(scale=0.002)
    async with managing() as manager:
        manager.secret = "another"
        async with listening(manager, sleep=waits) as (listener, seen):
            await until(lambda: len(manager.logins) >= 5)
            assert min(waits.seconds) >= 60
            assert listener.status.trouble is not None
            assert listener.status.trouble.kind is TroubleKind.LOGIN_REFUSED
            manager.secret = SECRET
            await until(lambda: listener.status.connects)
            assert kinds_of(seen) == []  # there was nothing to miss
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert SECRET not in caplog.text


@pytest.mark.parametrize("how", ["deaf", "hang up"])
async def test_unanswered_login_counts_as_possibly_wrong(how: str) -> None:
    waits = Waits(scale=0.001)
    async with managing() as manager:
        if how == "deaf":
            manager.deaf_for = {"Login"}
        else:
            manager.hangs_up_on = {"Login"}
        async with listening(manager, sleep=waits) as (listener, _):
            await until(lambda: len(manager.logins) >= 2)
            assert min(waits.seconds) >= 60
            assert listener.status.state in (AmiListenerState.LOGGING_IN, AmiListenerState.WAITING)


async def test_a_login_that_has_worked_is_tried_again_soon() -> None:
    waits = Waits()
    async with managing() as manager, listening(manager, sleep=waits) as (listener, _):
        await until(lambda: listener.status.connects)
        manager.hangs_up_on = {"Login"}
        manager.writers[-1].transport.abort()
        await until(lambda: len(waits.seconds) == 3)
        assert waits.seconds[0] < 1
        assert waits.seconds[1] < 1.1
        assert waits.seconds[2] >= 60  # the second login without an answer


async def test_a_secret_with_control_characters_is_never_sent() -> None:
    waits = Waits(scale=0.001)
    async with managing() as manager:
        account = type(manager.account)("127.0.0.1", manager.port, "callsieve", "a\r\nAction: Command")
        listener = AmiListener(account, pace=QUICK, sleep=waits)
        listener.start()
        await until(lambda: len(waits.seconds) == 2)
        assert listener.status.trouble is not None
        assert listener.status.trouble.kind is TroubleKind.BAD_LOGIN
        await listener.close()
        assert (manager.actions, min(waits.seconds) >= 60) == ([], True)


async def test_refused_connections_are_retried_with_growing_delay(caplog: pytest.LogCaptureFixture) -> None:
    waits = Waits()
    manager = FakeManager()
    manager.port = 1
    async with listening(manager, sleep=waits, chance=lambda: 1.0) as (listener, seen):
        await until(lambda: len(waits.seconds) == 7)
        assert waits.seconds == [0.5, 1, 2, 4, 8, 10, 10]
        assert (seen, listener.status.gaps) == ([], 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_after_a_good_connection_the_next_is_made_soon() -> None:
    now, waits = [1000.0], Waits()
    async with managing() as manager:
        listener_of = listening(manager, sleep=waits, chance=lambda: 1.0, clock=lambda: now[0])
        async with listener_of as (listener, _):
            for connects in (1, 2, 3):
                await until(lambda connects=connects: listener.status.connects == connects)  # type: ignore[misc]
                now[0] += STABLE_SECONDS if connects == 2 else 0.1
                manager.writers[-1].transport.abort()
            await until(lambda: len(waits.seconds) == 3)
        assert waits.seconds == [0.5, 0.5, 1.0]


async def test_host_that_accepts_no_connection_is_given_up() -> None:
    async with managing() as manager, listening(manager, pace=Pace(connect_seconds=0)) as (listener, _):
        await until(lambda: listener.status.trouble)
        assert listener.status.trouble is not None
        assert listener.status.trouble.kind is TroubleKind.TIMED_OUT


async def test_one_outage_logs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ami_listener.supervisor")
    async with managing() as manager, listening(manager) as (listener, seen):
        await until(lambda: listener.status.connects)
        manager.hangs_up_on = {"Ping"}
        await until(lambda: gaps_of(seen))
        manager.greeting = b""
        manager.writers[-1].transport.abort()
        await until(lambda: listener.status.trouble and listener.status.trouble.kind is TroubleKind.SILENT)
    after = [record.levelname for record in caplog.records[1:]]
    assert "WARNING" in after
    assert after[-1] == "INFO"


async def test_server_that_is_not_asterisk_is_named() -> None:
    async with managing() as manager:
        manager.greeting = b"HTTP/1.1 400 Bad Request\r\n"
        async with listening(manager) as (listener, _):
            await until(lambda: listener.status.trouble)
            assert listener.status.trouble is not None
            assert listener.status.trouble.kind is TroubleKind.NOT_AMI
            assert manager.actions == []


async def test_stalled_consumer_leaves_a_gap() -> None:
    inbox = EventQueue(limit=100 * len(EVENT))
    async with managing() as manager:
        listener = AmiListener(manager.account, pace=QUICK, inbox=inbox, sleep=Waits())
        listener.start()
        await until(lambda: listener.status.connects)
        for _ in range(100):
            manager.send((EVENT + END) * 100)
            await manager.writers[-1].drain()  # which would not come back if nobody read
        await until(lambda: listener.status.events == 10_000)
        status = listener.status
        assert (status.dropped, status.gaps, status.connects, status.waiting) == (9_900, 1, 1, 101)
        assert status.behind_seconds > 0
        seen: list[Notice] = []
        notices = listener.notices()
        async with asyncio.timeout(20):
            async for notice in notices:
                seen.append(notice)
                if isinstance(notice, Gap):
                    break
        assert kinds_of(seen) == [*[Received] * 100, Gap]
        await listener.close()


async def test_exception_is_logged_and_the_listener_continues(caplog: pytest.LogCaptureFixture) -> None:
    defect = Pace(ping_seconds=cast("float", "no number"))
    async with managing() as manager, listening(manager, pace=defect) as (listener, seen):
        await until(lambda: listener.status.connects == 3)
        assert kinds_of(seen).count(Gap) >= 2
    assert "TypeError" in caplog.text


@pytest.mark.parametrize("state", list(AmiListenerState))
async def test_listener_can_be_closed_in_every_state(state: AmiListenerState) -> None:
    async with managing() as manager:
        if state is AmiListenerState.LOGGING_IN:
            manager.deaf_for = {"Login"}
        elif state is AmiListenerState.WAITING:
            manager.hangs_up_on = {"Login"}
        manager.deaf_for |= {"Logoff"}
        listener = AmiListener(manager.account, pace=Pace())
        if state is not AmiListenerState.CLOSED:
            listener.start()
            await asyncio.sleep(0)
            if state is not AmiListenerState.CONNECTING:  # which it is now
                await until(lambda: listener.status.state is state)
        assert listener.status.state is state
        await asyncio.wait_for(listener.close(), 20)
        await asyncio.wait_for(listener.close(), 20)
        assert [notice async for notice in listener.notices() if isinstance(notice, Gap)] == []


async def test_waiting_events_are_delivered_at_the_end() -> None:
    async with managing() as manager:
        listener = AmiListener(manager.account, pace=QUICK)
        listener.start()
        await until(lambda: listener.status.connects)
        manager.send((EVENT + END) * 3)
        await until(lambda: listener.status.events == 3)
        await listener.close()
        packet = Packet(EVENT.decode(), "Newchannel")
        notices = [notice async for notice in listener.notices()]
        assert [notice.packet for notice in notices if isinstance(notice, Received)] == [packet] * 3
