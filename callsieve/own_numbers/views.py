"""Own numbers, their health and due tasks, as the API and the console show them."""

import sqlite3
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Annotated
from urllib.parse import quote

from callsieve.changes.describe import NumberText, number_field
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import Latest, latest_changes
from callsieve.lists.views import MOST_SHOWN, has_text
from callsieve.own_numbers.capability import RECORDED, REGISTER
from callsieve.own_numbers.do_not_call import ComplaintsShown, complaints_shown
from callsieve.own_numbers.fields import FIELDS, FieldKind
from callsieve.own_numbers.figures import GRADE_STATES, DayBar, Row, date_of, days_of, grade_words, rows_of
from callsieve.own_numbers.operations import SEEN_SECONDS, registered, unknown_trunks
from callsieve.settings import Loaded
from reputation.encoding import FLAT, HIDDEN, encoded
from reputation.model import Level
from reputation.own.daily_counts import FiguresWindow, OwnDay
from reputation.own.grades import Due, Grade, Graded, due_of
from reputation.own.health import HealthReason, NumberHealth
from reputation.own.register import NumberState, OwnNumber
from reputation.own.suspicion import Labeller, labeller_words, labellers_of, suspicion_words
from reputation.owner_sentence import owner_sentence
from reputation.store import own_days
from reputation.store.own_health import (
    HISTORY_DAYS,
    Suspected,
    checks_for_suspicions,
    own_health,
    recent_grade,
    suspicions_about,
)
from reputation.store.own_labels import (
    LabelCheck,
    Screenshot,
    label_checks_of,
    label_checks_to_make,
    labels_of,
    latest_label_checks,
    screenshots_of,
)
from reputation.store.own_register import Seen, own_of, register_of, unregistered
from reputation.store.site import people_here
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording


@dataclass(frozen=True, slots=True)
class OwnNumberGraded:
    """A registered own number, with its health grade."""

    own: Annotated[OwnNumber, FLAT]
    graded: Annotated[Graded, FLAT]


@dataclass(frozen=True, slots=True)
class SeenGraded:
    """An unregistered or retired number that was shown on outgoing calls, with its health grade."""

    seen: Annotated[Seen, FLAT]
    graded: Annotated[Graded, FLAT]


@dataclass(frozen=True, slots=True)
class SeenAs:
    """How called people would see one of your numbers if they used CallSieve.

    Attributes:
        level: The action that the evidence alone would justify.
        points: How likely the number is unwanted, as log-odds in points: ten points more mean ten times higher odds.
        families: The log-odds that each family of evidence contributes.
    """

    level: Level
    points: int
    families: dict[str, float]


@dataclass(frozen=True, slots=True)
class DayShown:
    """How many calls a number made on one day, in total and by result."""

    counts: Annotated[OwnDay, FLAT]

    @property
    @encoded
    def day(self) -> date:
        """The date, in the time zones of the called people."""
        return date.fromisoformat(date_of(self.counts.day))


@dataclass(frozen=True, slots=True)
class OwnHealth:
    """The health of an own number. The values are counts, so that the reader can compute shares.

    Attributes:
        grade: The health grade; null if the number made too few calls and no platform labels it.
        reasons: Why the number is not healthy, worst first.
        notes: Findings that do not change the grade, as text.
        judged_days: How many days of calls the grade is based on.
        windows: The counts of the latest 1, 7 and 28 days.
        seen_as: How called people would see the number; null if it made too few calls.
        days: The days with calls, in order.
    """

    grade: Grade | None
    reasons: tuple[HealthReason, ...]
    notes: tuple[Wording, ...]
    judged_days: int
    windows: tuple[FiguresWindow, ...]
    seen_as: SeenAs | None
    days: tuple[DayShown, ...]


@dataclass(frozen=True, slots=True)
class OwnNumberShown:
    """An own number with its health.

    Attributes:
        number: The number in E.164 format.
        register: The number's entry in the list of own numbers; null if the number is not registered.
        health: The health of the number.
        to_owner: A sentence that explains what spam marks can do to the number.
    """

    number: str
    register: OwnNumber | None
    health: OwnHealth
    to_owner: Wording | str
    judged: Annotated[NumberHealth, HIDDEN]


class OwnNumbersRequest(PageQuery, frozen=True, kw_only=True):
    """A query for registered own numbers. `state`: only in this state. `unwell`: only with a grade below `healthy`."""

    state: NumberState | None = None
    unwell: bool = False


def find_own_numbers(
    db: sqlite3.Connection, context: Context, request: OwnNumbersRequest
) -> ResultPage[OwnNumberGraded]:
    """Return registered own numbers with their health grades."""
    numbers = (OwnNumberGraded(own, _grade(db, context, own.number)) for own in register_of(db))
    wanted = (
        row
        for row in numbers
        if request.state in (None, row.own.state) and not (request.unwell and row.graded.grade in (None, Grade.HEALTHY))
    )
    return page_from(wanted, request, lambda row: (row.own.number,), lambda row: row)


def find_unregistered(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[SeenGraded]:
    """Return unregistered or retired numbers seen on recent outgoing calls, busiest first."""
    seen = unregistered(db, context.at - SEEN_SECONDS)
    place = lambda row: (-row.calls, row.number)  # noqa: E731
    return page_from(seen, request, place, lambda row: SeenGraded(row, _grade(db, context, row.number)))


def find_own_number(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberShown:
    """Return an own number with its health."""
    e164, weights = number_field(context, number), context.settings.reputation
    own, health = own_of(db, e164), own_health(db, e164, context.at, weights)
    if own is None and not health.facts.days:
        own = registered(db, e164)  # raises Refused
    return OwnNumberShown(e164, own, _health_shown(health), owner_sentence(weights, people_here(db)), health)


def _grade(db: sqlite3.Connection, context: Context, number: str) -> Graded:
    return recent_grade(db, number, context.at, context.settings.reputation)


def _health_shown(health: NumberHealth) -> OwnHealth:
    view = health.facts.view
    return OwnHealth(
        grade=health.grade,
        reasons=health.reasons,
        notes=health.notes,
        judged_days=health.judged.days,
        windows=health.windows,
        seen_as=view
        and SeenAs(view.level, view.points, {family.name: round(family.log_odds, 3) for family in view.families}),
        days=tuple(map(DayShown, health.facts.days)),
    )


SHOWN_LOOKS = 30
DUE_SECONDS = 14 * 86_400.0


@dataclass(frozen=True, slots=True)
class NumberLine:
    """A row in the list of own numbers. `own`: its registered details, or None. `state`: the colour for the grade.

    `labels`: pairs of a platform and the label, such as `Scam Likely`, that the platform shows for the number.
    """

    number: str
    graded: Graded
    grade: Wording
    state: str
    own: OwnNumber | None = None
    calls: int = 0
    last_at: float | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DueLine:
    """A task that is due, and the page on which somebody can do the task."""

    due: Due
    path: str


@dataclass(frozen=True, slots=True)
class OwnShown:
    """Content of the page of own numbers: registered and unregistered numbers, due tasks and recent changes.

    `found`: how many registered numbers match the search; `all`: how many numbers are registered.
    """

    numbers: tuple[NumberLine, ...]
    found: int
    all: int
    strangers: tuple[NumberLine, ...]
    due: tuple[DueLine, ...]
    latest: tuple[Latest, ...]


@dataclass(frozen=True, slots=True)
class SuspicionLine:
    """A network or country that may label the number since the time `since`, and the platforms that label there."""

    words: Wording
    since: float
    labellers: tuple[tuple[Wording, Labeller], ...]


@dataclass(frozen=True, slots=True)
class OneShown:
    """Content of the page of an own number. `facts`: registered details, each with its heading.

    `labels`: pairs of a platform and the label that the platform shows. `looks`: label checks with screenshots, latest
    first. `unknown_trunks`: trunks of the number that are not in the settings.
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
    complaints: ComplaintsShown
    latest: tuple[Latest, ...]
    to_owner: Wording | str
    labels: tuple[tuple[str, str], ...]
    looks: tuple[tuple[LabelCheck, Screenshot | None], ...]
    suspicions: tuple[SuspicionLine, ...]


def own_shown(db: sqlite3.Connection, loaded: Loaded, text: str, now: float) -> OwnShown:
    """Return the content of the page of own numbers. `text`: show only numbers whose entries contain this text."""
    weights = loaded.settings.reputation

    def line(number: str, own: OwnNumber | None = None, calls: int = 0, last_at: float | None = None) -> NumberLine:
        graded = recent_grade(db, number, now, weights)
        shown = tuple(labels.get(number, ()))
        state = GRADE_STATES[graded.grade]
        return NumberLine(number, graded, grade_words(graded.grade), state, own, calls, last_at, shown)

    labels: dict[str, list[tuple[str, str]]] = {}
    for check in latest_label_checks(db):
        if check.label:
            labels.setdefault(check.number, []).append((check.platform, check.label))

    register, seen = register_of(db), unregistered(db, now - SEEN_SECONDS)
    by_number = {own.number: own for own in register}
    matches = [own for own in register if has_text(text, own.number, *_texts_of(own))]
    matches.sort(key=lambda own: own.number not in labels)  # what a platform shows outranks our own grade
    due_checks = due_of(register, seen, now + DUE_SECONDS)
    label_checks = (*checks_for_suspicions(db), *label_checks_to_make(db, now + DUE_SECONDS))
    return OwnShown(
        numbers=tuple(line(own.number, own) for own in matches[:MOST_SHOWN]),
        found=len(matches),
        all=len(register),
        strangers=tuple(line(row.number, by_number.get(row.number), row.calls, row.last_at) for row in seen),
        due=(
            *(DueLine(due, _path_of(due, by_number.get(due.number))) for due in due_checks),
            *(DueLine(due, f"/own/{quote(due.number)}?do=watch#watch") for due in label_checks),
        ),
        latest=latest_changes(db, REGISTER),
    )


def is_known(db: sqlite3.Connection, number: str, now: float) -> bool:
    """Return whether the number has a page: it is registered, or was shown on recent outgoing calls."""
    return own_of(db, number) is not None or bool(
        own_days.days_of(db, number, int(now // DAY_SECONDS) - 1 - HISTORY_DAYS)
    )


def one_shown(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> OneShown | None:
    """Return the content of a number's page; None if the number is neither registered nor shown on outgoing calls."""
    own = own_of(db, number)
    rests_until = own.rests_until if own else None
    health = own_health(db, number, now, loaded.settings.reputation)
    if own is None and not health.facts.days:
        return None
    pictures = {(picture.platform, picture.at): picture for picture in screenshots_of(db, number)}
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
        complaints=complaints_shown(db, number, now),
        latest=latest_changes(db, REGISTER | RECORDED, number),
        labels=labels_of(db, number),
        looks=tuple(
            (check, pictures.get((check.platform, check.at))) for check in label_checks_of(db, number, SHOWN_LOOKS)
        ),
        suspicions=tuple(map(_suspicion_line, suspicions_about(db, number))),
        to_owner=owner_sentence(loaded.settings.reputation, people_here(db)),
    )


def _suspicion_line(suspected: Suspected) -> SuspicionLine:
    labellers = tuple((labeller_words(who), who) for who in labellers_of(suspected.suspicion.network))
    return SuspicionLine(suspicion_words(suspected.suspicion), suspected.since, labellers)


def _texts_of(own: OwnNumber) -> list[str]:
    return [getattr(own, field.name) for field in FIELDS if field.kind is FieldKind.TEXT]


def _path_of(due: Due, own: OwnNumber | None) -> str:
    # What to do: register an unregistered number, reuse one that rested or was retired, check any other.
    if own is None:
        return f"/own/new?number={quote(due.number)}"
    form = "use" if due.at in (0.0, own.rests_until) else "check"
    return f"/own/{quote(due.number)}?do={form}#{form}"
