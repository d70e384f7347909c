"""How the health of own numbers is shown in a terminal, and as JSON."""

from __future__ import annotations

from rich.text import Text

from callsieve.cli.output import console, dim, print_pairs, print_table
from callsieve.own_numbers.figures import MEASURES, date_of, grade_words
from callsieve.text.bars import cells_of
from reputation.explaining import sentence_of_families
from reputation.own.grades import Grade
from reputation.own.health import HealthReason, NumberHealth

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
    for day in days:
        answered, other = cells_of([day.answered, day.attempts - day.answered], most, width)
        bar = Text("█" * answered, style="green") + Text("░" * other, style="dim")
        rows.append((date_of(day.day), f"{day.attempts:,}", f"{day.answered:,}", bar))
    print()
    print_table(("day", "calls", "answered", ""), rows, keep=(0, 1, 2, 3), right=(1, 2))
