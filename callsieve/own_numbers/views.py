"""What the pages of our own numbers show."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple
from urllib.parse import quote

from callsieve.changes.undo import Latest, latest_changes
from callsieve.lists.views import MOST_SHOWN, has_text
from callsieve.own_numbers.capability import REGISTER, TOLD
from callsieve.own_numbers.do_not_call import ComplaintsShown, complaints_shown
from callsieve.own_numbers.fields import FIELDS, FieldKind
from callsieve.own_numbers.figures import MEASURES, date_of, grade_words, limits_in_words
from callsieve.own_numbers.operations import SEEN_SECONDS, unknown_trunks
from callsieve.settings import Loaded
from callsieve.web.words import N_
from reputation.own.daily_counts import OwnDay
from reputation.own.figures import MONTH, percent, window_of_day
from reputation.own.grades import Due, Grade, Graded, due_of
from reputation.own.health import LIMIT_BY_MEASURE, NumberHealth, above_limits
from reputation.own.register import OwnNumber
from reputation.own.suspicion import Labeller, labeller_words, labellers_of, suspicion_words
from reputation.owner_sentence import owner_sentence
from reputation.store import own_days
from reputation.store.own_health import HISTORY_DAYS, own_health, recent_grade
from reputation.store.own_labels import Look, Screenshot, looks_of, looks_to_make, screenshots_of
from reputation.store.own_register import own_of, register_of, unregistered
from reputation.store.own_suspicions import Suspected, looks_for_suspicions, suspicions_about
from reputation.store.site import people_here
from reputation.weights import DAY_SECONDS
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


SHOWN_LOOKS = 30
DUE_SECONDS = 14 * 86_400.0


@dataclass(frozen=True, slots=True)
class NumberLine:
    """A number of the list. `own` is None for one that is not registered; `grade` is its grade in words, `state` as a
    colour.
    """

    number: str
    graded: Graded
    grade: Wording
    state: str
    own: OwnNumber | None = None
    calls: int = 0
    last_at: float | None = None


@dataclass(frozen=True, slots=True)
class DueLine:
    """Something to be done, and the page that does it."""

    due: Due
    path: str


@dataclass(frozen=True, slots=True)
class OwnShown:
    """The list: the register; what goes out and is not in it, or is retired; what is due, and what was changed.

    `found`: how many of the register match what was looked for; `all`: how many there are.
    """

    numbers: tuple[NumberLine, ...]
    found: int
    all: int
    strangers: tuple[NumberLine, ...]
    due: tuple[DueLine, ...]
    latest: tuple[Latest, ...]


@dataclass(frozen=True, slots=True)
class SuspicionLine:
    """Where a number may be marked since that day, and who shows labels there: each in words, with the row of it."""

    words: Wording
    since: float
    labellers: tuple[tuple[Wording, Labeller], ...]


@dataclass(frozen=True, slots=True)
class OneShown:
    """A number's page. `facts`: what is registered of it, each with its heading; `to_owner`: what marks can do to it;
    `looks`: what platforms show of it, the latest first, each with its picture;
    `suspicions`: where it may be marked, by how its calls fare.

    `unknown_trunks`: those registered that the settings do not know. `days_to_rest`: how long it has to rest still.
    """

    number: str
    own: OwnNumber | None
    facts: tuple[tuple[Wording, str | Wording], ...]
    health: NumberHealth
    grade: Wording
    state: str
    rows: tuple[Row, ...]
    days: tuple[DayBar, ...]
    unknown_trunks: tuple[str, ...]
    days_to_rest: int
    said: ComplaintsShown
    latest: tuple[Latest, ...]
    to_owner: Wording | str
    looks: tuple[tuple[Look, Screenshot | None], ...]
    suspicions: tuple[SuspicionLine, ...]


def own_shown(db: sqlite3.Connection, loaded: Loaded, text: str, now: float) -> OwnShown:
    """The list; of the register those with the text in the number or in a text of it."""
    weights = loaded.settings.reputation

    def line(number: str, own: OwnNumber | None = None, calls: int = 0, last_at: float | None = None) -> NumberLine:
        graded = recent_grade(db, number, now, weights)
        return NumberLine(number, graded, grade_words(graded.grade), GRADE_STATES[graded.grade], own, calls, last_at)

    register, seen = register_of(db), unregistered(db, now - SEEN_SECONDS)
    ours = {own.number: own for own in register}
    found = [own for own in register if has_text(text, own.number, *_texts_of(own))]
    return OwnShown(
        numbers=tuple(line(own.number, own) for own in found[:MOST_SHOWN]),
        found=len(found),
        all=len(register),
        strangers=tuple(line(one.number, ours.get(one.number), one.calls, one.last_at) for one in seen),
        due=(
            *(DueLine(one, _path_of(one, ours.get(one.number))) for one in due_of(register, seen, now + DUE_SECONDS)),
            *(
                DueLine(one, f"/own/{quote(one.number)}?do=watch#watch")
                for one in (*looks_for_suspicions(db), *looks_to_make(db, now + DUE_SECONDS))
            ),
        ),
        latest=latest_changes(db, REGISTER),
    )


def is_known(db: sqlite3.Connection, number: str, now: float) -> bool:
    """Whether the number has a page: it is registered, or went out lately."""
    return own_of(db, number) is not None or bool(
        own_days.days_of(db, number, int(now // DAY_SECONDS) - 1 - HISTORY_DAYS)
    )


def one_shown(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> OneShown | None:
    """The page of a number; None for one that is not registered and never went out."""
    own = own_of(db, number)
    rests_until = own.rests_until if own else None
    health = own_health(db, number, now, loaded.settings.reputation)
    if own is None and not health.facts.days:
        return None
    pictures = {(one.platform, one.at): one for one in screenshots_of(db, number)}
    return OneShown(
        number=number,
        own=own,
        facts=tuple((field.heading, field.shown(own, now)) for field in FIELDS) if own else (),
        health=health,
        grade=grade_words(health.grade),
        state=GRADE_STATES[health.grade],
        rows=rows_of(health),
        days=days_of(health),
        unknown_trunks=tuple(unknown_trunks([own], loaded.settings)) if own else (),
        days_to_rest=max(0, ceil((rests_until - now) / DAY_SECONDS)) if rests_until else 0,
        said=complaints_shown(db, number, now),
        latest=latest_changes(db, REGISTER | TOLD, number),
        looks=tuple((one, pictures.get((one.platform, one.at))) for one in looks_of(db, number, SHOWN_LOOKS)),
        suspicions=tuple(map(_suspicion_line, suspicions_about(db, number))),
        to_owner=owner_sentence(loaded.settings.reputation, people_here(db)),
    )


def _suspicion_line(one: Suspected) -> SuspicionLine:
    there = tuple((labeller_words(who), who) for who in labellers_of(one.suspicion.network))
    return SuspicionLine(suspicion_words(one.suspicion), one.since, there)


def _texts_of(own: OwnNumber) -> list[str]:
    return [getattr(own, field.name) for field in FIELDS if field.kind is FieldKind.TEXT]


def _path_of(due: Due, own: OwnNumber | None) -> str:
    """A stranger is registered; a number that has rested, or was given back, is used again; any other is checked."""
    if own is None:
        return f"/own/new?number={quote(due.number)}"
    form = "use" if due.at in (0.0, own.rests_until) else "check"
    return f"/own/{quote(due.number)}?do={form}#{form}"
