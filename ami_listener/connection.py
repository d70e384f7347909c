"""One connection to Asterisk's manager interface. The only module that imports panoramisk.

    opened -> greeted by Asterisk -> logged in -> packets go to the inbox, answers to who asked -> lost, for a reason

Of panoramisk 1.4 its `Manager` carries the protocol and sends, and its `Action` numbers and writes what is sent. The
rest has defects (docs/decisions/fenced-libraries.md), so the protocol is ours and is all that ever hears the socket:

- it decodes each chunk by itself, keeps any amount, and splits it again each time: bytes are kept and bounded by
  `fields`
- its `Message` gives a str or a list for the same header, unquotes `Result`, and loses a last header without value:
  `fields` reads them
- its `dispatch` loses the rest of a chunk when a callback raises, and makes tasks that nobody holds: nothing is
  registered there; a packet is put into the inbox, which is all that happens on reading
- `Manager.connect` tries again every 2 s when refused, and so does `Manager.connection_lost` even after `close`: the
  socket is opened here and handed over, and the Manager is never told of the end
- it repeats the login on its own: it is not given the account; it repeats actions on the next connection: there is a
  new Manager for each; its pinger does not wait for answers: it is stopped, the supervisor asks
- it logs actions that cannot be sent, secret and all, and lets a value forge further headers: `send` is ours
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from panoramisk.actions import Action
from panoramisk.manager import Manager

from ami_listener import parsing
from ami_listener.errors import AmiError, TroubleKind, error_of
from ami_listener.framing import EventQueue, Packet, PacketReader

# What is learnt from: calls, feature codes, queues. Nothing else is sent to us.
EVENTS = "call,user,agent"

# None changes anything in Asterisk, and none needs a right to write.
ACTIONS = frozenset({"Login", "Ping", "Logoff"})

# What Asterisk answers to every action while it stops (process_message in its manager.c).
SHUTTING_DOWN = "Asterisk is shutting down"
LOGOFF_SECONDS = 0.5

# Asterisk writes each event by itself, some 20 of a call. Nobody waits for what is learnt, so they are read together: a
# short pause after events saves the process as many wake-ups. None after a read as large as this, for there is more,
# nor while an answer is waited for.
PAUSE_SECONDS = 0.02
LARGE_READ = 32 * 1024
# Between two events of one read, which are read at the same time: what rang and was answered in it did ring.
MOMENT_SECONDS = 1e-6

GREETING = b"Asterisk Call Manager/"
GREETING_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Account:
    """Where Asterisk's manager interface is, and who we are there."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Response:
    """The fields of the response to an action."""

    response: Mapping[str, str]

    @property
    def succeeded(self) -> bool:
        return self.response.get("Response") == "Success"

    @property
    def message(self) -> str:
        return self.response.get("Message", "")


class AmiProtocol(asyncio.Protocol):
    """What panoramisk's Manager holds as its protocol: it calls `send` and `close`, and sets attributes we ignore."""

    def __init__(self, inbox: EventQueue, clock: Callable[[], float]) -> None:
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[AmiError] = loop.create_future()
        self.received_bytes = 0
        self.heard_at = clock()
        self._inbox = inbox
        self._clock = clock
        self._first_line = b""
        self._reader = PacketReader(wanted=parsing.EVENTS)
        self._asked: dict[str, asyncio.Future[Response]] = {}  # by ActionID
        self._transport: asyncio.Transport | None = None
        self._pause: asyncio.TimerHandle | None = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.lost.done():
            return
        self.received_bytes += len(data)
        at = self.heard_at = self._clock()
        if not self.greeted.done():
            data = self._read_greeting(data)
        received, unwanted = self._inbox.received, self._reader.unwanted
        for moment, packet in enumerate(self._reader.receive_data(data)):
            if packet.name or not self._take_answer(packet):
                self._inbox.put(packet, at + moment * MOMENT_SECONDS)
        if self._reader.unwanted != unwanted:
            self._inbox.skip(self._reader.unwanted - unwanted, at)
        if self._reader.dropped:
            self.fail(AmiError(TroubleKind.NOT_AMI, "a packet of more than 1 MiB"))
        elif self._inbox.received > received and len(data) < LARGE_READ and not self._asked:
            self._pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        # `exc` is an OSError or None; a bare end of file says nothing more.
        detail = exc.strerror if isinstance(exc, OSError) and exc.strerror else ""
        self.fail(AmiError(TroubleKind.LOST, detail))

    # Called by Manager.

    def send(self, action: Mapping[str, str], as_list: bool | None = None) -> asyncio.Future[Response]:
        """Write one of our actions; its future gets the answer, or nothing if the connection is lost before.

        ValueError, without the values: they may be the secret.
        """
        name = action["Action"]
        if name not in ACTIONS:
            raise ValueError(f"{name} is not an action of ours")
        if any(not value.isprintable() for value in action.values()):
            raise ValueError(f"{name}: a value has control characters in it")
        numbered = Action(dict(action))
        self._asked[str(numbered.id)] = numbered.future
        if self._transport is not None and not self.lost.done():
            self._transport.write(str(numbered).encode())
        return cast("asyncio.Future[Response]", numbered.future)

    def close(self) -> None:
        """End the connection at once: what is not written yet is of no use any more."""
        if self._pause is not None:
            self._pause.cancel()
        if self._transport is not None:
            self._transport.abort()

    # What happens then.

    def fail(self, error: AmiError) -> None:
        """The connection is over, for this reason; the first reason counts."""
        if not self.lost.done():
            self.lost.set_result(error)
        self.close()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._pause = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _read_greeting(self, data: bytes) -> bytes:
        """What comes after Asterisk's first line; nothing while it is not whole, or is not Asterisk's."""
        line, end, rest = (self._first_line + data).partition(b"\r\n")
        self._first_line = line
        if not line.startswith(GREETING[: len(line)]) or len(line) > GREETING_LIMIT:
            self.fail(AmiError(TroubleKind.NOT_AMI))
        elif end and line.startswith(GREETING):
            self.greeted.set_result(None)
            return rest
        elif end:
            self.fail(AmiError(TroubleKind.NOT_AMI))
        return b""

    def _take_answer(self, packet: Packet) -> bool:
        """Whether this packet is the answer to something asked here."""
        fields = packet.fields()
        if "Response" not in fields:
            return False
        done = self._asked.pop(fields.get("ActionID", ""), None)
        if done is None:
            return False
        if not done.done():
            done.set_result(Response(fields))
        return True


class Connection:
    """An open connection. Made by `connect`; `abort` ends it, `log_off` ends it politely."""

    def __init__(self, manager: Any, protocol: AmiProtocol) -> None:
        self._manager = manager
        self._protocol = protocol

    @property
    def lost(self) -> asyncio.Future[AmiError]:
        """Done when the connection is over; the result says why."""
        return self._protocol.lost

    @property
    def received_bytes(self) -> int:
        """Everything that was ever received: as long as it grows, the other side is alive."""
        return self._protocol.received_bytes

    @property
    def heard_at(self) -> float:
        """When something was last received, or the connection was made."""
        return self._protocol.heard_at

    def ask(self, action: str, **values: str) -> asyncio.Future[Response]:
        """Send an action. ValueError if it is not one of ours."""
        return cast("asyncio.Future[Response]", self._manager.send_action({"Action": action, **values}))

    async def greeting(self, seconds: float) -> None:
        """Wait until Asterisk has said who it is: nobody else gets our secret. AmiError."""
        await self.wait_for(self._protocol.greeted, seconds, TroubleKind.SILENT)

    async def log_in(self, account: Account, seconds: float) -> None:
        """Log in. AmiError; after a refusal or no answer the secret may have been a wrong one."""
        try:
            asked = self.ask("Login", Username=account.username, Secret=account.secret, Events=EVENTS)
        except ValueError:
            raise AmiError(TroubleKind.BAD_LOGIN) from None  # whose context would have the secret
        answer = await self.wait_for(asked, seconds, TroubleKind.SILENT)
        if answer.message == SHUTTING_DOWN:
            raise AmiError(TroubleKind.STOPPING)
        if not answer.succeeded:
            raise AmiError(TroubleKind.LOGIN_REFUSED, answer.message)

    async def wait_for(self, future: asyncio.Future[Any], seconds: float, kind: TroubleKind) -> Any:
        """The future's result; AmiError if the connection is lost before, or of `kind` when it takes too long."""
        await self.either(future, seconds)
        if future.done():
            return future.result()
        raise self.lost.result() if self.lost.done() else AmiError(kind)

    async def either(self, future: asyncio.Future[Any], seconds: float) -> None:
        """Wait for the future or the end of the connection, `seconds` at most."""
        futures: set[asyncio.Future[Any]] = {future, self.lost}
        await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def log_off(self) -> None:
        """Say good-bye, and end it within half a second whether or not it is heard."""
        with contextlib.suppress(AmiError):
            await self.wait_for(self.ask("Logoff"), LOGOFF_SECONDS, TroubleKind.DEAF)
        self.abort()

    def abort(self) -> None:
        """End it at once. What is read from now on is not looked at."""
        self._protocol.fail(AmiError(TroubleKind.LOST, "we closed it"))
        self._manager.close()


async def connect(account: Account, inbox: EventQueue, clock: Callable[[], float]) -> Connection:
    """Open a connection, to the first address of the host that takes it; not yet logged in. AmiError."""
    loop = asyncio.get_running_loop()
    manager = Manager(
        loop=loop,
        host=account.host,
        port=account.port,
        protocol_factory=lambda: AmiProtocol(inbox, clock),
    )
    opened = loop.create_future()
    opened.set_result(await _open(manager.config["protocol_factory"], account))
    manager.connection_made(opened)
    manager.pinger.cancel()
    return Connection(manager, opened.result()[1])


async def _open(factory: Callable[[], AmiProtocol], account: Account) -> tuple[asyncio.Transport, AmiProtocol]:
    """One address after the other: asyncio would lose the error numbers when it does this."""
    loop = asyncio.get_running_loop()
    error: OSError = OSError("no address")
    try:
        addresses = await loop.getaddrinfo(account.host, account.port, type=socket.SOCK_STREAM)
    except OSError as reason:
        raise error_of(reason) from None
    except UnicodeError:  # a label that is empty or too long
        raise AmiError(TroubleKind.NO_HOST) from None
    for *_, address in addresses:
        try:
            return await loop.create_connection(factory, str(address[0]), account.port)
        except OSError as reason:
            error = reason
    raise error_of(error) from None
