"""What ties a caller to one of ours, personal lists, "I expect a call" and contacts; and what people wish for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from reputation.columns import Key
from reputation.encoding import Instant
from reputation.model import ListName, Tie, Wish


class ExpectedCall(NamedTuple):
    """The person expects a call until then: everybody rings them, and nobody is asked or warned of."""

    person: Annotated[str, Key()]
    until: float


class PersonalEntry(NamedTuple):
    """A number on a person's own list; a number is on one of a person's lists at a time."""

    person: Annotated[str, Key()]
    number: str
    verdict: ListName
    at: Instant


class Contact(NamedTuple):
    """A number somebody knows. `person` is an extension, None for a contact of the whole company."""

    number: str
    name: str | None = None
    person: Annotated[str | None, Key()] = None


SET_ENTRY = """
INSERT INTO personal_entry (person, number, verdict, at) VALUES (?, ?, ?, ?)
ON CONFLICT (number, person) DO UPDATE SET verdict = excluded.verdict, at = excluded.at, source = excluded.source
WHERE excluded.at >= personal_entry.at
"""
REMOVE_ENTRY = "DELETE FROM personal_entry WHERE person = ? AND number = ? RETURNING person, number, verdict, at"
ENTRIES = "SELECT person, number, verdict, at FROM personal_entry WHERE person = ? ORDER BY number"
IS_BY_HAND = """
SELECT EXISTS (SELECT 1 FROM personal_entry WHERE person = ? AND number = ? AND verdict = ? AND source = 'person')
"""
EXPECT_SECONDS = 7200.0  # "I expect a call": open for me for two hours
EXPECT = """
INSERT INTO expected_call (person, until) VALUES (?, ?)
ON CONFLICT (person) DO UPDATE SET until = max(until, excluded.until)
"""
SET_WISH = "INSERT INTO wish (person, wish, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
DROP_WISH = "DELETE FROM wish WHERE person = ? AND wish = ?"
ADD_CONTACT = """
INSERT INTO contact (number, person, source, name) VALUES (?, ?, ?, ?)
ON CONFLICT (number, person, source) DO UPDATE SET name = excluded.name
"""
CONTACTS = """
SELECT DISTINCT number, name, nullif(person, '') FROM contact WHERE person IN ('', :person) ORDER BY number, person
"""
IS_CONTACT = "SELECT EXISTS (SELECT 1 FROM contact WHERE number = ?)"
FRIENDLY_TIE = f"""
SELECT '{Tie.ALLOW}' FROM personal_entry
 WHERE number = :number AND person = :person AND verdict = '{ListName.ALLOW}' AND at <= :at
UNION ALL
SELECT '{Tie.CONTACT}' FROM contact WHERE number = :number AND person IN (:person, '')
LIMIT 1
"""


def set_personal_entry(db: sqlite3.Connection, entry: PersonalEntry) -> None:
    """Puts the number on that list of the person; what was said later stays. An entry that a mark has made is the
    person's own from then on.
    """
    db.execute(SET_ENTRY, entry)


def remove_personal_entry(db: sqlite3.Connection, person: str, number: str) -> PersonalEntry | None:
    """Takes the number off the person's lists, and returns the entry as it was."""
    rows = db.execute(REMOVE_ENTRY, (person, number)).fetchall()
    return next(map(_entry, rows), None)


def is_by_hand(db: sqlite3.Connection, entry: PersonalEntry) -> bool:
    """Return whether the person has put the number on that list already, and no mark has."""
    return bool(db.execute(IS_BY_HAND, (entry.person, entry.number, entry.verdict)).fetchone()[0])


def personal_entries(db: sqlite3.Connection, person: str) -> list[PersonalEntry]:
    """The person's own lists, by number."""
    return [_entry(row) for row in db.execute(ENTRIES, (person,))]


def expect_call(db: sqlite3.Connection, person: str, until: float) -> None:
    """The person expects a call until then, or until later if that was said before."""
    db.execute(EXPECT, (person, until))


def expected_call_of(db: sqlite3.Connection, person: str) -> ExpectedCall | None:
    """Return until when the person expects a call, be it over; None where none was ever expected."""
    row = db.execute("SELECT person, until FROM expected_call WHERE person = ?", (person,)).fetchone()
    return ExpectedCall(*row) if row else None


def stop_expecting(db: sqlite3.Connection, person: str) -> bool:
    """The call has come. False when none was expected."""
    return db.execute("DELETE FROM expected_call WHERE person = ?", (person,)).rowcount > 0


def set_wish(db: sqlite3.Connection, person: str, wish: Wish, at: float) -> bool:
    """The person wants it so from now on. False when that was said before."""
    return db.execute(SET_WISH, (person, wish.value, at)).rowcount > 0


def drop_wish(db: sqlite3.Connection, person: str, wish: Wish) -> bool:
    """As everybody has it again. False when it was so."""
    return db.execute(DROP_WISH, (person, wish.value)).rowcount > 0


def replace_contacts(db: sqlite3.Connection, source: str, contacts: Iterable[Contact]) -> None:
    """Makes the contacts of this source exactly these. Call it in a transaction."""
    db.execute("DELETE FROM contact WHERE source = ?", (source,))
    add_contacts(db, source, contacts)


def add_contacts(db: sqlite3.Connection, source: str, contacts: Iterable[Contact]) -> None:
    """Adds contacts to those of the source, or brings their names up to date."""
    db.executemany(ADD_CONTACT, ((c.number, c.person or "", source, c.name) for c in contacts))


def contacts_of(db: sqlite3.Connection, person: str | None) -> list[Contact]:
    """The contacts of a person and of the company; of the company alone for None."""
    return [Contact(*row) for row in db.execute(CONTACTS, {"person": person})]


def friendly_tie_of(db: sqlite3.Connection, person: str, number: str, at: float) -> Tie | None:
    """Why the number's calls ring that person's phone plainly: allowed by then, or a contact. None when they do not."""
    row = db.execute(FRIENDLY_TIE, {"number": number, "person": person, "at": at}).fetchone()
    return None if row is None else Tie(row[0])


def is_contact(db: sqlite3.Connection, number: str) -> bool:
    """Whether anybody here, or the company, has the number as a contact."""
    (found,) = db.execute(IS_CONTACT, (number,)).fetchone()
    return bool(found)


def _entry(row: tuple[str, str, str, float]) -> PersonalEntry:
    person, number, verdict, at = row
    return PersonalEntry(person, number, ListName(verdict), at)
