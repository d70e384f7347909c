"""Confirmations by users that calls from a number were correctly warned about or stopped."""

import sqlite3
from typing import NamedTuple

from reputation.encoding import Instant

PUT = """
INSERT INTO confirmation (number, at, who) VALUES (?, ?, ?)
ON CONFLICT (number) DO UPDATE SET at = excluded.at, who = excluded.who
"""
OF = "SELECT number, at, who FROM confirmation WHERE number = ?"


class Confirmation(NamedTuple):
    """A user's confirmation that calls from a number were correctly warned about or stopped. `who`: the user."""

    number: str
    at: Instant
    who: str


def put_confirmation(db: sqlite3.Connection, confirmation: Confirmation) -> None:
    """Store a confirmation in place of an earlier one of the number. Call it in a transaction."""
    db.execute(PUT, confirmation)


def confirmation_of(db: sqlite3.Connection, number: str) -> Confirmation | None:
    """Return the latest confirmation that calls from the number were correctly warned about or stopped, or None."""
    return next((Confirmation(*row) for row in db.execute(OF, (number,))), None)
