"""How own numbers are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from callsieve.cli.output import bold, cells_of, console, dim, plural, print_pairs, print_table, say
from callsieve.own_numbers.fields import FIELDS
from callsieve.own_numbers.figures import MEASURES, date_of, grade_words
from callsieve.text.times import ago, day
from reputation.explaining import sentence_of_families
from reputation.own.grades import Grade, Graded
from reputation.own.health import HealthReason, NumberHealth
from reputation.own.register import OwnNumber
from reputation.store.own_register import Seen

COLOUR_BY_GRADE = {"healthy": "green", "watch": "yellow", "at risk": "red"}
SHOWN_DAYS = 28
WIDTH = 10  # of the names of what is known of a number


def grade_word(grade: Grade | None) -> Text:
    """The grade, in its colour."""
    return Text(str(grade_words(grade)), style=COLOUR_BY_GRADE[grade] if grade else "dim")


def _because(reason: HealthReason) -> Text:
    """How bad it is, and in words."""
    return Text.assemble(grade_word(reason.grade), f": {reason.words}")


def print_health(health: NumberHealth) -> None:
    """The grade with its reasons, the figures of a day, a week and four weeks, and the days as bars."""

    print_pairs(
        (
            ("grade", grade_word(health.grade)),
            ("because", Text("\n").join(map(_because, health.reasons))),
            ("seen as", _seen(health)),
            ("note", dim("; ".join(map(str, health.notes))) if health.notes else ""),
        ),
        WIDTH,
    )
    if not health.windows[-1].attempts:
        return
    print()
    headings = ("", "latest day", "7 days", "28 days")
    rows = [(one.words, *(str(one.show(window)) for window in health.windows)) for one in MEASURES]
    print_table(headings, rows, keep=range(4), right=(1, 2, 3))
    _print_days(health)


def _seen(health: NumberHealth) -> str:
    """What our own model says of the number, from the called people's side."""
    view = health.facts.view
    if view is None:
        return ""
    why = sentence_of_families(view.families)
    return f"{view.level.word}, {view.points:+d} points, by the people it called{f': {why}' if why else ''}"


def _print_days(health: NumberHealth) -> None:
    """Each day of the last four weeks: its calls, and of these those that were answered."""

    days = [day for day in health.facts.days if day.day > health.facts.today - SHOWN_DAYS and day.attempts]
    if not days:
        return
    most = max(day.attempts for day in days)
    width = min(60, max(10, console().width - 40))
    rows = []
    for counted in days:
        answered, other = cells_of([counted.answered, counted.attempts - counted.answered], most, width)
        bar = Text("█" * answered, style="green") + Text("░" * other, style="dim")
        rows.append((date_of(counted.day), f"{counted.attempts:,}", f"{counted.answered:,}", bar))
    print()
    print_table(("day", "calls", "answered", ""), rows, keep=(0, 1, 2, 3), right=(1, 2))


def details_of(own: OwnNumber, now: float) -> None:
    """The entry of the register, a line for each thing that is known."""
    print_pairs(
        (
            ("number", bold(own.number)),
            *((str(field.heading), str(field.shown(own, now))) for field in FIELDS),
            ("checked", day(own.checked_at) if own.checked_at else ""),
            ("state", state_in_words(own, now)),
        )
    )


def state_in_words(own: OwnNumber, now: float) -> str:
    """`active since 2026-11-25`, `resting until ...`."""
    until = own.rests_until
    if until is None:
        return f"{own.state.value} since {day(own.since)}"
    return f"resting until {day(until)}" if until > now else f"has rested since {day(own.since)}: may be used again"


def print_list(
    register: Sequence[OwnNumber], strangers: Sequence[Seen], grades: Mapping[str, Graded], now: float
) -> None:
    """The register as a table, and below it what goes out and is not in it, or is retired; what is wrong with which."""
    if register:
        rows = [
            (
                one.number,
                grade_word(grades[one.number].grade),
                one.name,
                _state_in_short(one, now),
                _next_text(one, now),
                one.purpose,
            )
            for one in register
        ]
        print_table(("number", "grade", "name", "state", "next check", "purpose"), rows, keep=(0, 1, 4))
    else:
        say("No number is registered: `callsieve own add NUMBER`.")
    if strangers:
        say(f"{plural(len(strangers), 'number')} more, seen going out and not registered or given back:")
        seen = [
            (
                one.number,
                grade_word(grades[one.number].grade),
                plural(one.calls, "call"),
                f"the latest {ago(one.last_at, now)}",
            )
            for one in strangers
        ]
        print_table((), seen, keep=(0, 1), right=(2,))
    for number, graded in grades.items():
        for reason in graded.reasons:
            say(f"{number}: {reason.words}")


def _state_in_short(own: OwnNumber, now: float) -> str:
    until = own.rests_until
    if until is None:
        return own.state.value
    return f"resting until {day(until)}" if until > now else "has rested"


def _next_text(own: OwnNumber, now: float) -> str:
    if own.state.value == "retired" or own.next_check_at is None:
        return ""
    return "due" if own.next_check_at <= now else day(own.next_check_at)
