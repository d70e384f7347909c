"""Guidance on avoiding spam marks, and a leaflet for customers. The texts are in own_numbers/texts/guidance-*.toml."""

import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from callsieve.own_numbers.figures import share_words
from callsieve.settings import Settings
from callsieve.text.times import day
from callsieve.web.rendering import document_of
from reputation.own.daily_counts import MONTH, FiguresWindow, percent
from reputation.own.health import NumberHealth
from reputation.own.register import NumberState
from reputation.store.do_not_call import count_do_not_call
from reputation.store.own_days import NO_REPEATS, WeeklyRepeats, calling_numbers, weekly_repeats
from reputation.store.own_health import own_health
from reputation.store.own_register import register_of
from reputation.weights import DAY_SECONDS

LANGUAGES = ("en", "zh")

# The rules of the guidance in order, with the measures of the health that decide the colour of each. The texts have a
# title, a reason and a sentence with the own figures for each rule.
MEASURES_BY_RULE: dict[str, tuple[str, ...]] = {
    "hours": ("outside",),
    "repeats": ("repeated",),
    "again": (),
    "patience": ("abandoned",),
    "short": ("short",),
    "answer": ("unanswered",),
    "slowly": ("young", "burst", "spike"),
    "no": ("unwanted",),
    "back": (),
    "name": ("blocked",),
}
CLASS_BY_GRADE = {"healthy": "healthy", "watch": "watch", "at_risk": "risk"}


@dataclass(frozen=True, slots=True)
class GuidanceFigures:
    """The company's statistics of the last 28 days.

    `numbers`: the health of each number that called. `registered` and `due`: how many of these numbers are registered,
    and how many are due for a check. `weekly`: how many people were called three or more times within seven days.
    """

    numbers: Sequence[NumberHealth]
    registered: int = 0
    due: int = 0
    do_not_call: int = 0
    first_hour: int = 8
    last_hour: int = 21
    weekly: WeeklyRepeats = NO_REPEATS

    def total(self, name: str) -> int:
        """Return the sum of the 28-day statistic `name` over all numbers."""
        return int(sum(getattr(_month(number), name) for number in self.numbers))


def company_of(db: sqlite3.Connection, now: float, settings: Settings) -> GuidanceFigures:
    """Return the company's own statistics. This takes up to half a second for each busy number."""
    numbers = calling_numbers(db, int(now // DAY_SECONDS) - MONTH)
    register = {own.number: own for own in register_of(db) if own.state is not NumberState.RETIRED}
    registered = [register[number] for number in numbers if number in register]
    return GuidanceFigures(
        numbers=[own_health(db, number, now, settings.reputation) for number in numbers],
        registered=len(registered),
        due=sum(own.next_check_at is not None and own.next_check_at <= now for own in registered),
        do_not_call=count_do_not_call(db),
        first_hour=settings.outbound.first_hour,
        last_hour=settings.outbound.last_hour,
        weekly=weekly_repeats(db, int(now // DAY_SECONDS)),
    )


@cache
def texts_of(language: str) -> dict[str, str]:
    """Return all texts in a language of LANGUAGES, with placeholders for the company's statistics."""
    text = (files("callsieve.own_numbers") / "texts" / f"guidance-{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


def guidance_page(company: GuidanceFigures, language: str, made_at: float) -> str:
    """Return the page for call-centre managers, as HTML."""
    say = texts_of(language)
    calls = f"{company.total('attempts'):,}"
    shown = {
        "say": say,
        "made": say["made"].format(date=day(made_at), calls=calls, numbers=len(company.numbers)),
        "numbers": [_number(number) for number in company.numbers],
        "rules": _rules(company, say),
    }
    return document_of("own_numbers", "guidance.html", language, shown)


def leaflet_page(language: str, settings: Settings) -> str:
    """Return the page for customers. It explains appeals only if rejected callers hear a reference for an appeal."""
    say, outbound = texts_of(language), settings.outbound
    hours = {"first": outbound.first_hour, "last": outbound.last_hour}
    declined = "appeal" if settings.actions.appeal else "declined"
    keys = [f"leaflet-{what}" for what in ("check", "name", "voicemail", declined, "calls", "warned")]
    cards = [(say[key], say[f"{key}-why"].format(**hours)) for key in keys]
    return document_of("own_numbers", "leaflet.html", language, {"say": say, "cards": cards})


def figures_of(company: GuidanceFigures) -> dict[str, dict[str, object]]:
    """Return the statistics that each rule of the guidance quotes, by the name of the rule."""
    calls, answered = company.total("attempts"), company.total("answered")

    def of(part: str, whole: int) -> dict[str, object]:
        count = company.total(part)
        share = percent(count / whole) if whole else "0%"
        return {part: f"{count:,}", "share": share, "calls": f"{calls:,}", "answered": f"{answered:,}"}

    most = max((_month(number).most for number in company.numbers), default=0)
    bursting = sum(
        any(reason.measure in MEASURES_BY_RULE["slowly"] for reason in number.reasons) for number in company.numbers
    )
    return {
        "hours": of("outside", calls) | {"first": company.first_hour, "last": company.last_hour},
        "repeats": {"repeated": f"{company.total('repeated'):,}", "most": most},
        "again": {
            "often": f"{company.weekly.often:,}",
            "people": f"{company.weekly.people:,}",
            "share": percent(company.weekly.often / company.weekly.people) if company.weekly.people else "0%",
        },
        "patience": of("abandoned", calls),
        "short": of("short", answered),
        "answer": of("answered", calls) | {"failed": f"{company.total('failed'):,}"},
        "slowly": {"young": bursting},
        "no": {"unwanted": f"{company.total('unwanted'):,}", "listed": f"{company.do_not_call:,}"},
        "back": {"called_back": f"{company.total('called_back'):,}"},
        "name": {"registered": company.registered, "numbers": len(company.numbers), "due": company.due},
    }


def _number(health: NumberHealth) -> dict[str, Any]:
    month = _month(health)
    return {
        "number": health.facts.number,
        "grade": health.grade or "none",
        "look": CLASS_BY_GRADE[health.grade] if health.grade else "",
        "view": health.facts.view,
        "figures": {
            "calls": f"{month.attempts:,}",
            "answered": share_words(month.answered, month.attempts),
            "short": share_words(month.short, month.answered),
            "outside": share_words(month.outside, month.attempts),
            "repeated": share_words(month.repeated, month.person_days),
            "unwanted": share_words(month.unwanted, month.people),
        },
    }


def _rules(company: GuidanceFigures, say: Mapping[str, str]) -> list[dict[str, str]]:
    figures = figures_of(company)
    return [
        {
            "title": say[rule],
            "why": say[f"{rule}-why"].format(**figures[rule]),
            "yours": say[f"{rule}-you"].format(**figures[rule]),
            "look": _worst(company, measures),
        }
        for rule, measures in MEASURES_BY_RULE.items()
    ]


def _worst(company: GuidanceFigures, measures: Sequence[str]) -> str:
    reasons = (reason for number in company.numbers for reason in number.reasons)
    grades = {reason.grade.value for reason in reasons if reason.measure in measures}
    is_measured = measures and any(number.grade for number in company.numbers)
    return next(
        (CLASS_BY_GRADE[grade] for grade in ("at_risk", "watch") if grade in grades), "healthy" if is_measured else ""
    )


def _month(health: NumberHealth) -> FiguresWindow:
    return health.windows[-1]
