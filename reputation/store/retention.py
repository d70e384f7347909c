"""Removing what is past its time, as each table says (docs/operations.md, "Personal data")."""

from __future__ import annotations

import sqlite3

from reputation.store.standing import refresh_all
from reputation.store.tables.every import TABLES
from reputation.store.tables.table import DAY, Table

EXPIRING = tuple(table for table in TABLES if table.kept is not None)


def expire(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Delete what is past its time and return how many rows went, by table. Call it in a transaction."""
    return {table.name: expire_table(db, table, now) for table in EXPIRING}


def expire_table(db: sqlite3.Connection, table: Table, now: float) -> int:
    """Delete what is past its time in one table and return how many rows went. Call it in a transaction."""
    assert table.kept is not None
    cursor = db.execute(table.expire_sql, (now - table.kept.days * DAY,))
    refresh_all(db, {number for (number,) in cursor})
    return cursor.rowcount
