"""The AGI server: a thin shell around agi.protocol that always answers in time.

    accepted -> READING the header block -> DECIDING -> answered in one write -> SETTLED until Asterisk closes

Every call has one deadline, counted from the accept of its connection, and every failure ends in the fail-open answer.
After the answer the server closes its half of the connection, because Asterisk runs the second command only after more
input or the end of input (res_agi.c, run_agi). Asterisk's replies are read until it closes, too: closing with unread
replies would send a reset, which can destroy commands that Asterisk has not read yet. A decision is finished even if
the caller has hung up, so that a mark keyed at the last moment is stored.

Only Asterisk's user, root and the service's own user get decisions. The kernel tells which user connects (agi.sockets)
before anything else is done. Other users get the fail-open answer, except to `/status`. Only a few of their connections
are kept open, so that calls do not wait behind them. A connection is counted as a call when its request is complete.
Connections with incomplete requests are limited too. The oldest is closed first: Asterisk sends its request at once, so
an old one is probably not from Asterisk.
"""

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

# The dialplan frees a call in the TCP queue of a busy server after 0.6 s. If the queue is full, TCP tries again after
# 1 s, which the dialplan cannot shorten. Any local user can fill the queue, so it is as long as Linux allows by default
# (net.core.somaxconn). A full Unix queue refuses at once, as the relay needs, so that one is small.
TCP_BACKLOG = 4096
UNIX_BACKLOG = 64

# Asterisk replies to each command separately, within 0.5 ms in all. Reading the replies together saves wake-ups. A
# longer delay would collect so many connections that reading them delays calls.
REPLIES_SECONDS = 0.005
# Connections without a complete request: half of the 1024 descriptors of a service. Other users get only the few that
# they need to request the status.
READERS_LIMIT = 512
STRANGERS_LIMIT = 16

DRAIN_SECONDS = 1.0
STOP_SECONDS = 0.25
LOG_INTERVAL_SECONDS = 10.0

_DEAD_CHANNEL = 511  # the caller hung up during the decision


_OF_CALLS = frozenset({"screen", "callee", "outbound"})  # other requests do not decide whether a call goes on
_LOG_LEVELS = dict.fromkeys((FailOpen.TIMED_OUT, FailOpen.OVER_LIMIT), logging.WARNING)


@dataclass(slots=True)
class Stats:
    """Counters since the start. `in_flight`: how many complete requests wait for a decision now.

    `answered`: decisions sent. `failed_open`: all other answers, by reason. `abandoned`: connections that ended before
    the whole answer was sent. `refused_commands`: calls with a command that Asterisk refused. `strangers`: connections
    of users without access.
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
    """Answers AGI connections with the result of `handle`; after a failure with that of `fail_open(reason, request)`.

    Attributes:
        handle: Returns the commands to send. If that takes more time, it returns an awaitable of them.
        deadline_seconds: How long a connection may take from its accept to its answer.
        header_seconds: How long a connection may take from its accept to the end of its request.
        users: The user IDs that get decisions.
        key: A request that carries this key gets a decision for any user; empty for no key.
        is_blind: Whether the kernel cannot name the users of TCP connections. Then only `key` gives decisions by TCP.
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
        """Serve on a loopback address and return the port (0: any free port). Raise ValueError for other addresses."""
        for address in await sockets.loopback_addresses_of(host):
            sock = sockets.make_tcp_socket(address, port)
            port = int(sock.getsockname()[1])
            self._accept_from(sock, backlog)
            self.is_blind = self.is_blind or not self._peers.can_name_owner(sock)
            if self.is_blind and not self.key:
                logger.critical(
                    "no call is screened, because the kernel does not report the user of TCP connections: address=%s. "
                    "The service's unit must allow AF_NETLINK: run `callsieve asterisk install --systemd`",
                    address,
                )
        return port

    async def listen_unix(self, path: str, backlog: int = UNIX_BACKLOG) -> None:
        """Serve on a Unix socket (mode 0660). Replace a dead server's file. Raise OSError if a live server uses it."""
        sock = sockets.make_unix_socket(path)
        self._accept_from(sock, backlog)
        # Renamed only when it listens, so that no client meets a socket that refuses connections.
        os.rename(sockets.temporary_path_of(path), path)
        self._sockets[path] = os.stat(path).st_ino

    async def close(self, grace_seconds: float) -> None:
        """Stop accepting calls, wait `grace_seconds` for open requests, then fail open for those that remain."""
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
        """Return how many connections are open."""
        return len(self._connections)

    def give_up(self) -> None:
        """Fail open now for all calls that wait for a decision."""
        for connection in list(self._connections):
            connection.give_up(FailOpen.STOPPING)

    async def _connections_gone(self, seconds: float) -> None:
        if self._connections:
            self._all_gone.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_gone.wait(), seconds)

    @property
    def first_seconds(self) -> float:
        """Return the shortest time limit of all phases of a connection, in seconds."""
        return min(self.header_seconds, self.deadline_seconds)

    def _end_due_phases(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.001  # uvloop's clock ticks in milliseconds
        self._timer = None
        try:
            for connection in [connection for connection in self._connections if connection.due <= now]:
                connection.time_is_up()
        finally:
            if self._connections:
                due = min(now + self.first_seconds, *(connection.due for connection in self._connections))
                self._timer = loop.call_at(due, self._end_due_phases)

    def read_replies_later(self, connection: AgiConnection) -> None:
        """Schedule the reading of Asterisk's replies to an answer, in a batch with the replies of other calls."""
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
        """Accept a connection. Close it at once if too many connections of users without access are open."""
        self.stats.accepted += 1
        user = self._peers.user_of(sock, peer, own)
        is_stranger = user not in self.users
        if is_stranger and not self.key:
            if user is None and not self.is_blind:
                self.stats.abandoned += 1  # the other end has gone
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
            self._timer = asyncio.get_running_loop().call_at(connection.due, self._end_due_phases)

    def forget(self, connection: AgiConnection) -> None:
        """Stop tracking a closed connection."""
        self._connections.discard(connection)
        self._strangers.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def note_stranger(self, user: int | None) -> None:
        """Count and log a connection from a user who is not allowed to get decisions."""
        self.stats.strangers += 1
        if self.may_log(f"user {user}"):
            who = "unknown" if user is None else user
            logger.warning("refused a connection, its user is not in `users` of [agi]: user=%s", who)

    def has_key(self, request: Request) -> bool:
        """Return whether the request carries the key from the settings."""
        key = request.arguments.get("key", "")
        return self.key != "" and hmac.compare_digest(key.encode(errors="replace"), self.key.encode())

    def fail_open_answer(self, reason: FailOpen, request: Request | None) -> bytes:
        """Return the fail-open answer. If building it fails, return an empty answer, which also allows the call."""
        self.stats.failed_open[reason.value] += 1
        if self.may_log(reason.value):
            if request is not None and request.path not in _OF_CALLS:
                logger.info("AGI request failed: reason=%s path=%s", reason.value, request.path)
            else:
                logger.log(
                    _LOG_LEVELS.get(reason, logging.INFO), "call continues without screening: reason=%s", reason.value
                )
        try:
            return self.fail_open(reason.value, request)
        except Exception as error:  # noqa: BLE001 (the outermost point: nothing must come after it)
            self.log_failure("fail-open answer", error)
            return b""

    def log_failure(self, what: str, error: Exception) -> None:
        """Log the type and stack of an error. Its message is left out, because it may contain text from the caller."""
        if self.may_log(f"{what}: {type(error).__name__}"):
            stack = "".join(traceback.format_tb(error.__traceback__))
            logger.error(
                "%s failed, the call continues without screening: error=%s\n%s", what, type(error).__name__, stack
            )

    def log_refused(self, reply: Reply) -> None:
        """Log a command that Asterisk refused."""
        self.stats.refused_commands += 1
        code = NO_APPLICATION if reply.code in ACCEPTED else reply.code
        if self.may_log(f"reply {code}"):
            level = logging.INFO if code == _DEAD_CHANNEL else logging.WARNING
            logger.log(level, "Asterisk refused an AGI command: code=%s", code)

    def may_log(self, key: str) -> bool:
        """Return whether to log a message with this key now: once per key and LOG_INTERVAL_SECONDS."""
        now = asyncio.get_running_loop().time()
        if now < self._logged_at.get(key, float("-inf")) + LOG_INTERVAL_SECONDS:
            return False
        self._logged_at[key] = now
        return True
