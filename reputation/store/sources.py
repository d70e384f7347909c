"""Where contacts, people and DIDs came from: the imports beside those of numbers (imports.py)."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.store.people import SETTINGS

CONTACT_SOURCES = "SELECT source, count(*) FROM contact GROUP BY source ORDER BY source"
PEOPLE_SOURCES = "SELECT source, count(*) FROM person WHERE source <> ? GROUP BY source ORDER BY source"
DID_SOURCES = "SELECT source, count(*) FROM did WHERE source <> ? GROUP BY source ORDER BY source"
REMOVE_DIDS = "DELETE FROM did WHERE source = ? AND source <> ?"
REMOVE_CONTACTS = "DELETE FROM contact WHERE source = ?"
REMOVE_PEOPLE = "DELETE FROM person WHERE source = ? AND source <> ?"


class NamedSource(NamedTuple):
    """An import of contacts or people, and how many rows it has here."""

    name: str
    rows: int


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
