"""The registered own numbers of the organisation, and unregistered numbers that outgoing calls have shown as caller.

A registered number that is not retired is an own number everywhere: nobody can mark it, and an incoming call that shows
it counts as spoofed.
"""

import json
import sqlite3
from dataclasses import fields
from typing import Any, NamedTuple

from reputation.columns import column_list, insert_sql
from reputation.encoding import Instant
from reputation.own.register import NumberState, OwnNumber

REGISTER = "register"  # the source of an own number that only the register names

_FIELDS = tuple(field.name for field in fields(OwnNumber))
_LISTS = frozenset(field.name for field in fields(OwnNumber) if isinstance(field.default, tuple))
COLUMNS = column_list(OwnNumber)
PUT = insert_sql("own_register", OwnNumber, "INSERT OR REPLACE")
ALL = f"SELECT {COLUMNS} FROM own_register ORDER BY number"
ONE = f"SELECT {COLUMNS} FROM own_register WHERE number = ?"
REMOVE = "DELETE FROM own_register WHERE number = ?"
NAME_OURS = "INSERT INTO own_number (number, source) VALUES (?, 'register') ON CONFLICT DO NOTHING"
NAME_ALL_OURS = """
INSERT INTO own_number (number, source) SELECT number, 'register' FROM own_register WHERE state <> 'retired'
ON CONFLICT DO NOTHING
"""
UNNAME_OURS = "DELETE FROM own_number WHERE number = ? AND source = 'register'"
# What is shown abroad must be a whole number: a trunk that sends extensions is shown by `callsieve doctor`, not here.
UNREGISTERED = """
SELECT own_number, count(*), min(at), max(at) FROM outcome
 WHERE own_number IS NOT NULL AND direction = 'outbound' AND own_number LIKE '+%' AND at >= ?
   AND NOT EXISTS (SELECT 1 FROM own_register WHERE number = own_number AND state <> 'retired')
 GROUP BY own_number ORDER BY count(*) DESC, own_number LIMIT ?
"""


class Seen(NamedTuple):
    """A number that outgoing calls have shown as their caller.

    Attributes:
        number: The number, E.164.
        calls: How many stored calls showed the number.
        first_at: When the first of these calls was made.
        last_at: When the latest of these calls was made.
    """

    number: str
    calls: int
    first_at: Instant
    last_at: Instant


def put_own(db: sqlite3.Connection, own: OwnNumber) -> None:
    """Register the own number, or replace its entry. Call it in a transaction."""
    values = ((name, getattr(own, name)) for name in _FIELDS)
    db.execute(PUT, [(json.dumps(value, ensure_ascii=False) if name in _LISTS else value) for name, value in values])
    db.execute(UNNAME_OURS if own.state is NumberState.RETIRED else NAME_OURS, (own.number,))


def remove_own(db: sqlite3.Connection, number: str) -> OwnNumber | None:
    """Remove the registered number. Return its entry, or None. Call it in a transaction."""
    own = own_of(db, number)
    db.execute(REMOVE, (number,))
    db.execute(UNNAME_OURS, (number,))
    return own


def name_registered(db: sqlite3.Connection) -> None:
    """Add the registered numbers to the own numbers. Needed after the own numbers from the settings were replaced."""
    db.execute(NAME_ALL_OURS)


def own_of(db: sqlite3.Connection, number: str) -> OwnNumber | None:
    """Return the entry of a registered own number, or None."""
    return next(map(_own, db.execute(ONE, (number,))), None)


def register_of(db: sqlite3.Connection) -> list[OwnNumber]:
    """Return all registered own numbers, ordered by number."""
    return [_own(row) for row in db.execute(ALL)]


def unregistered(db: sqlite3.Connection, since: float, limit: int = 100) -> list[Seen]:
    """Return unregistered or retired numbers that outgoing calls have shown since `since`, the busiest first."""
    return [Seen(*row) for row in db.execute(UNREGISTERED, (since, limit))]


def _own(row: tuple[Any, ...]) -> OwnNumber:
    values = dict(zip(_FIELDS, row, strict=True))
    for name in _LISTS:
        values[name] = tuple(json.loads(values[name]))
    return OwnNumber(**values | {"state": NumberState(values["state"])})
