"""The rows that are learnt from calls: signals, who answered, who talked to whom, one-ring calls.

Each write is a maximum or a minimum by time, so calls may come in any order and more than once.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from reputation.model import AuthClass, Direction, Disposition, OutcomeRecord, Signal, SignalCategory
from reputation.signals import (
    ANOTHER_DAY_SECONDS,
    ONE_RING_GUARD_SECONDS,
    is_one_ring,
    is_talk,
    latest_by_key,
    says_something,
    signal_of_mark,
    signals_from,
)
from reputation.store.marks import marks_of

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
ADD_ONE_RING = "INSERT INTO one_ring (number, at) VALUES (:number, :at) ON CONFLICT DO NOTHING"
# A second talk says more than a long one, and may be the same call.
DROP_LONG_TALK = """
DELETE FROM signal WHERE number = :number AND auth_class = :auth_class AND epoch = :epoch AND callee = :callee
   AND category = 'long-talk'
"""
# A call-back within a day after a one-ring call is what that call was for.
SIGNALS = """
SELECT number, auth_class, callee, category, at, linkedid, epoch FROM signal
 WHERE number = :number AND NOT (category = 'called-back' AND EXISTS (
       SELECT 1 FROM one_ring WHERE one_ring.number = signal.number AND one_ring.at > signal.at - :guard
          AND one_ring.at <= signal.at))
 ORDER BY at DESC, callee, category
"""
ANSWERED = "SELECT number, auth_class, callee, at, epoch FROM answered WHERE number = ? ORDER BY at DESC, callee"


class Answered(NamedTuple):
    """A callee of ours who answered calls of the number, and when last."""

    number: str
    auth_class: AuthClass
    callee: str
    at: float
    epoch: int = 0


def add_signal(db: sqlite3.Connection, signal: Signal) -> None:
    """Adds a signal; of its number, class, epoch, callee and category the latest stays."""
    db.execute(ADD_SIGNAL, _parameters(signal))


def learn(db: sqlite3.Connection, outcome: OutcomeRecord) -> Signal | None:
    """Adds all that the call shows, and returns the signal that it is. The outcome is joined with the journal."""
    number, person = outcome.number, outcome.person
    if number is None or not says_something(outcome):
        return None
    signal = signals_from(outcome)
    about = {
        "number": number,
        "auth_class": outcome.auth_class.value,
        "epoch": 0,
        "callee": person,
        "at": outcome.ended_at,
        "linkedid": outcome.linkedid,
    }
    if person is not None and outcome.disposition is Disposition.ANSWERED:
        if outcome.direction is Direction.INBOUND:
            db.execute(ADD_ANSWERED, about)
        if is_talk(outcome):
            return _learn_of_talk(db, outcome, about, signal)
    elif outcome.direction is Direction.INBOUND and is_one_ring(outcome):
        db.execute(ADD_ONE_RING, about)
    if signal is not None:
        add_signal(db, signal)
    return signal


def signals_of(db: sqlite3.Connection, number: str) -> list[Signal]:
    """What counts of the number's signals, the latest first: "not spam" among them, and no call-back that a one-ring
    call asked for.
    """
    rows = db.execute(SIGNALS, {"number": number, "guard": ONE_RING_GUARD_SECONDS})
    found = [_signal(row) for row in rows]
    found += [signal for mark in marks_of(db, number) if (signal := signal_of_mark(mark))]
    return sorted(latest_by_key(found), key=lambda signal: (-signal.at, signal.callee, signal.category))


def answered_of(db: sqlite3.Connection, number: str) -> list[Answered]:
    """Who answered calls of the number, the latest first."""
    rows = db.execute(ANSWERED, (number,))
    return [Answered(row[0], AuthClass(row[1]), *row[2:]) for row in rows]


def _learn_of_talk(
    db: sqlite3.Connection, outcome: OutcomeRecord, about: dict[str, Any], signal: Signal | None
) -> Signal | None:
    if outcome.direction is Direction.OUTBOUND:
        db.execute(ADD_TALK, about)
        if signal is not None:
            add_signal(db, signal)
        return signal
    (row,) = db.execute(ADD_INBOUND_TALK, about | {"another_day": ANOTHER_DAY_SECONDS}).fetchall()
    is_second, at, linkedid = row
    if not is_second:
        if signal is not None:
            add_signal(db, signal)
        return signal
    db.execute(DROP_LONG_TALK, about)
    second = Signal(about["number"], outcome.auth_class, about["callee"], SignalCategory.SECOND_TALK, at, linkedid)
    add_signal(db, second)
    return second


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


def _signal(row: tuple[Any, ...]) -> Signal:
    number, auth_class, callee, category, at, linkedid, epoch = row
    return Signal(number, AuthClass(auth_class), callee, SignalCategory(category), at, linkedid, epoch)
