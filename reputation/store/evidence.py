"""The rows that are learnt from calls: signals, who answered, who talked to whom, one-ring calls.

Each write is a maximum or a minimum by time, so calls may come in any order and more than once.
"""

from __future__ import annotations

import sqlite3

from reputation.model import Answered
from reputation.outcome import OutcomeRecord, Signal
from reputation.signals import ANOTHER_DAY_SECONDS, lessons_of
from reputation.store.challenges import settle_challenge

# One call, one signal: a call that another source tells otherwise (a CDR of it) adds nothing.
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
# A second talk says more than a long one, and may be the same call.
DROP_LONG_TALK = """
DELETE FROM signal WHERE number = :number AND auth_class = :auth_class AND epoch = :epoch AND callee = :callee
   AND category = 'long-talk'
"""


def _add_signal(db: sqlite3.Connection, signal: Signal) -> None:
    """Adds a signal; of its number, class, epoch, callee and category the latest stays."""
    db.execute(ADD_SIGNAL, _parameters(signal))


def learn(db: sqlite3.Connection, outcome: OutcomeRecord) -> Signal | None:
    """Adds all that the call shows, and returns the signal that it is. The outcome is joined with the journal.

    Its number is to be folded again in the same transaction (standing.refresh).
    """
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
    if lessons.talk_from is not None:
        signal = _second_talk(db, lessons.talk_from) or signal
    if signal is not None:
        _add_signal(db, signal)
    return signal


def _second_talk(db: sqlite3.Connection, talk: Signal) -> Signal | None:
    """The signal that the talk is, or makes another one, if the two are of different days."""
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
