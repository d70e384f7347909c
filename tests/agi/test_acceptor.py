"""Connections are accepted one at a time, and again once there are descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from agi.sockets import Acceptor


@contextmanager
def accepting(admit: Callable[[socket.SocketType], None]) -> Iterator[tuple[str, int]]:
    """An acceptor that takes connections at this address."""
    listener = socket.socket()
    listener.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    acceptor = Acceptor(listener, lambda connection, _peer, _own: admit(connection))
    acceptor.start(256)
    try:
        yield listener.getsockname()
    finally:
        acceptor.stop()


async def test_other_callbacks_run_between_connections() -> None:
    loop = asyncio.get_running_loop()
    count, done = 0, asyncio.Event()
    at_turn: list[int] = []

    def admit(connection: socket.SocketType) -> None:
        nonlocal count
        connection.close()
        if count == 0:
            loop.call_soon(lambda: at_turn.append(count))
        count += 1
        if count == 10:
            done.set()

    with accepting(admit) as address, ExitStack() as held:
        for _ in range(10):
            held.enter_context(socket.create_connection(address))
        await asyncio.wait_for(done.wait(), 10)
    assert at_turn == [1]


async def test_without_descriptors_the_acceptor_waits_for_one(caplog: pytest.LogCaptureFixture) -> None:
    admitted: asyncio.Queue[socket.SocketType] = asyncio.Queue()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with accepting(admitted.put_nowait) as address, socket.create_connection(address):
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            while not caplog.records:  # noqa: ASYNC110 (a log has no events)
                await asyncio.sleep(0)
            assert admitted.empty()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        (await asyncio.wait_for(admitted.get(), 10)).close()
