"""Names of the people and numbers that an event is about, for messages that people read."""

from __future__ import annotations

import sqlite3

from reputation.events import Event
from reputation.store.identities import identity_of
from reputation.store.own_register import own_of
from reputation.store.people import person_of

PEOPLE = ("reporter", "callee", "answered_by")
NUMBERS = ("number", "caller", "dialled", "own_number", "did")


def names_of_event(db: sqlite3.Connection, event: Event) -> dict[str, str]:
    """Return the names that are known, by extension and by number."""
    names: dict[str, str] = {}
    for field in PEOPLE:
        extension = event.data.get(field)
        person = person_of(db, extension) if isinstance(extension, str) else None
        if person is not None and person.name:
            names[person.extension] = person.name
    for field in NUMBERS:
        number = event.data.get(field)
        if isinstance(number, str) and (name := name_of_number(db, number, event.at)):
            names[number] = name
    return names


def name_of_number(db: sqlite3.Connection, number: str, at: float) -> str:
    """Return who a number belongs to: its registered owner, or us; empty where nobody knows."""
    own = own_of(db, number)
    if own is not None:
        return own.name
    identity = identity_of(db, number)
    return identity.name if identity is not None and identity.expires_at > at else ""
