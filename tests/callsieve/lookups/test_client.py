"""The daemon's side of the socket: whoever is at the other end, a call waits for its budget and no longer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from callsieve.lookups.client import MOST_AT_ONCE, LookUpClient
from callsieve.lookups.process import serving
from reputation.backoff import FAILURES_TO_OPEN
from tests.waiting import until, wait_until

CALLER = "+12015550123"
BUDGET = 0.12
LONG = 30.0


def make_client(folder: Path, budget: float = LONG) -> LookUpClient:
    return LookUpClient(folder / "lookups.sock", budget)


async def ask(client: LookUpClient, number: str = CALLER) -> bool:
    """A call that could wait for long: what bounds it is the budget."""
    return await client.ask(number, time.monotonic() + LONG)


@asynccontextmanager
async def answering(
    folder: Path, answer: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[None]:
    """Somebody else at the socket, who gets the line of the question."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(await reader.readline(), writer)

    server = await asyncio.start_unix_server(connected, folder / "lookups.sock")
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@pytest.mark.parametrize("more", [True, False])
async def test_answer_of_the_service_is_returned(tmp_path: Path, more: bool) -> None:
    asked = []

    async def look_up(number: str, seconds: float) -> bool:
        asked.append((number, seconds))
        return more

    client = make_client(tmp_path)
    async with serving(client.path, look_up):
        assert client.path.stat().st_mode & 0o777 == 0o600
        assert await ask(client) is more
    assert asked == [(CALLER, 1.0)]  # the most that is said
    assert (client.counts.asked, client.counts.more, client.counts.nothing) == (1, int(more), int(not more))
    assert not client.path.exists()


async def test_question_contains_number_and_seconds(tmp_path: Path) -> None:
    lines = []

    async def keep(line: bytes, writer: asyncio.StreamWriter) -> None:
        lines.append(line)
        writer.write(b'{"more":true}\n')

    async with answering(tmp_path, keep):
        await ask(make_client(tmp_path, BUDGET))
        await until(lambda: lines)
    assert [json.loads(line) for line in lines] == [{"number": CALLER, "wait_ms": 120}]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"{}\n",
        b'{"more":1}\n',
        b'{"more":true}',
        b'{"more":true,"and":1}\n',
        b"[" * 400 + b"\n",
        b"\xff\xfe\n",
        b"x" * 100_000,
    ],
)
async def test_malformed_answer_counts_as_no_answer(tmp_path: Path, said: bytes) -> None:
    async def say(_line: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    client = make_client(tmp_path)
    async with answering(tmp_path, say):
        assert not await ask(client)
    assert client.counts.failed == 1


async def test_silent_service_is_waited_for_until_the_budget(tmp_path: Path) -> None:
    async def hold(_line: bytes, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    client = make_client(tmp_path, BUDGET)
    async with answering(tmp_path, hold):
        began = time.monotonic()
        assert not await ask(client)
        assert time.monotonic() - began >= BUDGET
    assert client.counts.late == 1


async def test_call_with_less_time_waits_less(tmp_path: Path) -> None:
    waits = []

    async def look_up(_number: str, seconds: float) -> bool:
        waits.append(seconds)
        return True

    client = make_client(tmp_path)
    async with serving(client.path, look_up):
        assert await client.ask(CALLER, time.monotonic() + 0.9)
        assert not await client.ask(CALLER, time.monotonic() - 1)
    assert waits[0] <= 0.9
    assert client.counts.asked == 1


async def test_missing_socket_gives_no_answer(tmp_path: Path) -> None:
    assert not await ask(make_client(tmp_path))
    (tmp_path / "lookups.sock").write_text("no socket")
    assert not await ask(make_client(tmp_path))


async def test_stale_socket_gives_no_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "lookups.sock"))
        dead.listen()
    assert not await ask(make_client(tmp_path))

    async def look_up(_number: str, _seconds: float) -> bool:
        return True

    client = make_client(tmp_path)
    async with serving(client.path, look_up):  # the next one takes its place
        assert await ask(client)


FROZEN = """
import asyncio, sys
from pathlib import Path
from callsieve.lookups.process import serving
async def yes(number, seconds): return True
async def main():
    async with serving(Path(sys.argv[1]), yes):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def process_at(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real process of ours at the socket."""
    with subprocess.Popen([sys.executable, "-c", FROZEN, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def is_stopped(pid: int) -> bool:
    return "State:\tT" in Path(f"/proc/{pid}/status").read_text()


async def test_frozen_process_is_not_asked_after_five_failures(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    with process_at(client.path) as process:
        assert await ask(client)
        client.budget_seconds = BUDGET
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(process.pid))
        # More than the queue of its socket holds: connecting does not work any more either.
        answers = await asyncio.gather(*(ask(client) for _ in range(MOST_AT_ONCE)))
        assert not any(answers)
        assert client.breaker.is_open
        skipped = client.counts.skipped
        assert not await ask(client)
        assert client.counts.skipped == skipped + 1
        os.kill(process.pid, signal.SIGCONT)
        client.budget_seconds = LONG
        client.breaker.succeeded()
        assert await ask(client)


async def test_number_of_waiting_calls_is_limited(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def look_up(_number: str, _seconds: float) -> bool:
        await go.wait()
        return True

    client = make_client(tmp_path)
    async with serving(client.path, look_up):
        calls = [asyncio.create_task(ask(client)) for _ in range(MOST_AT_ONCE + 10)]
        await until(lambda: client.counts.skipped == 10)
        go.set()
        assert sum(await asyncio.gather(*calls)) == MOST_AT_ONCE


async def test_question_in_the_background_reaches_the_service(tmp_path: Path) -> None:
    numbers = []

    async def look_up(number: str, _seconds: float) -> bool:
        numbers.append(number)
        return False

    client = make_client(tmp_path)
    async with serving(client.path, look_up):
        client.ask_again(CALLER)
        await until(lambda: numbers == [CALLER])
        await client.close()


async def test_consecutive_failures_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client(tmp_path)
    for _ in range(3 * FAILURES_TO_OPEN):
        await ask(client)
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert client.counts.failed == FAILURES_TO_OPEN
    assert CALLER[1:] not in caplog.text


@pytest.mark.parametrize(
    "question",
    [
        b"\n",
        b'{"number":"+12015550123"}\n',
        b'{"number":"12015550123","wait_ms":1}\n',
        b'{"number":"+1\'; DROP","wait_ms":1}\n',
        b'{"number":"+12015550123","wait_ms":-1}\n',
        b'{"number":"+12015550123","wait_ms":100000}\n',
        b"x" * 100_000,
        b"",
    ],
)
async def test_malformed_question_gets_no_answer(tmp_path: Path, question: bytes) -> None:
    async def look_up(_number: str, _seconds: float) -> bool:
        raise AssertionError("asked")

    path = tmp_path / "lookups.sock"
    async with serving(path, look_up):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(question)
        writer.write_eof()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_only_one_process_serves(tmp_path: Path) -> None:
    async def look_up(_number: str, _seconds: float) -> bool:
        return True

    async with serving(tmp_path / "lookups.sock", look_up):
        with pytest.raises(OSError, match="another server is listening on this socket"):
            async with serving(tmp_path / "lookups.sock", look_up):
                pass
