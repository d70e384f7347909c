"""The results of a search: a number, people of this PBX, and callers by their names."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass

from callsieve.settings import Loaded
from callsieve.text.number_entry import EntryError, parse_entry
from callsieve.wiring import people_of
from reputation.model import EntryKind, ListName
from reputation.store.lists import Contact, contacts_named
from reputation.store.people import all_people

MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Found:
    """The results. `people`: extension and name. `entry`: a prefix or range, which can be put on a list."""

    number: str | None
    people: tuple[tuple[str, str], ...]
    contacts: tuple[Contact, ...]
    entry: str = ""


def find(db: sqlite3.Connection, loaded: Loaded, text: str, *, with_numbers: bool) -> Found:
    """Return what a text finds. `with_numbers`: whoever asks may see numbers."""
    number, entry, wanted = None, "", text.casefold()
    if with_numbers:
        with suppress(EntryError):
            parsed = parse_entry(text, ListName.BLOCK, loaded.settings.numbers.region)
            number, entry = (parsed.first, "") if parsed.kind is EntryKind.EXACT else (None, parsed.text)
    named = {person.extension: person.name or "" for person in (*all_people(db), *people_of(loaded.settings))}
    people = [(extension, name) for extension, name in named.items() if wanted in f"{extension} {name}".casefold()]
    contacts = tuple(contacts_named(db, text, MOST_FOUND)) if with_numbers else ()
    return Found(number, tuple(sorted(people)[:MOST_FOUND]), contacts, entry)
