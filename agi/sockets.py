"""The sockets on which AGI is served: loopback and Unix only, because their clients can influence calls.

FastAGI has no password, so the kernel is asked for the user of each connection: SO_PEERCRED for a Unix socket, netlink
(sock_diag(7)) for TCP on loopback. The question takes about 10 us and does not wait.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import select
import socket
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from socket import SocketType
from typing import Any


def is_loopback(address: str) -> bool:
    """Return whether an address is ::1 or in 127.0.0.0/8. Raise ValueError if it is not an IP address.

    An IPv4 address mapped into IPv6 is not accepted: Python 3.13 treats it as loopback, 3.11 does not.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped is None and parsed.is_loopback


SOCKET_MODE = 0o660  # Asterisk's user is in our group


async def loopback_addresses_of(host: str) -> list[str]:
    """Return the addresses of `host`. Raise ValueError unless all of them are loopback addresses."""
    loop = asyncio.get_running_loop()
    entries = await loop.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if not all(map(is_loopback, addresses)):
        raise ValueError(f"[agi] host {host!r} is not a loopback address: use 127.0.0.1 or ::1")
    return addresses


def make_tcp_socket(address: str, port: int) -> socket.socket:
    """Return a TCP socket bound to a loopback address. Raise OSError if another server uses the address."""
    with contextlib.ExitStack() as undo:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        undo.callback(sock.close)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Every connection inherits it: answer and end leave in one packet, which wakes Asterisk once.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        sock.bind((address, port))
        undo.pop_all()
        return sock


def make_unix_socket(path: str, mode: int = SOCKET_MODE, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a Unix socket at a temporary path beside `path`. Raise OSError if `path` is in use or not a socket."""
    _refuse_if_alive(path)
    temporary = temporary_path_of(path)
    if os.path.lexists(temporary):
        os.unlink(temporary)
    with contextlib.ExitStack() as undo:
        sock = socket.socket(socket.AF_UNIX, kind)
        undo.callback(sock.close)
        sock.setblocking(False)
        _bind_unix(sock, temporary)
        os.chmod(temporary, mode)
        undo.pop_all()
        return sock


def _bind_unix(sock: socket.socket, path: str) -> None:
    try:
        sock.bind(path)
    except OSError as error:
        raise OSError(error.errno or errno.ENAMETOOLONG, error.strerror or str(error), path) from None


def temporary_path_of(path: str) -> str:
    """Return the temporary path at which a socket for `path` is created before it listens."""
    return f"{path}.new"


def _refuse_if_alive(path: str) -> None:
    """Raise OSError if the path is not a socket or a live server uses it. Accept a dead server's socket."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "this path exists and is not a socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise OSError(errno.EADDRINUSE, "another server is listening on this socket", path)


def unlink_own(path: str, inode: int) -> None:
    """Remove the socket file with this inode. A file that another server has put there stays."""
    with contextlib.suppress(FileNotFoundError):
        if os.lstat(path).st_ino == inode:
            os.unlink(path)


@dataclass(slots=True)
class Poller:
    """Calls a function for each watched descriptor that has data to read, in the running event loop.

    The event loop watches one epoll for all connections. Watching a connection costs one system call, closing a
    connection costs none. An asyncio transport for each connection would cost half as much time as a decision.
    """

    _epoll: select.epoll = field(default_factory=select.epoll)
    _callbacks: dict[int, Callable[[], object]] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to watch in the running event loop."""
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._call_back)

    def close(self) -> None:
        """Stop watching. A second call does nothing."""
        if not self._epoll.closed:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call `callback` for data, the end of input or an error of the descriptor, until `forget` is called."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor that is about to be closed. If it is not watched, do nothing."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _call_back(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            callback = self._callbacks.get(descriptor)  # an earlier callback may have closed this one
            if callback is not None:
                callback()


logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.1  # if no descriptor is left, an immediate retry would use the whole processor


@dataclass(slots=True)
class Acceptor:
    """Accepts connections and passes each to `admit`, with the peer's address and the local address.

    One connection is accepted per turn of the event loop, so that earlier calls are served in between. asyncio's server
    would create a transport for every connection first. Accepted sockets are blocking. `listener` must be non-blocking,
    and `stop` closes it.
    """

    listener: socket.socket
    admit: Callable[[SocketType, Any, Any], None]
    _kind: tuple[int, int, int] = field(init=False)
    _address: Any = field(init=False)

    def __post_init__(self) -> None:
        self._kind = int(self.listener.family), int(self.listener.type), self.listener.proto
        self._address = self.listener.getsockname()

    def start(self, backlog: int) -> None:
        """Start to listen and accept in the running event loop. Raise OSError if the address is in use."""
        self.listener.listen(backlog)
        self._watch()

    def stop(self) -> None:
        """Stop accepting connections. The kernel resets connections that are still in the queue."""
        asyncio.get_running_loop().remove_reader(self.listener)
        self.listener.close()

    def _watch(self) -> None:
        if self.listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self.listener, self._accept)

    def _accept(self) -> None:
        try:
            # As `socket.accept`, but without creating two enum members for each connection, which takes 4 us.
            descriptor, peer = self.listener._accept()  # type: ignore[attr-defined]
        except (BlockingIOError, ConnectionAbortedError):
            return  # the client has gone
        except OSError as error:
            logger.error("cannot accept connections: %s", error.strerror)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self.listener)
            loop.call_later(RETRY_SECONDS, self._watch)
            return
        self.admit(SocketType(*self._kind, descriptor), peer, self._address)


NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
TCP_ESTABLISHED = 1
ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
NO_COOKIE = ALL_STATES = 0xFFFFFFFF

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_QUESTION = struct.Struct(
    "=IHHIIBBBxI"
)  # nlmsghdr, and the start of inet_diag_req_v2: family, protocol, extensions, states
_PORTS = struct.Struct(">HH")
_UNIX, _TCP = int(socket.AF_UNIX), int(socket.IPPROTO_TCP)  # plain integers are compared and packed faster
_INTERFACE = struct.pack("=III", 0, NO_COOKIE, NO_COOKIE)
_STATE_AT = _HEADER.size + 1  # in inet_diag_msg
_OWNER = struct.Struct("=II")  # user and inode
_OWNER_AT = _HEADER.size + 4 + 48 + 12
_CREDENTIALS = struct.Struct("=iII")  # ucred: process, user, group


@dataclass(slots=True)
class Peers:
    """Finds the user behind each connection. Its netlink socket for questions to the kernel opens at the first use."""

    _netlink: socket.socket | None = None
    _sequence: int = 0

    def user_of(self, connection: Any, peer: Any = None, own: Any = None) -> int | None:
        """Return the user ID of an accepted socket's peer; None if unknown. `peer`, `own`: the addresses, if known."""
        try:
            family = int(connection.family)  # read once: every access creates an enum member, which takes 2 us
            if family == _UNIX:
                raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                return int(_CREDENTIALS.unpack(raw)[1])
            return self._user_on_loopback(family, connection, peer, own)
        except (OSError, ValueError, struct.error):
            return None

    def can_name_owner(self, listening: socket.socket) -> bool:
        """Return whether the kernel reports which user owns this listening TCP socket."""
        try:
            answer = self._ask(listening.family, listening.getsockname(), (ANY[listening.family], 0))
        except (OSError, struct.error):
            return False
        return answer is not None

    def open(self) -> socket.socket:
        """Open the netlink socket now, before the process is confined. Raise OSError if that fails."""
        if self._netlink is None:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_SOCK_DIAG)
        return self._netlink

    def close(self) -> None:
        """Close the netlink socket."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _user_on_loopback(self, family: int, connection: Any, peer: Any, own: Any) -> int | None:
        user = self._owner(family, peer or connection.getpeername(), own or connection.getsockname())
        # After the connection has ended, another process may use the port of the other end.
        state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return user if state == TCP_ESTABLISHED else None

    def _owner(self, family: int, local: Any, remote: Any) -> int | None:
        """Return the user of the connected socket with these addresses; None if the user is unknown.

        A closed socket counts as unknown, because the kernel reports root as its user.
        """
        answer = self._ask(family, local, remote)
        if answer is None or answer[_STATE_AT] != TCP_ESTABLISHED:
            return None
        user, inode = _OWNER.unpack_from(answer, _OWNER_AT)
        return int(user) if inode else None

    def _ask(self, family: int, local: Any, remote: Any) -> bytes | None:
        netlink = self._netlink or self.open()
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        netlink.send(self._question(family, local, remote))
        while True:  # skip answers to earlier queries; without any answer, this raises BlockingIOError
            answer = netlink.recv(4096)
            _, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if sequence == self._sequence:
                return answer if kind == SOCK_DIAG_BY_FAMILY else None

    def _question(self, family: int, local: Any, remote: Any) -> bytes:
        size = _QUESTION.size + _PORTS.size + 32 + len(_INTERFACE)
        header = (size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, self._sequence, 0)
        ends = _packed(family, local[0]), _packed(family, remote[0]), _INTERFACE
        begin = _QUESTION.pack(*header, family, _TCP, 0, ALL_STATES) + _PORTS.pack(local[1], remote[1])
        return b"".join((begin, *ends))


@lru_cache(maxsize=16)
def _packed(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address).ljust(16, b"\0")
