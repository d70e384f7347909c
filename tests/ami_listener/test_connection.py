"""One test for each defect of panoramisk 1.4 that the connection keeps away, and what it says when it fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from ami_listener.connection import (
    EVENTS,
    LARGE_READ,
    MOMENT_SECONDS,
    PAUSE_SECONDS,
    Account,
    AmiProtocol,
    Connection,
    connect,
)
from ami_listener.errors import AmiError, TroubleKind
from ami_listener.framing import EventQueue, Packet, Received
from tests.ami_listener.fake_manager import END, EVENT, SECRET, FakeManager, managing
from tests.waiting import until

CHANNEL = b"PJSIP/201-00000001"


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[FakeManager, EventQueue, Connection]]:
    """A connection that is greeted and logged in."""
    async with managing() as manager:
        inbox = EventQueue()
        connection = await connect(manager.account, inbox, time.time)
        try:
            await connection.greeting(2)
            await connection.log_in(manager.account, 2)
            yield manager, inbox, connection
        finally:
            connection.abort()


async def received(inbox: EventQueue) -> list[Packet]:
    """All that waits, at the end."""
    inbox.close()
    return [notice.packet async for notice in inbox.notices() if isinstance(notice, Received)]


async def text_of(inbox: EventQueue) -> list[bytes]:
    return [packet.text.encode() for packet in await received(inbox)]


# The defects of panoramisk, each named beside its workaround.


async def test_a_character_cut_between_two_chunks_is_whole() -> None:
    async with connected() as (manager, inbox, _):
        packet = "Event: Newchannel\r\nCallerIDName: 张伟 Łukasz".encode()
        for byte in packet + END:
            manager.send(bytes([byte]))
            await asyncio.sleep(0.0005)  # so that each is a chunk
        await until(lambda: inbox.waiting)
        assert await text_of(inbox) == [packet]


async def test_a_packet_without_end_ends_the_connection() -> None:
    async with connected() as (manager, inbox, connection):
        manager.send(EVENT + END + b"x" * 4_000_000)
        assert (await asyncio.wait_for(connection.lost, 20)).kind is TroubleKind.NOT_AMI
        assert connection.received_bytes < 2_000_000
        assert await text_of(inbox) == [EVENT]


async def test_panoramisk_neither_pings_nor_reconnects_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panoramisk's pinger would ask after 10 s without minding the answer, and reconnect 2 s after the end."""
    loop, later = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_later, began = loop.call_later, loop.time()

    def noted(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
        later.append(call_later(*arguments, **more))
        return later[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    async with connected() as (manager, _, connection):
        manager.writers[-1].transport.abort()
        assert (await connection.lost).kind is TroubleKind.LOST
        connection.abort()
        await asyncio.sleep(0)
    due = [timer for timer in later if timer.when() > began + 1.0]  # sooner is the next read
    assert due, "panoramisk does so as it connects"
    assert [timer for timer in due if not timer.cancelled()] == []
    assert len(manager.writers) == 1


async def test_a_refused_connection_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[float] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda seconds, *_: later.append(seconds))
    with pytest.raises(AmiError) as caught:
        await connect(Account("127.0.0.1", 1, "callsieve", SECRET), EventQueue(), time.time)
    await asyncio.sleep(0)
    assert (caught.value.kind, later) == (TroubleKind.REFUSED, [])


async def test_an_action_without_an_answer_is_not_sent_again() -> None:
    async with connected() as (manager, inbox, first):
        manager.deaf_for = {"Ping"}
        asked = first.ask("Ping")
        await until(lambda: "Ping" in manager.names())
        manager.deaf_for = set()
        first.abort()
        second = await connect(manager.account, inbox, time.time)
        await second.greeting(2)
        await second.log_in(manager.account, 2)
        await second.wait_for(second.ask("Ping"), 2, TroubleKind.DEAF)
        second.abort()
        assert manager.names() == ["Login", "Ping", "Login", "Ping"]
        assert not asked.done()


async def test_an_absurd_event_does_not_lose_the_next() -> None:
    """Nothing that could raise is called on reading, so the rest of a chunk is there even if the first is absurd."""
    async with connected() as (manager, inbox, connection):
        manager.send(b": \r\n\xff:" + END + b"ActionID: nobody's\r\nActionID: 0" + END + EVENT + END)
        await until(lambda: inbox.waiting == 3)
        assert (await text_of(inbox))[-1] == EVENT
        assert not connection.lost.done()


@pytest.mark.parametrize(
    ("lines", "fields", "variables"),
    [
        pytest.param("ChanVariable: A=1", {"ChanVariable": "A=1"}, {"A": "1"}, id="one-variable"),
        pytest.param(
            "ChanVariable: A=1\r\nChanVariable: B=2", {"ChanVariable": "A=1"}, {"A": "1", "B": "2"}, id="two-variables"
        ),
        pytest.param("Result: 200%20result%3D1%0D%0A", {"Result": "200%20result%3D1%0D%0A"}, {}, id="quoted-result"),
        pytest.param("Exten: s\r\nAppData: ", {"Exten": "s", "AppData": ""}, {}, id="empty-last-header"),
        pytest.param("Exten: s\r\nAppData:", {"Exten": "s", "AppData": ""}, {}, id="empty-last-header-no-space"),
    ],
)
async def test_every_field_arrives_as_asterisk_wrote_it(
    lines: str, fields: dict[str, str], variables: dict[str, str]
) -> None:
    async with connected() as (manager, inbox, _):
        manager.send(f"Event: Hangup\r\n{lines}".encode() + END)
        await until(lambda: inbox.waiting)
        (packet,) = await received(inbox)
        assert packet.fields() == {"Event": "Hangup", **fields}
        assert packet.variables() == variables


async def test_unwanted_events_are_counted_but_not_parsed() -> None:
    async with connected() as (manager, inbox, connection):
        manager.send((b"Event: DeviceStateChange\r\nState: INUSE" + END) * 3 + EVENT + END)
        await until(lambda: inbox.received == 4)
        assert inbox.received_at == connection.heard_at
        assert await text_of(inbox) == [EVENT]


async def test_events_of_one_moment_are_read_together_in_order() -> None:
    """Each read wakes the process up, and Asterisk writes every event of a call by itself."""
    async with connected() as (manager, inbox, _):
        ids = [f"1.{number}" for number in range(50)]
        began = asyncio.get_running_loop().time()
        for id_ in ids:
            manager.send(EVENT + f"\r\nUniqueid: {id_}".encode() + END)
            await asyncio.sleep(0)
        await until(lambda: inbox.waiting == len(ids))
        seconds = asyncio.get_running_loop().time() - began
        inbox.close()
        notices = [notice async for notice in inbox.notices() if isinstance(notice, Received)]
        times = [notice.at for notice in notices]
        assert [notice.packet.fields()["Uniqueid"] for notice in notices] == ids
        assert times == sorted(set(times))
        reads = 1 + sum(later - earlier > 2 * MOMENT_SECONDS for earlier, later in pairwise(times))
        assert reads <= 2 + seconds / PAUSE_SECONDS


class Line(asyncio.Transport):
    """A connection of which only is looked at whether it is read."""

    is_read = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def abort(self) -> None:
        """Nothing is to be closed."""


@pytest.mark.parametrize(
    ("data", "is_read"),
    [
        pytest.param(b"", False, id="an-event"),
        pytest.param(END, False, id="its-end-alone"),
        pytest.param((EVENT + END) * (LARGE_READ // len(EVENT)), True, id="more-than-a-large-read"),
    ],
)
async def test_large_read_is_followed_by_another(data: bytes, is_read: bool) -> None:
    protocol, line = AmiProtocol(EventQueue(), time.time), Line()
    protocol.connection_made(line)
    protocol.data_received(b"Asterisk Call Manager/9.0.0\r\n")
    assert line.is_read
    protocol.data_received(EVENT + END + data)
    assert line.is_read is is_read
    await until(lambda: line.is_read)
    protocol.close()


# The login, and what it must not give away.


async def test_login_requests_only_the_needed_event_classes() -> None:
    async with connected() as (manager, _, __):
        assert manager.actions[0]["Events"] == EVENTS == "call,user,agent"
        assert manager.actions[0]["Secret"] == SECRET


async def test_the_greeting_may_come_in_pieces() -> None:
    async with managing() as manager:
        greeting, manager.greeting = manager.greeting, b""
        connection = await connect(manager.account, EventQueue(), time.time)
        await until(lambda: manager.writers)
        greeted = asyncio.create_task(connection.greeting(2))
        for byte in greeting:
            assert not greeted.done()
            manager.send(bytes([byte]))
            await asyncio.sleep(0.001)
        await greeted
        connection.abort()


@pytest.mark.parametrize(
    "greeting", [b"", b"SSH-2.0-OpenSSH\r\n", b"\x16\x03\x01", b"Asterisk\r\n", b"Asterisk Call Manager/" + b"1" * 100]
)
async def test_secret_is_sent_only_to_asterisk(greeting: bytes) -> None:
    async with managing() as manager:
        manager.greeting = greeting
        connection = await connect(manager.account, EventQueue(), time.time)
        with pytest.raises(AmiError) as caught:
            await connection.greeting(0.1)
        connection.abort()
        assert caught.value.kind is (TroubleKind.NOT_AMI if greeting else TroubleKind.SILENT)
        assert manager.actions == []


@pytest.mark.parametrize("value", [f"{SECRET}\r\nAction: Command", f"{SECRET}\n", f"{SECRET}\0"])
async def test_a_secret_cannot_add_an_action_and_is_not_in_the_error(value: str) -> None:
    async with managing() as manager:
        connection = await connect(manager.account, EventQueue(), time.time)
        await connection.greeting(2)
        with pytest.raises(AmiError) as caught:
            await connection.log_in(Account("127.0.0.1", manager.port, "callsieve", value), 2)
        connection.abort()
        assert caught.value.kind is TroubleKind.BAD_LOGIN
        assert caught.value.__suppress_context__
        assert SECRET not in repr(caught.value)
        assert manager.actions == []


async def test_the_secret_is_never_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(FakeManager, "secret", "another", raising=False)
    async with managing() as manager:
        manager.secret = "another"
        connection = await connect(manager.account, EventQueue(), time.time)
        await connection.greeting(2)
        with pytest.raises(AmiError) as caught:
            await connection.log_in(manager.account, 2)
        assert (caught.value.kind, caught.value.detail) == (TroubleKind.LOGIN_REFUSED, "Authentication failed")
        connection.abort()
        assert SECRET not in repr(manager.account)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("action", ["Command", "Originate", "Hangup", "Setvar", "login"])
async def test_only_actions_that_change_nothing_are_sent(action: str) -> None:
    async with connected() as (manager, _, connection):
        with pytest.raises(ValueError, match=action):
            connection.ask(action)
        assert manager.names() == ["Login"]


# Answers.


async def test_forged_action_id_is_treated_as_an_event() -> None:
    async with connected() as (manager, inbox, _):
        packet = b"Event: UserEvent\r\nActionID: action/forged/1/1\r\nEventList: Complete"
        manager.send(packet + END)
        await until(lambda: inbox.waiting)
        assert await text_of(inbox) == [packet]


# How it ends, and what is said when it does not begin.


def cut(manager: FakeManager) -> None:
    manager.writers[-1].transport.abort()


def end(manager: FakeManager) -> None:
    manager.writers[-1].close()


@pytest.mark.parametrize("how", [cut, end])
async def test_lost_connection_has_a_reason_and_keeps_events(how: Callable[[FakeManager], None]) -> None:
    async with connected() as (manager, inbox, connection):
        manager.send(EVENT + END)
        await until(lambda: inbox.waiting)
        how(manager)
        assert (await asyncio.wait_for(connection.lost, 20)).kind is TroubleKind.LOST


async def test_a_wait_ends_with_the_connection() -> None:
    async with connected() as (manager, _, connection):
        manager.hangs_up_on = {"Ping"}
        with pytest.raises(AmiError) as caught:
            await connection.wait_for(connection.ask("Ping"), 5, TroubleKind.DEAF)
        assert caught.value.kind is TroubleKind.LOST


async def test_log_off_does_not_wait_long() -> None:
    async with connected() as (manager, _, connection):
        manager.deaf_for = {"Logoff"}
        await asyncio.wait_for(connection.log_off(), 20)
        assert manager.names()[-1] == "Logoff"
        await connection.log_off()  # a second time does nothing


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        pytest.param("no-such-host.invalid", TroubleKind.NO_HOST, id="unknown-name"),
        pytest.param("a..b", TroubleKind.NO_HOST, id="no-name-at-all"),
        pytest.param("127.0.0.1", TroubleKind.REFUSED, id="nobody-there"),
        pytest.param("localhost", TroubleKind.REFUSED, id="nobody-at-any-address"),
        pytest.param("255.255.255.255", TroubleKind.UNREACHABLE, id="no-way-there"),
    ],
)
async def test_a_connection_that_cannot_be_made_says_why(host: str, kind: TroubleKind) -> None:
    with pytest.raises(AmiError) as caught:
        await asyncio.wait_for(connect(Account(host, 1, "callsieve", SECRET), EventQueue(), time.time), 20)
    assert caught.value.kind is kind
    assert kind.words
    assert kind.remedy
