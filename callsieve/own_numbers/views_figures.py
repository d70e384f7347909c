"""The figures of an own number as its page shows them: what is above its limit, and how that went by day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from callsieve.own_numbers.figures import MEASURES, date_of, limits_in_words
from callsieve.web.words import N_
from reputation.own.daily_counts import OwnDay
from reputation.own.figures import MONTH, percent, window_of_day
from reputation.own.grades import Grade
from reputation.own.health import LIMIT_BY_MEASURE, NumberHealth, above_limits
from reputation.wording import Wording

GRADE_STATES: dict[Grade | None, str] = {
    None: "unknown",
    Grade.HEALTHY: "ok",
    Grade.WATCH: "warn",
    Grade.AT_RISK: "fail",
}


class Figure(NamedTuple):
    """A figure. `grade`: the word for how far it is above its limit, `state` its colour; both empty below it."""

    text: str | Wording
    grade: str = ""
    state: str = ""


class Row(NamedTuple):
    """A line of the figures: latest day, 7 and 28 days. `limits`: from where on it is watched, and is a risk."""

    words: str
    limits: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class ShareBar:
    """A share of a day as a bar: `width` and the place of the limit, of a hundred."""

    words: str
    figure: Figure
    width: float
    limit: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day as a bar: widths of a hundred, of which `answered` is the first part; and the shares that are judged."""

    day: str
    calls: int
    answered: int
    width: float
    answered_width: float
    shares: tuple[ShareBar, ...]


class _Trend(NamedTuple):
    """A share that is followed from day to day."""

    words: str
    measure: str
    part: str
    whole: str


TRENDS = (
    _Trend(N_("over within 6 s"), "short", "short", "answered"),
    _Trend(N_("not taken"), "unanswered", "unanswered", "attempts"),
)


def rows_of(health: NumberHealth) -> tuple[Row, ...]:
    """All figures, and which of them are above their limits."""
    above = [above_limits(health.facts, window) for window in health.windows]
    return tuple(
        Row(
            measure.words,
            limits_in_words(measure.limit),
            tuple(
                _figure(measure.show(window), found.get(measure.limit))
                for window, found in zip(health.windows, above, strict=True)
            ),
        )
        for measure in MEASURES
    )


def days_of(health: NumberHealth) -> tuple[DayBar, ...]:
    """The days with calls of the last four weeks."""
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
    """The share that fills a bar: that of the worst day, or what stands well above the limits."""
    well_above = min(1.0, 2 * LIMIT_BY_MEASURE[trend.measure].at_risk)
    return max([well_above, *(_share(trend, day) for day in days)])


def _figure(text: str | Wording, grade: Grade | None) -> Figure:
    return Figure(text, grade.value, GRADE_STATES[grade]) if grade else Figure(text)
