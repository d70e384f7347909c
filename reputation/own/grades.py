"""How a number of ours was graded, and why: what is kept for the outbound guard, and all that the daemon needs.

Would we mark ourselves? What the people whom a number called would think of it, by our own model. Pure.

Each of our calls is turned round: it comes in from our number at a callee of ours, who is the called person. From there
on it is what CallSieve does with any caller: reputation.memory_store learns, and reputation.scoring adds up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple, Protocol

from reputation.encoding import HIDDEN, Instant, told
from reputation.evidence import NO_CIRCUMSTANCES
from reputation.families.counts import MARKED, UNMARKED
from reputation.memory_store import MemoryStore
from reputation.model import AuthClass, CallerKind, Direction, Mark, MarkChannel, Reputation, Verdict
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import is_machine, percent
from reputation.own.register import NumberState, OwnNumber
from reputation.scoring import reputation_of
from reputation.standing import Standing
from reputation.weights import Weights
from reputation.wording import Wording

YOUNG_DAYS = 30

# Why a number is not healthy, by code. The store keeps the code and the figures; `share` is made of `part` and `whole`.
REASON_WORDS: Mapping[str, str] = {
    "labelled": "{platform} shows it as {label}",
    "seen": "the people it called would see it as {level} ({points:+d} points) if they had CallSieve",
    "short": "{share} of the answered calls were over within 6 s ({part:,} of {whole:,})",
    "unanswered": "{share} of the calls were not taken ({part:,} of {whole:,})",
    "abandoned": "{share} of the calls were given up too early by us ({part:,} of {whole:,})",
    "repeated": "a person was called three times or more on one day in {part:,} of {whole:,} cases ({share})",
    "outside": "{share} of the calls came outside of the hours people may be called ({part:,} of {whole:,})",
    "blocked": "networks refused to carry {share} of the calls ({part:,} of {whole:,})",
    "unwanted": "{share} of the people complained or want no more calls ({part:,} of {whole:,})",
    "young": "{calls:,} calls on one day, {days} days after its first one",
    "first-day": "{calls:,} calls on one day, the first on which it called",
    "burst": "{calls:,} calls on one day after {days} days without any",
    "spike": "{calls:,} calls on one day, {times:.0f} times as many as usual ({usual:.0f})",
}


class Grade(StrEnum):
    """How a number is doing. One with too few calls to say anything has none of these: None."""

    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at risk"


class GradeReason(NamedTuple):
    """Why a number is not healthy.

    Attributes:
        code: The reason as a code.
        figures: The figures that go into the words.
    """

    code: str
    figures: Mapping[str, str | int | float]

    @property
    @told
    def words(self) -> Wording:
        """The reason in words."""
        places: dict[str, str | int | float | Wording] = {**self.figures}
        if "whole" in places:
            places["share"] = percent(float(self.figures["part"]) / float(self.figures["whole"]))
        if "level" in places:
            places["level"] = Wording(str(self.figures["level"]))
        return Wording(REASON_WORDS[self.code], places)


class Graded(NamedTuple):
    """How a number was graded last.

    Attributes:
        graded_at: When it was graded.
        grade: How the number is doing; null where it made too few calls.
        reasons: Why the number is not healthy.
    """

    graded_at: Instant
    grade: Grade | None
    reasons: tuple[GradeReason, ...]


class Due(NamedTuple):
    """Something to be done about a number. `at` 0: since always."""

    number: str
    at: Annotated[float, HIDDEN]
    what: Wording

    @property
    @told
    def due_at(self) -> Instant | None:
        """When it is due; null since always."""
        return self.at or None


class _Seen(Protocol):
    @property
    def number(self) -> str: ...

    @property
    def calls(self) -> int: ...

    @property
    def last_at(self) -> float: ...


def due_of(register: Collection[OwnNumber], strangers: Iterable[_Seen], until: float) -> list[Due]:
    """What is due by then, the earliest first. `strangers`: numbers that go out and are not registered, or retired."""
    ours = {own.number for own in register}
    found = [Due(one.number, 0.0, _stranger(one.calls, is_retired=one.number in ours)) for one in strangers]
    for own in register:
        rests_until = own.rests_until
        if own.state is not NumberState.RETIRED and own.next_check_at is not None and own.next_check_at <= until:
            found.append(Due(own.number, own.next_check_at, _to_check(own)))
        if rests_until is not None and rests_until <= until:
            found.append(Due(own.number, rests_until, Wording("has rested for 45 days: it may be used again")))
    return sorted(found, key=lambda one: (one.at, one.number))


def _stranger(calls: int, *, is_retired: bool) -> Wording:
    if is_retired:
        return Wording("goes out and was given back (calls: {calls:,})", {"calls": calls})
    return Wording("goes out and is not registered (calls: {calls:,})", {"calls": calls})


def _to_check(own: OwnNumber) -> Wording:
    if not own.registered:
        return Wording("look again whether all that is registered holds")
    where = {"where": ", ".join(own.registered)}
    return Wording("look again whether all that is registered holds: {where}", where)


def turned_round(outcome: OutcomeRecord, number: str) -> OutcomeRecord | None:
    """The call as the other side saw it: from `number` to a person who is called by a number.

    None for a call that says nothing: of somebody without a number, to a menu of ours, one that a machine answered, one
    that a network refused.
    """
    other = outcome.number
    if other is None or not outcome.complete or outcome.blocked or is_machine(outcome):
        return None
    # Who ended it stays: the caller is who called, on either side.
    seen = outcome._replace(auth_class=AuthClass.UNKNOWN, action=None, decision_id=None, queue=None, group=None)
    if outcome.direction is Direction.OUTBOUND:
        answered_by = other if outcome.answered_by is not None or outcome.talk_seconds > 0 else None
        return seen._replace(
            direction=Direction.INBOUND,
            caller=number,
            caller_kind=CallerKind.NUMBER,
            did=other,
            dialled=None,
            own_number=None,
            answered_by=answered_by,
            rung=(other,),
        )
    # A call-back: one of "theirs" calls our number.
    return seen._replace(
        direction=Direction.OUTBOUND, caller=other, did=None, dialled=number, rung=(), answered_by=None
    )


def view_of(
    number: str, outcomes: Iterable[OutcomeRecord], unhappy: Iterable[tuple[str, float]], weights: Weights, now: float
) -> Reputation:
    """The reputation that the number has among the people it called.

    `outcomes`: its calls, and the calls to it, in any order. `unhappy`: who of the called people complained or does not
    want to be called again, and when: to them it is a mark. Those who answered and said nothing weigh against such
    marks, as everywhere in the model, but by themselves they do not speak for us: what they say, they say to others.
    """
    ledger = MemoryStore(weights)
    for outcome in outcomes:
        seen = turned_round(outcome, number)
        if seen is not None:
            ledger.learn(seen)
    for who, at in unhappy:
        ledger.add_mark(Mark(number, AuthClass.UNKNOWN, who, Verdict.SPAM, at, MarkChannel.EXTENSION))
    evidence = ledger.evidence(number, AuthClass.UNKNOWN, now)
    seen_as = reputation_of(evidence, NO_CIRCUMSTANCES, weights, now)
    if sum([one.log_odds for one in seen_as.families if one.name in (MARKED, UNMARKED)]) >= 0:
        return seen_as
    standing = evidence.standing or Standing(at=now)
    without_silence = standing._replace(marks=0.0, answers=0.0, reporters=0, answered=0, silent=0)
    return reputation_of(evidence._replace(standing=without_silence), NO_CIRCUMSTANCES, weights, now)
