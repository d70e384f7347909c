"""How far the calls of a PBX's database were imported."""

from __future__ import annotations

import sqlite3

DONE_TO = "SELECT done_to FROM call_import WHERE source = ?"
SET_DONE_TO = """
INSERT INTO call_import (source, done_to) VALUES (?, ?)
ON CONFLICT (source) DO UPDATE SET done_to = excluded.done_to
"""


def calls_done_to(db: sqlite3.Connection, source: str) -> float | None:
    """Every call of this database that began before is here (UTC seconds). None: nothing was taken yet."""
    row = db.execute(DONE_TO, (source,)).fetchone()
    return float(row[0]) if row else None


def set_calls_done_to(db: sqlite3.Connection, source: str, at: float) -> None:
    """From now on the import of this database begins there. Call it in the transaction that writes the calls."""
    db.execute(SET_DONE_TO, (source, at))
