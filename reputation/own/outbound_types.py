"""What the outbound guard asks about a call, is told, and keeps. Types only; policies/outbound.py decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from reputation.columns import Key
from reputation.encoding import Instant
from reputation.own.grades import Grade, GradeReason
from reputation.own.register import NumberState


@dataclass(frozen=True, slots=True)
class OutboundQuery:
    """What the one read of an outbound call asks for. `day` is the called person's (reputation/own/hours.py).

    `linkedid`: the call's own earlier decisions do not count against it; it may be asked about once for each trunk.
    `hour_limit`: how many calls may go out with a number within an hour, 0 for any number. `law_calls`: how many may
    go to the callee within `law_days` of 24 hours; 0 where no law says so.
    """

    callee: str
    own_number: str | None
    day: int
    now: float
    linkedid: str = ""
    hour_limit: int = 0
    law_calls: int = 0
    law_days: int = 0


class RegisterCopy(NamedTuple):
    """Our copy of a national do-not-call register: its name, the country, and the day of the file, UTC seconds."""

    name: str
    country: str
    file_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFacts:
    """All that is known about an outbound call. Of a number that is not registered `state` is None.

    `grade` and `graded_at` are None of a number that has not been graded lately.

    `unwanted_at`: since when the callee does not want to be called. `calls_of_person`: calls of ours to the callee on
    the callee's day, those in flight too. `calls_of_day` and `calls_of_hour` went out with the own number, on that day
    and within the last hour; `hour_frees_at`: when there is room again, if it is full. `is_young`: as in the health.

    `consent_at`: since when the callee agrees to be called by us, if that has not ended. `listed`: the registers that
    the callee is on, `copies`: all that we have. `calls_by_law`: calls within the days of the query, and
    `law_frees_at` when one more may be made.
    """

    unwanted_at: float | None = None
    state: NumberState | None = None
    rests_until: float | None = None
    grade: Grade | None = None
    graded_at: float | None = None
    grade_reasons: tuple[GradeReason, ...] = ()
    is_young: bool = False
    calls_of_person: int = 0
    calls_of_day: int = 0
    calls_of_hour: int = 0
    hour_frees_at: float | None = None
    consent_at: float | None = None
    listed: tuple[RegisterCopy, ...] = ()
    copies: tuple[RegisterCopy, ...] = ()
    calls_by_law: int = 0
    law_frees_at: float | None = None


class OutboundRecord(NamedTuple):
    """One decision about an outbound call, as it is kept. `until`: the earliest good time of a call that is held.

    Attributes:
        id: The identifier.
        at: When it happened.
        linkedid: The id of the call: Asterisk's linkedid.
        callee: The number that was dialled, null where it is not kept.
        day: The day, by the clock of the PBX.
        own_number: The number that it showed.
        person: The extension of who called.
        action: What was done: `allow`, `hold` or `refuse`.
        would_be: What would have been done, had the guard not only observed.
        rule: The rule that decided; `fail-open` where nothing did.
        elapsed_ms: How long the decision took, in milliseconds.
    """

    id: Annotated[str, Key()]
    at: Instant
    linkedid: str
    callee: str | None
    day: int | None
    own_number: str | None
    person: str | None
    action: str
    would_be: str
    rule: str
    reason: str
    until: Instant | None
    elapsed_ms: float
