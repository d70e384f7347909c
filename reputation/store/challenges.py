"""Challenges: what the caller of a call did, and the latest pass per number and auth class, which decisions ask for."""

from __future__ import annotations

import sqlite3

from reputation.model import AuthClass, ChallengeResult

RECORD = """
INSERT INTO challenge_pass (number, auth_class, at) VALUES (?, ?, ?)
ON CONFLICT (number, auth_class) DO UPDATE SET at = max(at, excluded.at)
"""
RESULT = """
INSERT INTO challenge_result (linkedid, result, at) VALUES (?, ?, ?)
ON CONFLICT (linkedid) DO UPDATE SET result = excluded.result, at = excluded.at WHERE excluded.at > at
"""
OF_CALL = "SELECT result FROM challenge_result WHERE linkedid = ?"
LATEST = "SELECT at FROM challenge_pass WHERE number = ? AND auth_class = ?"


def record_challenge_pass(db: sqlite3.Connection, number: str, auth_class: AuthClass, at: float) -> None:
    """A caller with this number, on a call of this class, has passed a challenge."""
    db.execute(RECORD, (number, auth_class, at))


def record_challenge(
    db: sqlite3.Connection, linkedid: str, number: str | None, auth_class: AuthClass, result: ChallengeResult, at: float
) -> None:
    """How a challenge ended: for the outcome of the call, and for the number if it was passed."""
    if linkedid:
        db.execute(RESULT, (linkedid, result.value, at))
    if number is not None and result is ChallengeResult.PASSED:
        record_challenge_pass(db, number, auth_class, at)


def challenge_result_of(db: sqlite3.Connection, linkedid: str) -> ChallengeResult | None:
    """What the caller of a call did when challenged; None: nothing is known of it."""
    return next((ChallengeResult(result) for (result,) in db.execute(OF_CALL, (linkedid,))), None)


def latest_challenge_pass(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> float | None:
    """When that last happened."""
    return next((at for (at,) in db.execute(LATEST, (number, auth_class))), None)
