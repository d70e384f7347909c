"""Epochs: since when a number has its present owner. What is older weighs less, and what was proven of an earlier owner
counts for nothing (reputation/store/identities.py).

    raise_epoch(db, number, at, reason, who)      an audited, dated event; it can be undone by `lower_epoch`
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, NamedTuple

from reputation.columns import Key, Own, column_list, insert_sql
from reputation.store.standing import refresh


class Epoch(NamedTuple):
    """The number has another owner since `at`; `who` said so, and why. The first epoch, 0, has no row."""

    number: str
    epoch: Annotated[int, Key()]
    at: float
    reason: str
    who: Annotated[str, Own("{site}")]


COLUMNS = column_list(Epoch)
OF = f"SELECT {COLUMNS} FROM epoch WHERE number = ? ORDER BY epoch DESC"
ALL = f"SELECT {COLUMNS} FROM epoch ORDER BY at DESC, number"
RAISE = insert_sql("epoch", Epoch)
LOWER = "DELETE FROM epoch WHERE number = ? AND epoch = ?"


def epochs_of(db: sqlite3.Connection, number: str) -> list[Epoch]:
    """When the number changed its owner, the latest first."""
    return [Epoch(*row) for row in db.execute(OF, (number,))]


def epoch_of(db: sqlite3.Connection, number: str) -> Epoch | None:
    """The present one; None: the number has had no other owner as far as we know."""
    return next(iter(epochs_of(db, number)), None)


def all_epochs(db: sqlite3.Connection) -> list[Epoch]:
    """Every change of an owner, the latest first."""
    return [Epoch(*row) for row in db.execute(ALL)]


def raise_epoch(db: sqlite3.Connection, number: str, at: float, reason: str, who: str) -> int:
    """The number has another owner since `at`. Returns the epoch.

    Epochs only rise: a date that is not after the latest one changes nothing.
    """
    latest = epoch_of(db, number)
    if latest is not None and at <= latest.at:
        return latest.epoch
    epoch = 1 if latest is None else latest.epoch + 1
    db.execute(RAISE, (number, epoch, at, reason, who))
    refresh(db, number)
    return epoch


def lower_epoch(db: sqlite3.Connection, number: str) -> Epoch | None:
    """The latest change of the owner was none: all is as before. None: there is none."""
    latest = epoch_of(db, number)
    if latest is not None:
        db.execute(LOWER, (number, latest.epoch))
        refresh(db, number)
    return latest
