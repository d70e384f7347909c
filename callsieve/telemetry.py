"""The daemon's report about itself, written every few seconds to `daemon.json` in the state directory.

The console, a separate process, derives its /metrics and health checks from this report. So the daemon itself needs no
HTTP server, and metrics are available even without a store. Counts begin at the daemon's start. The report contains no
phone numbers or names.
"""

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
    """Look-ups at outside services since the daemon's start.

    `more`: answers with new information about the caller. `nothing`: answers without it. `late`: look-ups without an
    answer in time. `skipped`: calls for which no service was queried, because too many queries ran at once or queries
    had failed.
    """

    asked: int = 0
    more: int = 0
    nothing: int = 0
    late: int = 0
    failed: int = 0
    skipped: int = 0


class HearingState(msgspec.Struct, frozen=True):
    """The speech recognition process. `ready`: whether its model is loaded. `late`: whether it is too slow.

    `heard`, `nothing`: for how many callers some words, or no words, were recognised. `missed`: how many recordings got
    no result. `waiting`: how many recordings wait for a result. Calls do not wait for a process that is `late`.
    """

    ready: bool
    late: bool
    heard: int
    nothing: int
    missed: int
    waiting: int = 0


class Listening(msgspec.Struct, frozen=True):
    """The state of the AMI listener. `behind_seconds`: age of the oldest unprocessed event."""

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
    """A report of the daemon.

    Attributes:
        by_action: How many decisions had each action, including `fail-open`.
        took: How many decisions took as long as each bucket of `agi.screening.BUCKETS_MS`; last: how many took longer.
        listening: The state of the AMI listener; None if AMI is not used.
        by_carrier: For each trunk whose carrier checks callers, how many calls came, and how many had a result.
        look_ups: Counts of look-ups; None if the settings name no look-up service.
        hearing: The state of speech recognition; None if it is off.
        program: The version stamp of the running program.
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
    hearing: HearingState | None = None
    unrecorded: int = 0
    program: str = ""


def read_telemetry(state: Path) -> Telemetry | None:
    """Return the daemon's last report; None if it is missing or this version cannot parse it."""
    try:
        with open_regular(state / NAME) as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Telemetry)
    except (OSError, msgspec.DecodeError):
        return None


def is_fresh(telemetry: Telemetry | None, now: float | None = None) -> bool:
    """Return whether the report is recent enough to assume that the daemon is alive."""
    return telemetry is not None and (time.time() if now is None else now) - telemetry.at < FRESH_SECONDS


class _Report(msgspec.Struct):
    at: float
    program: str = ""


def is_outdated(state: Path, now: float | None = None) -> bool:
    """Return whether the running daemon is older than the installed program."""
    try:
        with open_regular(state / NAME) as file:
            report = msgspec.json.decode(file.read(MOST_BYTES), type=_Report)
    except (OSError, msgspec.DecodeError):
        return False
    is_alive = (time.time() if now is None else now) - report.at < FRESH_SECONDS
    return is_alive and report.program != program_stamp()
