"""Which version this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def program_version() -> str:
    """`1.2.3`; that it is not installed, where it is run from its sources."""
    try:
        return version("callsieve")
    except PackageNotFoundError:
        return "(not installed: run from its sources)"
