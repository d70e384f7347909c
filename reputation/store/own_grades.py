"""The grades of own numbers, as the daemon reads them for a call that goes out."""

from __future__ import annotations

import sqlite3

import msgspec

from reputation.own.grades import Grade, Graded
from reputation.wording import Wording

SET_GRADE = "INSERT OR REPLACE INTO own_grade (number, at, grade, reasons) VALUES (?, ?, ?, ?)"
UNWELL = "SELECT number FROM own_grade WHERE grade <> 'healthy' ORDER BY number"
GRADE = "SELECT at, grade, reasons FROM own_grade WHERE number = ?"
FORGET = "DELETE FROM own_grade WHERE number = ?"


def record_grade(db: sqlite3.Connection, number: str, graded: Graded) -> None:
    """Keeps the grade for the outbound guard; of a number that has none, nothing."""
    if graded.grade is None:
        db.execute(FORGET, (number,))
    else:
        db.execute(SET_GRADE, (number, graded.at, graded.grade.value, msgspec.json.encode(graded.reasons).decode()))


def grade_of(db: sqlite3.Connection, number: str) -> Graded | None:
    """How the number was graded last. A version before this one kept the reasons as finished English."""
    row = db.execute(GRADE, (number,)).fetchone()
    if row is None:
        return None
    reasons = msgspec.json.decode(row[2], type=tuple[Wording | str, ...])
    return Graded(row[0], Grade(row[1]), tuple(Wording(one) if isinstance(one, str) else one for one in reasons))


def unwell_numbers(db: sqlite3.Connection) -> list[str]:
    """The numbers that were not healthy when they were graded last."""
    return [number for (number,) in db.execute(UNWELL)]
