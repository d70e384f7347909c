"""What a transaction is: the write lock first, then all of the block or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def begin_immediate(db: sqlite3.Connection) -> None:
    """Waits for the write lock now, so that nothing can fail half-way for want of it."""
    db.execute("BEGIN IMMEDIATE")


def begin_reading(db: sqlite3.Connection) -> None:
    """All reads of the block see the store as it was at the first of them."""
    db.execute("BEGIN")


@contextmanager
def transaction(
    db: sqlite3.Connection, begin: Callable[[sqlite3.Connection], None] = begin_immediate
) -> Iterator[None]:
    """All of the block or nothing."""
    begin(db)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite rolls back by itself when the disk is full
            db.execute("ROLLBACK")
        raise


@contextmanager
def rehearsal(db: sqlite3.Connection) -> Iterator[None]:
    """All of the block, and then nothing of it: how a dry run does the same work."""
    begin_immediate(db)
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
