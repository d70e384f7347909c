"""Finds Valgrind, which counts instructions of a process, on PATH, or unpacks Debian's package in its own folder."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, unpacked

VALGRIND = Bundle("valgrind", ("valgrind",))


def ensure_valgrind(progress: Progress = lambda line: None) -> str:
    """Return the path of Valgrind, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    return shutil.which("valgrind") or str(_fetched(progress))


def _fetched(progress: Progress) -> Path:
    root = unpacked(VALGRIND, progress).resolve()
    script = root / "valgrind"
    if not script.exists():
        _write_script(root, script)
    return script


def _write_script(root: Path, script: Path) -> None:
    """Write a start script with the path of Valgrind's tools. Without it, Valgrind looks for the tools in /usr."""
    library, program = (shlex.quote(str(root / place)) for place in ("usr/libexec/valgrind", "usr/bin/valgrind.bin"))
    written = script.with_suffix(".new")
    written.write_text(f'#!/bin/sh\nexport VALGRIND_LIB={library}\nexec {program} "$@"\n')
    written.chmod(0o755)
    done = subprocess.run((str(written), "--version"), capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise LabUnavailable(
            f"Valgrind cannot be run from its unpacked package: {done.stderr.strip()}; install valgrind yourself"
        )
    written.rename(script)
