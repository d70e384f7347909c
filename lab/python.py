"""A later Python for tests, from Debian testing, unpacked in its own folder and run with the installed C library."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, unpacked

PYTHON = Bundle("python", ("python3.14", "python3.14-venv"), suite="forky")
PARTS = "import ctypes, ensurepip, sqlite3, ssl, venv"


def ensure_python(progress: Progress = lambda line: None) -> Path:
    """Return the path of the later Python, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    program = unpacked(PYTHON, progress).resolve() / "usr/bin" / PYTHON.packages[0]
    if not program.exists():
        raise LabUnavailable(f"the packages {' '.join(PYTHON.packages)} contain no {program.name}")
    done = subprocess.run((program, "-c", PARTS), capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise LabUnavailable(f"{program.name} of Debian {PYTHON.suite} cannot be run here: {done.stderr.strip()}")
    return program
