"""Let other users reach a checkout below a directory of root, for tests that act as other users.

Such a clone is usual: below /root, or where `mktemp -d` made a directory. No permission is changed: this process and
its children get a mount namespace, where each closed directory on the way is a new one with the same things in it.
"""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import tempfile
from pathlib import Path

CLONE_NEWNS = 0x00020000


def make_reachable(checkout: Path) -> None:
    """Needs root. CalledProcessError or OSError where nothing can be mounted."""
    closed = [path for path in (*reversed(checkout.parents), checkout) if not is_open(path)]
    if not closed:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _mount("--make-rprivate", "/")
    here = Path.cwd()
    for directory in closed:
        _replace(directory)
    os.chdir(here)  # not the one that is covered now


def is_open(directory: Path) -> bool:
    """Return whether other users may enter the directory."""
    return bool(directory.stat().st_mode & stat.S_IXOTH)


def _replace(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        behind = Path(name)
        _mount("--rbind", directory, behind)
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
        for entry in behind.iterdir():
            there = directory / entry.name
            if entry.is_symlink():
                there.symlink_to(entry.readlink())
                continue
            if entry.is_dir():
                there.mkdir()
            else:
                there.touch()
            _mount("--rbind", entry, there)
        subprocess.run(["umount", "--lazy", behind], check=True)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)
