"""The grades of own numbers, as the daemon reads them for a call that goes out."""

from __future__ import annotations

import json
import sqlite3

from reputation.own.grades import REASON_WORDS, Grade, Graded, GradeReason

SET_GRADE = "INSERT OR REPLACE INTO own_grade (number, at, grade, reasons) VALUES (?, ?, ?, ?)"
UNWELL = "SELECT number FROM own_grade WHERE grade <> 'healthy' ORDER BY number"
GRADE = "SELECT at, grade, reasons FROM own_grade WHERE number = ?"
FORGET = "DELETE FROM own_grade WHERE number = ?"


def record_grade(db: sqlite3.Connection, number: str, graded: Graded) -> None:
    """Keeps the grade for the outbound guard; of a number that has none, nothing."""
    if graded.grade is None:
        db.execute(FORGET, (number,))
    else:
        reasons = [{"code": one.code, **one.figures} for one in graded.reasons]
        db.execute(SET_GRADE, (number, graded.at, graded.grade.value, json.dumps(reasons)))


def grade_of(db: sqlite3.Connection, number: str) -> Graded | None:
    """How the number was graded last. Reasons that another version kept are left out: they are found again hourly."""
    row = db.execute(GRADE, (number,)).fetchone()
    if row is None:
        return None
    kept = [one for one in json.loads(row[2]) if isinstance(one, dict) and one.get("code") in REASON_WORDS]
    return Graded(row[0], Grade(row[1]), tuple(GradeReason(one.pop("code"), one) for one in kept))


def unwell_numbers(db: sqlite3.Connection) -> list[str]:
    """The numbers that were not healthy when they were graded last."""
    return [number for (number,) in db.execute(UNWELL)]
