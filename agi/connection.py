"""One AGI connection from Asterisk. It reads one request and sends one answer. server.py manages all connections."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import Awaitable
from enum import Enum
from typing import TYPE_CHECKING

from agi.protocol import AgiSession, ProtocolError, Reply, Request
from policies.reasons import FailOpen

if TYPE_CHECKING:
    from agi.server import AgiServer

logger = logging.getLogger("agi.server")

OPEN_TO_ALL = frozenset({"status"})
RECEIVE_BYTES = 16 * 1024
DRAIN_LIMIT = 64 * 1024
# Asterisk's usual replies to an answer: 0 to MSet, 1 to SET VARIABLE, and `HANGUP` at its end.
_EXPECTED_REPLIES = frozenset((b"200 result=0", b"200 result=1", b"HANGUP"))
ACCEPTED = (200, 100)
NO_APPLICATION = "-2"  # reply to EXEC; no variable was set


class _State(Enum):
    READING = "reading"
    DECIDING = "deciding"
    SETTLED = "settled"


_READING, _DECIDING, _SETTLED = _State


class AgiConnection:
    """One AGI connection. It is SETTLED once its request is answered or abandoned, but may stay open for replies."""

    __slots__ = (
        "_accepted_at",
        "_decision",
        "_is_stranger",
        "_lost",
        "_parsing",
        "_peer_ended",
        "_received",
        "_request",
        "_server",
        "_session",
        "_socket",
        "_state",
        "_task",
        "_user",
    )

    def __init__(self, server: AgiServer, sock: socket.SocketType, user: int | None, is_stranger: bool) -> None:
        self._server = server
        self._socket = sock
        self._user = user
        self._is_stranger = is_stranger
        self._accepted_at = asyncio.get_running_loop().time()
        self._session = AgiSession(self._accepted_at)
        self._state = _READING
        self._task: asyncio.Task[None] | None = None
        self._decision: Awaitable[bytes] | None = None
        self._request: Request | None = None
        self._parsing = True
        self._peer_ended = False
        self._lost = False
        self._received = 0
        self._watch()

    def _watch(self) -> None:
        self._server.poller.watch(self._socket.fileno(), self._read)

    def _unwatch(self) -> None:
        self._server.poller.forget(self._socket.fileno())

    def _read(self) -> bool:
        try:
            data = self._socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:  # the peer reset the connection
            self._lost = True
            data = b""
        try:
            self._take(data) if data else self._end()
        except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
            self._parsing = False
            self._fail(error)
        return bool(data)

    def read_replies(self) -> None:
        """Read Asterisk's replies to the commands of the answer. The server calls this after a short delay."""
        while self._is_open and self._read():
            pass
        if self._is_open:
            self._watch()

    @property
    def _is_open(self) -> bool:
        return self._socket.fileno() >= 0

    def _take(self, data: bytes) -> None:
        if self._state is not _READING:
            self._received += len(data)
            if self._received > DRAIN_LIMIT:
                self._lost = True
                self._end()
                return
        if self._state is _SETTLED and data.endswith(b"\n") and _EXPECTED_REPLIES.issuperset(data[:-1].split(b"\n")):
            return
        if self._parsing:
            self._parse(data)

    def _end(self) -> None:
        """Handle the end of Asterisk's input. A decision in progress continues: Asterisk may still read its answer."""
        self._peer_ended = True
        if self._state is _DECIDING:
            self._unwatch()
        elif self._state is _READING:
            self._lost = True
            self._send(b"")
        else:
            self.close()

    def _parse(self, data: bytes) -> None:
        request = None
        session = self._session
        session.receive_data(data)
        try:
            while (event := session.next_event()) is not None:
                if isinstance(event, Request):
                    request = event
                elif isinstance(event, Reply) and (event.code not in ACCEPTED or event.result == NO_APPLICATION):
                    self._parsing = False
                    self._server.log_refused(event)
                    return
        except ProtocolError as error:
            self._parsing = False
            self._refuse(error)
            self._drop_decision()
            return
        if request is not None and self._state is _READING:
            self._decide(request)

    def _refuse(self, error: ProtocolError) -> None:
        """Fail open for input that is not AGI, is forged, or comes from the dialplan of another version."""
        server = self._server
        server.stats.protocol_errors += 1
        if server.may_log(str(error)):
            logger.info("refused an AGI request: %s", error)
        self._fail_open(FailOpen.PROTOCOL)

    def _decide(self, request: Request) -> None:
        server = self._server
        if self._is_stranger and server.has_key(request):
            self._is_stranger = False
        if self._is_stranger and request.path not in OPEN_TO_ALL:
            self._fail_open(FailOpen.STRANGER)
            return
        self._state = _DECIDING
        self._request = request
        server.readers.pop(self, None)
        server.stats.in_flight += 1
        if server.stats.in_flight > server.in_flight_limit and not self._is_stranger:
            server.stats.over_limit += 1
            self._fail_open(FailOpen.OVER_LIMIT)
            return
        try:
            decision = server.handle(request)
            if isinstance(decision, bytes):
                self._answer(decision)
                return
        except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
            self._fail(error)
            return
        self._decision = decision
        self._task = asyncio.get_running_loop().create_task(self._run(decision))

    async def _run(self, decision: Awaitable[bytes]) -> None:
        try:
            self._answer(await decision)
        except asyncio.CancelledError:
            self._fail_open(FailOpen.FAILED)  # does nothing after `give_up`, which has answered already
            raise
        except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, ProtocolError):
            self._refuse(error)
        elif isinstance(error, TimeoutError):
            self._fail_open(FailOpen.TIMED_OUT)
        else:
            self._server.log_failure("screening", error)
            self._fail_open(FailOpen.FAILED)

    @property
    def due(self) -> float:
        """Return the monotonic time at which the current phase must end. All time limits count from the accept."""
        server = self._server
        if self._state is _READING:
            return self._accepted_at + server.first_seconds
        seconds = server.deadline_seconds
        return self._accepted_at + (seconds if self._state is _DECIDING else seconds + server.drain_seconds)

    def time_is_up(self) -> None:
        """End the current phase because its time limit has passed."""
        if self._state is _SETTLED:
            self.close()
        else:
            self.give_up(FailOpen.HEADER if self._state is _READING else FailOpen.TIMED_OUT)

    def _answer(self, answer: bytes) -> None:
        if self._state is _SETTLED:
            return  # too late
        self._send(answer)
        if not self._lost:
            self._server.stats.answered += 1

    def give_up(self, reason: FailOpen) -> None:
        """Fail open, and cancel the decision in progress."""
        self._fail_open(reason)
        self._drop_decision()

    def _drop_decision(self) -> None:
        if self._task is None or self._task.done():
            return
        if inspect.iscoroutine(self._decision) and inspect.getcoroutinestate(self._decision) == "CORO_CREATED":
            self._decision.close()  # its task has not begun, so it would never be awaited
        self._task.cancel()

    def _fail_open(self, reason: FailOpen) -> None:
        if self._state is _SETTLED:
            return
        if self._is_stranger:
            self._server.note_stranger(self._user)
            reason, self._request = FailOpen.STRANGER, None  # a stranger's request is not recorded
        self._send(b"" if self._lost else self._server.fail_open_answer(reason, self._request))

    def _send(self, answer: bytes) -> None:
        server = self._server
        self._lost = self._lost or not self._is_taken(answer)
        if self._state is _DECIDING:
            server.stats.in_flight -= 1
        self._state = _SETTLED
        server.readers.pop(self, None)
        if self._lost:
            server.stats.abandoned += 1
        if self._lost or self._peer_ended or self._is_stranger:
            self.close()
        else:
            self._unwatch()
            server.read_replies_later(self)

    def _is_taken(self, answer: bytes) -> bool:
        """Send the answer and return whether the kernel accepted all of it. An incomplete answer sets no action."""
        try:
            is_whole = self._socket.send(answer, socket.MSG_DONTWAIT) == len(answer)
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # the peer closed, and the poller has not reported it yet
            return False
        return is_whole

    def close(self) -> None:
        """Close the connection."""
        self._unwatch()
        self._socket.close()
        self._server.forget(self)
