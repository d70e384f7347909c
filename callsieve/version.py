"""The version of the program, and a stamp of its installation."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def program_version() -> str:
    """Return the version, such as `1.2.3`, or a text that says that the program runs from its sources."""
    try:
        return version("callsieve")
    except PackageNotFoundError:
        return "(not installed: run from its sources)"


def program_stamp() -> str:
    """Return the version with the installation time, so that the stamp changes with each installation."""
    try:
        installed_at = Path(__file__).stat().st_mtime_ns
    except OSError:  # it was uninstalled meanwhile
        installed_at = 0
    return f"{program_version()} {installed_at}"
