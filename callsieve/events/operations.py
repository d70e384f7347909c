"""What an administrator does about events.

replay, switch_on: operations (callsieve/changes/operation.py)
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.settings import Settings
from callsieve.wiring import wanted_events_of
from policies.files import nearest
from reputation.encoding import HIDDEN, Instant, told
from reputation.store import event_deliveries as store
from reputation.store.event_deliveries import ReceiverState, receiver_states
from reputation.store.outbox import event_of, noted_at
from reputation.wording import Wording

EventId = Annotated[str, Meta(min_length=1, max_length=64)]
ReceiverName = Annotated[str, Meta(min_length=1, max_length=200, examples=["webhook/crm"])]


class ReplayRequest(msgspec.Struct, frozen=True):
    """Which dead letters: those of one event, of one receiver, or all.

    Attributes:
        event: The id of the event, null for all.
        receiver: The receiver, null for all.
    """

    event: EventId | None = None
    receiver: ReceiverName | None = None


class Replayed(NamedTuple):
    """Dead letters that will be delivered again.

    Attributes:
        replayed: How many.
    """

    change_id: ChangeId | None
    replayed: int


def replay(db: sqlite3.Connection, context: Context, request: ReplayRequest) -> Replayed:
    """Have dead letters delivered again."""
    receiver = None if request.receiver is None else named(context, request.receiver)
    with change(db, context, "events replay", name=request.event or receiver or "") as changed:
        count = store.replay(db, request.event, receiver, context.at)
        if not count and request.event is not None:
            raise _no_dead_letter(db, request.event)
        changed.after = {"replayed": count}
    return Replayed(changed.id, count)


def switch_on(db: sqlite3.Connection, context: Context, receiver: str) -> bool:
    """A receiver that had answered that it wants no events gets them again. False: it was not switched off."""
    name = named(context, receiver)
    state = next((one for one in store.receiver_states(db) if one.name == name), None)
    if state is None or not state.off:
        return False
    with change(db, context, "events test", name=name) as changed:
        changed.before, changed.after = {"off": state.off}, {}
        return store.switch_on(db, name, wanted_events_of(context.settings)[name], context.at)


def named(context: Context, text: str) -> str:
    """The name of a receiver of the settings, from how somebody typed it: `webhook/crm`, or `crm`."""
    names = list(wanted_events_of(context.settings))
    found = [name for name in names if text in (name, name.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        words = Wording("{name} may be {names}: write one of these", {"name": text[:80], "names": ", ".join(found)})
        raise Refused("ambiguous-receiver", words)
    if not names:
        raise Refused(
            "no-receiver", Wording("no receiver is in the settings: the documentation says how, under Events")
        )
    hint = nearest(text, names)
    raise Refused("no-such-receiver", Wording("there is no receiver {name}{hint}", {"name": text[:80], "hint": hint}))


def _no_dead_letter(db: sqlite3.Connection, event_id: str) -> Refused:
    about = {"id": event_id[:40]}
    if event_of(db, event_id) is None:
        return Refused("no-such-event", Wording("there is no event {id}: it is too old, or was never written", about))
    return Refused("no-dead-letter", Wording("event {id} is no dead letter of anybody's", about))


LATE_SECONDS = 600.0
# How the sender says in the store that it runs, and how often; one that has not for longer than FRESH_SECONDS does not.
HEARTBEAT = "events/sender"
LOOK_SECONDS = 30.0
FRESH_SECONDS = 4 * LOOK_SECONDS


class ReceiverHealth(StrEnum):
    """How a receiver does; the worst that is true of it."""

    OK = "ok"
    NEW = "new"
    FAILING = "failing"
    LATE = "late"
    OFF = "off"

    @property
    def words(self) -> str:
        """The same, for people."""
        return HEALTH_WORDS.get(self, self.value)


HEALTH_WORDS = {
    ReceiverHealth.NEW: "not known to the sender yet",
    ReceiverHealth.OFF: "switched off",
}


@dataclass(frozen=True, slots=True)
class ReceiverShown:
    """A receiver of the settings. The counts are 0 until the sender has run with it.

    Attributes:
        name: The name: `webhook/crm`.
        health: How it does; `new` until the sender has run with it.
    """

    name: str
    health: ReceiverHealth
    state: Annotated[ReceiverState | None, HIDDEN]

    @property
    @told
    def waiting(self) -> int:
        """How many events wait for it."""
        return self.state.waiting if self.state else 0

    @property
    @told
    def delivered(self) -> int:
        """How many events it took."""
        return self.state.delivered if self.state else 0

    @property
    @told
    def delivered_at(self) -> Instant | None:
        """When it took one last."""
        return self.state and self.state.delivered_at

    @property
    @told
    def dead_letters(self) -> int:
        """How many events it will not be told, unless they are replayed."""
        return self.state.dead_letters if self.state else 0

    @property
    @told
    def lost(self) -> int:
        """How many events were dropped for their age or number."""
        return self.state.lost if self.state else 0

    @property
    @told
    def off(self) -> str:
        """Why nothing is sent to it; empty where something is."""
        return self.state.off if self.state else ""

    @property
    @told
    def failure(self) -> str:
        """Why it gets nothing, or what went wrong last, if nothing went well since."""
        state = self.state
        if state is None or state.failed_at is None or (state.delivered_at or 0.0) >= state.failed_at:
            return ""
        return state.off or state.error

    @property
    @told
    def failing_since(self) -> Instant | None:
        """Since when it takes nothing, null where it does."""
        if not self.failure or self.state is None:
            return None
        return self.state.failing_since or self.state.failed_at


@dataclass(frozen=True, slots=True)
class EventsShown:
    """Who is told of events.

    Attributes:
        receivers: The receivers of the settings.
        sender_at: When a sender said last that it runs, null: never, or it was stopped.
    """

    receivers: tuple[ReceiverShown, ...]
    sender_at: Instant | None
    now: Annotated[float, HIDDEN]

    @property
    @told
    def sending(self) -> bool:
        """Whether a sender runs."""
        return self.is_sent

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


def find_receivers(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[ReceiverShown]:
    """Return the receivers of the settings, by name."""
    shown = events_shown(db, context.settings, context.at).receivers
    return page_from(shown, request, lambda one: (one.name,), lambda one: one)


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
