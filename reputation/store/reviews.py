"""Reviews: somebody looks at a burst of marks, and corrects those that are wrong.

numbers_to_review(db)                       bursts that weigh nothing until somebody has looked
review(db, number, at, who)                 somebody has: the marks count
correct(db, Correction(...), at)            the marks of these reporters are wrong, and never count
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.model import AuthClass, Verdict
from reputation.store.evidence_rows import rows_of
from reputation.store.standing import settle_case, unsettle_case
from reputation.store.tombstones import Tombstone, add_tombstone, remove_tombstones

REVIEW = """
INSERT INTO review (number, at, who) VALUES (?, ?, ?)
ON CONFLICT (number) DO UPDATE SET at = excluded.at, who = excluded.who WHERE excluded.at > at
"""
OF = "SELECT number, at, who FROM review WHERE number = ?"
FORGET = "DELETE FROM review WHERE number = ? RETURNING number, at, who"
TO_REVIEW = """
SELECT number, auth_class, burst_at, reporters FROM standing
 WHERE burst_at IS NOT NULL AND behaviour <= 0 AND (:number IS NULL OR number = :number)
   AND NOT EXISTS (SELECT 1 FROM review WHERE review.number = standing.number AND review.at > burst_at)
 ORDER BY burst_at DESC, number
"""
CORRECTED = "SELECT number, reporter FROM tombstone WHERE case_id = ? AND reporter <> '' ORDER BY reporter"


class Review(NamedTuple):
    """Who has looked at the marks of a number, and when last."""

    number: str
    at: float
    who: str


class Burst(NamedTuple):
    """Many marks at once of a number that behaves well: they weigh nothing until somebody has looked."""

    number: str
    auth_class: AuthClass
    at: float
    reporters: int


class Correction(NamedTuple):
    """An administrator has found the spam marks of these reporters wrong. `case_id`: a new id (reputation/ids.py)."""

    case_id: str
    number: str
    reporters: tuple[str, ...]


def review(db: sqlite3.Connection, number: str, at: float, who: str) -> None:
    """Somebody has looked at the marks of the number: those of a burst before `at` count from now on."""
    db.execute(REVIEW, (number, at, who))


def review_of(db: sqlite3.Connection, number: str) -> Review | None:
    """The last look at the number's marks."""
    return next((Review(*row) for row in db.execute(OF, (number,))), None)


def forget_review(db: sqlite3.Connection, number: str) -> Review | None:
    """Nobody has looked: the bursts of the number wait again. None: nobody had."""
    return next((Review(*row) for row in db.execute(FORGET, (number,)).fetchall()), None)


def numbers_to_review(db: sqlite3.Connection, number: str | None = None) -> list[Burst]:
    """Bursts of marks that nobody has looked at, of all numbers or this one, the latest first."""
    rows = db.execute(TO_REVIEW, {"number": number})
    return [Burst(row[0], AuthClass(row[1]), *row[2:]) for row in rows]


def reporters_of(db: sqlite3.Connection, number: str) -> list[str]:
    """Who says of the number that it is spam, as far as that counts."""
    return sorted({mark.reporter for mark in rows_of(db, number).marks if mark.verdict is Verdict.SPAM})


def correct(db: sqlite3.Connection, correction: Correction, at: float) -> None:
    """The spam marks that these reporters have made until now never count, whoever sends them again, and the reporters
    are trusted a little less.
    """
    for reporter in correction.reporters:
        add_tombstone(db, Tombstone(correction.number, reporter, correction.case_id, at))
    settle_case(db, correction.reporters, correction.case_id, False, at)


def correction_of(db: sqlite3.Connection, case_id: str) -> Correction | None:
    """The correction of this id; None: there is no such correction."""
    rows = db.execute(CORRECTED, (case_id,)).fetchall()
    return Correction(case_id, rows[0][0], tuple(reporter for _, reporter in rows)) if rows else None


def undo_correction(db: sqlite3.Connection, case_id: str) -> None:
    """The marks were right: they count again, and so does the trust in who made them."""
    remove_tombstones(db, case_id)
    unsettle_case(db, case_id)
