"""Statistics of an own number's calls, formatted for the terminal and the console."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from reputation.own.daily_counts import MONTH, FiguresWindow, OwnDay, percent, window_of_day
from reputation.own.grades import Grade
from reputation.own.health import LIMIT_BY_MEASURE, NumberHealth, above_limits
from reputation.wording import N_, Wording


def date_of(day: int) -> str:
    """Convert days since 1970 to a date, such as `2026-11-25`."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def grade_words(grade: Grade | None) -> Wording:
    """Return a number's health grade as text. Without a grade, the text says that there are too few calls."""
    return Wording(grade.words) if grade else Wording("too few calls")


def share_words(part: int | None, whole: int) -> str:
    """Return a count with its share, such as `60 (15%)`, or `-` if the share is unknown."""
    return f"{part:,} ({percent(part / whole)})" if whole and part is not None else "-"


def _of(part: str, whole: str) -> Callable[[FiguresWindow], str]:
    return lambda window: share_words(getattr(window, part), getattr(window, whole))


def _a_day(window: FiguresWindow) -> Wording:
    return Wording("{average:.1f}, at most {most}", {"average": window.calls_per_person_day, "most": window.most})


class Measure(NamedTuple):
    """A row of the table of statistics. `limit`: a key of `reputation.own.health.LIMITS`; empty without a limit."""

    words: str
    show: Callable[[FiguresWindow], str | Wording]
    limit: str = ""


# The lines of the figures, in order.
MEASURES = (
    Measure("calls made", lambda window: f"{window.attempts:,}"),
    Measure("people called", lambda window: f"{window.people:,}"),
    Measure("answered", _of("answered", "attempts")),
    Measure("answered, but ended within 6 s", _of("short", "answered"), "short"),
    Measure("not answered", _of("unanswered", "attempts"), "unanswered"),
    Measure("a machine answered", _of("machine", "attempts")),
    Measure("refused by a network", _of("blocked", "attempts"), "blocked"),
    Measure("hung up by us too early", _of("abandoned", "attempts"), "abandoned"),
    Measure("nonexistent number, or call failed", _of("failed", "attempts")),
    Measure("made outside calling hours", _of("outside", "attempts"), "outside"),
    Measure("calls per person and day", _a_day),
    Measure("people called three times or more in a day", _of("repeated", "person_days"), "repeated"),
    Measure("people who called us back", lambda window: f"{window.called_back:,}"),
    Measure("complaints or do-not-call requests", _of("unwanted", "people"), "unwanted"),
)


def limits_in_words(measure: str) -> str:
    """Return a measure's limits for `watch` and `at risk`, such as `10% · 15%`; empty if the measure has no limits."""
    limit = LIMIT_BY_MEASURE.get(measure)
    return f"{100 * limit.watch:g}% · {100 * limit.at_risk:g}%" if limit else ""


GRADE_STATES: dict[Grade | None, str] = {
    None: "unknown",
    Grade.HEALTHY: "ok",
    Grade.WATCH: "warn",
    Grade.AT_RISK: "fail",
}


class Figure(NamedTuple):
    """A formatted value of the statistics.

    `grade`: the grade that the value causes; empty if the value is within the limits. `state`: the colour of the grade.
    """

    text: str | Wording
    grade: str = ""
    state: str = ""


class Row(NamedTuple):
    """A row of the table: the values of the latest day, of 7 days and of 28 days. `limits`: the limits as text."""

    words: str
    limits: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class ShareBar:
    """A share of a day's calls as a bar.

    `width`, `limit`: the share, and the limit for `watch`, in percent of the bar.
    """

    words: str
    figure: Figure
    width: float
    limit: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day's calls as a bar, with widths in percent of the busiest day. `shares`: bars of shares with a limit."""

    day: str
    calls: int
    answered: int
    width: float
    answered_width: float
    shares: tuple[ShareBar, ...]


class _Trend(NamedTuple):
    words: str
    measure: str
    part: str
    whole: str


TRENDS = (
    _Trend(N_("ended within 6 s"), "short", "short", "answered"),
    _Trend(N_("not answered"), "unanswered", "unanswered", "attempts"),
)


def rows_of(health: NumberHealth) -> tuple[Row, ...]:
    """Return the table of a number's statistics. Values above their limits have a grade."""
    above = [above_limits(health.facts, window) for window in health.windows]
    return tuple(
        Row(
            measure.words,
            limits_in_words(measure.limit),
            tuple(
                _figure(measure.show(window), grades.get(measure.limit))
                for window, grades in zip(health.windows, above, strict=True)
            ),
        )
        for measure in MEASURES
    )


def days_of(health: NumberHealth) -> tuple[DayBar, ...]:
    """Return the days of the last four weeks on which the number made calls."""
    days = [day for day in health.facts.days if day.day > health.facts.today - MONTH and day.attempts]
    most = max((day.attempts for day in days), default=1)
    full = {trend.measure: _full(trend, days) for trend in TRENDS}
    return tuple(
        DayBar(
            date_of(day.day),
            day.attempts,
            day.answered,
            round(100 * day.attempts / most, 2),
            round(100 * day.answered / most, 2),
            _shares(health, day, full),
        )
        for day in days
    )


def _shares(health: NumberHealth, day: OwnDay, full: Mapping[str, float]) -> tuple[ShareBar, ...]:
    above = above_limits(health.facts, window_of_day(day))
    return tuple(
        ShareBar(
            trend.words,
            _figure(percent(_share(trend, day)) if getattr(day, trend.whole) else "-", above.get(trend.measure)),
            round(100 * _share(trend, day) / full[trend.measure], 2),
            round(100 * LIMIT_BY_MEASURE[trend.measure].watch / full[trend.measure], 2),
        )
        for trend in TRENDS
    )


def _share(trend: _Trend, day: OwnDay) -> float:
    return float(getattr(day, trend.part) / max(1, getattr(day, trend.whole)))


def _full(trend: _Trend, days: Iterable[OwnDay]) -> float:
    """Return the share that fills a bar: the worst day's share or, if larger, twice the limit of `at risk`."""
    well_above = min(1.0, 2 * LIMIT_BY_MEASURE[trend.measure].at_risk)
    return max([well_above, *(_share(trend, day) for day in days)])


def _figure(text: str | Wording, grade: Grade | None) -> Figure:
    return Figure(text, grade.words, GRADE_STATES[grade]) if grade else Figure(text)
