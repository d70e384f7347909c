"""A web server on loopback for webhooks: it keeps requests and answers as a test says."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from callsieve.digest.operations import DIGEST
from callsieve.integration_settings import WebhookTable
from reputation.store.outbox import set_state

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"


@dataclass(frozen=True, slots=True)
class Posted:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def payload(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


Answering = Callable[[Posted], Awaitable[bytes]]


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer that keeps the connection open."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\n{lines}\r\n".encode() + body


async def accept(_posted: Posted) -> bytes:
    """Accept the request."""
    return http(204)


@dataclass
class HookServer:
    """`answering` may be replaced while it serves. `posted`: all requests in their order."""

    answering: Answering = accept
    port: int = 0
    posted: list[Posted] = field(default_factory=list)

    def table(self, name: str = "crm", **others: Any) -> WebhookTable:
        """Return the settings of a webhook to this server."""
        about = {"url": f"http://127.0.0.1:{self.port}/hook", "secret": "env:HOOK_SECRET", "private": True}
        return WebhookTable(name=name, **about | others)  # type: ignore[arg-type]

    def toml(self, name: str = "crm", more: str = "") -> str:
        """Return the same settings as TOML."""
        about = f'url = "http://127.0.0.1:{self.port}/"\nsecret = "env:HOOK_SECRET"\nprivate = true'
        return f'\n[[webhook]]\nname = "{name}"\n{about}\n{more}\n'

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.posted]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                posted = Posted(headers, await reader.readexactly(int(headers.get("content-length", 0))))
                self.posted.append(posted)
                writer.write(await self.answering(posted))
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def hook_server(answering: Answering = accept, port: int = 0) -> AsyncIterator[HookServer]:
    """Run a server."""
    server = HookServer(answering)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server._connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", port)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def hook_server_in_thread(answering: Answering = accept) -> Iterator[HookServer]:
    """Run a server in another thread, for tests without a loop."""
    servers: list[tuple[HookServer, asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()

    async def serve() -> None:
        async with hook_server(answering) as server:
            stop = asyncio.Event()
            servers.append((server, asyncio.get_running_loop(), stop))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(20)
    server, loop, stop = servers[0]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def skip_digests(db: sqlite3.Connection) -> None:
    """Mark all digests as sent, or one more event would come after seven in the morning."""
    set_state(db, DIGEST, "9999-12-31", 0.0)
