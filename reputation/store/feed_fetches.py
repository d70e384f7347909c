"""How fetching the feeds of the settings goes: what their servers said last, and when they are asked again."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

FAILURE_CHARACTERS = 1_000

COLUMNS = (
    "name, of, every_seconds, asked_at, next_at, came_at, etag, modified, file, signed_at, failed_at, failure, failures"
)
FETCHES = f"SELECT {COLUMNS} FROM feed_fetch ORDER BY name"
SET = f"INSERT OR REPLACE INTO feed_fetch ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"
FORGET = "DELETE FROM feed_fetch WHERE name = ?"


class FeedFetch(NamedTuple):
    """One feed. `of`: a digest of its address; `file`: one of the file that came last; `signed_at` is its signature's.

    `came_at`: when the server gave the file, or said that it is the same; None: never. `failure` is that of the last
    `failures` attempts in a row, by its code and figures, in JSON. All instants are UTC seconds.
    """

    name: str
    of: str
    every_seconds: float
    asked_at: float
    next_at: float
    came_at: float | None = None
    etag: str | None = None
    modified: str | None = None
    file: str | None = None
    signed_at: int | None = None
    failed_at: float | None = None
    failure: str | None = None
    failures: int = 0


def feed_fetches(db: sqlite3.Connection) -> dict[str, FeedFetch]:
    """All of them, by the name of the feed."""
    return {row[0]: FeedFetch(*row) for row in db.execute(FETCHES)}


def set_feed_fetch(db: sqlite3.Connection, fetch: FeedFetch) -> None:
    """This is how it goes now."""
    db.execute(SET, fetch._replace(failure=fetch.failure and fetch.failure[:FAILURE_CHARACTERS]))


def forget_feed_fetches(db: sqlite3.Connection, but: Collection[str]) -> None:
    """Forgets all but these, which the settings have."""
    for name in feed_fetches(db).keys() - set(but):
        db.execute(FORGET, (name,))
