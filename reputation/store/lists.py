"""The allowlists and blocklists of the organisation and of people, expected calls, contacts, and phone settings."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Annotated, Any, NamedTuple

from reputation.columns import Column, Key, column_list
from reputation.encoding import Instant
from reputation.model import EntryKind, ListEntry, ListName, PhoneSetting, Tie

COLUMNS = column_list(ListEntry)
SAME_ENTRY = "first = ? AND last = ? AND kind = ? AND list = ?"
OF = f"SELECT {COLUMNS} FROM list_entry WHERE {SAME_ENTRY}"
REMOVE = f"DELETE FROM list_entry WHERE {SAME_ENTRY} RETURNING {COLUMNS}"
ADD = """
INSERT INTO list_entry (first, last, kind, list, action, note, expires_at, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_PREFIX = "INSERT INTO list_prefix (prefix, entry) VALUES (?, ?)"
SHOW = f"SELECT {COLUMNS} FROM list_entry WHERE :list IS NULL OR list = :list ORDER BY first, last, list"

# By the prefixes of the number, as the facts of a call are found.
MATCHING = f"""
SELECT {COLUMNS} FROM list_entry
 WHERE id IN (SELECT entry FROM list_prefix WHERE prefix IN (SELECT value FROM json_each(:prefixes)))
   AND (kind = 'prefix' OR length(first) = length(:number)) AND (:list IS NULL OR list = :list)
 ORDER BY first, last, list
"""

ACTIONS = "SELECT DISTINCT action FROM list_entry WHERE expires_at IS NULL OR expires_at > ?"

# The tables that have what is known about a number.
KNOWN = "SELECT count(*) FROM ({each} LIMIT :most)".format(
    each=" UNION ".join(
        f"""SELECT number FROM {table} WHERE number BETWEEN :first AND :last
        AND (:length IS NULL OR length(number) = :length)"""
        for table in ("standing", "imported", "contact", "identity")
    )
)


def add_entry(db: sqlite3.Connection, entry: ListEntry) -> None:
    """Add the entry, replacing an entry for the same numbers on the same list. Call it in a transaction."""
    remove_entry(db, entry)
    row = (*_key(entry), entry.action, entry.note, entry.expires_at, entry.added_at)
    entry_id = db.execute(ADD, row).lastrowid
    prefixes = covering_prefixes(entry.first, entry.last) if entry.last else [entry.first]
    db.executemany(ADD_PREFIX, ((prefix, entry_id) for prefix in prefixes))


def remove_entry(db: sqlite3.Connection, entry: ListEntry) -> ListEntry | None:
    """Remove the entry for the same numbers and on the same list as `entry`. Return the removed entry, or None."""
    return next(map(entry_of_row, db.execute(REMOVE, _key(entry)).fetchall()), None)


def find_entry(db: sqlite3.Connection, entry: ListEntry) -> ListEntry | None:
    """Return the stored entry for the same numbers and on the same list as `entry`, or None."""
    return next(map(entry_of_row, db.execute(OF, _key(entry))), None)


def known_numbers(db: sqlite3.Connection, entry: ListEntry, most: int) -> int:
    """Return how many numbers that the store knows match the prefix or range of an entry. Stop counting at `most`."""
    last = entry.last or f"{entry.first}:"  # the character after 9
    length = None if entry.last is None else len(entry.first)
    about = {"first": entry.first, "last": last, "length": length, "most": most}
    (count,) = db.execute(KNOWN, about).fetchone()
    return int(count)


def list_entries(db: sqlite3.Connection, list_name: ListName | None = None) -> list[ListEntry]:
    """Return all entries, expired ones included, ordered by number. `list_name`: only this list; None: both lists."""
    return [entry_of_row(row) for row in db.execute(SHOW, {"list": list_name})]


def entries_matching(db: sqlite3.Connection, number: str, list_name: ListName | None = None) -> list[ListEntry]:
    """Return all entries that match the number, expired ones included. `list_name`: only this list; None: both."""
    prefixes = json.dumps([number[:size] for size in range(1, len(number) + 1)])
    return [
        entry_of_row(row) for row in db.execute(MATCHING, {"number": number, "prefixes": prefixes, "list": list_name})
    ]


def has_entries(db: sqlite3.Connection) -> bool:
    """Return whether the allowlist or the blocklist of the organisation has an entry."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM list_entry)").fetchone()[0])


def has_entry_with(db: sqlite3.Connection, actions: Collection[str], now: float) -> bool:
    """Return whether an unexpired entry of the organisation's lists has one of these actions."""
    rows = db.execute(ACTIONS, (now,))
    return any(action in actions for (action,) in rows)


def entry_of_row(row: tuple[Any, ...]) -> ListEntry:
    """Convert a row with the columns list, kind, first, last, action, note, expires_at and added_at to an entry."""
    list_name, kind, first, last, *others = row
    return ListEntry(ListName(list_name), EntryKind(kind), first, last or None, *others)


def covering_prefixes(first: str, last: str) -> Iterator[str]:
    """Yield the smallest set of prefixes that covers exactly the numbers from first to last (at most 18 per digit)."""
    if len(first) != len(last):
        raise ValueError(
            f"the first number {first} and the last number {last} of the range do not have the same length"
        )
    return _cover(first[:1], first[1:], last[1:])


def _cover(prefix: str, low: str, high: str) -> Iterator[str]:
    nothing, everything = "0" * len(low), "9" * len(low)
    if (low, high) == (nothing, everything):
        yield prefix
        return
    for digit in range(int(low[0]), int(high[0]) + 1):
        rest_low = low[1:] if digit == int(low[0]) else nothing[1:]
        rest_high = high[1:] if digit == int(high[0]) else everything[1:]
        yield from _cover(f"{prefix}{digit}", rest_low, rest_high)


def _key(entry: ListEntry) -> tuple[str, str, str, str]:
    return entry.first, entry.last or "", entry.kind, entry.list_name


class ExpectedCall(NamedTuple):
    """An expected call. Until `until`, every call rings at the phone of `person` without challenge or warning."""

    person: Annotated[str, Key()]
    until: Instant


class PersonSetting(NamedTuple):
    """A setting that a person has switched on for their phone."""

    person: Annotated[str, Key(2)]
    setting: Annotated[PhoneSetting, Key(1), Column("wish")]
    at: Instant


class PersonalEntry(NamedTuple):
    """A number on a person's own allowlist or blocklist, never on both.

    Attributes:
        person: The extension of the person.
        number: A telephone number: E.164, or the key of a service number.
        verdict: The list that has the number: `allow` or `block`.
        at: When the person added the number.
    """

    person: Annotated[str, Key()]
    number: str
    verdict: ListName
    at: Instant


class Contact(NamedTuple):
    """A number in a person's contacts, or in our company's if `person` is None. `company`: the contact's employer."""

    number: str
    name: str | None = None
    person: Annotated[str | None, Key()] = None
    company: str | None = None


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
EXPECT_SECONDS = 7200.0  # "I expect a call" lasts two hours
EXPECT = """
INSERT INTO expected_call (person, until) VALUES (?, ?)
ON CONFLICT (person) DO UPDATE SET until = max(until, excluded.until)
"""
SET_PHONE_SETTING = "INSERT INTO wish (person, wish, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
CLEAR_PHONE_SETTING = "DELETE FROM wish WHERE person = ? AND wish = ? RETURNING person, wish, at"
PHONE_SETTINGS = "SELECT person, wish, at FROM wish WHERE person = ?"
ADD_CONTACT = """
INSERT INTO contact (number, person, source, name, company) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (number, person, source) DO UPDATE SET name = excluded.name, company = excluded.company
"""
CONTACTS = """
SELECT DISTINCT number, name, nullif(person, ''), company FROM contact WHERE person IN ('', :person)
 ORDER BY number, person
"""
# `*`, `?` and `[` of a text are plain letters: instr, not GLOB.
CONTACTS_NAMED = """
SELECT number, name, NULL, NULL FROM contact WHERE instr(lower(name), lower(:text)) > 0
 UNION SELECT number, name, NULL, NULL FROM identity WHERE instr(lower(name), lower(:text)) > 0
 ORDER BY name, number LIMIT :limit
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
    """Put the number on the person's allowlist or blocklist. An older entry is replaced; a newer entry stays."""
    db.execute(SET_ENTRY, entry)


def remove_personal_entry(db: sqlite3.Connection, person: str, number: str) -> PersonalEntry | None:
    """Remove the number from the person's lists. Return the removed entry, or None."""
    rows = db.execute(REMOVE_ENTRY, (person, number)).fetchall()
    return next(map(_entry, rows), None)


def is_by_hand(db: sqlite3.Connection, entry: PersonalEntry) -> bool:
    """Return whether the person put the number on this list themselves. An entry created by a mark does not count."""
    return bool(db.execute(IS_BY_HAND, (entry.person, entry.number, entry.verdict)).fetchone()[0])


def personal_entries(db: sqlite3.Connection, person: str) -> list[PersonalEntry]:
    """Return the entries of the person's own lists, ordered by number."""
    return [_entry(row) for row in db.execute(ENTRIES, (person,))]


def expect_call(db: sqlite3.Connection, person: str, until: float) -> None:
    """Record that the person expects a call until `until`. If a later end is already recorded, it stays."""
    db.execute(EXPECT, (person, until))


def expected_call_of(db: sqlite3.Connection, person: str) -> ExpectedCall | None:
    """Return the person's latest record of an expected call, even if its time is over; None if there is no record."""
    row = db.execute("SELECT person, until FROM expected_call WHERE person = ?", (person,)).fetchone()
    return ExpectedCall(*row) if row else None


def stop_expecting(db: sqlite3.Connection, person: str) -> bool:
    """Record that the person no longer expects a call. Return False if the person expected none."""
    return db.execute("DELETE FROM expected_call WHERE person = ?", (person,)).rowcount > 0


def set_phone_setting(db: sqlite3.Connection, person: str, setting: PhoneSetting, at: float) -> PersonSetting | None:
    """Switch on a setting of a person's phone. Return the stored setting, or None if it was already on."""
    is_new = db.execute(SET_PHONE_SETTING, (person, setting.value, at)).rowcount > 0
    return PersonSetting(person, setting, at) if is_new else None


def clear_phone_setting(db: sqlite3.Connection, person: str, setting: PhoneSetting) -> PersonSetting | None:
    """Switch off a setting of a person's phone. Return the removed setting, or None if it was not on."""
    return next(map(_setting, db.execute(CLEAR_PHONE_SETTING, (person, setting.value)).fetchall()), None)


def phone_settings_of(db: sqlite3.Connection, person: str) -> set[PhoneSetting]:
    """Return the settings that a person has switched on for their phone."""
    return {_setting(row).setting for row in db.execute(PHONE_SETTINGS, (person,))}


def replace_contacts(db: sqlite3.Connection, source: str, contacts: Iterable[Contact]) -> None:
    """Replace all stored contacts that came from `source`, such as an address book, by these. Use a transaction."""
    db.execute("DELETE FROM contact WHERE source = ?", (source,))
    add_contacts(db, source, contacts)


def add_contacts(db: sqlite3.Connection, source: str, contacts: Iterable[Contact]) -> None:
    """Add contacts that came from `source`, or update the names of contacts from there that are already stored."""
    db.executemany(ADD_CONTACT, ((c.number, c.person or "", source, c.name, c.company) for c in contacts))


def contacts_named(db: sqlite3.Connection, text: str, limit: int) -> list[Contact]:
    """Return contacts, and owners of numbers with an identity, whose names contain the text."""
    return [Contact(*row) for row in db.execute(CONTACTS_NAMED, {"text": text, "limit": limit})]


def contacts_of(db: sqlite3.Connection, person: str | None) -> list[Contact]:
    """Return the contacts of a person and of the company. `person` None: only the contacts of the company."""
    return [Contact(*row) for row in db.execute(CONTACTS, {"person": person})]


def friendly_tie_of(db: sqlite3.Connection, person: str, number: str, at: float) -> Tie | None:
    """Return why the number rings this person's phone without a warning: allowed or a contact. None: neither."""
    row = db.execute(FRIENDLY_TIE, {"number": number, "person": person, "at": at}).fetchone()
    return None if row is None else Tie(row[0])


def is_contact(db: sqlite3.Connection, number: str) -> bool:
    """Return whether the number is a contact of the company or of any person."""
    (is_known,) = db.execute(IS_CONTACT, (number,)).fetchone()
    return bool(is_known)


def _setting(row: tuple[str, str, float]) -> PersonSetting:
    person, setting, at = row
    return PersonSetting(person, PhoneSetting(setting), at)


def _entry(row: tuple[str, str, str, float]) -> PersonalEntry:
    person, number, verdict, at = row
    return PersonalEntry(person, number, ListName(verdict), at)
