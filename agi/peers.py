"""Who is at the other end of a connection: the kernel is asked, for FastAGI itself knows no password.

A Unix socket tells by SO_PEERCRED, a TCP connection on loopback by netlink (sock_diag(7)), in about 10 us and without
waiting: the kernel answers within our own system call.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
TCP_ESTABLISHED = 1
ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
NO_COOKIE = ALL_STATES = 0xFFFFFFFF

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_QUESTION = struct.Struct(
    "=IHHIIBBBxI"
)  # that, and the begin of inet_diag_req_v2: family, protocol, extensions, states
_PORTS = struct.Struct(">HH")
_UNIX, _TCP = int(socket.AF_UNIX), int(socket.IPPROTO_TCP)  # the bare numbers are compared and packed faster
_INTERFACE = struct.pack("=III", 0, NO_COOKIE, NO_COOKIE)
_STATE_AT = _HEADER.size + 1  # in inet_diag_msg
_OWNER = struct.Struct("=II")  # user and inode
_OWNER_AT = _HEADER.size + 4 + 48 + 12
_CREDENTIALS = struct.Struct("=iII")  # ucred: process, user, group


@dataclass(slots=True)
class Peers:
    """Tells the users of connections. One socket to the kernel, opened when it is first needed."""

    _netlink: socket.socket | None = None
    _sequence: int = 0

    def user_of(self, connection: Any, peer: Any = None, own: Any = None) -> int | None:
        """The user ID of who opened the other end of this accepted socket; None if the kernel does not say. `peer` and
        `own`: the addresses of its ends, where they are known.
        """
        try:
            family = int(connection.family)  # once: it is made anew each time, which takes 2 us
            if family == _UNIX:
                raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                return int(_CREDENTIALS.unpack(raw)[1])
            return self._user_on_loopback(family, connection, peer, own)
        except (OSError, ValueError, struct.error):
            return None

    def can_tell(self, listening: socket.socket) -> bool:
        """Whether the kernel says who owns a TCP socket: asked about one of ours that listens."""
        try:
            said = self._ask(listening.family, listening.getsockname(), (ANY[listening.family], 0))
        except (OSError, struct.error):
            return False
        return said is not None

    def open(self) -> socket.socket:
        """Open the socket to the kernel now: a process that is confined later could not. OSError."""
        if self._netlink is None:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_SOCK_DIAG)
        return self._netlink

    def close(self) -> None:
        """Ask no more."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _user_on_loopback(self, family: int, connection: Any, peer: Any, own: Any) -> int | None:
        user = self._owner(family, peer or connection.getpeername(), own or connection.getsockname())
        # Only while our end stands is the other end surely the one that opened it: a port that was left may be taken.
        state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return user if state == TCP_ESTABLISHED else None

    def _owner(self, family: int, local: Any, remote: Any) -> int | None:
        """Who owns the connected socket of these addresses. One that was closed would read as root's."""
        said = self._ask(family, local, remote)
        if said is None or said[_STATE_AT] != TCP_ESTABLISHED:
            return None
        user, inode = _OWNER.unpack_from(said, _OWNER_AT)
        return int(user) if inode else None

    def _ask(self, family: int, local: Any, remote: Any) -> bytes | None:
        """What the kernel says about the socket that has this local and this remote address; None: there is none."""
        netlink = self._netlink or self.open()
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        netlink.send(self._question(family, local, remote))
        while True:  # an answer to an earlier question may be left; without any, this raises BlockingIOError
            said = netlink.recv(4096)
            _, kind, _, sequence, _ = _HEADER.unpack_from(said)
            if sequence == self._sequence:
                return said if kind == SOCK_DIAG_BY_FAMILY else None

    def _question(self, family: int, local: Any, remote: Any) -> bytes:
        size = _QUESTION.size + _PORTS.size + 32 + len(_INTERFACE)
        header = (size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, self._sequence, 0)
        ends = _packed(family, local[0]), _packed(family, remote[0]), _INTERFACE
        begin = _QUESTION.pack(*header, family, _TCP, 0, ALL_STATES) + _PORTS.pack(local[1], remote[1])
        return b"".join((begin, *ends))


@lru_cache(maxsize=16)
def _packed(family: int, address: str) -> bytes:
    """An address of this machine, of which there are few, as the kernel has it."""
    return socket.inet_pton(family, address).ljust(16, b"\0")
