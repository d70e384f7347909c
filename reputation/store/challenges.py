"""Challenges: what the caller of a call did, by call and by number."""

from __future__ import annotations

import sqlite3

from reputation.model import AuthClass, Challenged, ChallengeResult
from reputation.store.standing import refresh

# What is known of the call when it is over is better than what was told during it, whichever is written first.
TELL = """
INSERT INTO challenge (number, auth_class, epoch, linkedid, did, result, at)
VALUES (:number, :auth_class, :epoch, :linkedid, :did, :result, :at) ON CONFLICT DO NOTHING
"""
SETTLE = """
INSERT INTO challenge (number, auth_class, epoch, linkedid, did, result, at)
VALUES (:number, :auth_class, :epoch, :linkedid, :did, :result, :at)
ON CONFLICT DO UPDATE SET did = excluded.did, result = excluded.result, at = excluded.at
"""
RESULT = """
INSERT INTO challenge_result (linkedid, result, at) VALUES (?, ?, ?)
ON CONFLICT (linkedid) DO UPDATE SET result = excluded.result, at = excluded.at WHERE excluded.at > at
"""
OF_CALL = "SELECT result FROM challenge_result WHERE linkedid = ?"
RESULTS = "SELECT result, count(*) FROM challenge_result WHERE at >= ? AND at < ? GROUP BY 1 ORDER BY 2 DESC, 1"
LATEST_PASS = "SELECT max(at) FROM challenge WHERE number = ? AND auth_class = ? AND result = 'passed'"


def record_challenge(
    db: sqlite3.Connection, linkedid: str, number: str | None, auth_class: AuthClass, result: ChallengeResult, at: float
) -> None:
    """How a challenge ended, told while the call lasts: for its outcome, and at once for the number."""
    if linkedid:
        db.execute(RESULT, (linkedid, result.value, at))
    if number is not None:
        db.execute(TELL, _parameters(Challenged(number, auth_class, "", result, at, linkedid)))
        refresh(db, number)


def settle_challenge(db: sqlite3.Connection, challenged: Challenged) -> None:
    """The same once the call is over. Its number is to be folded again in the same transaction."""
    db.execute(SETTLE, _parameters(challenged))


def challenge_result_of(db: sqlite3.Connection, linkedid: str) -> ChallengeResult | None:
    """What the caller of a call did when challenged; None: nothing is known of it."""
    return next((ChallengeResult(result) for (result,) in db.execute(OF_CALL, (linkedid,))), None)


def challenge_results(db: sqlite3.Connection, since: float, until: float) -> dict[ChallengeResult, int]:
    """What callers did who were challenged from `since` until before `until`, and how many; the most first."""
    return {ChallengeResult(result): calls for result, calls in db.execute(RESULTS, (since, until))}


def latest_challenge_pass(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> float | None:
    """When the number last passed one."""
    (at,) = db.execute(LATEST_PASS, (number, auth_class)).fetchone()
    return None if at is None else float(at)


def _parameters(challenged: Challenged) -> dict[str, object]:
    return {
        "number": challenged.number,
        "auth_class": challenged.auth_class.value,
        "epoch": challenged.epoch,
        "linkedid": challenged.linkedid,
        "did": challenged.did,
        "result": challenged.result.value,
        "at": challenged.at,
    }
