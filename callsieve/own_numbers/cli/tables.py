"""How own numbers are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callsieve.cli.output import bold, plural, print_pairs, print_table, say
from callsieve.own_numbers.cli.health_table import grade_word
from callsieve.own_numbers.fields import FIELDS
from callsieve.text.times import ago, day
from reputation.own.grades import Graded
from reputation.own.register import OwnNumber
from reputation.store.own_register import Seen


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
