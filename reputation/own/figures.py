"""What an own number's days add up to, per window of 1, 7 and 28 days. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from reputation.model import Reputation
from reputation.own.daily_counts import OwnDay

WEEK, MONTH = 7, 28
WINDOWS = (1, WEEK, MONTH)


def percent(share: float) -> str:
    """`24%`; below ten with a decimal, `2.4%`: some limits are 1 or 2 %, and which side it is on is to be seen."""
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresWindow:
    """What the last so many days of a number add up to.

    Attributes:
        days: How many days.
        attempts: Number of calls.
        answered: How many a person answered.
        short: How many of those were over within 6 s.
        unanswered: How many were not taken.
        failed: How many failed, or went to a number that does not exist.
        abandoned: How many we gave up too early.
        outside: How many came outside of the hours people may be called.
        person_days: How many people were called on each day, added up.
        repeated: How many of those were called three times or more on their day.
        most: How often one person was called on a day, at most.
        called_back: Calls to the number from people whom it had called within 28 days.
        people: How many people were called, each counted once.
        unwanted: How many of them complained or want no more calls; null of one day, as they name no day.
        talk_seconds: For how long it was talked.
        blocked: How many calls a network refused.
        machine: How many calls a machine answered.
    """

    days: int
    attempts: int = 0
    answered: int = 0
    short: int = 0
    unanswered: int = 0
    failed: int = 0
    abandoned: int = 0
    outside: int = 0
    person_days: int = 0
    repeated: int = 0
    most: int = 0
    called_back: int = 0
    people: int = 0
    unwanted: int | None = None
    talk_seconds: float = 0.0
    blocked: int = 0
    machine: int = 0

    @property
    def calls_per_person_day(self) -> float:
        """How often a person was called on a day, on average."""
        return self.attempts / self.person_days if self.person_days else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """All that the health of a number is made of.

    `days` are those with calls, in order, `today` the last one that counts, `last_before` the one before them. `people`
    are by window, 1, 7 and 28 days, and so are `unwanted`, but for 1. `first_day`: when it called first;
    `counted_since`: since when anything is counted. `view` is how the called people would see it, None where it made
    too few calls. `listed`: how many imported lists name it; `strangers`: complaints of people of whom nobody knows
    that it called them: both are shown, and neither counts. `blocked`: the countries in which networks refused its
    calls within 28 days, and how many. `hang_ups`: after how many seconds of talk machines ended calls of those days,
    and how many: `days` have them as such. `labels`: the platforms that show something of it, and what.
    """

    number: str
    today: int
    days: tuple[OwnDay, ...]
    people: dict[int, int]
    unwanted: dict[int, int]
    view: Reputation | None
    last_before: int | None = None
    first_day: int | None = None
    counted_since: int | None = None
    listed: int = 0
    strangers: int = 0
    blocked: tuple[tuple[str, int], ...] = ()
    hang_ups: tuple[tuple[float, int], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


def window_of(facts: HealthFacts, days: int) -> FiguresWindow:
    """The sums of the last so many days."""
    within = sums_of([day for day in facts.days if day.day > facts.today - days])
    return replace(within, days=days, people=facts.people.get(days, 0), unwanted=facts.unwanted.get(days))


def window_of_day(day: OwnDay) -> FiguresWindow:
    """One day by itself."""
    return replace(sums_of([day]), days=1, people=day.people)


def sums_of(days: Sequence[OwnDay]) -> FiguresWindow:
    """What the days add up to, but for what is distinct over all of them."""

    def total(name: str) -> int:
        return int(sum(getattr(day, name) for day in days))

    return FiguresWindow(
        days=len(days),
        attempts=total("attempts"),
        answered=total("answered"),
        short=total("short"),
        unanswered=total("unanswered"),
        failed=total("failed"),
        abandoned=total("abandoned"),
        outside=total("outside"),
        person_days=total("people"),
        repeated=total("repeated"),
        most=max((day.most for day in days), default=0),
        called_back=total("called_back"),
        blocked=total("blocked"),
        machine=total("machine"),
        talk_seconds=sum(day.talk_seconds for day in days),
    )


def baseline_of(days: Sequence[OwnDay], before_day: int) -> float | None:
    """What a day usually has: the median of the days with calls in the 28 days before; None below five."""
    usual = [day.attempts for day in days if before_day - MONTH <= day.day < before_day and day.attempts]
    return median(usual) if len(usual) >= 5 else None
