"""Temporary files of a run in memory: tests make thousands of stores, and an Asterisk for each has 400 links to sounds.

On a disk their making and removing is a tenth of what all tests take, and more while the disk is busy.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

MEMORY = Path("/dev/shm")
PREFIX = "cs-"  # short: the path of a Unix socket has 107 bytes
ROOM = 4 << 30  # bytes; a run leaves 0.3 GB, which pytest keeps until its end
LOCK = "lock"  # in the folder, locked during the run
MAY_EXECUTE_NOT = getattr(os, "ST_NOEXEC", 8)

_held: list[IO[str]] = []


def use_memory(memory: Path = MEMORY) -> Path | None:
    """Put temporary files of this process and its children into memory, unless TMPDIR is set.

    None where there is no such place, little room, or no program may be run, as in many containers.
    """
    if "TMPDIR" in os.environ or not _is_fit(memory):
        return None
    for old in memory.glob(f"{PREFIX}[0-9]*"):
        if not _is_used(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = memory / f"{PREFIX}{os.getpid()}"
    try:
        folder.mkdir()
    except FileExistsError:
        return None
    _held.append((folder / LOCK).open("w"))
    fcntl.flock(_held[-1], fcntl.LOCK_EX)
    folder.chmod(0o1777)  # as /tmp: tests act as other users
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    return folder


def forget_memory() -> None:
    """Removes what `use_memory` has made."""
    folder = Path(os.environ.get("TMPDIR", ""))
    if folder.name == f"{PREFIX}{os.getpid()}":
        del os.environ["TMPDIR"]
        tempfile.tempdir = None
        while _held:
            _held.pop().close()
        shutil.rmtree(folder, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """By a run that goes on, whose process may be in another container: they have /dev/shm in common, and not /proc."""
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it has just been made
        return Path(f"/proc/{folder.name.removeprefix(PREFIX)}").exists()
    return False


def _is_fit(memory: Path) -> bool:
    try:
        found = os.statvfs(memory)
    except OSError:
        return False
    room = found.f_bavail * found.f_frsize
    return os.access(memory, os.W_OK) and room >= ROOM and not found.f_flag & MAY_EXECUTE_NOT
