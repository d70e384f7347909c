"""How the daemon writes what it says of itself (`callsieve/telemetry.py`)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from callsieve.logs import lost_lines
from callsieve.telemetry import NAME, Listening, Telemetry

if TYPE_CHECKING:
    from agi.screening import Screening
    from agi.server import AgiServer
    from callsieve.daemon.outcome_recorder import OutcomeRecorder
    from callsieve.daemon.store_supervisor import StoreSupervisor
    from callsieve.lookups.client import LookUpClient


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
