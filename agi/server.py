"""The AGI server: a thin shell around agi.protocol that always answers, and in time.

    accepted -> READING the header block -> DECIDING -> answered in one write -> SETTLED till Asterisk closes

Every call has one deadline, counted from the moment it was accepted, and one way out of every failure: the
fail-open answer. After the answer our half of the connection is closed: Asterisk reads several commands at once
but runs the second only when it hears from us again, and the end is what it hears (res_agi.c, run_agi). What it
replies is read until it closes too: closing with replies unread would send a reset, which can destroy commands
that it has not read yet. A decision whose caller hung up meanwhile is still finished: a mark keyed in at the
last moment counts.

Only Asterisk's user, root and our own are obeyed: the kernel says who connects (agi.sockets), and is asked before
anything else is done. To anybody else each answer is fail-open, but for `/status`, which says only how we are. A few
of them are heard at a time; all others are closed at once, so that calls do not wait behind them. A connection counts
as a call once its request is complete; those before that are bounded by themselves, and the oldest gives way: Asterisk
sends its request at once.

A call costs one object and at most one task. One timer of the server's looks for connections whose phase has ended,
which in normal use none has.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import socket
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from agi import sockets
from agi.connection import ACCEPTED, NO_APPLICATION, AgiConnection
from agi.protocol import Reply, Request
from agi.sockets import Acceptor, Peers, Poller
from policies.reasons import FailOpen

logger = logging.getLogger(__name__)

# A call in the TCP queue of a server that is frozen or busy is freed by the dialplan after 0.6 s; one that finds the
# queue full waits for TCP to ask again, which takes 1 s and no dialplan bounds. Anybody on this machine can fill it, so
# it is as long as Linux allows by default (net.core.somaxconn). A full Unix queue refuses at once, which is what the
# relay wants, so that one is small.
TCP_BACKLOG = 4096
UNIX_BACKLOG = 64

# Asterisk replies to each command by itself, in 0.5 ms for all: reading them together saves a wake-up for each.
# Not much later than that, or the connections that are read at once hold up the calls of that moment.
REPLIES_SECONDS = 0.005
# Connections without a complete request: half of the 1024 descriptors that a service has. Of other users only so many
# as one needs who looks how we are.
READERS_LIMIT = 512
STRANGERS_LIMIT = 16

DRAIN_SECONDS = 1.0
STOP_SECONDS = 0.25
LOG_INTERVAL_SECONDS = 10.0

_DEAD_CHANNEL = 511  # the caller gave up while we decided


_LOG_LEVELS = dict.fromkeys((FailOpen.TIMED_OUT, FailOpen.OVER_LIMIT), logging.WARNING)


@dataclass(slots=True)
class Stats:
    """Counters since the start. `in_flight` is now: requests that are complete, and neither answered nor hung up.

    `answered` counts decisions that were sent, `failed_open` all other answers by reason, `abandoned` calls
    that hung up before either, `refused_commands` calls of which Asterisk did not take every command, `strangers`
    connections of users that are not obeyed.
    """

    accepted: int = 0
    in_flight: int = 0
    answered: int = 0
    abandoned: int = 0
    over_limit: int = 0
    protocol_errors: int = 0
    refused_commands: int = 0
    strangers: int = 0
    failed_open: dict[str, int] = field(default_factory=lambda: {reason.value: 0 for reason in FailOpen})


Handler = Callable[[Request], Awaitable[bytes] | bytes]


@dataclass(slots=True)
class AgiServer:
    """Answers AGI connections with what `handle` says, or with `fail_open(reason, request)`.

    `handle` returns the commands to send or an awaitable of them; the first is cheaper, it needs no task.
    `header_seconds` and `deadline_seconds` both count from the moment the connection was accepted. `users`: the user
    IDs that are obeyed; so is who sends `key` along, if there is one. `is_blind`: the kernel does not say who connects,
    so nobody is obeyed on TCP.
    """

    handle: Handler
    fail_open: Callable[[str, Request | None], bytes]
    deadline_seconds: float = 0.4
    in_flight_limit: int = 200
    header_seconds: float = 0.3
    drain_seconds: float = DRAIN_SECONDS
    users: frozenset[int] = field(default_factory=lambda: frozenset({0, os.geteuid()}))
    key: str = ""
    is_blind: bool = False
    stats: Stats = field(default_factory=Stats)
    _connections: set[AgiConnection] = field(default_factory=set)
    readers: dict[AgiConnection, None] = field(default_factory=dict)
    _strangers: set[AgiConnection] = field(default_factory=set)
    _peers: Peers = field(default_factory=Peers)
    poller: Poller = field(default_factory=Poller)
    _timer: asyncio.TimerHandle | None = None
    _unread: list[AgiConnection] = field(default_factory=list)
    _acceptors: list[Acceptor] = field(default_factory=list)
    _sockets: dict[str, int] = field(default_factory=dict)
    _all_gone: asyncio.Event = field(default_factory=asyncio.Event)
    _logged_at: dict[str, float] = field(default_factory=dict)

    async def listen(self, host: str, port: int, backlog: int = TCP_BACKLOG) -> int:
        """Serve a loopback address and return the port, for 0 means any. ValueError for any other address."""
        for address in await sockets.loopback_addresses_of(host):
            sock = sockets.make_tcp_socket(address, port)
            port = int(sock.getsockname()[1])
            self._accept_from(sock, backlog)
            self.is_blind = self.is_blind or not self._peers.can_tell(sock)
            if self.is_blind and not self.key:
                logger.critical("the kernel does not say who connects: no call is screened over %s", address)
        return port

    async def listen_unix(self, path: str, backlog: int = UNIX_BACKLOG) -> None:
        """Serve a Unix socket, 0660. A dead server's file is replaced; OSError if a live one owns it."""
        sock = sockets.make_unix_socket(path)
        self._accept_from(sock, backlog)
        os.rename(sockets.unborn_path_of(path), path)  # now that it listens: nobody ever sees a socket that refuses
        self._sockets[path] = os.stat(path).st_ino

    async def close(self, grace_seconds: float) -> None:
        """Accept no more, give the calls in flight `grace_seconds`, answer the rest with fail-open."""
        for acceptor in self._acceptors:
            acceptor.stop()
        for path, inode in self._sockets.items():
            sockets.unlink_own(path, inode)
        await self._connections_gone(grace_seconds)
        self.give_up()
        await self._connections_gone(STOP_SECONDS)
        for connection in list(self._connections):
            connection.close()
        if self._timer is not None:
            self._timer.cancel()
        self._acceptors.clear()
        self._sockets.clear()
        self._peers.close()
        self.poller.close()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    def give_up(self) -> None:
        """Answer all calls that wait for a decision with fail-open, now."""
        for connection in list(self._connections):
            connection.give_up(FailOpen.STOPPING)

    async def _connections_gone(self, seconds: float) -> None:
        """Wait until no connection is left, `seconds` at most."""
        if self._connections:
            self._all_gone.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_gone.wait(), seconds)

    @property
    def first_seconds(self) -> float:
        """The shortest phase: no connection that is to come ends one sooner."""
        return min(self.header_seconds, self.deadline_seconds)

    def _look(self) -> None:
        """End the phases that are over. Look again when the next may be."""
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.001  # uvloop's clock ticks in milliseconds
        self._timer = None
        try:
            for connection in [one for one in self._connections if one.due <= now]:
                connection.time_is_up()
        finally:
            if self._connections:
                due = min(now + self.first_seconds, *(one.due for one in self._connections))
                self._timer = loop.call_at(due, self._look)

    def read_replies_later(self, connection: AgiConnection) -> None:
        """Read what Asterisk replies to the answer, together with that of other calls."""
        if not self._unread:
            asyncio.get_running_loop().call_later(REPLIES_SECONDS, self._read_replies)
        self._unread.append(connection)

    def _read_replies(self) -> None:
        unread, self._unread = self._unread, []
        for connection in unread:
            connection.read_replies()

    def _accept_from(self, sock: socket.socket, backlog: int) -> None:
        if not self._acceptors:
            self.poller.start()
        acceptor = Acceptor(sock, self._admit)
        self._acceptors.append(acceptor)
        acceptor.start(backlog)

    def _admit(self, sock: socket.SocketType, peer: Any, own: Any) -> None:
        """Hear who has connected, or close the connection at once: that must cost next to nothing."""
        self.stats.accepted += 1
        user = self._peers.user_of(sock, peer, own)
        is_stranger = user not in self.users
        if is_stranger and not self.key:
            if user is None and not self.is_blind:
                self.stats.abandoned += 1  # the other end has gone: nobody is there to be obeyed or answered
                sock.close()
                return
            if len(self._strangers) >= STRANGERS_LIMIT:
                self.note_stranger(user)
                sock.close()
                return
        connection = AgiConnection(self, sock, user, is_stranger)
        self._connections.add(connection)
        if is_stranger and not self.key:
            self._strangers.add(connection)
        else:
            self.readers[connection] = None
            if len(self.readers) > READERS_LIMIT:
                next(iter(self.readers)).time_is_up()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(connection.due, self._look)

    def forget(self, connection: AgiConnection) -> None:
        """Take out a connection that is closed."""
        self._connections.discard(connection)
        self._strangers.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def note_stranger(self, user: int | None) -> None:
        """Count and log a connection of somebody who is not obeyed."""
        self.stats.strangers += 1
        if self.may_log(f"user {user}"):
            who = "a user whom the kernel does not tell" if user is None else f"user {user}"
            logger.warning("%s asked, who is not Asterisk's: not obeyed", who)

    def has_key(self, request: Request) -> bool:
        """Return whether the key of the settings was sent along."""
        said = request.arguments.get("key", "")
        return self.key != "" and hmac.compare_digest(said.encode(errors="replace"), self.key.encode())

    def fail_open_answer(self, reason: FailOpen, request: Request | None) -> bytes:
        """The fail-open answer; nothing at all if even that fails, which means allow."""
        self.stats.failed_open[reason.value] += 1
        if self.may_log(reason.value):
            logger.log(_LOG_LEVELS.get(reason, logging.INFO), "%s: the call goes on unscreened", reason.value)
        try:
            return self.fail_open(reason.value, request)
        except Exception as error:  # noqa: BLE001 (the outermost point: nothing must come after it)
            self.log_failure("the fail-open answer", error)
            return b""

    def log_failure(self, what: str, error: Exception) -> None:
        """Type and stack, never the message: it may quote a caller."""
        if self.may_log(f"{what}: {type(error).__name__}"):
            stack = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s failed: the call goes on: %s\n%s", what, type(error).__name__, stack)

    def log_refused(self, reply: Reply) -> None:
        """Log a command that Asterisk did not take."""
        self.stats.refused_commands += 1
        said = NO_APPLICATION if reply.code in ACCEPTED else reply.code
        if self.may_log(f"reply {said}"):
            level = logging.INFO if said == _DEAD_CHANNEL else logging.WARNING
            logger.log(level, "Asterisk answered a command with %s", said)

    def may_log(self, key: str) -> bool:
        """Once in a while for each key: at 400 calls/s an outage must not fill the disk as well."""
        now = asyncio.get_running_loop().time()
        if now < self._logged_at.get(key, float("-inf")) + LOG_INTERVAL_SECONDS:
            return False
        self._logged_at[key] = now
        return True
