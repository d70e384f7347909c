"""Web servers on loopback that do as a test says: each answers a connection by a function of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpcore2
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab.certificates import Authority, make_key

PUBLIC = "93.184.215.14"  # an address of the internet, which no test connects to
Answering = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer that is whole, unless a header says otherwise."""
    fields = {"content-length": str(len(body)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Some\r\n{lines}\r\n".encode("latin-1") + body


@dataclass
class Server:
    """Where it listens, and the requests that it was sent."""

    port: int = 0
    requests: list[str] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        """An address of it."""
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(
    answering: Answering | bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Server]:
    """`answering` has the head of each request; bytes are sent as they are. Then the connection is closed."""
    server = Server()
    tasks: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())  # type: ignore[arg-type]
        with suppress(asyncio.CancelledError):  # the test is over
            await answered(reader, writer)
        writer.transport.abort()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            server.requests.append(head)
            if isinstance(answering, bytes):
                writer.write(answering)
            else:
                await answering(head, writer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    listening = await asyncio.start_server(connected, host, port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Rerouted(httpcore2.AnyIOBackend):
    """Connections to any address are made to this machine; `asked` has the addresses. To `dead` ones none is made."""

    def __init__(self, dead: Iterable[str] = ()) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._dead = set(dead)

    async def connect_tcp(self, host: str, port: int, *others: object) -> httpcore2.AsyncNetworkStream:
        self.asked.append(host)
        if host in self._dead:
            raise httpcore2.ConnectError("Connection refused")
        return await super().connect_tcp("127.0.0.1", port)


def tls_context(folder: Path, authority: Authority, name: str, *, days_ago: int = 0) -> ssl.SSLContext:
    """For a server that shows a certificate of that authority."""
    key = make_key()
    folder.mkdir(exist_ok=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (folder / "server.pem").write_text(authority.issue_server(name, key.public_key(), days_ago=days_ago) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context
