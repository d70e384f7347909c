"""What the daemon says of itself, every few seconds, in a small file of the state directory: `daemon.json`.

The console's /metrics and its health lines are made from it, in a process of their own: so the daemon listens on
nothing more, and figures are there when the store is not. Counts are since the daemon's start. No number and no name
is in it. `daemon/background.py` writes it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agi.server import Stats
from callsieve.version import program_stamp
from policies.files import open_regular

NAME = "daemon.json"
MOST_BYTES = 65_536
EVERY_SECONDS = 5.0
FRESH_SECONDS = 20.0


@dataclass(slots=True)
class LookUpCounts:
    """Since the start: questions; those after which the store knew more, or nothing new; those without an answer in
    time; and calls for which nobody was asked, because of too many at once or of the rest after failures.
    """

    asked: int = 0
    more: int = 0
    nothing: int = 0
    late: int = 0
    failed: int = 0
    skipped: int = 0


class Listening(msgspec.Struct, frozen=True):
    """The AMI listener. `behind_seconds` is the age of the oldest event that waits to be looked at."""

    connected: bool
    trouble: str
    events: int
    events_dropped: int
    gaps: int
    connects: int
    behind_seconds: float
    outcomes: int
    outcomes_dropped: int
    outcomes_waiting: int


class Telemetry(msgspec.Struct, frozen=True):
    """One look at the daemon. `by_action` counts decisions, `fail-open` among them; `took` is how many were made within
    each of `agi.screening.BUCKETS_MS` and, last, how many took longer. `listening`: None where no AMI is configured.
    `by_carrier`: as `agi.screening.Counts` has it. `look_ups`: None where nobody is asked. `program`: the stamp of the
    program that the daemon was started from.
    """

    at: float
    started_at: float
    policy: str
    observing: bool
    trouble: str
    server: Stats
    is_blind: bool
    by_action: dict[str, int]
    took: list[int]
    took_seconds: float
    store_refused: int
    breaker_open: bool
    journal_waiting: int
    journal_dropped: int
    journal_degraded: bool
    log_lost: int
    listening: Listening | None
    by_carrier: dict[str, tuple[int, int]] = {}
    look_ups: LookUpCounts | None = None
    unrecorded: int = 0
    program: str = ""


def read_telemetry(state: Path) -> Telemetry | None:
    """The last that the daemon said; None where it never did, or said what this version does not understand."""
    try:
        with open_regular(state / NAME) as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Telemetry)
    except (OSError, msgspec.DecodeError):
        return None


def is_fresh(telemetry: Telemetry | None, now: float | None = None) -> bool:
    """Whether the daemon said it lately, so that it can be taken for alive."""
    return telemetry is not None and (time.time() if now is None else now) - telemetry.at < FRESH_SECONDS


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
