"""A mail server on loopback: enough of RFC 5321 for one client, and several ways to misbehave."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

Mood = Literal["kind", "silent", "endless", "drips", "no-starttls", "no-recipients", "greylists", "hangs-up", "no-mail"]


@dataclass
class SmtpServer:
    """The received mails. `login`: accepted user name and password. `tls`: for STARTTLS, or from the start."""

    mood: Mood = "kind"
    tls: ssl.SSLContext | None = None
    login: tuple[str, str] = ("callsieve", "a word")
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


@asynccontextmanager
async def mail_server(server: SmtpServer, *, over_tls: bool = False) -> AsyncIterator[SmtpServer]:
    """Run the server."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await _talk(server, reader, writer, is_encrypted=over_tls)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=server.tls if over_tls else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _talk(
    server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_encrypted: bool
) -> None:
    async def say(text: str) -> None:
        writer.write(text.encode() + b"\r\n")
        await writer.drain()

    if server.mood == "silent":
        await asyncio.sleep(3600)
    if server.mood == "hangs-up":
        return
    await say("220 mail.example ready")
    to: list[str] = []
    while line := (await reader.readline()).decode().strip():
        word, _, rest = line.partition(" ")
        match word.upper():
            case "EHLO":
                if server.mood == "endless":
                    while True:
                        await say("250-" + "x" * 900)
                if server.mood == "drips":
                    while True:
                        writer.write(b"2")
                        await writer.drain()
                        await asyncio.sleep(0.01)
                offers = ["STARTTLS"] if server.tls and not is_encrypted and server.mood != "no-starttls" else []
                await say("\r\n".join(("250-mail.example", *(f"250-{offer}" for offer in offers), "250 AUTH PLAIN")))
            case "STARTTLS":
                await say("220 go ahead")
                assert server.tls is not None
                await writer.start_tls(server.tls)
                is_encrypted = True
            case "AUTH":
                _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                await say("235 welcome" if (user, password) == server.login else "535 wrong user name or password")
            case "MAIL":
                to = []
                await say("550 we take no mail of yours" if server.mood == "no-mail" else "250 ok")
            case "RCPT":
                refusals = {"no-recipients": "550 no such user here", "greylists": "451 come again later"}
                if server.mood not in refusals:
                    to.append(rest.partition("<")[2].partition(">")[0])
                await say(refusals.get(server.mood, "250 ok"))
            case "DATA":
                await say("354 go on")
                raw = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                mail = email.message_from_bytes(raw, policy=email.policy.default)
                assert isinstance(mail, EmailMessage)
                server.mails.append(mail)
                server.recipients.append(to)
                server.encrypted.append(is_encrypted)
                await say("250 taken")
            case "QUIT":
                await say("221 bye")
                return
            case _:
                await say("250 ok")
