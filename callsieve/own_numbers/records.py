"""Own numbers, their grades and how they are doing, for scripts and programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from callsieve.own_numbers.figures import date_of
from reputation.model import Reputation
from reputation.own.grades import Grade, Graded
from reputation.own.health import NumberHealth
from reputation.own.register import OwnNumber


def number_as_json(own: OwnNumber) -> dict[str, Any]:
    """The entry of the register."""
    return {**asdict(own), "rests_until": own.rests_until}


def grade_as_json(graded: Graded) -> dict[str, Any]:
    """The grade of a list's row."""
    return {
        **_grade_fields(graded.grade),
        "reasons": [str(one.words) for one in graded.reasons],
        "graded_at": graded.at,
    }


def health_as_json(health: NumberHealth) -> dict[str, Any]:
    """All of it: figures are counts; shares are left to the reader."""
    facts = health.facts
    return {
        **_grade_fields(health.grade),
        "reasons": [
            {"measure": one.measure, "grade": one.grade.value, "words": str(one.words)} for one in health.reasons
        ],
        "notes": list(map(str, health.notes)),
        "judged_days": health.judged.days,
        "windows": [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in health.windows],
        "seen_as": _seen_as_json(facts.view) if facts.view else None,
        "days": [{**day._asdict(), "day": date_of(day.day)} for day in facts.days],
    }


def _seen_as_json(view: Reputation) -> dict[str, Any]:
    families = {family.name: round(family.log_odds, 3) for family in view.families}
    return {"level": view.level.word, "points": view.points, "families": families}


def _grade_fields(grade: Grade | None) -> dict[str, Any]:
    """Null where there were too few calls to say anything."""
    return {"grade": grade, "too_few_calls": grade is None}
