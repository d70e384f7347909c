"""Who listens on a TCP port of this machine, from /proc (proc(5)): for the error that says that a port is taken."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_LISTENING = "0A"


def address_taken(listen: str, key: str, way_out: str = "", proc: Path = PROC) -> OSError:
    """The error for `listen` (`127.0.0.1:4578`) of the setting `key`, which somebody else has; `way_out` ends it."""
    port = int(listen.rpartition(":")[2])
    return OSError(f"{listen} is in use by {holder_of(port, proc)}: stop that, or set another {key}{way_out}")


def holder_of(port: int, proc: Path = PROC) -> str:
    """`node (pid 812, user asterisk)`; less where this user may not see it."""
    for inode, uid in _listeners(port, proc):
        user = _user(uid)
        for process in proc.glob("[0-9]*"):
            if _has_socket(process, inode):
                return f"{_name(process)} (pid {process.name}, user {user})"
        return f"a process of user {user}"
    return "another process"


def users_of(port: int, proc: Path = PROC) -> frozenset[int]:
    """Return the IDs of the users who listen there."""
    return frozenset(user for _, user in _listeners(port, proc))


def _listeners(port: int, proc: Path) -> Iterator[tuple[str, int]]:
    """Inode and user ID of each socket that listens there."""
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows = (proc / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9], int(fields[7])


def _has_socket(process: Path, inode: str) -> bool:
    try:
        return any(str(fd.readlink()) == f"socket:[{inode}]" for fd in (process / "fd").iterdir())
    except OSError:
        return False  # somebody else's process, or one that has just ended


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a process"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
