"""How an own number is doing: what its days add up to, a grade, and the reasons in words. Pure.

    health_of(facts) -> Health        facts: days, distinct people, complaints, and the called people's view

The thresholds are LIMITS, and nothing else; docs/own-numbers.md has the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from reputation.model import Level, Reputation
from reputation.own.tally import OwnDay

WEEK, MONTH = 7, 28
WINDOWS = (1, WEEK, MONTH)
YOUNG_DAYS = 30
DORMANT_DAYS = 14
# So many calls before anything is said, and before anything worse than `watch` is.
WATCH_SAMPLE, RISK_SAMPLE = 20, 100
# A share says something when it stands for so many calls or people: two complaints are nobody's habit.
LEAST_CASES = 3


class Grade(StrEnum):
    """How a number is doing. HEALTHY also of one with too few calls to say anything."""

    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at risk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The last so many days in sum. `people` are distinct over all of them, `person_days` on each day by itself.

    `unwanted`: people it called who complained, or said that they do not want to be called again.
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
    unwanted: int = 0
    talk_seconds: float = 0.0

    @property
    def calls_per_person_day(self) -> float:
        """How often a person was called on a day, on average."""
        return self.attempts / self.person_days if self.person_days else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """All that the health of a number is made of.

    `days` are those with calls, in order, `today` the last one that counts. `people` and `unwanted` are by window: 1, 7
    and 28 days. `first_day`: when it called first; `counted_since`: since when anything is counted. `view` is how the
    called people would see it. `listed`: how many imported lists name it; `strangers`: complaints of people whom it
    never called: both are shown, and neither counts.
    """

    number: str
    today: int
    days: tuple[OwnDay, ...]
    people: dict[int, int]
    unwanted: dict[int, int]
    view: Reputation
    first_day: int | None = None
    counted_since: int | None = None
    listed: int = 0
    strangers: int = 0


class Reason(NamedTuple):
    """Why a number is not healthy: which measure, how bad that is, and in words."""

    measure: str
    grade: Grade
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the number is doing. `judged`: the window that the shares were judged over; `notes`: what does not count."""

    facts: HealthFacts
    windows: tuple[Window, ...]
    judged: Window
    grade: Grade
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]


class Reading(NamedTuple):
    """What a measure shows. `cases`: how many calls or people stand behind it."""

    value: float
    cases: int
    words: str


class _Case(NamedTuple):
    facts: HealthFacts
    window: Window
    busiest: OwnDay | None


class Limit(NamedTuple):
    """One row of the table: from where on a measure is to be watched, from where on it is a risk, and who says so."""

    measure: str
    watch: float
    at_risk: float
    read: Callable[[_Case], Reading | None]
    source: str


def health_of(facts: HealthFacts) -> Health:
    """The grade is that of the worst reason."""
    windows = tuple(window_of(facts, days) for days in WINDOWS)
    _, week, month = windows
    judged = week if week.attempts >= RISK_SAMPLE else month
    of_week = [day for day in facts.days if day.day > facts.today - WEEK]
    case = _Case(facts, judged, max(of_week, key=lambda day: day.attempts, default=None))
    reasons = [reason for limit in LIMITS if (reason := _judged(limit, case)) is not None]
    grade = max((reason.grade for reason in reasons), key=list(Grade).index, default=Grade.HEALTHY)
    reasons.sort(key=lambda reason: -list(Grade).index(reason.grade))
    return Health(
        facts=facts,
        windows=windows,
        judged=judged,
        grade=grade,
        reasons=tuple(reasons),
        notes=tuple(_notes(facts, month)),
    )


def window_of(facts: HealthFacts, days: int) -> Window:
    """The sums of the last so many days."""
    within = [day for day in facts.days if day.day > facts.today - days]

    def total(name: str) -> int:
        return int(sum(getattr(day, name) for day in within))

    return Window(
        days=days,
        attempts=total("attempts"),
        answered=total("answered"),
        short=total("short"),
        unanswered=total("unanswered"),
        failed=total("failed"),
        abandoned=total("abandoned"),
        outside=total("outside"),
        person_days=total("people"),
        repeated=total("repeated"),
        most=max((day.most for day in within), default=0),
        called_back=total("called_back"),
        people=facts.people.get(days, 0),
        unwanted=facts.unwanted.get(days, 0),
        talk_seconds=sum(day.talk_seconds for day in within),
    )


def baseline_of(days: Sequence[OwnDay], before_day: int) -> float | None:
    """What a day usually has: the median of the days with calls in the 28 days before; None below five."""
    usual = [day.attempts for day in days if before_day - MONTH <= day.day < before_day and day.attempts]
    return median(usual) if len(usual) >= 5 else None


def _judged(limit: Limit, case: _Case) -> Reason | None:
    attempts = case.window.attempts
    if attempts < WATCH_SAMPLE:
        return None
    reading = limit.read(case)
    if reading is None or reading.cases < LEAST_CASES or reading.value < limit.watch:
        return None
    is_risk = reading.value >= limit.at_risk and attempts >= RISK_SAMPLE
    return Reason(limit.measure, Grade.AT_RISK if is_risk else Grade.WATCH, reading.words)


def _share(part: int, whole: int, words: str) -> Reading | None:
    return Reading(part / whole, part, f"{part / whole:.0%} {words} ({part:,} of {whole:,})") if whole else None


def _young(case: _Case) -> Reading | None:
    """Young only once calls have been counted for longer: else every number would be, after an installation."""
    first, since, busiest = case.facts.first_day, case.facts.counted_since, case.busiest
    if first is None or since is None or busiest is None or busiest.day - first >= YOUNG_DAYS:
        return None
    if busiest.day - since < YOUNG_DAYS:
        return None
    age = busiest.day - first
    when = f"{age} days after its first one" if age else "the first on which it called"
    words = f"{busiest.attempts:,} calls on one day, {when}"
    return Reading(busiest.attempts, busiest.attempts, words)


def _spike(case: _Case) -> Reading | None:
    busiest = case.busiest
    usual = baseline_of(case.facts.days, busiest.day) if busiest else None
    if busiest is None or not usual or busiest.attempts < RISK_SAMPLE:
        return None
    times = busiest.attempts / usual
    words = f"{busiest.attempts:,} calls on one day, {times:.0f} times as many as usual ({usual:.0f})"
    return Reading(times, busiest.attempts, words)


def _burst(case: _Case) -> Reading | None:
    """A number that was silent, and then was not."""
    busiest, first = case.busiest, case.facts.first_day
    if busiest is None or first is None:
        return None
    week_before = busiest.day - WEEK
    before = [day.day for day in case.facts.days if day.day < busiest.day and day.attempts]
    start = next((day for day in before if day > week_before), busiest.day)
    silent_since = max((day for day in before if day < start), default=first)
    if silent_since >= start or start - silent_since - 1 < DORMANT_DAYS:
        return None
    words = f"{busiest.attempts:,} calls on one day after {start - silent_since - 1} days without any"
    return Reading(busiest.attempts, busiest.attempts, words)


def _seen(case: _Case) -> Reading:
    view = case.facts.view
    words = f"the people it called would see it as {view.level.word} ({view.points:+d} points) if they had CallSieve"
    return Reading(float(view.level), case.window.attempts, words)


# From where on a number is in danger of being marked. Where nothing is cited, the figure is ours (docs/own-numbers.md).
LIMITS = (
    Limit(
        "seen",
        Level.TAG,
        Level.WARN,
        _seen,
        "the reputation model itself: from `tag` on some, from `warn` on most people would be told",
    ),
    Limit(
        "short",
        0.10,
        0.15,
        lambda c: _share(c.window.short, c.window.answered, "of the answered calls were over within 6 s"),
        "carriers' fees for short calls begin at 10 to 15 % of calls of 6 s or less (Telnyx, CallTrackingMetrics)",
    ),
    Limit(
        "unanswered",
        0.60,
        0.76,
        lambda c: _share(c.window.unanswered, c.window.attempts, "of the calls were not taken"),
        "Hiya, State of the Call 2019: honest calls are answered in 24 to 53 of 100 cases, spam in 9 to 24",
    ),
    Limit(
        "abandoned",
        0.03,
        0.10,
        lambda c: _share(c.window.abandoned, c.window.attempts, "of the calls were given up too early by us"),
        "16 CFR 310.4(b)(4): ring for 15 s, speak within 2 s, at most 3 % abandoned",
    ),
    Limit(
        "repeated",
        0.01,
        0.05,
        lambda c: _share(
            c.window.repeated, c.window.person_days, "of the people were called three times a day or more"
        ),
        "three calls a day to one person are what complaints are about; the shares are ours",
    ),
    Limit(
        "outside",
        0.01,
        0.05,
        lambda c: _share(
            c.window.outside, c.window.attempts, "of the calls came outside of the hours people may be called"
        ),
        "47 CFR 64.1200(c)(1): 8 to 21 h where the called person is, and narrower local rules; the shares are ours",
    ),
    Limit(
        "unwanted",
        0.005,
        0.02,
        lambda c: _share(c.window.unwanted, c.window.people, "of the people complained or want no more calls"),
        "ours: one in two hundred",
    ),
    Limit("young", 101, 301, _young, "more than 100 calls a day from a number that nobody knows; the second is ours"),
    Limit("burst", 101, 301, _burst, "the same after two weeks of silence"),
    Limit("spike", 3, 10, _spike, "ours: a day with three times the calls of a usual one, and a hundred at least"),
)


def _notes(facts: HealthFacts, month: Window) -> list[str]:
    notes = []
    if month.attempts < WATCH_SAMPLE:
        notes.append(f"too few calls to say anything: {month.attempts} of {WATCH_SAMPLE} in 28 days")
    if facts.listed:
        notes.append(f"{facts.listed} imported lists name it" if facts.listed > 1 else "an imported list names it")
    if facts.strangers:
        notes.append(f"{facts.strangers} complaints of people whom it did not call do not count")
    return notes
