"""Identities: who a number belongs to, as far as that is proven."""

from __future__ import annotations

import sqlite3

from reputation.model import Identity
from reputation.store.evidence_rows import EXPIRES_AT
from reputation.store.standing import refresh

LASTS_SECONDS = 365 * 86_400.0  # then it is to be proven again (docs/explanation/model.md)
CONTROL_LEVEL = 1  # whoever answers there gave a code back; who that is, nobody has checked

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
    """Records who the number belongs to; what was recorded later stays."""
    row = (identity.number, identity.name, identity.level, identity.expires_at, identity.note, added_at)
    db.execute(SET, row)
    refresh(db, identity.number)  # a proof counts as a challenge that was passed


def note_control(db: sqlite3.Connection, number: str, name: str, at: float, note: str) -> Identity:
    """Control of the number was proven: level 1 for twelve months. What is known better, and still is, stays.

    Returns the identity that the number has then. `name` is what its owner says: nobody has checked it.
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
    """Removes the identity of the number, and returns it as it was."""
    identity = identity_of(db, number)
    db.execute("DELETE FROM identity WHERE number = ?", (number,))
    refresh(db, number)
    return identity


def identity_of(db: sqlite3.Connection, number: str) -> Identity | None:
    """The identity of the number, also if it has expired: after its time, or with its owner."""
    return next((Identity(*row) for row in db.execute(OF, (number,))), None)


def all_identities(db: sqlite3.Connection) -> list[Identity]:
    """Every identity, by number."""
    return [Identity(*row) for row in db.execute(ALL)]


def identities_due(db: sqlite3.Connection, until: float) -> list[Identity]:
    """Those that have ended or end before that instant, the first to end first: to be proven again, or forgotten."""
    return [Identity(*row) for row in db.execute(DUE, (until,))]
