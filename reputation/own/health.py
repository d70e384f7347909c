"""The health of an own number: statistics of its days, a grade, and the reasons for the grade. Pure functions.

All thresholds are in LIMITS. docs/reference/own-number-grades.md shows the same table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from reputation.encoding import FLAT
from reputation.model import Level
from reputation.own.daily_counts import WEEK, WINDOWS, FiguresWindow, HealthFacts, OwnDay, baseline_of, window_of
from reputation.own.grades import YOUNG_DAYS, Grade, GradeReason
from reputation.wording import Wording

DORMANT_DAYS = 14
# So many calls before anything is said, and before anything worse than `watch` is.
WATCH_SAMPLE, RISK_SAMPLE = 20, 100
# A share says something when it stands for so many calls or people: two complaints are nobody's habit.
LEAST_CASES = 3
# The measures that are shares of the calls or people of any window.
SHARES = frozenset({"short", "unanswered", "abandoned", "repeated", "outside", "unwanted", "blocked"})


class HealthReason(NamedTuple):
    """A reason why an own number is not healthy.

    Attributes:
        measure: The measure that is above its limit.
        grade: The grade that the measure leads to: watch or at risk.
    """

    measure: str
    grade: Grade
    reason: Annotated[GradeReason, FLAT]

    @property
    def words(self) -> Wording:
        """The reason as a translatable text."""
        return self.reason.words


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberHealth:
    """The health of an own number.

    Attributes:
        judged: The window from which shares were judged: a week, or a month if a week has too few calls.
        grade: The grade; None if the number made too few calls, and no platform labels it.
        notes: Findings that do not change the grade.
    """

    facts: HealthFacts
    windows: tuple[FiguresWindow, ...]
    judged: FiguresWindow
    grade: Grade | None
    reasons: tuple[HealthReason, ...]
    notes: tuple[Wording, ...]


class HealthReading(NamedTuple):
    """The value of a measure. `cases`: how many calls or people the value is based on."""

    value: float
    cases: int
    reason: GradeReason


class _Case(NamedTuple):
    facts: HealthFacts
    window: FiguresWindow
    busiest: OwnDay | None


class Limit(NamedTuple):
    """The limits of a measure: the lowest values that mean `watch` and `at risk`, and the source of these values."""

    measure: str
    watch: float
    at_risk: float
    read: Callable[[_Case], HealthReading | None]
    source: str


def health_of(facts: HealthFacts) -> NumberHealth:
    """Return the health of a number, graded by its worst reason. A number with few calls is graded by labels only."""
    windows = tuple(window_of(facts, days) for days in WINDOWS)
    _, week, month = windows
    judged = week if week.attempts >= RISK_SAMPLE else month
    of_week = [day for day in facts.days if day.day > facts.today - WEEK]
    case = _Case(facts, judged, max(of_week, key=lambda day: day.attempts, default=None))
    reasons = [reason for limit in LIMITS if (reason := _judged(limit, case)) is not None]
    reasons += _labelled(facts)
    worst = max((reason.grade for reason in reasons), key=list(Grade).index, default=Grade.HEALTHY)
    reasons.sort(key=lambda reason: -list(Grade).index(reason.grade))
    return NumberHealth(
        facts=facts,
        windows=windows,
        judged=judged,
        grade=worst if month.attempts >= WATCH_SAMPLE or facts.labels else None,
        reasons=tuple(reasons),
        notes=tuple(_notes(facts, month)),
    )


def _labelled(facts: HealthFacts) -> list[HealthReason]:
    return [
        HealthReason("labelled", Grade.AT_RISK, GradeReason("labelled", {"platform": platform, "label": label}))
        for platform, label in facts.labels
    ]


def above_limits(facts: HealthFacts, window: FiguresWindow) -> dict[str, Grade]:
    """Return the measures in SHARES that are above their limits in this window, each with the resulting grade."""
    case = _Case(facts, window, None)
    reasons = (_judged(limit, case) for limit in LIMITS if limit.measure in SHARES)
    return {reason.measure: reason.grade for reason in reasons if reason is not None}


def _judged(limit: Limit, case: _Case) -> HealthReason | None:
    attempts = case.window.attempts
    if attempts < WATCH_SAMPLE:
        return None
    reading = limit.read(case)
    if reading is None or reading.cases < LEAST_CASES or reading.value < limit.watch:
        return None
    is_risk = reading.value >= limit.at_risk and attempts >= RISK_SAMPLE
    return HealthReason(limit.measure, Grade.AT_RISK if is_risk else Grade.WATCH, reading.reason)


def _share(code: str, whole: str) -> Callable[[_Case], HealthReading | None]:
    def read(case: _Case) -> HealthReading | None:
        some, of = getattr(case.window, code), getattr(case.window, whole)
        if not of or some is None:
            return None
        return HealthReading(some / of, some, GradeReason(code, {"part": some, "whole": of}))

    return read


def _young(case: _Case) -> HealthReading | None:
    """Return how many calls a number made on its busiest day, if it first called less than YOUNG_DAYS before that day.

    Otherwise return None. Also return None until calls were counted for YOUNG_DAYS, when every number looks young.
    """
    first, since, busiest = case.facts.first_day, case.facts.counted_since, case.busiest
    if first is None or since is None or busiest is None or busiest.day - first >= YOUNG_DAYS:
        return None
    if busiest.day - since < YOUNG_DAYS:
        return None
    age = busiest.day - first
    calls = busiest.attempts
    reason = GradeReason("young", {"calls": calls, "days": age}) if age else GradeReason("first-day", {"calls": calls})
    return HealthReading(calls, calls, reason)


def _spike(case: _Case) -> HealthReading | None:
    busiest = case.busiest
    usual = baseline_of(case.facts.days, busiest.day) if busiest else None
    if busiest is None or not usual or busiest.attempts < RISK_SAMPLE:
        return None
    times = busiest.attempts / usual
    figures = {"calls": busiest.attempts, "times": times, "usual": usual}
    return HealthReading(times, busiest.attempts, GradeReason("spike", figures))


def _burst(case: _Case) -> HealthReading | None:
    busiest = case.busiest
    if busiest is None:
        return None
    week_before = busiest.day - WEEK
    before = [day.day for day in case.facts.days if day.day < busiest.day and day.attempts]
    start = next((day for day in before if day > week_before), busiest.day)
    silent_since = max((day for day in before if day < start), default=case.facts.last_before)
    if silent_since is None or (silent := start - silent_since - 1) < DORMANT_DAYS:
        return None
    reason = GradeReason("burst", {"calls": busiest.attempts, "days": silent})
    return HealthReading(busiest.attempts, busiest.attempts, reason)


def _seen(case: _Case) -> HealthReading | None:
    view = case.facts.view
    if view is None:
        return None
    reason = GradeReason("seen", {"level": view.level.word, "points": view.points})
    return HealthReading(float(view.level), case.window.attempts, reason)


# From where on a number is in danger of being marked. Where nothing is cited, it is ours (own-number-grades.md).
LIMITS = (
    Limit(
        "seen",
        Level.TAG,
        Level.WARN,
        _seen,
        "chosen from the reputation model: at level `tag` some people would see a label, at level `warn` most would",
    ),
    Limit(
        "short",
        0.10,
        0.15,
        _share("short", "answered"),
        "carriers charge fees for short calls once 10 to 15 % of the calls last 6 s or less (Telnyx, "
        "CallTrackingMetrics)",
    ),
    Limit(
        "unanswered",
        0.60,
        0.76,
        _share("unanswered", "attempts"),
        "Hiya, State of the Call 2019: honest calls are answered in 24 to 53 of 100 cases, spam in 9 to 24",
    ),
    Limit(
        "abandoned",
        0.03,
        0.10,
        _share("abandoned", "attempts"),
        "16 CFR 310.4(b)(4): ring for 15 s, speak within 2 s, at most 3 % abandoned",
    ),
    Limit(
        "repeated",
        0.01,
        0.05,
        _share("repeated", "person_days"),
        "the limit of three calls a day comes from people's complaints; CallSieve chose the percentages",
    ),
    Limit(
        "outside",
        0.01,
        0.05,
        _share("outside", "attempts"),
        "47 CFR 64.1200(c)(1): 8 to 21 h local time, local rules, or the settings; CallSieve chose the shares",
    ),
    Limit(
        "blocked",
        0.01,
        0.10,
        _share("blocked", "attempts"),
        "chosen by CallSieve: a network that refuses a call has marked the number already",
    ),
    Limit(
        "unwanted",
        0.005,
        0.02,
        _share("unwanted", "people"),
        "chosen by CallSieve: complaints from one person in two hundred",
    ),
    Limit(
        "young",
        101,
        301,
        _young,
        "more than 100 calls a day from a number without history are unusual; CallSieve chose the limit of 300",
    ),
    Limit("burst", 101, 301, _burst, "more than 100 calls a day after two weeks without calls are unusual"),
    Limit("spike", 3, 10, _spike, "chosen by CallSieve: three times the calls of a usual day, and at least 100"),
)
LIMIT_BY_MEASURE = {limit.measure: limit for limit in LIMITS}


def _notes(facts: HealthFacts, month: FiguresWindow) -> list[Wording]:
    notes = []
    if month.attempts < WATCH_SAMPLE:
        few = {"calls": month.attempts, "least": WATCH_SAMPLE}
        notes.append(Wording("too few calls for a grade: {calls} in 28 days, and {least} are needed", few))
    if facts.blocked:
        where = ", ".join(f"{country or '?'} {calls:,}" for country, calls in facts.blocked)
        words = (
            "networks in {where} refused calls from the number: ask your carrier which networks these are, and ask "
            "these networks to remove the mark"
        )
        notes.append(Wording(words, {"where": where}))
    for seconds, calls in facts.hang_ups:
        ended = {"calls": calls, "seconds": seconds}
        notes.append(
            Wording(
                ("{calls:,} calls were ended by the other side after {seconds:.1f} s: a machine answered them"), ended
            )
        )
    if facts.listed == 1:
        notes.append(Wording("an imported list names the number as spam"))
    elif facts.listed:
        notes.append(Wording("{lists} imported lists name the number as spam", {"lists": facts.listed}))
    if facts.strangers == 1:
        notes.append(Wording("1 complaint does not count: there is no record of a call to the sender within 28 days"))
    elif facts.strangers:
        words = "{complaints} complaints do not count: there is no record of calls to their senders within 28 days"
        notes.append(Wording(words, {"complaints": facts.strangers}))
    return notes
