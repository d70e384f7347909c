"""The types for the check of outgoing calls: query, facts and decision record. policies/outbound.py decides."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from reputation.columns import Key
from reputation.encoding import Instant
from reputation.own.grades import Grade, GradeReason
from reputation.own.register import NumberState


@dataclass(frozen=True, slots=True)
class OutboundQuery:
    """The parameters of the facts query for an outgoing call. `day`: the called person's day (reputation/own/hours.py).

    `linkedid`: the call. Its earlier decisions are not counted, since each trunk may ask again. `hour_limit`: how many
    calls the own number may make within an hour; 0: no limit. `law_calls`: how many calls may go to the callee within
    `law_days` times 24 hours; 0: no law limits the calls.
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
    """A copy of a national do-not-call register: its name, its country, and the date of the file (UTC seconds)."""

    name: str
    country: str
    file_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFacts:
    """All facts about an outgoing call.

    Attributes:
        unwanted_at: Since when the callee has not wanted calls.
        state: The state of the own number; None if it is not registered.
        grade: The latest grade of the own number; None, like `graded_at`, if it was not graded lately.
        is_young: Whether the own number made its first call in the last 30 days.
        calls_of_person: How many calls from here the callee got on the callee's day, including those in progress.
        calls_of_day: How many calls the own number made on that day.
        calls_of_hour: How many calls the own number made within the last hour.
        hour_frees_at: When the hourly limit allows the next call, if the limit is reached.
        consent_at: Since when the callee has agreed to our calls; None if the consent has ended.
        listed: The registers that list the callee.
        copies: All registers of which a copy is stored here.
        calls_by_law: How many calls from here the callee got within the `law_days` of the query.
        law_frees_at: When the law allows the next call, if its limit is reached.
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
    """A stored decision about an outgoing call.

    Attributes:
        id: The id of the decision.
        at: When the decision was made.
        linkedid: The id of the call: Asterisk's linkedid.
        callee: The number that was dialled; null if it is not kept.
        day: The day, by the clock of the PBX.
        own_number: The number that the call showed.
        person: The extension of the caller.
        action: The action: `allow`, `hold` or `refuse`.
        would_be: The action that would have been taken if outgoing calls were not only observed.
        rule: The rule that decided; `fail-open` if no rule did.
        until: The earliest good time for a call that is held.
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
