"""How the receivers of events do, as the command line, the console, the doctor and metrics show it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum

from callsieve.settings import Settings
from callsieve.wiring import wanted_events_of
from reputation.store.event_deliveries import ReceiverState, receiver_states
from reputation.store.outbox import noted_at

LATE_SECONDS = 600.0
# How the sender says in the store that it runs, and how often; one that has not for longer than FRESH_SECONDS does not.
HEARTBEAT = "events/sender"
LOOK_SECONDS = 30.0
FRESH_SECONDS = 4 * LOOK_SECONDS


class ReceiverHealth(StrEnum):
    """How a receiver does; the worst that is true of it."""

    OK = "ok"
    NEW = "not known to the sender yet"
    FAILING = "failing"
    LATE = "late"
    OFF = "switched off"


@dataclass(frozen=True, slots=True)
class ReceiverShown:
    """A receiver of the settings. `state` is None until a sender has run with it."""

    name: str
    health: ReceiverHealth
    state: ReceiverState | None

    @property
    def failure(self) -> str:
        """Why it gets nothing, or what went wrong last, if nothing went well since."""
        state = self.state
        if state is None or state.failed_at is None or (state.delivered_at or 0.0) >= state.failed_at:
            return ""
        return state.off or state.error

    @property
    def failing_since(self) -> float | None:
        """Since when it takes nothing."""
        if not self.failure or self.state is None:
            return None
        return self.state.failing_since or self.state.failed_at


@dataclass(frozen=True, slots=True)
class EventsShown:
    """`sender_at`: when a sender said last that it runs, None: never, or it was stopped."""

    receivers: tuple[ReceiverShown, ...]
    sender_at: float | None
    now: float

    @property
    def is_sent(self) -> bool:
        """Whether a sender runs."""
        return self.sender_at is not None and self.now - self.sender_at < FRESH_SECONDS

    @property
    def dead_letters(self) -> int:
        """Of all receivers."""
        return sum(one.state.dead_letters for one in self.receivers if one.state is not None)


def events_shown(db: sqlite3.Connection, settings: Settings, now: float) -> EventsShown:
    """The receivers of the settings, in their order."""
    states = {one.name: one for one in receiver_states(db)}
    found = ((name, states.get(name)) for name in wanted_events_of(settings))
    receivers = tuple(_shown(name, state, now) for name, state in found)
    return EventsShown(receivers, noted_at(db, HEARTBEAT), now)


def _shown(name: str, state: ReceiverState | None, now: float) -> ReceiverShown:
    shown = ReceiverShown(name, _health(state, now), state)
    is_failing = shown.failure and shown.health is not ReceiverHealth.OFF
    return replace(shown, health=ReceiverHealth.FAILING) if is_failing else shown


def _health(state: ReceiverState | None, now: float) -> ReceiverHealth:
    if state is None:
        return ReceiverHealth.NEW
    if state.off:
        return ReceiverHealth.OFF
    is_late = state.waiting_since is not None and now - state.waiting_since > LATE_SECONDS
    return ReceiverHealth.LATE if is_late else ReceiverHealth.OK
