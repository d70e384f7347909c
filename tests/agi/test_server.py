"""Every connection gets an answer in time, whatever the other side or the handler does."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
import struct
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agi.connection import DRAIN_LIMIT
from agi.protocol import HEADER_LIMIT, ProtocolError, Request
from agi.server import READERS_LIMIT, STRANGERS_LIMIT, AgiServer, Handler
from agi.sockets import loopback_addresses_of
from policies.reasons import FailOpen
from tests.waiting import until

HEADER = b"agi_network_script: screen\nagi_callerid: 12017421834\nagi_arg_1: trunk=carrier\n\n"
ANSWER = b'SET VARIABLE CALLSIEVE_ACTION "warn"\n'


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def fail_open(reason: str, _request: Request | None = None) -> bytes:
    return f'SET VARIABLE CALLSIEVE_REASON "{reason}"\n'.encode()


async def answer(request: Request) -> bytes:
    return ANSWER


async def hang(request: Request) -> bytes:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


@asynccontextmanager
async def serving(handle: Handler = answer, **settings: Any) -> AsyncIterator[tuple[AgiServer, int]]:
    server = AgiServer(handle, settings.pop("fail_open", fail_open), **settings)
    port = await server.listen("127.0.0.1", 0)
    try:
        yield server, port
    finally:
        await server.close(grace_seconds=0)
        assert server.stats.in_flight == 0
        assert not server.connections


@asynccontextmanager
async def calling(port: int, data: bytes = b"") -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer_to(port: int, data: bytes = HEADER) -> bytes:
    """Return the whole answer, as Asterisk sees it: it replies to each line and then closes."""
    async with calling(port, data) as (reader, writer):
        said = await asyncio.wait_for(reader.read(), 20)
        writer.write(b"200 result=1\n" * said.count(b"\n"))
        return said


async def test_a_request_is_answered_in_one_piece_and_counted() -> None:
    requests = []

    async def handle(request: Request) -> bytes:
        requests.append(request)
        return ANSWER

    async with serving(handle) as (server, port):
        assert await answer_to(port) == ANSWER
        await until(lambda: not server.connections)
        assert (server.stats.accepted, server.stats.answered, server.stats.in_flight) == (1, 1, 0)
    (request,) = requests
    assert (request.path, dict(request.arguments)) == ("screen", {"trunk": "carrier"})


async def test_a_request_has_its_time_of_acceptance() -> None:
    """The deadline counts from then, on the clock of the event loop."""
    accepted_at: list[float | None] = []

    async def handle(request: Request) -> bytes:
        accepted_at.append(request.accepted_at)
        return ANSWER

    async with serving(handle) as (server, port):
        before = time.monotonic()
        async with calling(port, HEADER[:20]) as (reader, writer):
            await until(lambda: server.connections)
            between = time.monotonic()
            writer.write(HEADER[20:])
            assert await reader.read() == ANSWER
    [at] = accepted_at
    assert at is not None
    assert before - 0.01 < at < between + 0.01  # uvloop's clock ticks in milliseconds


async def test_a_synchronous_handler_answers_without_a_task() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    def handle(request: Request) -> bytes:
        tasks.append(asyncio.current_task())
        return ANSWER

    async with serving(handle) as (_, port):
        assert await answer_to(port) == ANSWER
    assert tasks == [None]


async def test_a_handler_can_return_any_awaitable() -> None:
    def handle(request: Request) -> Awaitable[bytes]:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        future.set_result(ANSWER)
        return future

    async with serving(handle) as (_, port):
        assert await answer_to(port) == ANSWER


async def test_a_request_can_arrive_in_pieces() -> None:
    async with serving() as (_, port), calling(port) as (reader, writer):
        for byte in HEADER:
            writer.write(bytes([byte]))
            await writer.drain()
        assert await reader.read() == ANSWER


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\n\n", id="not-agi"),
        pytest.param(HEADER.replace(b"\n\n", b"\nagi_arg_2: trunk=trusted\n\n"), id="forged-key"),
        pytest.param(HEADER.replace(b"\n\n", b"\nagi_callerid: 1\n\n"), id="forged-line"),
        pytest.param(HEADER + b"agi_arg_2: did=1\n\n", id="forged-end-of-the-header"),
        pytest.param(b"\xff\x00" * HEADER_LIMIT, id="garbage-without-end"),
        pytest.param(b"agi_a: " + b"x" * HEADER_LIMIT, id="long-line-without-end"),
    ],
)
async def test_input_that_is_no_agi_fails_open(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as (server, port):
        assert await answer_to(port, data) == fail_open("protocol error")
        assert server.stats.protocol_errors == server.stats.failed_open["protocol error"] == 1
        assert server.stats.answered == 0
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert "trusted" not in caplog.text


@pytest.mark.parametrize("sent", [b"", b"agi_network_script: screen\nagi_", HEADER[:-1]])
async def test_a_header_that_never_ends_fails_open_in_time(sent: bytes) -> None:
    async with serving(header_seconds=0.05) as (server, port):
        started = time.monotonic()
        assert await answer_to(port, sent) == fail_open("incomplete request")
        assert 0.04 < time.monotonic() - started < 20
        assert server.stats.failed_open["incomplete request"] == 1


async def test_a_dripping_header_fails_open_in_time() -> None:
    async with serving(header_seconds=0.05) as (server, port), calling(port) as (reader, writer):
        said = asyncio.ensure_future(reader.read())
        for byte in HEADER[:-1]:
            if not said.done():
                writer.write(bytes([byte]))
                await asyncio.sleep(0.002)
        assert await said == fail_open("incomplete request")
        writer.write(HEADER)
        writer.close()
        await until(lambda: not server.connections)
        assert server.stats.answered == 0


@pytest.mark.parametrize("sent", [b"", b"agi_network_script: screen\n"])
async def test_a_peer_that_closes_before_the_blank_line_is_dropped(sent: bytes) -> None:
    async with serving(header_seconds=5, deadline_seconds=5) as (server, port):
        async with calling(port, sent) as (reader, writer):
            writer.write_eof()
            assert await reader.read() == b""
        await until(lambda: not server.connections)
        assert server.stats.abandoned == 1
        assert sum(server.stats.failed_open.values()) == 0


async def raise_error(request: Request) -> bytes:
    raise ValueError(f"call from {request.variables['agi_callerid']}")


def raise_error_at_once(request: Request) -> bytes:
    raise ValueError(f"call from {request.variables['agi_callerid']}")


async def raise_time_out(request: Request) -> bytes:
    raise TimeoutError


async def refuse(request: Request) -> bytes:
    raise ProtocolError("no such path")


def refuse_at_once(request: Request) -> bytes:
    raise ProtocolError("no such path")


async def cancel_itself(request: Request) -> bytes:
    raise asyncio.CancelledError


async def answer_text(request: Request) -> Any:
    return "text"


@pytest.mark.parametrize(
    ("handle", "reason"),
    [
        (raise_error, FailOpen.FAILED),
        (raise_error_at_once, FailOpen.FAILED),
        (raise_time_out, FailOpen.TIMED_OUT),
        (refuse, FailOpen.PROTOCOL),
        (refuse_at_once, FailOpen.PROTOCOL),
        (cancel_itself, FailOpen.FAILED),
        (answer_text, FailOpen.FAILED),
        (hang, FailOpen.TIMED_OUT),
    ],
)
async def test_a_failing_handler_fails_open(
    handle: Handler, reason: FailOpen, caplog: pytest.LogCaptureFixture
) -> None:
    patience = 0.05 if handle is hang else 5.0  # a busy machine must not turn other failures into a time-out
    async with serving(handle, deadline_seconds=patience) as (server, port):
        assert await answer_to(port) == fail_open(reason.value)
        assert await answer_to(port) == fail_open(reason.value)
        assert server.stats.failed_open[reason.value] == 2
        assert server.stats.answered == 0
    assert "12017421834" not in caplog.text


@pytest.mark.parametrize(("path", "level"), [("screen", logging.WARNING), ("status", logging.INFO)])
async def test_only_a_timed_out_call_logs_a_warning(path: str, level: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(hang, deadline_seconds=0.05) as (_, port):
        await answer_to(port, HEADER.replace(b"screen", path.encode()))
    assert [record.levelno for record in caplog.records if FailOpen.TIMED_OUT in record.getMessage()] == [level]


async def test_a_bug_is_logged_once_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(raise_error) as (_, port):
        for _ in range(3):
            await answer_to(port)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "ValueError" in record.getMessage()
    assert "in raise_error" in record.getMessage()


async def test_the_deadline_answers_while_the_handler_hangs() -> None:
    release = asyncio.Event()

    async def handle(request: Request) -> bytes:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await release.wait()
        return ANSWER

    async with serving(handle, deadline_seconds=0.05) as (server, port):
        assert await answer_to(port) == fail_open("timed out")
        release.set()
        await until(lambda: not server.connections)
        assert server.stats.answered == 0


async def test_a_failing_fail_open_sends_no_answer() -> None:
    def broken(reason: str, request: Request | None) -> bytes:
        raise OSError("disk full")

    async with serving(raise_error, fail_open=broken) as (server, port):
        assert await answer_to(port) == b""
        assert server.stats.failed_open["failed"] == 1


async def test_calls_over_the_limit_are_answered_at_once() -> None:
    release = asyncio.Event()

    async def handle(request: Request) -> bytes:
        await release.wait()
        return ANSWER

    async with serving(handle, in_flight_limit=3, deadline_seconds=5) as (server, port):
        within = [asyncio.ensure_future(answer_to(port)) for _ in range(3)]
        await until(lambda: server.stats.in_flight == 3)
        assert await asyncio.gather(*(answer_to(port) for _ in range(4))) == [fail_open("too many calls")] * 4
        assert server.stats.over_limit == server.stats.failed_open["too many calls"] == 4
        assert server.stats.in_flight == 3
        release.set()
        assert await asyncio.gather(*within) == [ANSWER] * 3
        assert await answer_to(port) == ANSWER


async def test_a_decision_is_finished_after_the_caller_hung_up() -> None:
    begun, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(request: Request) -> bytes:
        if begun.is_set():
            return ANSWER
        begun.set()
        await release.wait()
        finished.set()
        return ANSWER

    async with serving(handle, deadline_seconds=5) as (server, port):
        async with calling(port, HEADER) as (_, writer):
            await begun.wait()
            reset_on_close(writer)
        assert await answer_to(port) == ANSWER  # a whole call later the server has seen that the first one hung up
        assert server.stats.in_flight == 1
        release.set()
        await until(lambda: not server.connections)
        assert finished.is_set()
        assert (server.stats.abandoned, server.stats.answered) == (1, 1)


async def test_a_decision_for_a_closed_connection_is_bounded() -> None:
    async with serving(hang, deadline_seconds=0.1) as (server, port):
        async with calling(port, HEADER) as (_, writer):
            await until(lambda: server.stats.in_flight)
            reset_on_close(writer)
        await until(lambda: not server.connections)
        assert server.stats.abandoned == 1


def reset_on_close(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_reset_during_the_answer_harms_no_other_call() -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def handle(request: Request) -> bytes:
        client.close()
        return ANSWER  # to a second client too, for which closing again changes nothing

    async with serving(handle) as (server, port):
        await asyncio.get_running_loop().run_in_executor(None, client.connect, ("127.0.0.1", port))
        client.sendall(HEADER)
        await until(lambda: server.stats.accepted and not server.connections)
        assert await answer_to(port) == ANSWER


async def test_a_peer_that_closed_only_its_own_half_is_answered() -> None:
    async with serving() as (server, port), calling(port, HEADER) as (reader, writer):
        writer.write_eof()
        assert await reader.read() == ANSWER
        await until(lambda: not server.connections)


async def test_replies_are_read_until_asterisk_closes() -> None:
    async with serving() as (server, port), calling(port, HEADER) as (reader, writer):
        assert await reader.read() == ANSWER
        parts = (b"200 result=1\n200 result=0\nHANGUP\n", b"200 res", b"ult=1\nHANG", b"UP\n", b"200 result=1", b"\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
        assert server.connections
        writer.close()
        await until(lambda: not server.connections)
        assert server.stats.refused_commands == server.stats.protocol_errors == 0


@pytest.mark.parametrize(
    ("reply", "said", "level"),
    [
        pytest.param(b"510 Invalid or unknown command\n", "510", logging.WARNING, id="unknown"),
        pytest.param(b"520-Invalid\nUsage: 12017421834\n520 End\n", "520", logging.WARNING, id="syntax"),
        pytest.param(b"200 result=-2\n", "-2", logging.WARNING, id="unknown-application"),
        pytest.param(b"511 Command Not Permitted on a dead channel\n", "511", logging.INFO, id="caller-gave-up"),
    ],
)
async def test_a_refused_command_is_counted_once_a_call(
    reply: bytes, said: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as (server, port):
        for _ in range(2):
            async with calling(port, HEADER) as (reader, writer):
                await reader.read()
                writer.write(b"200 result=1\n" + reply * 3)
        await until(lambda: not server.connections)
        assert server.stats.refused_commands == 2
    assert [record.levelno for record in caplog.records] == [level]
    assert f"={said}" in caplog.text
    assert "12017421834" not in caplog.text


async def test_a_peer_that_never_closes_is_dropped() -> None:
    settings: dict[str, Any] = {"deadline_seconds": 0.05, "drain_seconds": 0.05}
    async with serving(**settings) as (server, port), calling(port, HEADER) as (reader, _):
        assert await reader.read() == ANSWER
        await until(lambda: not server.connections)


async def test_a_peer_that_never_stops_sending_is_dropped() -> None:
    async with serving(drain_seconds=60) as (server, port), calling(port, HEADER) as (reader, writer):
        assert await reader.read() == ANSWER
        writer.write(b"200 result=1\n" * (DRAIN_LIMIT // 13 + 1))
        await until(lambda: not server.connections)


async def test_a_peer_that_sends_too_much_while_deciding_is_dropped() -> None:
    async with serving(hang, deadline_seconds=1.0) as (server, port), calling(port, HEADER) as (_, writer):
        await until(lambda: server.stats.in_flight)
        writer.write(b"HANGUP\n" * (DRAIN_LIMIT // 7 + 1))
        await until(lambda: not server.connections)
        assert (server.stats.abandoned, server.stats.in_flight) == (1, 0)


async def test_a_hang_up_while_deciding_does_not_stop_the_answer() -> None:
    release = asyncio.Event()

    async def handle(request: Request) -> bytes:
        await release.wait()
        return ANSWER

    async with serving(handle) as (server, port), calling(port, HEADER + b"HANGUP\n") as (reader, writer):
        await until(lambda: server.stats.in_flight)
        writer.write(b"HANGUP\n")
        release.set()
        assert await reader.read() == ANSWER


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.7", "::ffff:127.0.0.1"])
async def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        await loopback_addresses_of(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "localhost"])
async def test_loopback_is_served(host: str) -> None:
    server = AgiServer(answer, fail_open)
    assert await server.listen(host, 0) > 0
    await server.close(0)


async def test_a_port_in_use_is_an_error() -> None:
    async with serving() as (_, port):
        with pytest.raises(OSError, match="in use"):
            await AgiServer(answer, fail_open).listen("127.0.0.1", port)


async def ask_unix(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(HEADER)
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_a_unix_socket_is_for_owner_and_group_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    server = AgiServer(answer, fail_open)
    await server.listen_unix(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert await ask_unix(path) == ANSWER
    await server.close(1)
    assert os.listdir(tmp_path) == []


async def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    for name in (str(path), f"{path}.new"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(name)
    server = AgiServer(answer, fail_open)
    await server.listen_unix(str(path))
    assert await ask_unix(path) == ANSWER
    await server.close(1)


async def test_the_socket_of_a_live_server_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    first, second = AgiServer(answer, fail_open), AgiServer(hang, fail_open)
    await first.listen_unix(str(path))
    with pytest.raises(OSError, match="another server") as refused:
        await second.listen_unix(str(path))
    assert refused.value.errno == errno.EADDRINUSE
    assert await ask_unix(path) == ANSWER
    await first.close(1)


async def test_another_kind_of_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    path.write_text("precious")
    with pytest.raises(OSError, match="not a socket"):
        await AgiServer(answer, fail_open).listen_unix(str(path))
    assert path.read_text() == "precious"


async def test_closing_keeps_a_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    server = AgiServer(answer, fail_open)
    await server.listen_unix(str(path))
    os.unlink(path)
    path.write_text("someone else's")
    await server.close(0)
    assert path.exists()


async def test_a_failed_socket_leaks_no_descriptor(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"too long|No such file"):
        await AgiServer(answer, fail_open).listen_unix(str(tmp_path / "missing" / ("x" * 200)))


async def test_closing_lets_calls_in_flight_finish() -> None:
    release = asyncio.Event()

    async def handle(request: Request) -> bytes:
        await release.wait()
        return ANSWER

    async with serving(handle, deadline_seconds=5) as (server, port):
        said = asyncio.ensure_future(answer_to(port))
        await until(lambda: server.stats.in_flight)
        closing = asyncio.ensure_future(server.close(grace_seconds=5))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)
        release.set()
        assert await said == ANSWER
        await closing


async def test_closing_fails_open_unfinished_calls() -> None:
    cancelled = asyncio.Event()

    async def handle(request: Request) -> bytes:
        try:
            return await hang(request)
        finally:
            cancelled.set()

    async with serving(handle, deadline_seconds=5, header_seconds=5) as (server, port):
        deciding, reading = (asyncio.ensure_future(answer_to(port, data)) for data in (HEADER, b"agi_"))
        await until(lambda: server.stats.accepted == 2 and server.stats.in_flight == 1)
        started = time.monotonic()
        await server.close(grace_seconds=0.05)
        assert time.monotonic() - started < 20
        assert [await deciding, await reading] == [fail_open("stopping")] * 2
        await cancelled.wait()


async def test_closing_does_not_wait_for_a_peer_that_stays() -> None:
    async with serving() as (server, port), calling(port, HEADER) as (reader, _):
        assert await reader.read() == ANSWER
        await server.close(grace_seconds=0.05)
        assert not server.connections


async def test_a_handler_that_never_started_is_closed_quietly() -> None:
    server_of: list[AgiServer] = []

    def handle(request: Request) -> Awaitable[bytes]:
        asyncio.get_running_loop().call_soon(server_of[0].give_up)
        return hang(request)

    async with serving(handle) as (server, port):
        server_of.append(server)
        assert await answer_to(port) == fail_open("stopping")


async def test_another_user_gets_fail_open_and_no_handler_runs() -> None:
    handled: list[str] = []

    def handle(request: Request) -> bytes:
        handled.append(request.path)
        return ANSWER

    async with serving(handle, users=frozenset()) as (server, port):
        for said in (HEADER, b"garbage\n\n", HEADER.replace(b"screen", b"emergency")):
            assert await answer_to(port, said) == fail_open("not asked by Asterisk")
        assert await answer_to(port, b"callsieve: status\n") == ANSWER
        assert (server.stats.strangers, server.stats.answered, handled) == (3, 1, ["status"])


async def test_another_user_holds_few_connections() -> None:
    async with (
        serving(users=frozenset(), header_seconds=5, deadline_seconds=5) as (server, port),
        AsyncExitStack() as held,
    ):
        readers = [(await held.enter_async_context(calling(port)))[0] for _ in range(STRANGERS_LIMIT + 3)]
        for newest in readers[STRANGERS_LIMIT:]:
            with suppress(ConnectionError):
                assert await asyncio.wait_for(newest.read(), 5) == b""
        assert server.connections == STRANGERS_LIMIT
        assert server.stats.strangers == 3
        server.users = frozenset({os.geteuid()})
        assert await answer_to(port) == ANSWER


async def test_the_oldest_idle_connections_are_closed() -> None:
    async with serving(header_seconds=5, deadline_seconds=5) as (server, port), AsyncExitStack() as held:
        readers = [(await held.enter_async_context(calling(port)))[0] for _ in range(READERS_LIMIT)]
        assert await answer_to(port) == ANSWER
        assert await asyncio.wait_for(readers[0].read(), 5) == fail_open("incomplete request")
        assert (server.stats.over_limit, server.stats.in_flight) == (0, 0)


async def test_a_request_with_the_key_is_accepted_from_any_user() -> None:
    async with serving(users=frozenset(), key="0123456789abcdef") as (server, port):
        assert await answer_to(port, HEADER.replace(b"\n\n", b"\nagi_arg_2: key=0123456789abcdef\n\n")) == ANSWER
        for wrong in (b"", b"\nagi_arg_2: key=", b"\nagi_arg_2: key=0123456789abcdeg", b"\nagi_arg_2: key=\xc3\xa9"):
            said = await answer_to(port, HEADER.replace(b"\n\n", wrong + b"\n\n"))
            assert said == fail_open("not asked by Asterisk")
        assert (server.stats.answered, server.stats.strangers) == (1, 4)


async def test_a_connection_closed_before_the_check_has_no_user() -> None:
    """The caller hung up while the daemon was busy, or an attacker wants to be taken for root."""
    handled: list[str] = []

    def handle(request: Request) -> bytes:
        handled.append(request.path)
        return ANSWER

    async with serving(handle) as (server, port):
        with socket.create_connection(("127.0.0.1", port)) as gone:
            gone.sendall(HEADER.replace(b"screen", b"emergency"))
        await until(lambda: server.stats.abandoned)
        assert (server.stats.accepted, server.stats.strangers, handled) == (1, 0, [])
        assert sum(server.stats.failed_open.values()) == 0


async def test_without_netlink_only_the_key_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "AF_NETLINK", 63)  # refused as AF_NETLINK is by a unit without it
    async with serving(key="0123456789abcdef") as (server, port):
        assert server.is_blind
        assert await answer_to(port) == fail_open("not asked by Asterisk")
        assert await answer_to(port, HEADER.replace(b"\n\n", b"\nagi_arg_2: key=0123456789abcdef\n\n")) == ANSWER
        assert server.stats.strangers == 1
