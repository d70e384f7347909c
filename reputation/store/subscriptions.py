"""Companies whose evidence is taken though the settings do not name them. A company of the settings comes before one of
the same name or key here (callsieve/exchange/register.py).
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.store.peers import WantedPeer, forget_peer, key_digest, want_peer

EVERY_SECONDS = 6 * 3600.0
ALL = "SELECT name, url, key, weight, added_at, private FROM subscription ORDER BY name"
PUT = "INSERT OR REPLACE INTO subscription (name, url, key, weight, added_at, private) VALUES (?, ?, ?, ?, ?, ?)"
REMOVE = "DELETE FROM subscription WHERE name = ?"


class Subscription(NamedTuple):
    """A company by its name. `key`: the public key that it signs with, as base64; `weight`: up to 1, of a tag.

    `private`: 1 where its server may be in our own network.
    """

    name: str
    url: str
    key: str
    weight: float
    added_at: float
    private: int = 0


def subscriptions(db: sqlite3.Connection) -> list[Subscription]:
    """All of them, by name."""
    return [Subscription(*row) for row in db.execute(ALL)]


def subscription_of(db: sqlite3.Connection, name: str) -> Subscription | None:
    """The one of this name."""
    return next((one for one in subscriptions(db) if one.name == name), None)


def put_subscription(db: sqlite3.Connection, one: Subscription) -> None:
    """Takes the company's evidence from now on, fetched when somebody looks next. Call it in a transaction."""
    db.execute(PUT, one)
    want_peer(db, one.name, WantedPeer(key_digest(one.key), one.weight, EVERY_SECONDS))


def remove_subscription(db: sqlite3.Connection, name: str) -> None:
    """What the company said counts no longer, and is dropped with the next fetch. Call it in a transaction."""
    db.execute(REMOVE, (name,))
    forget_peer(db, name)
