"""Which program the running daemon was started from, by what it says of itself every few seconds."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from callsieve.version import program_stamp
from policies.files import open_regular

NAME = "daemon.json"  # callsieve/daemon/telemetry.py writes it
MOST_BYTES = 65_536
FRESH_SECONDS = 20.0


class _Said(msgspec.Struct):
    at: float
    program: str = ""


def is_outdated(state: Path, now: float | None = None) -> bool:
    """Return whether a daemon runs that was started from another program than the one that is installed now."""
    try:
        with open_regular(state / NAME) as file:
            said = msgspec.json.decode(file.read(MOST_BYTES), type=_Said)
    except (OSError, msgspec.DecodeError):
        return False
    is_alive = (time.time() if now is None else now) - said.at < FRESH_SECONDS
    return is_alive and said.program != program_stamp()
