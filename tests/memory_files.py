"""Temporary files of a run in memory: tests make thousands of stores, and an Asterisk for each has 400 links to sounds.

On a disk their making and removing is a tenth of what all tests take, and more while the disk is busy.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
PREFIX = "cs-"  # short: the path of a Unix socket has 107 bytes
ROOM = 4 << 30  # bytes; a run leaves 0.3 GB, which pytest keeps until its end
MAY_EXECUTE_NOT = getattr(os, "ST_NOEXEC", 8)


def use_memory(memory: Path = MEMORY) -> Path | None:
    """From now on temporary files of this process and its children are there, unless somebody said where.

    None where there is no such place, little room, or no program may be run, as in many containers.
    """
    if "TMPDIR" in os.environ or not _is_fit(memory):
        return None
    for old in memory.glob(f"{PREFIX}[0-9]*"):
        if not Path(f"/proc/{old.name.removeprefix(PREFIX)}").exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = memory / f"{PREFIX}{os.getpid()}"
    try:
        folder.mkdir()
    except FileExistsError:
        return None
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
        shutil.rmtree(folder, ignore_errors=True)


def _is_fit(memory: Path) -> bool:
    try:
        found = os.statvfs(memory)
    except OSError:
        return False
    room = found.f_bavail * found.f_frsize
    return os.access(memory, os.W_OK) and room >= ROOM and not found.f_flag & MAY_EXECUTE_NOT
