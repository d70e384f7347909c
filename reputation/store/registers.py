"""Copies of national do-not-call registers (millions of numbers each), and the consents of people to be called.

A new copy of a register is written in batches while the active copy stays in use. At the end, the new copy replaces the
active copy in a single step. The numbers of an incomplete copy are deleted by the next import.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from reputation.columns import column_list, insert_sql
from reputation.encoding import Instant
from reputation.own.outbound_types import RegisterCopy

BATCH = 20_000


class StoredCopy(NamedTuple):
    """The active copy of a register. `file_at`: the day of the file. `sha256`: the digest of the file as it was read.

    Attributes:
        name: The name of the register.
        country: ISO 3166-1 code of the country.
        file: The name of the imported file.
        imported_at: When the copy was imported.
        numbers: How many numbers the copy has.
    """

    name: str
    country: str
    file: str
    sha256: str
    file_at: Instant
    imported_at: Instant
    numbers: int


FIELDS = ", ".join(StoredCopy._fields)
COPIES = f"SELECT {FIELDS} FROM register_copy WHERE complete ORDER BY name"
LISTED = """
SELECT name, country, file_at FROM register_number JOIN register_copy ON id = copy
 WHERE number = ? AND complete ORDER BY file_at DESC
"""
IN_FORCE = "SELECT name, country, file_at FROM register_copy WHERE complete"
BEGIN = f"INSERT INTO register_copy ({FIELDS}, complete) VALUES (?, ?, ?, ?, ?, ?, 0, 0)"
ADD = "INSERT INTO register_number (number, copy) VALUES (?, ?) ON CONFLICT DO NOTHING"
OTHERS = "SELECT id FROM register_copy WHERE name = ? AND id <> ?"
SHELVED = "SELECT id FROM register_copy WHERE NOT complete AND name = ?"
TAKE_AWAY = """
DELETE FROM register_number WHERE (number, copy) IN
    (SELECT number, copy FROM register_number WHERE number > :after AND copy = :copy ORDER BY number LIMIT :batch)
RETURNING number
"""


def list_copies(db: sqlite3.Connection) -> list[StoredCopy]:
    """Return the active copies of all registers."""
    return [StoredCopy(*row) for row in db.execute(COPIES)]


def registers_with(db: sqlite3.Connection, number: str) -> tuple[RegisterCopy, ...]:
    """Return the active copies that contain the number, newest first."""
    return tuple(RegisterCopy(*row) for row in db.execute(LISTED, (_key(number),)))


def copies_in_force(db: sqlite3.Connection) -> tuple[RegisterCopy, ...]:
    """Return the active copies of all registers, as they are named in the reason of a decision."""
    return tuple(RegisterCopy(*row) for row in db.execute(IN_FORCE))


def begin_copy(db: sqlite3.Connection, name: str, country: str, file: str, file_at: float, now: float) -> int:
    """Add an inactive copy of a register and return the id of the copy. Call it in a transaction."""
    cursor = db.execute(BEGIN, (name, country, file, "", file_at, now))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def add_numbers(db: sqlite3.Connection, copy: int, numbers: Iterable[str]) -> int:
    """Add a batch of numbers to a copy and return how many were new. Call it in a transaction."""
    return db.executemany(ADD, ((_key(number), copy) for number in numbers)).rowcount


def put_in_force(db: sqlite3.Connection, copy: int, sha256: str, numbers: int) -> list[int]:
    """Make this copy the active copy of its register. Return the ids of the other copies, for `delete_numbers`."""
    (name,) = db.execute("SELECT name FROM register_copy WHERE id = ?", (copy,)).fetchone()
    others = [copy_id for (copy_id,) in db.execute(OTHERS, (name, copy))]
    db.execute("UPDATE register_copy SET complete = 0 WHERE name = ?", (name,))
    db.execute("UPDATE register_copy SET complete = 1, sha256 = ?, numbers = ? WHERE id = ?", (sha256, numbers, copy))
    return others


def withdraw(db: sqlite3.Connection, name: str) -> StoredCopy | None:
    """Make the active copy of the register inactive. Return its description, or None if there was no active copy."""
    withdrawn = next((stored for stored in list_copies(db) if stored.name == name), None)
    db.execute("UPDATE register_copy SET complete = 0 WHERE name = ?", (name,))
    return withdrawn


def unused_copies(db: sqlite3.Connection, name: str) -> list[int]:
    """Return the ids of the register's inactive copies: incomplete, replaced or withdrawn."""
    return [copy_id for (copy_id,) in db.execute(SHELVED, (name,))]


def delete_numbers(db: sqlite3.Connection, copy: int, after: int = 0) -> int | None:
    """Delete a batch of the copy's numbers above `after`. Return the last deleted number; None if none were left."""
    deleted = db.execute(TAKE_AWAY, {"copy": copy, "after": after, "batch": BATCH}).fetchall()
    if deleted:
        return max(int(number) for (number,) in deleted)
    db.execute("DELETE FROM register_copy WHERE id = ? AND NOT complete", (copy,))
    return None


def _key(number: str) -> int:
    return int(number.removeprefix("+"))


class Consent(NamedTuple):
    """A person's agreement to be called.

    Attributes:
        number: The person's number: E.164, or the key of a service number.
        at: When the consent was given.
        until: When the consent ends; null for never.
        proof: A text, or where the document is kept.
        person: The person who recorded the consent.
        note: A note, one line.
    """

    number: str
    at: Instant
    until: Instant | None = None
    proof: str = ""
    person: str = ""
    note: str = ""

    def is_over(self, now: float) -> bool:
        """Return whether the consent has ended by `now`."""
        return self.until is not None and self.until <= now


COLUMNS = column_list(Consent)
PUT = insert_sql("consent", Consent, "INSERT OR REPLACE")
ONE = f"SELECT {COLUMNS} FROM consent WHERE number = ?"
REMOVE = f"DELETE FROM consent WHERE number = ? RETURNING {COLUMNS}"
HAS_TEXT = (
    "WHERE number = :number OR instr(lower(number || ' ' || proof || ' ' || person || ' ' || note), lower(:text))"
)
FIND = f"SELECT {COLUMNS} FROM consent {HAS_TEXT} ORDER BY at DESC, number LIMIT :limit"
COUNT_FOUND = f"SELECT count(*) FROM consent {HAS_TEXT}"


def put_consent(db: sqlite3.Connection, consent: Consent) -> None:
    """Record a consent to call a number. An earlier consent for the number is replaced."""
    db.execute(PUT, consent)


def consent_of(db: sqlite3.Connection, number: str) -> Consent | None:
    """Return the consent to call the number, even if it has ended, or None."""
    return next((Consent(*row) for row in db.execute(ONE, (number,))), None)


def remove_consent(db: sqlite3.Connection, number: str) -> Consent | None:
    """Remove the consent to call the number. Return the removed consent, or None."""
    return next((Consent(*row) for row in db.execute(REMOVE, (number,)).fetchall()), None)


def find_consents(
    db: sqlite3.Connection, text: str = "", number: str | None = None, limit: int = 1000
) -> tuple[list[Consent], int]:
    """Return at most `limit` consents, newest first, and how many match in total.

    `text`: a text that one of the fields must contain. `number`: the number that the consent must be for; None for any.
    """
    wanted = {"text": text, "number": number, "limit": limit}
    rows = [Consent(*row) for row in db.execute(FIND, wanted)]
    return rows, int(db.execute(COUNT_FOUND, wanted).fetchone()[0])
