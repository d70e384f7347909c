"""A manager interface that answers as Asterisk 22 does, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ami_listener.connection import Account

SECRET = "s3cret-of-the-test"
EVENT = b"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/201-00000001"
END = b"\r\n\r\n"


class FakeManager:
    """`deaf_for` and `hangs_up_on` are actions by name."""

    def __init__(self) -> None:
        self.greeting = b"Asterisk Call Manager/11.0.0\r\n"
        self.secret = SECRET
        self.is_stopping = False
        self.hangs_up_on: set[str] = set()
        self.deaf_for: set[str] = set()
        self.actions: list[dict[str, str]] = []
        self.logins: list[float] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0

    @property
    def account(self) -> Account:
        return Account("127.0.0.1", self.port, "callsieve", SECRET)

    def names(self) -> list[str]:
        """The actions that came, by name."""
        return [action["Action"] for action in self.actions]

    def send(self, data: bytes) -> None:
        """To whoever is connected last."""
        self.writers[-1].write(data)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(self.greeting)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                raw = (await reader.readuntil(END)).removesuffix(END).decode()
                action = dict(line.split(": ", 1) for line in raw.split("\r\n") if ": " in line)
                self.actions.append(action)
                name = action["Action"]
                if name == "Login":
                    self.logins.append(time.monotonic())
                if name in self.hangs_up_on:
                    break
                if name not in self.deaf_for:
                    writer.write(self.answer(action))
        writer.close()

    def answer(self, action: dict[str, str]) -> bytes:
        name = action["Action"]
        numbered = f"ActionID: {action['ActionID']}\r\n".encode()
        if self.is_stopping:
            return b"Response: Error\r\n" + numbered + b"Message: Asterisk is shutting down" + END
        if name == "Login":
            if action["Secret"] != self.secret:
                return b"Response: Error\r\n" + numbered + b"Message: Authentication failed" + END
            return b"Response: Success\r\n" + numbered + b"Message: Authentication accepted" + END
        words = {"Ping": b"Response: Success\r\n", "Logoff": b"Response: Goodbye\r\n"}
        return words[name] + numbered + b"Ping: Pong" + END


@asynccontextmanager
async def managing() -> AsyncIterator[FakeManager]:
    """A manager interface on a port of its own."""
    manager = FakeManager()
    server = await asyncio.start_server(manager.serve, "127.0.0.1", 0)
    manager.port = server.sockets[0].getsockname()[1]
    try:
        yield manager
    finally:
        server.close()
        for writer in manager.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
