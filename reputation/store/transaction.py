"""Transactions of the store. A transaction takes the write lock first, and is committed or rolled back as a whole."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def begin_immediate(db: sqlite3.Connection) -> None:
    """Begin a transaction and wait for the write lock now, so that no later statement of it has to wait."""
    db.execute("BEGIN IMMEDIATE")


def begin_reading(db: sqlite3.Connection) -> None:
    """Begin a transaction in which all reads see the store as it was at the first read."""
    db.execute("BEGIN")


@contextmanager
def transaction(
    db: sqlite3.Connection, begin: Callable[[sqlite3.Connection], None] = begin_immediate
) -> Iterator[None]:
    """Run the block in a transaction. Commit at the end of the block, or roll back if the block raises."""
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
    """Run the block in a transaction and roll it back. So a dry run does the same work as a real run."""
    begin_immediate(db)
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
