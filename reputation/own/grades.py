"""Grade an own number: our own model computes what the called people would think of the number. Pure functions.

Each call is reversed, as an incoming call from our number to the called person, and then judged like any call.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple, Protocol

from reputation.encoding import HIDDEN, Instant, encoded
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
    "labelled": "{platform} shows the number as {label}",
    "seen": "the called people would see the number at level {level} ({points:+d} points) if they had CallSieve",
    "short": "{share} of the answered calls ended within 6 s ({part:,} of {whole:,})",
    "unanswered": "{share} of the calls were not answered ({part:,} of {whole:,})",
    "abandoned": "we gave up {share} of the calls too early ({part:,} of {whole:,})",
    "repeated": "a person was called three times or more on one day in {part:,} of {whole:,} cases ({share})",
    "outside": "{share} of the calls were outside calling hours ({part:,} of {whole:,})",
    "blocked": "networks refused to carry {share} of the calls ({part:,} of {whole:,})",
    "unwanted": "{share} of the people complained or asked not to be called ({part:,} of {whole:,})",
    "young": "{calls:,} calls on one day, {days} days after the number's first call",
    "first-day": "{calls:,} calls on one day, which was the first day with calls",
    "burst": "{calls:,} calls on one day after {days} days without calls",
    "spike": "{calls:,} calls on one day, {times:.0f} times the usual {usual:.0f}",
}


class Grade(StrEnum):
    """The state of an own number, by how its calls went. A number with too few calls has no grade (`None`)."""

    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at_risk"

    @property
    def words(self) -> str:
        """The grade as text for people."""
        return self.value.replace("_", " ")


class GradeReason(NamedTuple):
    """A reason why a number is not healthy. `code`: the reason as a code. `figures`: the values in its text."""

    code: str
    figures: Mapping[str, str | int | float]

    @property
    @encoded
    def words(self) -> Wording:
        """The reason as text."""
        places: dict[str, str | int | float | Wording] = {**self.figures}
        if "whole" in places:
            places["share"] = percent(float(self.figures["part"]) / float(self.figures["whole"]))
        if "level" in places:
            places["level"] = Wording(str(self.figures["level"]))
        return Wording(REASON_WORDS[self.code], places)


class Graded(NamedTuple):
    """The latest grade of a number.

    Attributes:
        graded_at: When the grade was computed.
        grade: The grade; null if the number made too few calls.
        reasons: Why the number is not healthy.
    """

    graded_at: Instant
    grade: Grade | None
    reasons: tuple[GradeReason, ...]


class Due(NamedTuple):
    """A task about an own number. `at`: when it is due; 0 for a task without a date. `what`: the task, as a text."""

    number: str
    at: Annotated[float, HIDDEN]
    what: Wording

    @property
    @encoded
    def due_at(self) -> Instant | None:
        """When the task is due; null for a task without a date."""
        return self.at or None


class _Seen(Protocol):
    @property
    def number(self) -> str: ...

    @property
    def calls(self) -> int: ...

    @property
    def last_at(self) -> float: ...


def due_of(register: Collection[OwnNumber], strangers: Iterable[_Seen], until: float) -> list[Due]:
    """Return the tasks due by `until`, the earliest first. `strangers`: numbers in use, but unregistered or retired."""
    ours = {own.number for own in register}
    tasks = [Due(number.number, 0.0, _stranger(number.calls, is_retired=number.number in ours)) for number in strangers]
    for own in register:
        rests_until = own.rests_until
        if own.state is not NumberState.RETIRED and own.next_check_at is not None and own.next_check_at <= until:
            tasks.append(Due(own.number, own.next_check_at, _to_check(own)))
        if rests_until is not None and rests_until <= until:
            tasks.append(
                Due(own.number, rests_until, Wording("the number has rested for 45 days and can be used again"))
            )
    return sorted(tasks, key=lambda task: (task.at, task.number))


def _stranger(calls: int, *, is_retired: bool) -> Wording:
    if is_retired:
        return Wording("the number makes calls but is retired (calls: {calls:,})", {"calls": calls})
    return Wording("the number makes calls but is not registered (calls: {calls:,})", {"calls": calls})


def _to_check(own: OwnNumber) -> Wording:
    if not own.registered:
        return Wording("check that the registered details are still correct")
    where = {"where": ", ".join(own.registered)}
    return Wording("check that the registered details are still correct: {where}", where)


def turned_round(outcome: OutcomeRecord, number: str) -> OutcomeRecord | None:
    """Return the call as the other party, identified by its phone number, saw it.

    None: no evidence, because the other party has no number, a menu or machine answered, or a network refused the call.
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
    """Return the reputation of the number among the people that the number called.

    People who answered and did not complain outweigh some complaints, as everywhere in the model. But their silence
    alone is not evidence for our number, because they send their marks to others. `outcomes`: calls from and to the
    number, in any order. `unhappy`: who complained or wants to be left alone, and when. Each counts as a mark.
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
    if sum([family.log_odds for family in seen_as.families if family.name in (MARKED, UNMARKED)]) >= 0:
        return seen_as
    standing = evidence.standing or Standing(at=now)
    without_silence = standing._replace(marks=0.0, answers=0.0, reporters=0, answered=0, silent=0)
    return reputation_of(evidence._replace(standing=without_silence), NO_CIRCUMSTANCES, weights, now)
