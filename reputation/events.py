"""Events: what happened that somebody outside may want to know, by kind, and what is told of each. Pure.

Where one happens it is written by reputation/store/outbox.py, in the transaction that caused it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

ID_PREFIX: Final = "evt_"


class EventKind(StrEnum):
    """What can happen."""

    DECISION_TAKEN = "decision.taken"
    CALL_ENDED = "call.ended"
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
    """One of them. `id` stays the same however often it is delivered.

    Of one `subject` (a number, or what it is about) events are delivered in their order. `seq` is that order, over all
    of them; 0 of one that is not in the store. `names`: of the people and numbers in it, for messages to people; they
    are not told to programs.
    """

    id: str
    kind: EventKind
    subject: str
    at: float
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


def new_event_id(at: float) -> str:
    """`evt_` and 26 characters that sort by time: 48 bits of milliseconds and 56 of chance. SQL of the outbox makes
    them, too.
    """
    return f"{ID_PREFIX}{int(at * 1000) & ((1 << 48) - 1):012X}{secrets.token_hex(7).upper()}"


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an event: JSON by the names of the fields. Instants are UTC seconds, numbers E.164."""


class DecisionTaken(EventData, frozen=True, kw_only=True):
    """A call from outside was decided about. `would_be` differs from `action` where the policy only observes.

    `reason` is kept as the journal has it; receivers get its words and, as `reason_code`, its code.
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
    """A call from outside, or out of here, is over. `started_at` is when it began; people are extensions."""

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


class NumberMarked(EventData, frozen=True, kw_only=True):
    """One of our people (`reporter`, an extension) said what a number is, or took that back (`retracted`)."""

    number: str
    auth_class: str
    verdict: str
    reporter: str
    channel: str
    category: str | None
    reason: str
    linkedid: str | None


class LevelChanged(EventData, frozen=True, kw_only=True):
    """What our own evidence against a number justifies is another level than before, in calls of that class."""

    number: str
    auth_class: str
    before: str
    level: str
    log_odds: float


class AppealOpened(EventData, frozen=True, kw_only=True):
    """The owner of a number has appealed. Who that is stays in the store."""

    reference: str
    number: str
    decision_id: str | None


class AppealDue(EventData, frozen=True, kw_only=True):
    """An appeal in force is to be decided within a day, or (`overdue`) should have been."""

    reference: str
    number: str
    due_at: float
    overdue: bool = False


class AppealDecided(EventData, frozen=True, kw_only=True):
    """An appeal was decided: `upheld` or `denied`."""

    reference: str
    number: str
    ruling: str
    category_only: bool


class GradeChanged(EventData, frozen=True, kw_only=True):
    """A number of ours was graded otherwise than before; None: there was no grade, or is none any more."""

    number: str
    before: str | None
    grade: str | None
    reasons: tuple[str, ...]


class LabelChanged(EventData, frozen=True, kw_only=True):
    """A platform shows something else of a number of ours than before; `before` None: it was looked at for the first
    time. An empty label is none; `marks`: how many marks the platform says that there are, None: it does not say.
    """

    number: str
    platform: str
    before: str | None
    label: str
    marks: int | None


class NumberSuspected(EventData, frozen=True, kw_only=True):
    """Calls of a number of ours fare worse in a country, or in a network there, than they did: it may be marked there.

    `by`: `answered`, a smaller share is, or `blocked`, a larger one is refused; `before` and `lately` are the shares.
    """

    number: str
    country: str
    network: str
    by: str
    before: float
    lately: float
    confidence: float


class FeedStale(EventData, frozen=True, kw_only=True):
    """A feed does not come any more, or came with an error (`status`); `imported_at` None: it never came."""

    feed: str
    status: str
    detail: str
    imported_at: float | None


class ExchangeStale(EventData, frozen=True, kw_only=True):
    """What another company publishes does not come any more, was refused, or counts no longer (`status`); `off`: it was
    switched off. `came_at` None: it never came.
    """

    company: str
    status: str
    detail: str
    came_at: float | None


class HubStale(EventData, frozen=True, kw_only=True):
    """Nothing was exchanged with the hub for too long: nobody tries, or without success (`status`). `waiting`: rows of
    ours that are still to be told. `exchanged_at` None: never.
    """

    status: str
    detail: str
    waiting: int
    exchanged_at: float | None


class PolicyChanged(EventData, frozen=True, kw_only=True):
    """`state`: `in-force`, another policy is, or another version of one that was (`before` is its name, maybe the
    same); `waiting`, one of another site came and is to be accepted; `unusable`, it came and cannot be. `by`: as the
    audit says.
    """

    policy: str
    state: str
    before: str
    by: str


class DaemonTrouble(EventData, frozen=True, kw_only=True):
    """Something is wrong with the daemon, in words; empty: nothing is any more. `running`: it tells of itself."""

    trouble: str
    running: bool


class EmergencyOpened(EventData, frozen=True, kw_only=True):
    """An emergency call was made from here, or somebody opened the window (`by`): no call is screened now."""

    by: str


class EmergencyClosed(EventData, frozen=True, kw_only=True):
    """Calls are screened again: the time is over (`by` is `time`), or somebody closed the window (`by` is `hand`)."""

    by: str


class DigestReady(EventData, frozen=True, kw_only=True):
    """The figures of a day (`2026-11-27`) can be read."""

    day: str


DATA: Final[Mapping[EventKind, type[EventData]]] = {
    EventKind.DECISION_TAKEN: DecisionTaken,
    EventKind.CALL_ENDED: CallEnded,
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
    """What a call is about: the other side's number, so that all of a number is in order; else the call itself."""
    return number or f"call/{linkedid}"
