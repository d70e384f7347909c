"""Store evidence from calls: signals, answers, conversations, challenges. Calls may come in any order and twice."""

import sqlite3

from reputation.model import Answered, AuthClass, Challenged, ChallengeResult
from reputation.outcome import OutcomeRecord, Signal
from reputation.signals import ANOTHER_DAY_SECONDS, lessons_of
from reputation.store.standing import refresh

# The result known after the call is better than the one reported during it, whichever is written first.
ADD_RESULT = """
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
    """Store a challenge's result during the call, as evidence about the number and for the call's later outcome."""
    if linkedid:
        db.execute(RESULT, (linkedid, result.value, at))
    if number is not None:
        db.execute(ADD_RESULT, _challenge_parameters(Challenged(number, auth_class, "", result, at, linkedid)))
        refresh(db, number)


def settle_challenge(db: sqlite3.Connection, challenged: Challenged) -> None:
    """Store a challenge's final result after the call. Then call `refresh` for its number, in the same transaction."""
    db.execute(SETTLE, _challenge_parameters(challenged))


def challenge_result_of(db: sqlite3.Connection, linkedid: str) -> ChallengeResult | None:
    """Return how the caller answered the challenge of this call; None if unknown."""
    return next((ChallengeResult(result) for (result,) in db.execute(OF_CALL, (linkedid,))), None)


def challenge_results(db: sqlite3.Connection, since: float, until: float) -> dict[ChallengeResult, int]:
    """Count challenges by result between `since` and `until` (exclusive), the most frequent result first."""
    return {ChallengeResult(result): calls for result, calls in db.execute(RESULTS, (since, until))}


def latest_challenge_pass(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> float | None:
    """Return when a caller with this number last passed a challenge in a call of this auth class; None if never."""
    (at,) = db.execute(LATEST_PASS, (number, auth_class)).fetchone()
    return None if at is None else float(at)


def _challenge_parameters(challenged: Challenged) -> dict[str, object]:
    return {
        "number": challenged.number,
        "auth_class": challenged.auth_class.value,
        "epoch": challenged.epoch,
        "linkedid": challenged.linkedid,
        "did": challenged.did,
        "result": challenged.result.value,
        "at": challenged.at,
    }


# One call, one signal: a second report of it (its CDR) with another category adds nothing.
ADD_SIGNAL = """
INSERT INTO signal (number, auth_class, epoch, callee, category, at, linkedid)
SELECT :number, :auth_class, :epoch, :callee, :category, :at, :linkedid
 WHERE NOT EXISTS (SELECT 1 FROM signal WHERE number = :number AND linkedid = :linkedid AND category <> :category)
ON CONFLICT (number, auth_class, epoch, callee, category) DO UPDATE SET at = excluded.at, linkedid = excluded.linkedid
WHERE (excluded.at, excluded.linkedid) > (signal.at, signal.linkedid)
"""
ADD_ANSWERED = """
INSERT INTO answered (number, auth_class, epoch, callee, at) VALUES (:number, :auth_class, :epoch, :callee, :at)
ON CONFLICT (number, auth_class, epoch, callee) DO UPDATE SET at = max(at, excluded.at)
"""
ADD_TALK = """
INSERT INTO talk (number, person, at) VALUES (:number, :callee, :at)
ON CONFLICT (number, person) DO UPDATE SET at = max(at, excluded.at)
"""
ADD_INBOUND_TALK = """
INSERT INTO inbound_talk (number, auth_class, epoch, callee, first_at, at, linkedid)
VALUES (:number, :auth_class, :epoch, :callee, :at, :at, :linkedid)
ON CONFLICT (number, auth_class, epoch, callee) DO UPDATE
SET first_at = min(first_at, excluded.first_at),
    linkedid = CASE WHEN (excluded.at, excluded.linkedid) > (at, linkedid) THEN excluded.linkedid ELSE linkedid END,
    at = max(at, excluded.at)
RETURNING at - first_at >= :another_day, at, linkedid
"""
ADD_ONE_RING = "INSERT INTO one_ring (number, at, auth_class) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
ADD_TRAP_CALL = """
INSERT INTO trap_call (number, auth_class, epoch, linkedid, did, verified, at)
VALUES (:number, :auth_class, :epoch, :linkedid, :did, :verified, :at) ON CONFLICT DO NOTHING
"""
# A second talk says more than a long one, and may be the same call.
DROP_LONG_TALK = """
DELETE FROM signal WHERE number = :number AND auth_class = :auth_class AND epoch = :epoch AND callee = :callee
   AND category = 'long-talk'
"""


def learn(db: sqlite3.Connection, outcome: OutcomeRecord) -> Signal | None:
    """Store the evidence from an outcome, and return its signal, if any. Then call `refresh` for its number."""
    lessons = lessons_of(outcome)
    signal = lessons.signal
    if lessons.answered is not None:
        db.execute(ADD_ANSWERED, _about(lessons.answered))
    if lessons.talk_to is not None:
        db.execute(ADD_TALK, _about(lessons.talk_to))
    if lessons.one_ring_at is not None:
        db.execute(ADD_ONE_RING, (outcome.number, lessons.one_ring_at, outcome.auth_class.value))
    if lessons.challenged is not None:
        settle_challenge(db, lessons.challenged)
    if lessons.trap is not None:
        db.execute(ADD_TRAP_CALL, lessons.trap._asdict() | {"auth_class": lessons.trap.auth_class.value})
    if lessons.talk_from is not None:
        signal = _second_talk(db, lessons.talk_from) or signal
    if signal is not None:
        db.execute(ADD_SIGNAL, _parameters(signal))
    return signal


def _second_talk(db: sqlite3.Connection, talk: Signal) -> Signal | None:
    """Record the conversation. Return it as a signal if the two parties also talked on another day, otherwise None."""
    about = _parameters(talk)
    (row,) = db.execute(ADD_INBOUND_TALK, about | {"another_day": ANOTHER_DAY_SECONDS}).fetchall()
    is_second, at, linkedid = row
    if not is_second:
        return None
    db.execute(DROP_LONG_TALK, about)
    return talk._replace(at=at, linkedid=linkedid)


def _about(answered: Answered) -> dict[str, object]:
    return {
        "number": answered.number,
        "auth_class": answered.auth_class.value,
        "epoch": answered.epoch,
        "callee": answered.callee,
        "at": answered.at,
    }


def _parameters(signal: Signal) -> dict[str, object]:
    return {
        "number": signal.number,
        "auth_class": signal.auth_class.value,
        "epoch": signal.epoch,
        "callee": signal.callee,
        "category": signal.category.value,
        "at": signal.at,
        "linkedid": signal.linkedid,
    }
