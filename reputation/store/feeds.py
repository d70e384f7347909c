"""Feeds: sources of numbers that come again and again. How they are, and what is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from reputation.store.imports import ImportedRow

FAILURE_CHARACTERS = 1_000

FEEDS = """
SELECT import_source.name, verdict, format, numbers, imported_at,
       coalesce(feed_fetch.every_seconds, import_source.every_seconds), numbers_before,
       import_source.failed_at, import_source.failure, came_at, asked_at, next_at
  FROM import_source LEFT JOIN feed_fetch USING (name)
 WHERE live = 1 AND format IS NOT NULL ORDER BY import_source.name
"""
RECORD_FAILURE = "UPDATE import_source SET failed_at = ?, failure = ? WHERE name = ? AND live = 1"
ROWS = """
SELECT number, category, imported.name, note
  FROM imported JOIN import_source ON id = source WHERE import_source.name = ? AND live = 1 ORDER BY number
"""


class FeedSource(NamedTuple):
    """A feed in force. `every_seconds`: how often it usually comes; `numbers_before`: of the import before.

    `failed_at` and `failure`: the last attempt to import it, if that was refused, by its code and figures, in JSON.
    Of a feed that we fetch: `came_at`, when its server gave the file or said that it is the same; `asked_at` and
    `next_at`, when it was asked last and is asked next. None: not known, or none.
    """

    name: str
    verdict: str
    format: str
    numbers: int
    imported_at: float
    every_seconds: float | None = None
    numbers_before: int | None = None
    failed_at: float | None = None
    failure: str | None = None
    came_at: float | None = None
    asked_at: float | None = None
    next_at: float | None = None


def feed_sources(db: sqlite3.Connection) -> list[FeedSource]:
    """The feeds in force, by name."""
    return [FeedSource(*row) for row in db.execute(FEEDS)]


def record_failure(db: sqlite3.Connection, name: str, at: float, why: str) -> bool:
    """Notes with the source in force that an import of it was refused. False: there is no such source."""
    return db.execute(RECORD_FAILURE, (at, why[:FAILURE_CHARACTERS], name)).rowcount > 0


def rows_of(db: sqlite3.Connection, name: str) -> Iterator[ImportedRow]:
    """What the source in force lists, by number: of one moment, however long the reader takes."""
    yield from db.execute(ROWS, (name,))
