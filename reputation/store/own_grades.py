"""The grades of own numbers, as the daemon reads them for a call that goes out."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from reputation.events import EventKind, GradeChanged
from reputation.own.grades import REASON_WORDS, Grade, Graded, GradeReason
from reputation.store.outbox import add_event

# On the right of SET the columns are those of the grade before.
SET_GRADE = """
INSERT INTO own_grade (number, at, grade, reasons) VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE
SET before = iif(grade <> excluded.grade, grade, before),
    changed_at = iif(grade <> excluded.grade, excluded.at, changed_at),
    at = excluded.at, grade = excluded.grade, reasons = excluded.reasons
"""
UNWELL = "SELECT number FROM own_grade WHERE grade <> 'healthy' ORDER BY number"
GRADE = "SELECT at, grade, reasons FROM own_grade WHERE number = ?"
CHANGED = """
SELECT number, changed_at, before, grade, reasons FROM own_grade
 WHERE changed_at >= ? AND changed_at < ? ORDER BY changed_at, number
"""
FORGET = "DELETE FROM own_grade WHERE number = ?"


class GradeChange(NamedTuple):
    """A number whose grade is another one since `at`. `reasons`: those of now."""

    number: str
    at: float
    before: Grade
    grade: Grade
    reasons: tuple[GradeReason, ...]


def record_grade(db: sqlite3.Connection, number: str, graded: Graded) -> None:
    """Keeps the grade for the outbound guard; of a number that has none, nothing."""
    row = db.execute(GRADE, (number,)).fetchone()
    before, grade = row and row[1], graded.grade and graded.grade.value
    if before != grade:
        data = GradeChanged(
            number=number, before=before, grade=grade, reasons=tuple(one.code for one in graded.reasons)
        )
        add_event(db, EventKind.GRADE_CHANGED, number, graded.at, data)
    if graded.grade is None:
        db.execute(FORGET, (number,))
    else:
        reasons = [{"code": one.code, **one.figures} for one in graded.reasons]
        db.execute(SET_GRADE, (number, graded.at, graded.grade.value, json.dumps(reasons)))


def grade_of(db: sqlite3.Connection, number: str) -> Graded | None:
    """How the number was graded last. Reasons that another version kept are left out: they are found again hourly."""
    row = db.execute(GRADE, (number,)).fetchone()
    return None if row is None else Graded(row[0], Grade(row[1]), _reasons(row[2]))


def changed_grades(db: sqlite3.Connection, since: float, until: float) -> list[GradeChange]:
    """The numbers whose grade changed last from `since` until before `until`, in that order."""
    return [
        GradeChange(number, at, Grade(before), Grade(grade), _reasons(reasons))
        for number, at, before, grade, reasons in db.execute(CHANGED, (since, until))
    ]


def unwell_numbers(db: sqlite3.Connection) -> list[str]:
    """The numbers that were not healthy when they were graded last."""
    return [number for (number,) in db.execute(UNWELL)]


def _reasons(text: str) -> tuple[GradeReason, ...]:
    kept = [one for one in json.loads(text) if isinstance(one, dict) and one.get("code") in REASON_WORDS]
    return tuple(GradeReason(one.pop("code"), one) for one in kept)
