"""Which version this is, and how it was built."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path


def program_version() -> str:
    """`1.2.3`; that it is not installed, where it is run from its sources."""
    try:
        return version("callsieve")
    except PackageNotFoundError:
        return "(not installed: run from its sources)"


def program_stamp() -> str:
    """Return the version with the time at which its files were installed: another one is another program."""
    try:
        installed_at = Path(__file__).stat().st_mtime_ns
    except OSError:  # it was uninstalled meanwhile
        installed_at = 0
    return f"{program_version()} {installed_at}"


def is_compiled() -> bool:
    """Whether what a call's time is spent in is machine code (docs/decisions/compiled.md), by one of its modules."""
    spec = find_spec("policies.engine")
    return spec is not None and (spec.origin or "").endswith(tuple(EXTENSION_SUFFIXES))
