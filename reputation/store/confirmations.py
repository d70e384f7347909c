"""Numbers whose calls were warned of or stopped rightly, as somebody here said."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.encoding import Instant

PUT = """
INSERT INTO confirmation (number, at, who) VALUES (?, ?, ?)
ON CONFLICT (number) DO UPDATE SET at = excluded.at, who = excluded.who
"""
OF = "SELECT number, at, who FROM confirmation WHERE number = ?"


class Confirmation(NamedTuple):
    """That the calls of a number were treated rightly.

    Attributes:
        number: The number.
        at: The time of the confirmation. Later calls are judged again.
        who: The user or token that confirmed it.
    """

    number: str
    at: Instant
    who: str


def put_confirmation(db: sqlite3.Connection, confirmation: Confirmation) -> None:
    """Store that the calls of a number were treated rightly until now. Call it in a transaction."""
    db.execute(PUT, confirmation)


def confirmation_of(db: sqlite3.Connection, number: str) -> Confirmation | None:
    """Return what was said of the calls of a number; None for nothing."""
    return next((Confirmation(*row) for row in db.execute(OF, (number,))), None)
