"""Finds GnuPG on PATH, or unpacks Debian's package in its own folder. Used by the test of a signed FreePBX module."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, unpacked
from lab.tools import library_path

GNUPG = Bundle("gnupg", ("gpg", "gpg-agent"))


def ensure_gnupg(progress: Progress = lambda line: None) -> Path | None:
    """Return the folder of a fetched GnuPG, or None if GnuPG is installed. Raise LabUnavailable if the fetch fails."""
    if shutil.which("gpg") and shutil.which("gpg-agent"):
        return None
    root = unpacked(GNUPG, progress)
    if not (root / "usr/bin/gpg-agent").exists():
        raise LabUnavailable(f"the packages {' '.join(GNUPG.packages)} contain no gpg-agent: install it yourself")
    return root


def gnupg_environment(home: Path) -> dict[str, str]:
    """Create a GnuPG home directory, and return an environment that uses it. Its agent ends when `home` is removed."""
    home.mkdir(mode=0o700)
    environment = {**os.environ, "GNUPGHOME": str(home)}
    if root := ensure_gnupg():
        (home / "gpg.conf").write_text(f"agent-program {root / 'usr/bin/gpg-agent'}\n")
        environment["PATH"] = f"{root / 'usr/bin'}{os.pathsep}{environment['PATH']}"
        environment["LD_LIBRARY_PATH"] = library_path(root)
    return environment
