"""What the daemon says of itself, every few seconds, in a small file of the state directory: `daemon.json`.

The console's /metrics and its health lines are made from it, in a process of their own: so the daemon listens on
nothing more, and figures are there when the store is not. Counts are since the daemon's start. No number and no name
is in it.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from agi.server import Stats
from callsieve.logs import lost_lines
from callsieve.lookups.client import LookUpCounts
from callsieve.system.running_program import FRESH_SECONDS, MOST_BYTES, NAME
from policies.files import open_regular

if TYPE_CHECKING:
    from agi.screening import Screening
    from agi.server import AgiServer
    from callsieve.daemon.outcome_recorder import OutcomeRecorder
    from callsieve.daemon.store_supervisor import StoreSupervisor
    from callsieve.lookups.client import LookUpClient

EVERY_SECONDS = 5.0


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


class Observed(Protocol):
    """The parts of a running daemon that telemetry is read from."""

    @property
    def program(self) -> str: ...
    @property
    def server(self) -> AgiServer: ...
    @property
    def screening(self) -> Screening: ...
    @property
    def store(self) -> StoreSupervisor: ...
    @property
    def look_ups(self) -> LookUpClient: ...
    @property
    def learning(self) -> OutcomeRecorder | None: ...
    def trouble(self) -> str: ...


def telemetry_of(daemon: Observed, started_at: float, now: float) -> Telemetry:
    """The daemon as it is now."""
    screening, journal = daemon.screening, daemon.store.journal
    return Telemetry(
        at=now,
        started_at=started_at,
        policy=screening.policies.default.name,
        observing=screening.policies.default.observe,
        trouble=daemon.trouble(),
        server=daemon.server.stats,
        is_blind=daemon.server.is_blind and not daemon.server.key,
        by_action=dict(screening.counts.by_action),
        took=list(screening.counts.took),
        took_seconds=screening.counts.took_ms / 1000,
        store_refused=screening.counts.store_refused,
        breaker_open=screening.breaker.is_open,
        journal_waiting=len(journal),
        journal_dropped=journal.dropped,
        journal_degraded=journal.degraded,
        log_lost=lost_lines(),
        listening=_listening_of(daemon),
        by_carrier=dict(screening.counts.by_carrier),
        look_ups=replace(daemon.look_ups.counts) if daemon.look_ups.budget_seconds else None,
        unrecorded=screening.counts.unrecorded,
        program=daemon.program,
    )


def _listening_of(daemon: Observed) -> Listening | None:
    learning = daemon.learning
    if learning is None:
        return None
    status = learning.listener.status
    return Listening(
        connected=status.connected_since is not None,
        trouble=learning.trouble,
        events=status.events,
        events_dropped=status.dropped,
        gaps=status.gaps,
        connects=status.connects,
        behind_seconds=status.behind_seconds,
        outcomes=learning.recorded,
        outcomes_dropped=learning.dropped,
        outcomes_waiting=learning.waiting,
    )


def write_telemetry(state: Path, telemetry: Telemetry) -> None:
    """Takes the place of what was there, in one step: no reader ever sees half of it. OSError when the disk is full."""
    path = state / NAME
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(telemetry))
    os.replace(new, path)


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
