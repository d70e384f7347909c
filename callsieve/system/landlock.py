"""What this process may no longer do, from now on and for good: Landlock of the Linux kernel (landlock(7)).

It takes no root. The numbers are those of <linux/landlock.h>; the system calls have the same on all architectures.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH, PR_SET_NO_NEW_PRIVS = 1, 1, 38
WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_REG, TRUNCATE = (1 << bit for bit in (1, 2, 3, 5, 8, 14))
READ = READ_FILE | READ_DIR
READ_AND_WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_REG | TRUNCATE
OF_A_FILE = READ_FILE | WRITE_FILE | TRUNCATE
# By the version of the interface: how many rights over files it knows, from the lowest bit on.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
NEWEST_FILE_RIGHTS = 16
NETWORK, BIND_AND_CONNECT_TCP = 4, 0b11
SCOPES, ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """This thread, and what it starts, reaches these paths and what is below them alone, runs no program, opens no TCP
    connection and signals nobody. Call it before there are other threads. False: the kernel has no Landlock. OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    if version < 1:
        return False
    handled = (1 << FILE_RIGHTS.get(version, NEWEST_FILE_RIGHTS)) - 1
    fields = [handled]
    if version >= NETWORK:
        fields.append(BIND_AND_CONNECT_TCP)
    if version >= SCOPES:
        fields.append(ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _done(libc, CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for rights, paths in ((READ, readable), (READ_AND_WRITE, writable)):
            for path in paths:
                _allow(libc, ruleset, path, rights & handled)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _done(libc, RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    """A path that is not there is passed over."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if path.is_dir() else rights & OF_A_FILE
        _done(libc, ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", allowed, handle), 0)
    finally:
        os.close(handle)


def _done(libc: ctypes.CDLL, call: int, *arguments: object) -> int:
    result = int(libc.syscall(call, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return result
