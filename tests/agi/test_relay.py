"""The classic AGI script as Asterisk runs it: its own process between two pipes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from agi import relay
from agi.protocol import Request
from agi.server import AgiServer, Handler

RELAY = str(Path(relay.__file__).resolve())
HEADER = b"agi_request: /usr/share/asterisk/agi-bin/callsieve-agi/screen\nagi_arg_1: trunk=carrier\n\n"
ANSWER = b'SET VARIABLE CALLSIEVE_ACTION "warn"\nSET VARIABLE CALLSIEVE_RULE "x"\n'
SILENT = b"callsieve-agi: the call continues without screening: "


@asynccontextmanager
async def daemon(path: Path, handle: Handler) -> AsyncIterator[AgiServer]:
    server = AgiServer(handle, lambda reason, request: b"")
    await server.listen_unix(str(path))
    try:
        yield server
    finally:
        await server.close(grace_seconds=1)


@contextmanager
def started(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-I", "-S", RELAY, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def run_call(path: Path, header: bytes = HEADER, replies: bytes | None = None) -> tuple[bytes, bytes, int]:
    """One call: what the script said to Asterisk, what it complained of, and its status.

    Like Asterisk, which runs a second command only when it has seen the end of them all, this replies then.
    """
    with started(path) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(header)
        process.stdin.flush()
        said = process.stdout.read()
        with suppress(BrokenPipeError):
            process.stdin.write(b"200 result=1\n" * said.count(b"\n") if replies is None else replies)
            process.stdin.flush()
        process.wait(20)
        return said, process.stderr.read(), process.returncode


async def call(path: Path, header: bytes = HEADER, replies: bytes | None = None) -> tuple[bytes, bytes, int]:
    return await asyncio.to_thread(run_call, path, header, replies)


@contextmanager
def fake_daemon(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Run a daemon that accepts one call and then misbehaves."""

    def run() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            serve(connection)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(30)
        thread = threading.Thread(target=run)
        thread.start()
        yield
        thread.join(30)
    assert not thread.is_alive()


async def test_a_request_and_its_answer_are_relayed(tmp_path: Path) -> None:
    requests: list[Request] = []

    async def handle(request: Request) -> bytes:
        requests.append(request)
        return ANSWER

    async with daemon(tmp_path / "s", handle) as server:
        assert await call(tmp_path / "s") == (ANSWER, b"", 0)
        assert (server.stats.answered, server.stats.refused_commands) == (1, 0)
    assert [(request.path, dict(request.arguments)) for request in requests] == [("screen", {"trunk": "carrier"})]


async def test_an_empty_answer_is_relayed(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s", lambda request: b""):
        assert await call(tmp_path / "s") == (b"", b"", 0)


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param(b"510 Invalid or unknown command\n200 result=1\n", id="unknown"),
        pytest.param(b"100 Trying...\n200 result=1\n520-Usage:\nNOOP\n520 End\n", id="syntax"),
    ],
)
async def test_refused_commands_are_reported_to_the_daemon(tmp_path: Path, replies: bytes) -> None:
    async with daemon(tmp_path / "s", lambda request: ANSWER) as server:
        assert await call(tmp_path / "s", replies=replies) == (ANSWER, b"", 0)
        while server.connections:  # noqa: ASYNC110 (bounded by the server itself)
            await asyncio.sleep(0.002)
        assert server.stats.refused_commands == 1


def test_without_a_daemon_the_call_goes_on(tmp_path: Path) -> None:
    said, complaint, status = run_call(tmp_path / "missing")
    assert (said, complaint, status) == (b"", SILENT + b"No such file or directory\n", 0)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    assert run_call(tmp_path / "dead") == (b"", SILENT + b"Connection refused\n", 0)


def cut_command(connection: socket.socket) -> None:
    connection.recv(10_000)
    connection.sendall(ANSWER[:-4])


def long_answer(connection: socket.socket) -> None:
    connection.recv(10_000)
    connection.sendall(ANSWER * 100)


def no_answer(connection: socket.socket) -> None:
    while connection.recv(10_000):
        pass


def no_end(connection: socket.socket) -> None:
    connection.sendall(ANSWER)
    while connection.recv(10_000):
        pass


@pytest.mark.parametrize(
    ("serve", "complaint"),
    [
        pytest.param(
            cut_command, b"the daemon closed the connection in the middle of its answer", id="killed-while-answering"
        ),
        pytest.param(long_answer, b"the daemon's answer is longer than 4096 bytes", id="answer-too-long"),
        pytest.param(no_answer, b"timed out", id="frozen"),
        pytest.param(no_end, b"timed out", id="frozen-after-half-its-answer"),
    ],
)
def test_a_failing_daemons_output_is_not_relayed(
    tmp_path: Path, serve: Callable[[socket.socket], None], complaint: bytes
) -> None:
    with fake_daemon(tmp_path / "s", serve):
        started_at = time.monotonic()
        assert run_call(tmp_path / "s") == (b"", SILENT + complaint + b"\n", 0)
        assert time.monotonic() - started_at < 20


def test_a_frozen_daemon_with_a_full_queue_fails_at_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as frozen, socket.socket(socket.AF_UNIX) as waiting:
        frozen.bind(str(tmp_path / "s"))
        frozen.listen(0)
        waiting.connect(str(tmp_path / "s"))
        said, complaint, status = run_call(tmp_path / "s")
        assert (said, status) == (b"", 0)
        assert complaint in (SILENT + b"Resource temporarily unavailable\n", SILENT + b"timed out\n")


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        pytest.param(b"agi_network: yes\n", b"Asterisk sent no request in time", id="no-blank-line"),
        pytest.param(
            b"agi_a: " + b"x" * relay.HEADER_LIMIT + b"\n\n",
            b"Asterisk sent an empty, incomplete or too long request",
            id="too-long",
        ),
    ],
)
def test_without_a_request_the_relay_does_nothing(tmp_path: Path, header: bytes, complaint: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert run_call(tmp_path / "s", header) == (b"", SILENT + complaint + b"\n", 0)


async def test_asterisk_can_close_before_its_replies(tmp_path: Path) -> None:
    def run() -> int:
        with started(tmp_path / "s") as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(HEADER)
            process.stdin.close()
            assert process.stdout.read() == ANSWER
            return process.wait(20)

    async with daemon(tmp_path / "s", lambda request: ANSWER):
        assert await asyncio.to_thread(run) == 0


async def test_a_caller_who_hangs_up_does_not_lose_the_request(tmp_path: Path) -> None:
    """Asterisk sends SIGHUP at a hang-up. A mark that was keyed in still reaches the daemon."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def handle(request: Request) -> bytes:
        begun.set()
        await release.wait()
        return ANSWER

    async with daemon(tmp_path / "s", handle):
        with started(tmp_path / "s") as process:
            assert process.stdin
            process.stdin.write(HEADER)
            process.stdin.flush()
            await asyncio.wait_for(begun.wait(), 20)
            process.send_signal(signal.SIGHUP)
            release.set()
            said, complaint = await asyncio.to_thread(process.communicate, b"200 result=1\n" * 2)
            assert (said, complaint, process.returncode) == (ANSWER, b"", 0)


def test_a_closed_stdout_and_stderr_do_not_matter(tmp_path: Path) -> None:
    script = f"exec {sys.executable} -I -S {RELAY} {tmp_path / 'missing'} >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", script], input=HEADER, timeout=30, check=False).returncode == 0


def test_the_relay_imports_no_slow_module() -> None:
    program = f"import sys; sys.path.insert(0, {os.path.dirname(RELAY)!r}); import relay; print(*sys.modules)"
    listed = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, check=True, text=True)
    loaded = set(listed.stdout.split())
    assert loaded.isdisjoint({"agi", "socket", "signal", "enum", "re", "typing", "contextlib", "asterisk"})
