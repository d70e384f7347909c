"""Identities (the owner of a number, and how well the ownership is proven) and epochs (the periods with one owner)."""

import sqlite3
from typing import Annotated, NamedTuple

from reputation.columns import Key, Own, column_list, insert_sql
from reputation.encoding import Instant
from reputation.model import Identity
from reputation.store.evidence_rows import EXPIRES_AT
from reputation.store.standing import refresh

LASTS_SECONDS = 365 * 86_400.0  # then it must be proven again (docs/contributing/model.md)
CONTROL_LEVEL = 1  # the person who answers there repeated a code; nobody has checked who that is

SET = """
INSERT INTO identity (number, name, level, expires_at, note, added_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE
SET name = excluded.name, level = excluded.level, expires_at = excluded.expires_at, note = excluded.note,
    added_at = excluded.added_at
WHERE excluded.added_at >= identity.added_at
"""
SELECT = f"SELECT number, name, level, {EXPIRES_AT} AS ends_at, note FROM identity"
OF = f"{SELECT} WHERE number = ?"
ALL = f"{SELECT} ORDER BY number"
DUE = f"{SELECT} WHERE ends_at < ? ORDER BY ends_at, number"


def set_identity(db: sqlite3.Connection, identity: Identity, added_at: float) -> None:
    """Store the identity of a number, unless the stored identity of the number was added later."""
    row = (identity.number, identity.name, identity.level, identity.expires_at, identity.note, added_at)
    db.execute(SET, row)
    refresh(db, identity.number)  # a proof counts as a challenge that was passed


def note_control(db: sqlite3.Connection, number: str, name: str, at: float, note: str) -> Identity:
    """Give the number an identity of level 1 for twelve months: somebody proved control of it. Return its identity.

    A valid identity of a higher level stays. `name`: the name that the owner claims and that nobody has checked.
    """
    known = identity_of(db, number)
    lasts = known is not None and known.expires_at > at
    if known is not None and lasts and known.level > CONTROL_LEVEL:
        return known
    name = known.name if known is not None and lasts else name
    identity = Identity(number, name, CONTROL_LEVEL, at + LASTS_SECONDS, note)
    set_identity(db, identity, at)
    return identity


def remove_identity(db: sqlite3.Connection, number: str) -> Identity | None:
    """Remove the identity of the number and return it, or None."""
    identity = identity_of(db, number)
    db.execute("DELETE FROM identity WHERE number = ?", (number,))
    refresh(db, number)
    return identity


def identity_of(db: sqlite3.Connection, number: str) -> Identity | None:
    """Return the identity of the number, or None. The identity may have expired or belong to an earlier owner."""
    return next((Identity(*row) for row in db.execute(OF, (number,))), None)


def all_identities(db: sqlite3.Connection) -> list[Identity]:
    """Return all identities, ordered by number."""
    return [Identity(*row) for row in db.execute(ALL)]


def identities_due(db: sqlite3.Connection, until: float) -> list[Identity]:
    """Return the identities that expire before `until`, the earliest first, including expired identities."""
    return [Identity(*row) for row in db.execute(DUE, (until,))]


class Epoch(NamedTuple):
    """A change of a number's owner. There is no such record for the first owner (epoch 0).

    Attributes:
        number: The number.
        epoch: How many owners the number had before.
        at: Since when the number has this owner.
        reason: How the change of owner is known.
        who: The user who recorded the change.
    """

    number: str
    epoch: Annotated[int, Key()]
    at: Instant
    reason: str
    who: Annotated[str, Own("{site}")]


COLUMNS = column_list(Epoch)
EPOCH_OF = f"SELECT {COLUMNS} FROM epoch WHERE number = ? ORDER BY epoch DESC"
ALL_EPOCHS = f"SELECT {COLUMNS} FROM epoch ORDER BY at DESC, number"
RAISE = insert_sql("epoch", Epoch)
LOWER = "DELETE FROM epoch WHERE number = ? AND epoch = ?"


def epochs_of(db: sqlite3.Connection, number: str) -> list[Epoch]:
    """Return the changes of owner of a number, newest first."""
    return [Epoch(*row) for row in db.execute(EPOCH_OF, (number,))]


def epoch_of(db: sqlite3.Connection, number: str) -> Epoch | None:
    """Return the latest change of the number's owner; None if no change is known."""
    return next(iter(epochs_of(db, number)), None)


def all_epochs(db: sqlite3.Connection) -> list[Epoch]:
    """Return all changes of owner, newest first."""
    return [Epoch(*row) for row in db.execute(ALL_EPOCHS)]


def raise_epoch(db: sqlite3.Connection, number: str, at: float, reason: str, who: str) -> int:
    """Record that the number has a new owner since `at`, unless a later change is known. Return the number's epoch."""
    latest = epoch_of(db, number)
    if latest is not None and at <= latest.at:
        return latest.epoch
    epoch = 1 if latest is None else latest.epoch + 1
    db.execute(RAISE, (number, epoch, at, reason, who))
    refresh(db, number)
    return epoch


def lower_epoch(db: sqlite3.Connection, number: str) -> Epoch | None:
    """Remove the latest change of the number's owner and return it; None if no change is known."""
    latest = epoch_of(db, number)
    if latest is not None:
        db.execute(LOWER, (number, latest.epoch))
        refresh(db, number)
    return latest
