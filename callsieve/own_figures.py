"""The figures of an own number as people see them, in the terminal and in the console. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from reputation.own.figures import Window
from reputation.wording import Wording


def date_of(day: int) -> str:
    """`2026-11-25` of days since 1970."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def _of(part: str, whole: str) -> Callable[[Window], str]:
    """A share, with the count that it stands for."""

    def show(window: Window) -> str:
        total, count = getattr(window, whole), getattr(window, part)
        return f"{count:,} ({count / total:.0%})" if total else "-"

    return show


def _a_day(window: Window) -> Wording:
    return Wording("{average:.1f}, at most {most}", {"average": window.calls_per_person_day, "most": window.most})


# What is shown of each window, in order.
MEASURES: tuple[tuple[str, Callable[[Window], str | Wording]], ...] = (
    ("calls made", lambda window: f"{window.attempts:,}"),
    ("people called", lambda window: f"{window.people:,}"),
    ("answered", _of("answered", "attempts")),
    ("over within 6 s, of those", _of("short", "answered")),
    ("not taken", _of("unanswered", "attempts")),
    ("given up too early", _of("abandoned", "attempts")),
    ("no such number, or failed", _of("failed", "attempts")),
    ("at a bad hour", _of("outside", "attempts")),
    ("calls a person and day", _a_day),
    ("called three times or more", _of("repeated", "person_days")),
    ("called us back", lambda window: f"{window.called_back:,}"),
    ("complaints, no more calls", _of("unwanted", "people")),
)
