"""Standings: what the rows of a number add up to, kept beside them so that a call reads one row.

    refresh(db, number)          in the transaction of every write to mark, tombstone, signal, answered, one_ring, epoch

The store knows with which weights its sums are made, so that every program that writes makes them alike. Only the
daemon changes them (`use_weights`), and then folds all standings again, some at a time (`fold_next`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple
from functools import lru_cache
from typing import Any

import msgspec

from reputation.families.block import may_be_bad
from reputation.model import NEVER_CHALLENGED, AuthClass, ChallengeHistory, SignalCategory
from reputation.standing import Standing, standing_of
from reputation.store.evidence_rows import rows_of
from reputation.trust import Settled, trust_of
from reputation.weights import DEFAULT, Weights

# As `standing_from` takes them.
COLUMNS = """grps, at, marks, answers, behaviour, one_ring, reporters, answered, silent, signals, burst_at, witnessed,
    challenges"""
DROP = "DELETE FROM standing WHERE number = ?"
ADD = f"INSERT INTO standing (number, auth_class, may_be_bad, {COLUMNS}) VALUES ({', '.join('?' * 16)})"
OF = f"SELECT {COLUMNS} FROM standing WHERE number = ? AND auth_class = ?"

EPOCH_AT = "SELECT max(at) FROM epoch WHERE number = ?"
SETTLE = """
INSERT INTO settled (reporter, case_id, agrees, at) VALUES (?, ?, ?, ?)
ON CONFLICT (reporter, case_id) DO UPDATE SET agrees = excluded.agrees, at = excluded.at WHERE excluded.at >= at
"""
UNSETTLE = "DELETE FROM settled WHERE case_id = ? RETURNING reporter"
SETTLED = "SELECT total(agrees), count(*) - total(agrees) FROM settled WHERE reporter = ?"
MARKED_BY = "SELECT DISTINCT number FROM mark WHERE reporter = ?"

FOLDING = "SELECT weights, after FROM folding"
USE = "UPDATE folding SET weights = ?, after = ''"
GO_ON = "UPDATE folding SET after = ?"
NEXT = """
SELECT number FROM mark WHERE number > :after UNION SELECT number FROM signal WHERE number > :after
UNION SELECT number FROM answered WHERE number > :after UNION SELECT number FROM standing WHERE number > :after
UNION SELECT number FROM challenge WHERE number > :after UNION SELECT number FROM identity WHERE number > :after
 ORDER BY number LIMIT :limit
"""


def refresh(db: sqlite3.Connection, number: str) -> None:
    """Folds the number's rows again. Call it in the transaction that has changed them."""
    weights = weights_of(db)
    rows = rows_of(db, number)
    (epoch_at,) = db.execute(EPOCH_AT, (number,)).fetchone()
    trust = {mark.reporter: _trust(db, mark.reporter, weights) for mark in rows.marks}
    db.execute(DROP, (number,))
    for auth_class in AuthClass:
        standing = standing_of(rows, auth_class, weights, epoch_at=epoch_at, trust=trust.__getitem__)
        if standing is not None:
            db.execute(ADD, (number, auth_class.value, may_be_bad(standing, weights), *_columns(standing)))


def refresh_all(db: sqlite3.Connection, numbers: Iterable[str]) -> None:
    """Each of the numbers, once."""
    for number in sorted(set(numbers)):
        refresh(db, number)


def standing(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> Standing | None:
    """The number's standing in a class, as it was folded last."""
    row = db.execute(OF, (number, auth_class.value)).fetchone()
    return standing_from(row) if row else None


def standing_from(row: tuple[Any, ...]) -> Standing:
    """A standing from its COLUMNS."""
    (groups, at, marks, answers, behaviour, one_ring, reporters, answered, silent, signals, burst_at) = row[:11]
    witnessed, challenges = row[11:]
    return Standing(
        at=at,
        marks=marks,
        answers=answers,
        behaviour=behaviour,
        one_ring=one_ring,
        reporters=reporters,
        groups=groups,
        answered=answered,
        silent=silent,
        signals=_signals(signals),
        burst_at=burst_at,
        witnessed=() if witnessed == "[]" else _times(witnessed),
        challenges=_challenges(challenges) if challenges else NEVER_CHALLENGED,
    )


def settle_case(db: sqlite3.Connection, reporters: Iterable[str], case_id: str, agrees: bool, at: float) -> None:
    """A decided case has confirmed or refuted what the reporters said; of a case the latest word counts."""
    reporters = sorted(set(reporters))
    db.executemany(SETTLE, ((reporter, case_id, agrees, at) for reporter in reporters))
    _refresh_reporters(db, reporters)


def unsettle_case(db: sqlite3.Connection, case_id: str) -> None:
    """The case was decided in error, and says nothing about anybody."""
    _refresh_reporters(db, [reporter for (reporter,) in db.execute(UNSETTLE, (case_id,)).fetchall()])


def weights_of(db: sqlite3.Connection) -> Weights:
    """With which weights the store's sums are made."""
    return _weights(db.execute(FOLDING).fetchone()[0])


def use_weights(db: sqlite3.Connection, weights: Weights) -> bool:
    """Sums are made with these from now on. False: they were already. Then `fold_next` until it returns 0."""
    text = msgspec.json.encode(_summed_by(weights)).decode()
    if db.execute(FOLDING).fetchone()[0] == text:
        return False
    db.execute(USE, (text,))
    return True


def fold_next(db: sqlite3.Connection, limit: int) -> int:
    """Folds the next numbers again that are still to be, and returns how many. 0: all are done."""
    (after,) = db.execute("SELECT after FROM folding").fetchone()
    if after is None:
        return 0
    numbers = [number for (number,) in db.execute(NEXT, {"after": after, "limit": limit})]
    refresh_all(db, numbers)
    db.execute(GO_ON, (numbers[-1] if numbers else None,))
    return len(numbers)


def _summed_by(weights: Weights) -> Weights:
    """What the stored sums depend on; the rest as it is by default."""
    return Weights(
        marks=weights.marks,
        behaviour=weights.behaviour,
        block=weights.block,
        trust=weights.trust,
        witnesses=weights.witnesses,
        before_epoch=weights.before_epoch,
    )


def _refresh_reporters(db: sqlite3.Connection, reporters: Iterable[str]) -> None:
    """Folds every number again that one of them has marked: the trust in them has changed."""
    refresh_all(db, (number for one in reporters for (number,) in db.execute(MARKED_BY, (one,)).fetchall()))


def _trust(db: sqlite3.Connection, reporter: str, weights: Weights) -> float:
    agree, disagree = db.execute(SETTLED, (reporter,)).fetchone()
    return trust_of(Settled(int(agree), int(disagree)), weights.trust)


def _columns(standing: Standing) -> tuple[object, ...]:
    signals = json.dumps({category.value: count for category, count in standing.signals})
    sums = (standing.marks, standing.answers, standing.behaviour, standing.one_ring)
    counts = (standing.reporters, standing.answered, standing.silent)
    challenges = "" if standing.challenges == NEVER_CHALLENGED else json.dumps(astuple(standing.challenges))
    witnessed = json.dumps(standing.witnessed)
    return (standing.groups, standing.at, *sums, *counts, signals, standing.burst_at, witnessed, challenges)


@lru_cache(maxsize=4096)
def _signals(text: str) -> tuple[tuple[SignalCategory, int], ...]:
    return tuple((SignalCategory(name), count) for name, count in json.loads(text).items())


_times = msgspec.json.Decoder(tuple[float, ...]).decode


def _challenges(text: str) -> ChallengeHistory:
    passes, *others = msgspec.json.decode(text)
    return ChallengeHistory(tuple(passes), *others)


@lru_cache(maxsize=8)
def _weights(text: str) -> Weights:
    """Those of a CallSieve that knew other keys are replaced by the daemon; until then the defaults."""
    try:
        return msgspec.json.decode(text, type=Weights)
    except msgspec.ValidationError:
        return DEFAULT
