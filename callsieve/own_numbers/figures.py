"""The figures of an own number as people see them, in the terminal and in the console. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from reputation.own.figures import FiguresWindow, percent
from reputation.own.grades import Grade
from reputation.own.health import LIMIT_BY_MEASURE
from reputation.wording import Wording


def date_of(day: int) -> str:
    """`2026-11-25` of days since 1970."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def grade_words(grade: Grade | None) -> Wording:
    """The grade; a number without one made too few calls."""
    return Wording(grade.value) if grade else Wording("too few calls")


def share_words(part: int | None, whole: int) -> str:
    """`60 (15%)`: a share with the count that it stands for; `-` where it is not known."""
    return f"{part:,} ({percent(part / whole)})" if whole and part is not None else "-"


def _of(part: str, whole: str) -> Callable[[FiguresWindow], str]:
    return lambda window: share_words(getattr(window, part), getattr(window, whole))


def _a_day(window: FiguresWindow) -> Wording:
    return Wording("{average:.1f}, at most {most}", {"average": window.calls_per_person_day, "most": window.most})


class Measure(NamedTuple):
    """One line of the figures. `limit`: the measure of `reputation.own.health.LIMITS` that is judged by it."""

    words: str
    show: Callable[[FiguresWindow], str | Wording]
    limit: str = ""


# What is shown of each window, in order.
MEASURES = (
    Measure("calls made", lambda window: f"{window.attempts:,}"),
    Measure("people called", lambda window: f"{window.people:,}"),
    Measure("answered", _of("answered", "attempts")),
    Measure("over within 6 s, of those", _of("short", "answered"), "short"),
    Measure("not taken", _of("unanswered", "attempts"), "unanswered"),
    Measure("a machine answered", _of("machine", "attempts")),
    Measure("blocked by a network", _of("blocked", "attempts"), "blocked"),
    Measure("given up too early", _of("abandoned", "attempts"), "abandoned"),
    Measure("no such number, or failed", _of("failed", "attempts")),
    Measure("at a bad hour", _of("outside", "attempts"), "outside"),
    Measure("calls a person and day", _a_day),
    Measure("called three times or more", _of("repeated", "person_days"), "repeated"),
    Measure("called us back", lambda window: f"{window.called_back:,}"),
    Measure("complaints, no more calls", _of("unwanted", "people"), "unwanted"),
)


def limits_in_words(measure: str) -> str:
    """`10% · 15%`: from where on it is to be watched, and from where on it is a risk; empty where nothing is judged."""
    limit = LIMIT_BY_MEASURE.get(measure)
    return f"{100 * limit.watch:g}% · {100 * limit.at_risk:g}%" if limit else ""
