"""A description of the computer on which benchmarks ran."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab import LabUnavailable, ensure_pbx


def describe_machine() -> dict[str, str]:
    """Return properties of the computer, in the order in which they are shown."""
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "libraries": ", ".join(f"{name} {_version(name)}" for name in ("uvloop", "panoramisk", "pyst2", "aiosqlite")),
        "Asterisk": _asterisk(),
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _asterisk() -> str:
    try:
        command = (*ensure_pbx().asterisk, "-V")
    except LabUnavailable as reason:
        return f"none: {reason}"
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
