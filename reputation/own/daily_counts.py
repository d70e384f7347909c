"""What one outbound call adds to the day of the number that it went out with. Pure.

The day is the called person's: "three calls to one person on one day" is about *their* day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from reputation.columns import Key
from reputation.model import Direction, Disposition, EndedBy
from reputation.numbers import stored_number
from reputation.outcome import OutcomeRecord
from reputation.own.hours import AS_INSTALLED, CallingHours, is_surely_outside, local_date_number

SHORT_SECONDS = 6.0  # carriers charge for calls that are over within 6 s of the answer
# 16 CFR 310.4(b)(4): a person is to be let ring for 15 s, and to hear somebody within 2 s of answering.
GIVEN_UP_SECONDS = 15.0
HEARD_NOBODY_SECONDS = 2.0
MANY_CALLS = 3  # to one person on one day
# So soon after it began to ring nobody picks up: voicemail of a phone that is off, a menu, a call screener. Where no
# ringing was seen at all nothing can be said.
MACHINE_SECONDS = 1.5

# Nobody took it. A number that does not exist, or a trunk that failed, is nobody's choice.
NOT_TAKEN = frozenset({Disposition.NO_ANSWER, Disposition.BUSY, Disposition.REJECTED})


class DailyCounts(NamedTuple):
    """One call. All but the first three are 0 or 1; `abandoned`: we gave up too early, before or after the answer.

    `blocked`: a network refused it; `machine`: no person answered it. Neither is among the others.
    """

    number: str
    callee: str
    country: str
    day: int
    answered: int
    short: int
    unanswered: int
    failed: int
    abandoned: int
    outside: int
    blocked: int
    machine: int
    talk_seconds: float


class OwnDay(NamedTuple):
    """What a number did on one day.

    Attributes:
        number: The number, E.164.
        day: The day.
        attempts: Number of calls.
        answered: How many a person answered.
        short: How many of those were over within 6 s.
        unanswered: How many were not taken.
        failed: How many failed, or went to a number that does not exist.
        abandoned: How many we gave up too early.
        outside: How many came outside of the hours people may be called.
        people: How many people were called.
        repeated: How many of them were called three times or more.
        most: How often one of them was called, at most.
        called_back: Calls to the number from people whom it had called within 28 days.
        talk_seconds: For how long it was talked.
        blocked: How many calls a network refused.
        machine: How many calls a machine answered.
    """

    number: str
    day: Annotated[int, Key()]
    attempts: int = 0
    answered: int = 0
    short: int = 0
    unanswered: int = 0
    failed: int = 0
    abandoned: int = 0
    outside: int = 0
    people: int = 0
    repeated: int = 0
    most: int = 0
    called_back: int = 0
    talk_seconds: float = 0.0
    blocked: int = 0
    machine: int = 0


def tally_of(outcome: OutcomeRecord, hours: CallingHours = AS_INSTALLED) -> DailyCounts | None:
    """What the call adds; None for one that is not outbound, not seen whole, to a service number, or has no whole
    number on a side.
    """
    own, key = outcome.own_number, outcome.number
    if outcome.direction is not Direction.OUTBOUND or not outcome.complete or key is None:
        return None
    callee = stored_number(key)
    if callee.service is not None:  # a bank's line marks nobody
        return None
    if own is None or not own.startswith("+"):
        return None
    place = hours.place_of(callee, outcome.at)
    machine = is_machine(outcome)
    answered = outcome.disposition is Disposition.ANSWERED and not machine
    return DailyCounts(
        number=own,
        callee=key,
        country=callee.country or "",
        day=local_date_number(place, outcome.at),
        answered=int(answered),
        short=int(answered and outcome.talk_seconds <= SHORT_SECONDS),
        unanswered=int(outcome.disposition in NOT_TAKEN and not outcome.blocked),
        failed=int(outcome.disposition is Disposition.FAILED and not outcome.blocked),
        abandoned=int(not machine and not outcome.blocked and _is_abandoned(outcome)),
        outside=int(is_surely_outside(place, outcome.at)),
        blocked=int(outcome.blocked),
        machine=int(machine),
        talk_seconds=outcome.talk_seconds if answered else 0.0,
    )


def is_machine(outcome: OutcomeRecord) -> bool:
    """Whether no person answered our call: the dialplan knows, or it was answered as nobody answers."""
    if outcome.disposition is not Disposition.ANSWERED or outcome.direction is not Direction.OUTBOUND:
        return False
    return outcome.machine or 0.0 < outcome.ring_seconds <= MACHINE_SECONDS


def _is_abandoned(outcome: OutcomeRecord) -> bool:
    """Ended by us: while it rang for less than 15 s, or as soon as somebody had picked up."""
    if outcome.ended_by is None or outcome.ended_by is EndedBy.CALLEE:
        return False
    if outcome.disposition is Disposition.ANSWERED:
        return outcome.talk_seconds < HEARD_NOBODY_SECONDS
    return outcome.disposition is Disposition.NO_ANSWER and outcome.ring_seconds < GIVEN_UP_SECONDS


WIDTH_SECONDS = 0.2
AROUND_SECONDS = 1.0  # on either side of a heap, what is to be expected in it is read
LEAST_CALLS = 10
# So many times what stands around it: of seven calls in a heap, at most one is a person's.
TIMES = 6.0
# Later, networks end calls of people by the clock too.
LONGEST_SECONDS = 60.0


class HangUps(NamedTuple):
    """Calls that ended alike: after how many seconds of talk, and their linkedids."""

    seconds: float
    linkedids: frozenset[str]


def machine_hang_ups(outcomes: Iterable[OutcomeRecord]) -> tuple[HangUps, ...]:
    """The heaps among the calls of one number, the shortest first.

    Durations of call detail records are whole seconds, in which everybody ends alike: they are left out.
    """
    calls = sorted((one.talk_seconds, one.linkedid) for one in outcomes if _is_ended_there(one))
    times = [seconds for seconds, _ in calls]
    found: list[HangUps] = []
    first = 0
    while first < len(calls):
        end = bisect_right(times, times[first] + WIDTH_SECONDS)
        if end - first < LEAST_CALLS or not _is_heap(times, first, end):
            first += 1
            continue
        middle = times[(first + end) // 2]
        found.append(HangUps(middle, frozenset(linkedid for _, linkedid in calls[first:end])))
        first = end
    return tuple(found)


def days_without(days: Iterable[OwnDay], calls: Iterable[OutcomeRecord]) -> tuple[OwnDay, ...]:
    """The days, with these calls counted as a machine's and no longer as answered by a person."""
    by_day = {day.day: day for day in days}
    for call in calls:
        tally = tally_of(call)
        day = by_day.get(tally.day) if tally is not None else None
        if tally is None or day is None or not day.answered:
            continue
        by_day[day.day] = day._replace(
            answered=day.answered - tally.answered,
            short=max(0, day.short - tally.short),
            machine=day.machine + tally.answered,
            talk_seconds=max(0.0, day.talk_seconds - tally.talk_seconds),
        )
    return tuple(by_day.values())


def _is_ended_there(outcome: OutcomeRecord) -> bool:
    return (
        outcome.direction is Direction.OUTBOUND
        and outcome.disposition is Disposition.ANSWERED
        and outcome.ended_by is EndedBy.CALLEE
        and outcome.complete
        and not is_machine(outcome)
        and outcome.talk_seconds <= LONGEST_SECONDS
        and not outcome.talk_seconds.is_integer()
    )


def _is_heap(times: list[float], first: int, end: int) -> bool:
    """Whether so many stand there by more than chance. What is around it may begin at 0: nobody hangs up before."""
    start, stop = times[first], times[first] + WIDTH_SECONDS
    since = max(0.0, start - AROUND_SECONDS)
    around = (first - bisect_left(times, since)) + (bisect_right(times, stop + AROUND_SECONDS) - end)
    expected = (around + 1) * WIDTH_SECONDS / (start - since + AROUND_SECONDS)
    return end - first >= TIMES * expected
