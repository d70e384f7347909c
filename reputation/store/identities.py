"""Identities: who a number belongs to, as far as that is proven."""

from __future__ import annotations

import sqlite3

from reputation.model import Identity

SET = """
INSERT INTO identity (number, name, level, expires_at, note, added_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE
SET name = excluded.name, level = excluded.level, expires_at = excluded.expires_at, note = excluded.note,
    added_at = excluded.added_at
WHERE excluded.added_at >= identity.added_at
"""
REMOVE = "DELETE FROM identity WHERE number = ? RETURNING number, name, level, expires_at"
OF = "SELECT number, name, level, expires_at FROM identity WHERE number = ?"
ALL = "SELECT number, name, level, expires_at FROM identity ORDER BY number"


def set_identity(db: sqlite3.Connection, identity: Identity, added_at: float, note: str = "") -> None:
    """Records who the number belongs to; what was recorded later stays. `note`: how it was proven."""
    row = (identity.number, identity.name, identity.level, identity.expires_at, note, added_at)
    db.execute(SET, row)


def remove_identity(db: sqlite3.Connection, number: str) -> Identity | None:
    """Removes the identity of the number, and returns it as it was."""
    rows = db.execute(REMOVE, (number,)).fetchall()
    return next((Identity(*row) for row in rows), None)


def identity_of(db: sqlite3.Connection, number: str) -> Identity | None:
    """The identity of the number, also if it has expired."""
    return next((Identity(*row) for row in db.execute(OF, (number,))), None)


def all_identities(db: sqlite3.Connection) -> list[Identity]:
    """Every identity, by number."""
    return [Identity(*row) for row in db.execute(ALL)]
