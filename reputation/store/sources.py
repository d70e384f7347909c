"""Where contacts, people and DIDs came from: the imports beside those of numbers (imports.py)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, NamedTuple

from reputation.model import Did, Person
from reputation.store.people import SETTINGS, did_from_row

CONTACT_SOURCES = "SELECT source, count(*) FROM contact GROUP BY source ORDER BY source"
PEOPLE_SOURCES = "SELECT source, count(*) FROM person WHERE source <> ? GROUP BY source ORDER BY source"
DID_SOURCES = "SELECT source, count(*) FROM did WHERE source <> ? GROUP BY source ORDER BY source"
PEOPLE_FROM = "SELECT source, extension, endpoint, grp, language, name FROM person"
DIDS_FROM = "SELECT source, number, grp, callee, screen FROM did"
REMOVE_DIDS = "DELETE FROM did WHERE source = ? AND source <> ?"
REMOVE_CONTACTS = "DELETE FROM contact WHERE source = ?"
REMOVE_PEOPLE = "DELETE FROM person WHERE source = ? AND source <> ?"


class NamedSource(NamedTuple):
    """An import of contacts or people, and how many rows it has here."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class From:
    """A person or a DID, and the import that it came from."""

    one: Person | Did
    source: str


def people_from(db: sqlite3.Connection) -> dict[str, From]:
    """Everybody, by extension."""
    return {one[1]: _person_from(*one) for one in db.execute(PEOPLE_FROM)}


def person_from(db: sqlite3.Connection, extension: str) -> From | None:
    """The person with this extension."""
    return next((_person_from(*one) for one in db.execute(f"{PEOPLE_FROM} WHERE extension = ?", (extension,))), None)


def dids_from(db: sqlite3.Connection) -> dict[str, From]:
    """Every DID, by number."""
    return {one[1]: _did_from(*one) for one in db.execute(DIDS_FROM)}


def did_from(db: sqlite3.Connection, number: str) -> From | None:
    """This DID."""
    return next((_did_from(*one) for one in db.execute(f"{DIDS_FROM} WHERE number = ?", (number,))), None)


def _person_from(source: str, *person: str | None) -> From:
    return From(Person(*person), source)  # type: ignore[arg-type]


def _did_from(source: str, *did: Any) -> From:
    return From(did_from_row(did), source)


def contact_sources(db: sqlite3.Connection) -> list[NamedSource]:
    """The imports of contacts, by name."""
    return [NamedSource(*row) for row in db.execute(CONTACT_SOURCES)]


def people_sources(db: sqlite3.Connection) -> list[NamedSource]:
    """The imports of people, by name. Those of the settings are none."""
    return [NamedSource(*row) for row in db.execute(PEOPLE_SOURCES, (SETTINGS,))]


def remove_contacts(db: sqlite3.Connection, source: str) -> int:
    """Deletes the contacts of an import and returns how many went."""
    return db.execute(REMOVE_CONTACTS, (source,)).rowcount


def remove_people(db: sqlite3.Connection, source: str) -> int:
    """Deletes the people of an import and returns how many went."""
    return db.execute(REMOVE_PEOPLE, (source, SETTINGS)).rowcount


def did_sources(db: sqlite3.Connection) -> list[NamedSource]:
    """The imports of DIDs, by name. Those of the settings are none."""
    return [NamedSource(*row) for row in db.execute(DID_SOURCES, (SETTINGS,))]


def remove_dids(db: sqlite3.Connection, source: str) -> int:
    """Deletes the DIDs of an import and returns how many went."""
    return db.execute(REMOVE_DIDS, (source, SETTINGS)).rowcount


DONE_TO = "SELECT done_to FROM call_import WHERE source = ?"
SET_DONE_TO = """
INSERT INTO call_import (source, done_to) VALUES (?, ?)
ON CONFLICT (source) DO UPDATE SET done_to = excluded.done_to
"""


def calls_done_to(db: sqlite3.Connection, source: str) -> float | None:
    """Every call of this database that began before is here (UTC seconds). None: nothing was taken yet."""
    row = db.execute(DONE_TO, (source,)).fetchone()
    return float(row[0]) if row else None


def set_calls_done_to(db: sqlite3.Connection, source: str, at: float) -> None:
    """From now on the import of this database begins there. Call it in the transaction that writes the calls."""
    db.execute(SET_DONE_TO, (source, at))
