"""Passed challenges: the latest per number and auth class, which is all that a decision asks for."""

from __future__ import annotations

import sqlite3

from reputation.model import AuthClass

RECORD = """
INSERT INTO challenge_pass (number, auth_class, at) VALUES (?, ?, ?)
ON CONFLICT (number, auth_class) DO UPDATE SET at = max(at, excluded.at)
"""
LATEST = "SELECT at FROM challenge_pass WHERE number = ? AND auth_class = ?"


def record_challenge_pass(db: sqlite3.Connection, number: str, auth_class: AuthClass, at: float) -> None:
    """A caller with this number, on a call of this class, has passed a challenge."""
    db.execute(RECORD, (number, auth_class, at))


def latest_challenge_pass(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> float | None:
    """When that last happened."""
    return next((at for (at,) in db.execute(LATEST, (number, auth_class))), None)
