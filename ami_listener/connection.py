"""One connection to Asterisk's manager interface. The only module that imports panoramisk.

    opened -> greeted by Asterisk -> logged in -> packets go to the inbox, responses to senders -> lost, with a reason

CallSieve uses two classes of panoramisk 1.4: `Manager` sends actions, and `Action` gives them an ID and their text. The
other parts have defects (decisions/fenced-libraries.md), so `AmiProtocol` alone reads the socket:

- panoramisk decodes each chunk separately, and stores unlimited data. `framing` keeps bytes, with a limit.
- `Message` returns a str or a list for the same header, unquotes `Result`, and loses an empty last header.
- `dispatch` loses the end of a chunk when a callback raises, and its tasks can be garbage-collected. No callback is
  registered; packets go into the inbox.
- `Manager.connect` and `Manager.connection_lost` reconnect every 2 s, even after `close`. So the socket is opened here
  and passed to `Manager`, which never learns that the connection has ended.
- `Manager` repeats logins and actions on the next connection. So it never gets the user and password, and each
  connection has a new `Manager`.
- panoramisk's pinger does not wait for answers, so the supervisor pings.
- The `send` of panoramisk logs unsent actions, including the secret, and values can forge headers. `AmiProtocol.send`
  replaces it.
"""

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

# The classes of events that CallSieve needs: calls, feature codes, queues. Asterisk sends no others.
EVENTS = "call,user,agent"

# These actions change nothing in Asterisk, so the manager user needs no write permission.
ACTIONS = frozenset({"Login", "Ping", "Logoff"})

# Asterisk's response to every action while it shuts down (process_message in its manager.c).
SHUTTING_DOWN = "Asterisk is shutting down"
LOGOFF_SECONDS = 0.5

# Asterisk writes each of the about 20 events of a call separately. Events are not urgent, so a short pause after each
# read collects several and saves wake-ups. There is no pause after a large read, because more data is waiting, nor
# while a response is awaited.
PAUSE_SECONDS = 0.02
LARGE_READ = 32 * 1024
# Added between two events of one read, so that a phone that rang and answered within one read has a ringing time.
MOMENT_SECONDS = 1e-6

GREETING = b"Asterisk Call Manager/"
GREETING_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Account:
    """The address of Asterisk's manager interface, with the user and secret for the login."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)

    @property
    def where(self) -> str:
        """Return the address as host:port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Response:
    """Asterisk's response to an action. `response`: the fields of the response."""

    response: Mapping[str, str]

    @property
    def succeeded(self) -> bool:
        """Return whether Asterisk executed the action."""
        return self.response.get("Response") == "Success"

    @property
    def message(self) -> str:
        """Return Asterisk's message in the response; empty if it has none."""
        return self.response.get("Message", "")


class AmiProtocol(asyncio.Protocol):
    """The asyncio protocol for panoramisk's Manager, which uses only `send` and `close`."""

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
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Put events into the inbox, and pass each response to the sender of its action."""
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
            self.fail(AmiError(TroubleKind.NOT_AMI, "Asterisk sent a packet of more than 1 MiB"))
        elif self._inbox.received > received and len(data) < LARGE_READ and not self._asked:
            self._pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Mark the connection as lost, with the system's error message."""
        detail = exc.strerror if isinstance(exc, OSError) and exc.strerror else ""
        self.fail(AmiError(TroubleKind.LOST, detail))

    # Called by Manager.

    def send(self, action: Mapping[str, str], as_list: bool | None = None) -> asyncio.Future[Response]:
        """Send an action and return a future of its response. A lost connection leaves the future pending.

        Raises:
            ValueError: Unknown action, or control characters. The message leaves out values, which may be the secret.
        """
        name = action["Action"]
        if name not in ACTIONS:
            raise ValueError(f"unknown action {name}: use one of {', '.join(sorted(ACTIONS))}")
        if any(not value.isprintable() for value in action.values()):
            raise ValueError(f"action {name}: a value contains control characters")
        numbered = Action(dict(action))
        self._asked[str(numbered.id)] = numbered.future
        if self._transport is not None and not self.lost.done():
            self._transport.write(str(numbered).encode())
        return cast("asyncio.Future[Response]", numbered.future)

    def close(self) -> None:
        """Close the connection at once. Unsent data is lost."""
        if self._pause is not None:
            self._pause.cancel()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, error: AmiError) -> None:
        """End the connection with an error. Only the first error is kept."""
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
    """An open connection to Asterisk. `connect` creates it, `log_off` and `abort` end it."""

    def __init__(self, manager: Any, protocol: AmiProtocol) -> None:
        self._manager = manager
        self._protocol = protocol

    @property
    def lost(self) -> asyncio.Future[AmiError]:
        """Return a future that is done when the connection has ended. The result of the future is the reason."""
        return self._protocol.lost

    @property
    def received_bytes(self) -> int:
        """Return how many bytes were received so far. While this count grows, the other side is alive."""
        return self._protocol.received_bytes

    @property
    def heard_at(self) -> float:
        """Return when data was last received; before the first data, when the connection was made."""
        return self._protocol.heard_at

    def ask(self, action: str, **values: str) -> asyncio.Future[Response]:
        """Send an action of ACTIONS and return a future of its response."""
        return cast("asyncio.Future[Response]", self._manager.send_action({"Action": action, **values}))

    async def greeting(self, seconds: float) -> None:
        """Wait for Asterisk's greeting, so that no other program gets the secret. Raise AmiError after `seconds`."""
        await self.wait_for(self._protocol.greeted, seconds, TroubleKind.SILENT)

    async def log_in(self, account: Account, seconds: float) -> None:
        """Log in. Raise AmiError if Asterisk refuses or does not answer. The secret may be wrong in either case."""
        try:
            asked = self.ask("Login", Username=account.username, Secret=account.secret, Events=EVENTS)
        except ValueError:
            raise AmiError(TroubleKind.BAD_LOGIN) from None  # the traceback of the original error would show the secret
        answer = await self.wait_for(asked, seconds, TroubleKind.SILENT)
        if answer.message == SHUTTING_DOWN:
            raise AmiError(TroubleKind.STOPPING)
        if not answer.succeeded:
            raise AmiError(TroubleKind.LOGIN_REFUSED, answer.message)

    async def wait_for(self, future: asyncio.Future[Any], seconds: float, kind: TroubleKind) -> Any:
        """Return the future's result. Raise AmiError if the connection ends first.

        After `seconds`, raise an AmiError of the given `kind`.
        """
        await self.either(future, seconds)
        if future.done():
            return future.result()
        raise self.lost.result() if self.lost.done() else AmiError(kind)

    async def either(self, future: asyncio.Future[Any], seconds: float) -> None:
        """Wait at most `seconds` until the future is done or the connection has ended."""
        futures: set[asyncio.Future[Any]] = {future, self.lost}
        await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def log_off(self) -> None:
        """Log off and end the connection, within half a second even if Asterisk does not respond."""
        with contextlib.suppress(AmiError):
            await self.wait_for(self.ask("Logoff"), LOGOFF_SECONDS, TroubleKind.DEAF)
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self._protocol.fail(AmiError(TroubleKind.LOST, "closed by CallSieve"))
        self._manager.close()


async def connect(account: Account, inbox: EventQueue, clock: Callable[[], float]) -> Connection:
    """Connect to the first address of the host that accepts, without logging in. Raise AmiError if none accepts."""
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
    """Connect to each address in order until one accepts. Unlike asyncio's own function, this keeps error numbers."""
    loop = asyncio.get_running_loop()
    error: OSError = OSError("no address")
    try:
        addresses = await loop.getaddrinfo(account.host, account.port, type=socket.SOCK_STREAM)
    except OSError as reason:
        raise error_of(reason) from None
    except UnicodeError:  # a part of the host name is empty or too long
        raise AmiError(TroubleKind.NO_HOST) from None
    for *_, address in addresses:
        try:
            return await loop.create_connection(factory, str(address[0]), account.port)
        except OSError as reason:
            error = reason
    raise error_of(error) from None
