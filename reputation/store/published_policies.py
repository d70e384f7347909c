"""Policies that sites tell each other through the hub: ours by their name, those of others as `site:name`."""

from __future__ import annotations

import sqlite3
from typing import Annotated, NamedTuple

from reputation.columns import ORIGIN, Key, column_list, insert_sql


class PublishedPolicy(NamedTuple):
    """A policy as its site published it. `text`: TOML; `published_at`: UTC seconds."""

    name: Annotated[str, Key(), ORIGIN]
    text: str
    note: str
    published_at: float


COLUMNS = column_list(PublishedPolicy)
PUT = insert_sql("published_policy", PublishedPolicy, "INSERT OR REPLACE")
OF = f"SELECT {COLUMNS} FROM published_policy WHERE name = ?"
ALL = f"SELECT {COLUMNS} FROM published_policy ORDER BY name"


def put_published(db: sqlite3.Connection, policy: PublishedPolicy) -> None:
    """Publishes it, in the place of one of its name."""
    db.execute(PUT, policy)


def remove_published(db: sqlite3.Connection, name: str) -> None:
    """Publishes it no more."""
    db.execute("DELETE FROM published_policy WHERE name = ?", (name,))


def published(db: sqlite3.Connection, name: str) -> PublishedPolicy | None:
    """The one of this name."""
    return next((PublishedPolicy(*row) for row in db.execute(OF, (name,))), None)


def all_published(db: sqlite3.Connection) -> list[PublishedPolicy]:
    """All of them, ours and those of other sites, by name."""
    return [PublishedPolicy(*row) for row in db.execute(ALL)]
