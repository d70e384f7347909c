"""Codes of call-backs: an operator calls a number and says the code, and whoever answers gives it back.

That proves control of the number: for an appeal (`about` is its reference) or for an identity (`about` is the number;
its owner may also key the code in a call from it, reputation/call_in_proof.py). Of a code only a digest is kept, and
of an identity's who is to be recorded (`name`).
"""

from __future__ import annotations

import sqlite3

from reputation.appeals import Code, ProofAnswer, answer_of, digest_of

MAKE = """
INSERT INTO call_back_code (about, number, digest, made_at, tries, name) VALUES (?, ?, ?, ?, 0, ?)
ON CONFLICT (about) DO UPDATE SET digest = excluded.digest, made_at = excluded.made_at, tries = 0, name = excluded.name
"""
NAME = "SELECT name FROM call_back_code WHERE about = ?"
OF = "SELECT digest, made_at, tries FROM call_back_code WHERE about = ?"
TRIED = "UPDATE call_back_code SET tries = tries + 1 WHERE about = ?"
SPENT = "DELETE FROM call_back_code WHERE about = ?"


def keep_code(db: sqlite3.Connection, about: str, number: str, code: str, at: float, name: str = "") -> None:
    """The code counts from now on, for a day and five tries; one that was made before does not any more."""
    db.execute(MAKE, (about, number, digest_of(code, about), at, name))


def name_for(db: sqlite3.Connection, about: str) -> str:
    """Whom a right code proves, as it was said when the code was made; empty where nobody said."""
    return next((name for (name,) in db.execute(NAME, (about,))), "")


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
