"""Calls of ours that were all over after the same time: what answered them was a machine. Pure.

A call screener or a full mailbox says what it has to say and hangs up, to a few hundredths of a second always after
the same time. People do not: how long it takes them to hang up is spread over seconds. So what counts is a heap of
calls that the other side ended within WIDTH_SECONDS of each other, many times higher than what stands around it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from reputation.model import Direction, Disposition, EndedBy
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import OwnDay, is_machine, tally_of

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
