"""Emergency calls from this PBX: after one, screening is open for a while (DESIGN section 4)."""

from __future__ import annotations

import sqlite3


def record_emergency(db: sqlite3.Connection, at: float) -> None:
    """An emergency number was dialled. Nothing but the instant is kept."""
    db.execute("INSERT INTO emergency_call (at) VALUES (?) ON CONFLICT DO NOTHING", (at,))


def latest_emergency(db: sqlite3.Connection) -> float | None:
    """When the latest emergency call was made."""
    (at,) = db.execute("SELECT max(at) FROM emergency_call").fetchone()
    return None if at is None else float(at)
