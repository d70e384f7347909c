"""Operations on events (callsieve/changes/operation.py): deliver dead letters again, and switch on a receiver."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.settings import Settings
from callsieve.source_health import SourceStatus
from callsieve.wiring import wanted_events_of
from policies.files import nearest
from reputation.encoding import HIDDEN, Instant, encoded
from reputation.store import event_deliveries as store
from reputation.store.event_deliveries import ReceiverState, receiver_states
from reputation.store.outbox import event_of, noted_at
from reputation.wording import Wording

EventId = Annotated[str, Meta(min_length=1, max_length=64)]
ReceiverName = Annotated[str, Meta(min_length=1, max_length=200, examples=["webhook/crm"])]


class ReplayRequest(msgspec.Struct, frozen=True):
    """A request to deliver dead letters again. `event`: the id of an event; null: all events.

    `receiver`: the name of a receiver; null: all receivers.
    """

    event: EventId | None = None
    receiver: ReceiverName | None = None


class Replayed(NamedTuple):
    """The result of a replay. `replayed`: how many dead letters wait for delivery again."""

    change_id: ChangeId | None
    replayed: int


def replay(db: sqlite3.Connection, context: Context, request: ReplayRequest) -> Replayed:
    """Put dead letters back among the waiting events, so that the sender delivers them again."""
    receiver = None if request.receiver is None else named(context, request.receiver)
    with change(db, context, "events replay", name=request.event or receiver or "") as changed:
        count = store.replay(db, request.event, receiver, context.at)
        if not count and request.event is not None:
            raise _no_dead_letter(db, request.event)
        changed.after = {"replayed": count}
    return Replayed(changed.id, count)


def switch_on(db: sqlite3.Connection, context: Context, receiver: str) -> bool:
    """Switch on a receiver that was switched off because it unsubscribed. Return whether the receiver was off."""
    name = named(context, receiver)
    state = next((receiver_state for receiver_state in store.receiver_states(db) if receiver_state.name == name), None)
    if state is None or not state.off:
        return False
    with change(db, context, "events test", name=name) as changed:
        changed.before, changed.after = {"off": state.off}, {}
        return store.switch_on(db, name, wanted_events_of(context.settings)[name], context.at)


def named(context: Context, text: str) -> str:
    """Return the full name of a receiver: `webhook/crm` for `webhook/crm` or `crm`. Raise Refused for other names."""
    names = list(wanted_events_of(context.settings))
    matches = [name for name in names if text in (name, name.partition("/")[2])]
    if len(matches) == 1:
        return matches[0]
    if matches:
        words = Wording(
            "the name {name} is ambiguous: write one of {names}", {"name": text[:80], "names": ", ".join(matches)}
        )
        raise Refused("ambiguous-receiver", words)
    if not names:
        raise Refused("no-receiver", Wording("the settings name no receiver: to add one, see `callsieve help events`"))
    hint = nearest(text, names)
    raise Refused("no-such-receiver", Wording("unknown receiver {name}{hint}", {"name": text[:80], "hint": hint}))


def _no_dead_letter(db: sqlite3.Connection, event_id: str) -> Refused:
    about = {"id": event_id[:40]}
    if event_of(db, event_id) is None:
        return Refused("no-such-event", Wording("unknown event {id}: it has expired, or the id is wrong", about))
    return Refused("no-dead-letter", Wording("event {id} is not a dead letter", about))


LATE_SECONDS = 600.0
# The sender reports under this name, this often. After FRESH_SECONDS without a report it counts as stopped.
HEARTBEAT = "events/sender"
HEARTBEAT_SECONDS = 30.0
FRESH_SECONDS = 4 * HEARTBEAT_SECONDS


@dataclass(frozen=True, slots=True)
class ReceiverShown:
    """A receiver in the settings. Its counts are 0 until the sender has run with this receiver.

    `name`: the name, such as `webhook/crm`. `health`: the receiver's health; `waiting` until the sender has run with
    it.
    """

    name: str
    health: SourceStatus
    state: Annotated[ReceiverState | None, HIDDEN]

    @property
    @encoded
    def waiting(self) -> int:
        """How many events wait for the receiver."""
        return self.state.waiting if self.state else 0

    @property
    @encoded
    def delivered(self) -> int:
        """How many events the receiver accepted."""
        return self.state.delivered if self.state else 0

    @property
    @encoded
    def delivered_at(self) -> Instant | None:
        """When the receiver last accepted an event; null if never."""
        return self.state and self.state.delivered_at

    @property
    @encoded
    def dead_letters(self) -> int:
        """How many dead letters the receiver has now."""
        return self.state.dead_letters if self.state else 0

    @property
    @encoded
    def lost(self) -> int:
        """How many of the receiver's events were deleted undelivered: they were too old, or too many waited."""
        return self.state.lost if self.state else 0

    @property
    @encoded
    def off(self) -> str:
        """Reason for switching the receiver off; empty while it is on."""
        return self.state.off if self.state else ""

    @property
    @encoded
    def failure(self) -> str:
        """The reason of the last failure; empty if an event was delivered since the failure."""
        state = self.state
        if state is None or state.failed_at is None or (state.delivered_at or 0.0) >= state.failed_at:
            return ""
        return state.off or state.error

    @property
    @encoded
    def failing_since(self) -> Instant | None:
        """When the receiver began to fail; null while it accepts events."""
        if not self.failure or self.state is None:
            return None
        return self.state.failing_since or self.state.failed_at


@dataclass(frozen=True, slots=True)
class EventsShown:
    """The receivers of events, and whether a sender runs. `receivers`: the receivers in the settings.

    `sender_at`: when a sender last reported; null if no sender ever ran, or the sender was stopped.
    """

    receivers: tuple[ReceiverShown, ...]
    sender_at: Instant | None
    now: Annotated[float, HIDDEN]

    @property
    @encoded
    def sending(self) -> bool:
        """Whether a sender runs, so that events are delivered."""
        return self.is_sent

    @property
    def is_sent(self) -> bool:
        """Whether a sender has reported lately, so that events are delivered."""
        return self.sender_at is not None and self.now - self.sender_at < FRESH_SECONDS

    @property
    def dead_letters(self) -> int:
        """How many dead letters all receivers have together."""
        return sum(receiver.state.dead_letters for receiver in self.receivers if receiver.state is not None)


def events_shown(db: sqlite3.Connection, settings: Settings, now: float) -> EventsShown:
    """Return the receivers in the order of the settings."""
    states = {state.name: state for state in receiver_states(db)}
    receivers = tuple(_shown(name, states.get(name), now) for name in wanted_events_of(settings))
    return EventsShown(receivers, noted_at(db, HEARTBEAT), now)


def find_receivers(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[ReceiverShown]:
    """Return the receivers in the settings, sorted by name."""
    shown = events_shown(db, context.settings, context.at).receivers
    return page_from(shown, request, lambda receiver: (receiver.name,), lambda receiver: receiver)


def _shown(name: str, state: ReceiverState | None, now: float) -> ReceiverShown:
    shown = ReceiverShown(name, _health(state, now), state)
    is_failing = shown.failure and shown.health is not SourceStatus.OFF
    return replace(shown, health=SourceStatus.FAILED) if is_failing else shown


def _health(state: ReceiverState | None, now: float) -> SourceStatus:
    if state is None:
        return SourceStatus.WAITING
    if state.off:
        return SourceStatus.OFF
    is_late = state.waiting_since is not None and now - state.waiting_since > LATE_SECONDS
    return SourceStatus.STALE if is_late else SourceStatus.OK
