"""What belongs to this site: how many people work here, and the salt of the control sample."""

from __future__ import annotations

import sqlite3

from reputation.site_names import is_ours

# Who is configured, and the phones of nobody's that rang or answered as long as outcomes are kept.
COUNT_PEOPLE = f"""
UPDATE site SET people = (SELECT count(*) FROM person WHERE {is_ours("extension")})
                       + (SELECT count(DISTINCT person) FROM reached
                           WHERE instr(person, '/') > 0 AND {is_ours("person")})
"""
PEOPLE = "SELECT people FROM site"
SALT = "SELECT salt FROM site"


def count_people(db: sqlite3.Connection) -> int:
    """Counts our people again: how many witnesses it takes depends on it. Call it in a transaction, once a day."""
    db.execute(COUNT_PEOPLE)
    return people_here(db)


def people_here(db: sqlite3.Connection) -> int:
    """How many people work here, as counted last."""
    return int(db.execute(PEOPLE).fetchone()[0])


def sample_salt(db: sqlite3.Connection) -> bytes:
    """The salt that the control sample is drawn with."""
    return bytes(db.execute(SALT).fetchone()[0])
