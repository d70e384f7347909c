"""The sockets that AGI is served on: loopback and Unix only, for whoever reaches them can run the dialplan."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import select
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from socket import SocketType
from typing import Any


def is_loopback(address: str) -> bool:
    """127.0.0.0/8 and ::1. Not IPv4 in IPv6 clothes, which Python 3.13 takes for loopback and 3.11 does not.

    ValueError for what is no address.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped is None and parsed.is_loopback


SOCKET_MODE = 0o660  # Asterisk's user is in our group


async def loopback_addresses_of(host: str) -> list[str]:
    """The addresses of `host`. ValueError unless all are loopback: this socket is worth root."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(map(is_loopback, addresses)):
        raise ValueError(f"{host!r} is not a loopback address: AGI is served to this machine only, use 127.0.0.1")
    return addresses


def make_tcp_socket(address: str, port: int) -> socket.socket:
    """A socket bound to a loopback address. OSError if another server has it."""
    with contextlib.ExitStack() as undo:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        undo.callback(sock.close)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by every connection: the answer leaves with our end in one packet, which wakes Asterisk once.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        sock.bind((address, port))
        undo.pop_all()
        return sock


def make_unix_socket(path: str, mode: int = SOCKET_MODE, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket bound beside `path`, to be moved there. OSError if `path` is in use or not a socket."""
    _refuse_if_alive(path)
    unborn = unborn_path_of(path)
    if os.path.lexists(unborn):
        os.unlink(unborn)
    with contextlib.ExitStack() as undo:
        sock = socket.socket(socket.AF_UNIX, kind)
        undo.callback(sock.close)
        sock.setblocking(False)
        _bind_unix(sock, unborn)
        os.chmod(unborn, mode)
        undo.pop_all()
        return sock


def _bind_unix(sock: socket.socket, path: str) -> None:
    """OSError with the path, which the system leaves out; so does Python of one that is too long."""
    try:
        sock.bind(path)
    except OSError as error:
        raise OSError(error.errno or errno.ENAMETOOLONG, error.strerror or str(error), path) from None


def unborn_path_of(path: str) -> str:
    """Where a socket is made before it listens."""
    return f"{path}.new"


def _refuse_if_alive(path: str) -> None:
    """Only a socket that refuses connections is left over from a dead server."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "exists and is not a socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise OSError(errno.EADDRINUSE, "another server owns this socket", path)


def unlink_own(path: str, inode: int) -> None:
    """Remove our socket's file, unless another server has put its own there."""
    with contextlib.suppress(FileNotFoundError):
        if os.lstat(path).st_ino == inode:
            os.unlink(path)


# Many sockets behind one descriptor of the event loop.
#
# To the loop an epoll is one file that can be read when any of its sockets can. A connection then costs one system call
# to be watched, and nothing when it is closed: a transport of the loop costs as much as half a decision.


@dataclass(slots=True)
class Poller:
    """Calls back for each watched descriptor that can be read, in the running event loop."""

    _epoll: select.epoll = field(default_factory=select.epoll)
    _callbacks: dict[int, Callable[[], object]] = field(default_factory=dict)

    def start(self) -> None:
        """Watch from now on."""
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._call_back)

    def close(self) -> None:
        """Watch nothing more. Changes nothing the second time."""
        if not self._epoll.closed:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call back whenever there is something to read, the end or an error included, until it is forgotten."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor, before it is closed. Do nothing if it is not watched."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _call_back(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            callback = self._callbacks.get(descriptor)  # one before it may have closed this one
            if callback is not None:
                callback()


# Accepts the connections of a listening socket, one at each turn of the event loop.
#
# The event loops' own servers make a transport of every connection before anybody can look at it, and go on for as long
# as there are new ones. Here each is seen first, and the calls that were accepted before get their turn in between.

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.1  # no descriptor is left: to try again at once would take the whole processor


@dataclass(slots=True)
class Acceptor:
    """Pass each accepted connection to `admit`, with the peer's address and our own.

    The connections block. The acceptor owns `listener`, which does not block and is bound to one address.
    """

    listener: socket.socket
    admit: Callable[[SocketType, Any, Any], None]
    _kind: tuple[int, int, int] = field(init=False)
    _address: Any = field(init=False)

    def __post_init__(self) -> None:
        self._kind = int(self.listener.family), int(self.listener.type), self.listener.proto
        self._address = self.listener.getsockname()

    def start(self, backlog: int) -> None:
        """Listen and accept, in the running event loop. OSError if the address is in use."""
        self.listener.listen(backlog)
        self._watch()

    def stop(self) -> None:
        """Stop accepting connections. The kernel resets those that wait in the queue."""
        asyncio.get_running_loop().remove_reader(self.listener)
        self.listener.close()

    def _watch(self) -> None:
        if self.listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self.listener, self._accept)

    def _accept(self) -> None:
        try:
            # What `socket.accept` does, but for two enums that it makes of family and type for each connection: 4 us.
            descriptor, peer = self.listener._accept()  # type: ignore[attr-defined]
        except (BlockingIOError, ConnectionAbortedError):
            return  # whoever it was has gone
        except OSError as error:
            logger.error("no connection can be accepted: %s", error.strerror)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self.listener)
            loop.call_later(RETRY_SECONDS, self._watch)
            return
        self.admit(SocketType(*self._kind, descriptor), peer, self._address)
