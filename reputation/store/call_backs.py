"""Codes of call-backs: an operator calls a number and says the code, and whoever answers gives it back.

That proves control of the number: for an appeal (`about` is its reference) or for an identity (`about` is the number).
Of a code only a digest is kept.
"""

from __future__ import annotations

import sqlite3

from reputation.appeals import Code, ProofAnswer, answer_of, digest_of

MAKE = """
INSERT INTO call_back_code (about, number, digest, made_at, tries) VALUES (?, ?, ?, ?, 0)
ON CONFLICT (about) DO UPDATE SET digest = excluded.digest, made_at = excluded.made_at, tries = 0
"""
OF = "SELECT digest, made_at, tries FROM call_back_code WHERE about = ?"
TRIED = "UPDATE call_back_code SET tries = tries + 1 WHERE about = ?"
SPENT = "DELETE FROM call_back_code WHERE about = ?"


def keep_code(db: sqlite3.Connection, about: str, number: str, code: str, at: float) -> None:
    """The code counts from now on, for a day and five tries; one that was made before does not any more."""
    db.execute(MAKE, (about, number, digest_of(code, about), at))


def code_of(db: sqlite3.Connection, about: str) -> Code | None:
    """The code as it is kept."""
    return next((Code(*row) for row in db.execute(OF, (about,))), None)


def try_code(db: sqlite3.Connection, about: str, text: str, at: float) -> ProofAnswer:
    """Whether the text is the code. A right one is used up, a wrong one is counted: keep the transaction."""
    answer = answer_of(code_of(db, about), text, about, at)
    if answer is ProofAnswer.RIGHT:
        db.execute(SPENT, (about,))
    elif answer is ProofAnswer.WRONG:
        db.execute(TRIED, (about,))
    return answer
