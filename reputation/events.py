"""The kinds of events, with a record type for the data of each kind. reputation/store/outbox.py stores events."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

ID_PREFIX: Final = "evt_"


class EventKind(StrEnum):
    """The kind of an event."""

    DECISION_TAKEN = "decision.taken"
    CALL_ENDED = "call.ended"
    CALLER_HEARD = "caller.heard"
    NUMBER_MARKED = "number.marked"
    LEVEL_CHANGED = "number.level-changed"
    APPEAL_OPENED = "appeal.opened"
    APPEAL_DUE = "appeal.due"
    APPEAL_DECIDED = "appeal.decided"
    GRADE_CHANGED = "own-number.grade-changed"
    LABEL_CHANGED = "own-number.label-changed"
    SUSPECTED = "own-number.suspected"
    FEED_STALE = "feed.stale"
    EXCHANGE_STALE = "exchange.stale"
    HUB_STALE = "hub.stale"
    POLICY_CHANGED = "policy.changed"
    DAEMON_TROUBLE = "daemon.trouble"
    EMERGENCY_OPENED = "emergency.opened"
    EMERGENCY_CLOSED = "emergency.closed"
    DIGEST_READY = "digest.ready"


@dataclass(frozen=True, slots=True)
class Event:
    """An event. `id` stays the same however often the event is delivered.

    Events with the same `subject` (usually a number) are delivered in order. `seq`: the position among all events; 0 if
    the event is not stored. `names`: the names of people and numbers in the event, for messages that people read.
    """

    id: str
    kind: EventKind
    subject: str
    at: float
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


def new_event_id(at: float) -> str:
    """Return `evt_` and 26 hexadecimal digits that sort by time: 48 bits of milliseconds and 56 random bits."""
    return f"{ID_PREFIX}{int(at * 1000) & ((1 << 48) - 1):012X}{secrets.token_hex(7).upper()}"


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """The base of the data of an event. Its JSON has the same field names. Instants are UTC seconds, numbers E.164."""


class DecisionTaken(EventData, frozen=True, kw_only=True):
    """Event data: a decision about an incoming call. `would_be` differs from `action` if the policy only observes.

    `reason` is stored as in the journal. Receivers get its text as `reason`, and its code as `reason_code`.
    """

    id: str
    linkedid: str
    caller: str | None
    caller_kind: str
    did: str | None
    trunk: str | None
    callee: str | None
    action: str
    would_be: str
    rule: str
    reason: str
    level: str
    log_odds: float
    policy: str


class CallEnded(EventData, frozen=True, kw_only=True):
    """Event data: an incoming or outgoing call, begun at `started_at`, has ended. People are given as extensions."""

    linkedid: str
    direction: str
    disposition: str
    caller: str | None
    caller_kind: str
    did: str | None
    dialled: str | None
    own_number: str | None
    trunk: str | None
    answered_by: str | None
    rung: tuple[str, ...]
    started_at: float
    ring_seconds: float
    talk_seconds: float
    ended_by: str | None
    voicemail_left: bool
    challenge: str | None
    complete: bool
    decision_id: str | None
    action: str | None


class CallerHeard(EventData, frozen=True, kw_only=True):
    """Event data: a caller who was asked for a name has spoken. `text` is empty if nothing was understood.

    Receivers that get masked numbers get no text.
    """

    decision_id: str
    linkedid: str
    caller: str | None
    text: str
    language: str
    voice: str


class NumberMarked(EventData, frozen=True, kw_only=True):
    """Event data: a person (`reporter`, an extension) marked a number, or withdrew the mark (`retracted`)."""

    number: str
    auth_class: str
    verdict: str
    reporter: str
    channel: str
    category: str | None
    reason: str
    linkedid: str | None


class LevelChanged(EventData, frozen=True, kw_only=True):
    """Event data: this site's evidence against a number now justifies another level for calls of class `auth_class`."""

    number: str
    auth_class: str
    before: str
    level: str
    log_odds: float


class AppealOpened(EventData, frozen=True, kw_only=True):
    """Event data: the owner of a number has appealed. The event does not contain the owner's name."""

    reference: str
    number: str
    decision_id: str | None


class AppealDue(EventData, frozen=True, kw_only=True):
    """Event data: the deadline of an appeal in force is less than a day away, or has passed (`overdue`)."""

    reference: str
    number: str
    due_at: float
    overdue: bool = False


class AppealDecided(EventData, frozen=True, kw_only=True):
    """Event data: an appeal was decided as `upheld` or `denied`."""

    reference: str
    number: str
    ruling: str
    category_only: bool


class GradeChanged(EventData, frozen=True, kw_only=True):
    """Event data: the grade of an own number has changed. `None`: the number had no grade before, or has none now."""

    number: str
    before: str | None
    grade: str | None
    reasons: tuple[str, ...]


class LabelChanged(EventData, frozen=True, kw_only=True):
    """Event data: a platform shows another label for an own number. `before` is `None` at the first check.

    `label` is empty if the platform shows no label. `marks`: how many marks the platform reports, `None` if unknown.
    """

    number: str
    platform: str
    before: str | None
    label: str
    marks: int | None


class NumberSuspected(EventData, frozen=True, kw_only=True):
    """Event data: in one country or network, calls from an own number do worse than before. It may be labelled there.

    `by`: `answered` (a smaller share of calls is answered) or `blocked` (a larger share is refused). `before` and
    `lately`: this share in the earlier and in the latest calls.
    """

    number: str
    country: str
    network: str
    by: str
    before: float
    lately: float
    confidence: float


class FeedStale(EventData, frozen=True, kw_only=True):
    """Event data: a feed no longer arrives or has an error (see `status`). `imported_at` is `None` if it never came."""

    feed: str
    status: str
    detail: str
    imported_at: float | None


class ExchangeStale(EventData, frozen=True, kw_only=True):
    """Event data: another company's file no longer arrives, was refused, or is no longer used. `status`: which of them.

    The status `off`: the exchange was switched off. `came_at` is `None` if no file ever arrived.
    """

    company: str
    status: str
    detail: str
    came_at: float | None


class HubStale(EventData, frozen=True, kw_only=True):
    """Event data: this site has exchanged no data with the hub for too long.

    `status`: no attempt was made, or all failed. `waiting`: how many rows of this site wait to be sent. `exchanged_at`
    is `None` if data was never exchanged.
    """

    status: str
    detail: str
    waiting: int
    exchanged_at: float | None


class PolicyChanged(EventData, frozen=True, kw_only=True):
    """Event data: a policy has come into force, waits to be accepted, or cannot be used (`state`).

    `in-force`: the policy in force has changed. `before` is the name of the old policy, which may be the same.
    `waiting`: another site's policy arrived and must be accepted. `unusable`: another site's policy arrived and cannot
    be used. `by`: who changed the policy, as the audit log writes it.
    """

    policy: str
    state: str
    before: str
    by: str


class DaemonTrouble(EventData, frozen=True, kw_only=True):
    """Event data: a problem of the daemon began, changed, or ended (empty `trouble`).

    `running`: whether the daemon runs. If it does not, this is the problem.
    """

    trouble: str
    running: bool


class EmergencyOpened(EventData, frozen=True, kw_only=True):
    """Event data: screening is suspended. `by`: `Asterisk` after an emergency call, otherwise who suspended it."""

    by: str


class EmergencyClosed(EventData, frozen=True, kw_only=True):
    """Event data: screening has resumed. `by`: `time` if the suspension expired, `hand` if somebody ended it."""

    by: str


class DigestReady(EventData, frozen=True, kw_only=True):
    """Event data: the statistics of a day are ready. `day` is written as `2026-11-27`."""

    day: str


DATA: Final[Mapping[EventKind, type[EventData]]] = {
    EventKind.DECISION_TAKEN: DecisionTaken,
    EventKind.CALL_ENDED: CallEnded,
    EventKind.CALLER_HEARD: CallerHeard,
    EventKind.NUMBER_MARKED: NumberMarked,
    EventKind.LEVEL_CHANGED: LevelChanged,
    EventKind.APPEAL_OPENED: AppealOpened,
    EventKind.APPEAL_DUE: AppealDue,
    EventKind.APPEAL_DECIDED: AppealDecided,
    EventKind.GRADE_CHANGED: GradeChanged,
    EventKind.LABEL_CHANGED: LabelChanged,
    EventKind.SUSPECTED: NumberSuspected,
    EventKind.FEED_STALE: FeedStale,
    EventKind.EXCHANGE_STALE: ExchangeStale,
    EventKind.HUB_STALE: HubStale,
    EventKind.POLICY_CHANGED: PolicyChanged,
    EventKind.DAEMON_TROUBLE: DaemonTrouble,
    EventKind.EMERGENCY_OPENED: EmergencyOpened,
    EventKind.EMERGENCY_CLOSED: EmergencyClosed,
    EventKind.DIGEST_READY: DigestReady,
}


def subject_of_call(number: str | None, linkedid: str) -> str:
    """Return the subject of a call's events: the other party's number, or the call itself if the number is unknown."""
    return number or f"call/{linkedid}"
