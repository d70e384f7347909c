"""The protocol between the public page and its backend: a Unix socket between processes of two users.

    4 bytes: the length   then a pickle of [public] of the settings          to the page, once
    4 bytes: the length   then MessagePack of [id, method, arguments]        to the backend
    4 bytes: the length   then a pickle of (id, outcome)                     back

The backend does not trust requests: it accepts only a name in METHODS with arguments of the right types. The page
trusts the backend, which has more rights anyway. So answers may be pickles. Requests must not be. Each side asks the
kernel which user runs the other side.
"""

import asyncio
import inspect
import logging
import pickle
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, get_type_hints

import msgspec

from agi.sockets import Peers
from callsieve.changes.operation import Refused
from callsieve.public_page.backend import METHODS, Backend
from callsieve.settings import Public
from callsieve.system.privileges import SERVICE_USER, is_ours_or
from reputation.appeals import ATTACHMENT_BYTES
from reputation.store.errors import StoreError
from reputation.wording import Wording

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("callsieve.public")

SOCKET = Path("/run/callsieve-public/backend")  # asterisk-conf/callsieve-public-backend.service makes the directory
MOST_BYTES = ATTACHMENT_BYTES + 128 * 1024
AT_ONCE = 64  # questions answered at the same time; more wait in the socket
ANSWER_SECONDS = 30.0
LENGTH_BYTES = 4

Question = tuple[int, str, tuple[msgspec.Raw, ...]]
TYPES: Mapping[str, tuple[Any, ...]] = {
    name: tuple(kind for key, kind in get_type_hints(method).items() if key != "return")
    for name, method in METHODS.items()
}


class BackendResult(NamedTuple):
    """The result of a request: the returned `value`, or the reason why the request was `refused` or `failed`."""

    value: Any = None
    refused: tuple[str, str | Wording, str] | None = None
    failed: str = ""


async def serve_backend(backend: Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests until the page disconnects. Raise ValueError after a request that the page never makes."""
    writer.write(_frame(pickle.dumps(backend.loaded.settings.public)))
    free, under_way = asyncio.Semaphore(AT_ONCE), set[asyncio.Task[None]]()

    async def answer(number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            outcome = await _outcome(backend, name, arguments)
            with suppress(ConnectionError):  # the page has disconnected
                writer.write(_frame(pickle.dumps((number, outcome))))
                await writer.drain()
        finally:
            free.release()

    try:
        while (raw := await _read(reader, MOST_BYTES)) is not None:
            question = question_of(raw)
            await free.acquire()
            task = asyncio.ensure_future(answer(*question))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    finally:
        await asyncio.gather(*under_way, return_exceptions=True)  # finish all writes that have begun
        await _close(writer)


def question_of(raw: bytes) -> tuple[int, str, tuple[Any, ...]]:
    """Parse a request into id, method name and arguments. Raise ValueError if the page never makes such a request."""
    number, name, arguments = msgspec.msgpack.decode(raw, type=Question)
    kinds = TYPES.get(name)
    if kinds is None or len(kinds) != len(arguments):
        raise ValueError("the page has called a method that it may not call")
    decoded = (msgspec.msgpack.decode(argument, type=kind) for argument, kind in zip(arguments, kinds, strict=True))
    return number, name, tuple(decoded)


async def _outcome(backend: Backend, name: str, arguments: tuple[Any, ...]) -> BackendResult:
    try:
        return BackendResult(await METHODS[name](backend, *arguments))
    except Refused as refused:
        return BackendResult(refused=(refused.code, refused.words, refused.field))
    except StoreError as error:
        return BackendResult(failed=str(error))
    except Exception:
        logger.exception("the page's backend failed")
        return BackendResult(failed="the page's backend failed")


def connected(path: Path) -> socket.socket:
    """Return a connection to the backend. Raise OSError if nobody listens, or if another user's process listens."""
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX))
        sock.connect(str(path))
        user = Peers().user_of(sock)
        if not is_ours_or(SERVICE_USER, user):
            raise PermissionError(f"{path}: user {user} listens there instead of {SERVICE_USER}")
        undo.pop_all()
    return sock


class BackendClient:
    """Client for a backend in another process. `on_gone` is called when the connection ends."""

    def __init__(self, sock: socket.socket) -> None:
        self.public: Public = pickle.loads(_read_now(sock))
        self.on_gone: Callable[[], None] = lambda: None
        self._sock, self._is_gone = sock, False
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[BackendResult]] = {}

    async def open(self) -> None:
        """Start to read answers."""
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        self._task = asyncio.ensure_future(self._read())

    async def ask(self, method: Callable[Concatenate[Backend, P], Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """Call a backend method in the other process and return its result. Raise Refused or StoreError."""
        arguments = inspect.signature(method).bind(None, *args, **named)
        arguments.apply_defaults()
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if self._is_gone:
                raise StoreError("the page's backend has ended the connection")
            self._writer.write(_frame(msgspec.msgpack.encode((number, method.__name__, arguments.args[1:]))))
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.drain()
                outcome = await future
        except (TimeoutError, ConnectionError):
            raise StoreError("the page's backend does not answer") from None
        finally:
            del self._waiting[number]
        if outcome.refused is not None:
            raise Refused(*outcome.refused)
        if outcome.failed:
            raise StoreError(outcome.failed)
        value: T = outcome.value
        return value

    async def close(self) -> None:
        """Close the connection."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await _close(self._writer)

    async def _read(self) -> None:
        try:
            while (raw := await _read(self._reader, None)) is not None:
                number, outcome = pickle.loads(raw)
                if (future := self._waiting.get(number)) is not None and not future.done():
                    future.set_result(outcome)
        finally:
            self._is_gone = True
            self.on_gone()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError())


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(LENGTH_BYTES, "big") + raw


def _read_now(sock: socket.socket) -> bytes:
    """Read the first frame without an event loop. Raise OSError or EOFError."""
    with sock.makefile("rb", buffering=0) as file:
        length, raw = file.read(LENGTH_BYTES) or b"", b""
        while len(raw) < int.from_bytes(length, "big"):
            if not (piece := file.read(int.from_bytes(length, "big") - len(raw))):
                break
            raw += piece
    if not raw:
        raise EOFError("the page's backend has ended the connection")
    return raw


async def _read(reader: asyncio.StreamReader, most: int | None) -> bytes | None:
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
        if most is not None and length > most:
            raise ValueError("a frame is too long")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
