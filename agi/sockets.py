"""The sockets that AGI is served on: loopback and Unix only, for whoever reaches them can run the dialplan."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat

from agi.loopback import is_loopback

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
