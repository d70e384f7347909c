"""Operations (callsieve/changes/operation.py) that import numbers, contacts, people or past calls, or remove imports.

Importing numbers or calls, and removing numbers, takes several transactions. Do not do these in a transaction.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from math import ceil
from operator import attrgetter
from typing import Any, NamedTuple

from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.imports.call_history import Item, Written, write_calls
from callsieve.imports.feed_health import REFUSED_SHARE, FeedFailure
from callsieve.imports.rows import NAME
from callsieve.settings import Settings
from callsieve.text.csv_table import NOTHING_USABLE, RowProblem, nothing_usable
from callsieve.wiring import calling_hours_of, dids_of, known_own_numbers, people_of
from policies.files import nearest
from reputation.encoding import Instant, parse_plain, plain
from reputation.model import Did, Person
from reputation.store import imports as number_store
from reputation.store.audit import Change, add_audit
from reputation.store.imports import LIST, Feed, ImportedRow, ImportSource, TooFewNumbers, remove_source, sources
from reputation.store.lists import Contact, replace_contacts
from reputation.store.people import SETTINGS, all_people, remove_did, remove_person, upsert_dids, upsert_people
from reputation.store.sources import (
    From,
    contact_sources,
    did_from,
    did_sources,
    dids_from,
    feed_fetches,
    people_from,
    people_sources,
    person_from,
    remove_contacts,
    remove_dids,
    remove_people,
    set_feed_fetch,
)
from reputation.wording import Places, Wording

MOST_ROWS = 250_000  # of contacts, people and DIDs, which are written in one transaction
TOO_MANY = Wording("More than 250,000 rows: this does not look like a list of contacts, people or DIDs.")
# Names for people and DIDs read from a PBX (callsieve/people/operations.py). Imports of files cannot have them.
PBX_SOURCES = ("asterisk", "freepbx")
NO_SOURCE = Wording("Enter a name for this import: letters, digits, space, _, . and -, 64 at most.")


class ImportKind(StrEnum):
    """The kind of things that an import contains."""

    NUMBERS = "numbers"
    CONTACTS = "contacts"
    PEOPLE = "people"
    DIDS = "dids"


class FetchTime(NamedTuple):
    """The time of a feed's next fetch, in the form that the audit stores."""

    next_at: Instant


class NumberFileRequest(NamedTuple):
    """A request to import the numbers of a list or `feed`. The `rows` are read while they are stored.

    `problems`: rows that were skipped while reading. `known`: the real store, because a dry run writes to a copy.
    """

    source: str
    verdict: str
    rows: Iterable[ImportedRow]
    problems: Sequence[RowProblem]
    known: sqlite3.Connection
    feed: Feed | None = None
    accept_smaller: bool = False


class NumbersImported(NamedTuple):
    """The result of importing numbers. `before`: how many rows the source had; None for a new source.

    `usable`: how many new rows are valid, including duplicates. `own`: your own numbers among these rows.
    """

    live: ImportSource
    before: int | None
    usable: int
    own: frozenset[str]


class ContactsRequest(NamedTuple):
    """A request to import the contacts of a source. `known`: the real store, while a dry run writes to a copy."""

    source: str
    contacts: Sequence[Contact]
    known: sqlite3.Connection


class ContactsImported(NamedTuple):
    """The result of importing contacts. `strangers`: extensions in the rows that belong to no known person."""

    before: int | None
    rows: int
    strangers: list[str]


class PeopleRequest(NamedTuple):
    """A request to import people from a source or, with another `kind`, DIDs."""

    source: str
    rows: Sequence[Person] | Sequence[Did]
    kind: ImportKind = ImportKind.PEOPLE


class PeopleImported(NamedTuple):
    """The result of importing people or DIDs. `rows`: how many were read. `kept`: those that the settings override."""

    change_id: ChangeId | None
    rows: int
    kept: list[str]


class CallsRequest(NamedTuple):
    """A request to import calls. `name`: the file or database. `items`: the calls, read while they are stored."""

    name: str
    items: Iterable[Item]


class RemoveImportRequest(NamedTuple):
    """A request to remove an import. `kind`: required only if several imports have this name."""

    name: str
    kind: ImportKind | None = None


class Removed(NamedTuple):
    """A removed import. `kind`: the kind of the import's rows. `rows`: how many rows the import had."""

    change_id: ChangeId | None
    kind: ImportKind
    rows: int


def import_numbers(db: sqlite3.Connection, context: Context, request: NumberFileRequest) -> NumbersImported:
    """Replace the numbers of the source by these rows. If the import is refused, the store is unchanged."""
    source, known = source_name(request.source), request.known
    before = next((existing for existing in sources(known) if existing.name == source), None)
    if request.feed and before and before.verdict != request.verdict:
        verdicts: Places = {"source": source, "before": before.verdict, "verdict": request.verdict}
        raise Refused(FeedFailure.OTHER_VERDICT.code, Wording(FeedFailure.OTHER_VERDICT, verdicts))
    least = (
        ceil((before.numbers if before else 0) * REFUSED_SHARE) if request.feed and not request.accept_smaller else 0
    )
    counted = _Counted(known_own_numbers(known, context.loaded), request.problems)

    def also(live: ImportSource) -> None:
        with change(db, context, "import feed" if request.feed else "import numbers", name=source) as changed:
            changed.before = _rows(before and before.numbers)
            changed.after = {"verdict": request.verdict, "rows": live.numbers}

    try:
        terms = (request.feed or LIST)._replace(least=least)
        live = number_store.import_numbers(db, source, request.verdict, counted.of(request.rows), also=also, feed=terms)
    except TooFewNumbers as error:
        numbers: Places = {"numbers": error.numbers, "before": before.numbers if before else 0}
        raise Refused(FeedFailure.FEED_SHRANK.code, Wording(FeedFailure.FEED_SHRANK, numbers)) from None
    return NumbersImported(live, before and before.numbers, counted.rows, frozenset(counted.own))


def import_contacts(db: sqlite3.Connection, context: Context, request: ContactsRequest) -> ContactsImported:
    """Replace the contacts of the source by the contacts in the request."""
    source, known = source_name(request.source), request.known
    by_key = {(contact.number, contact.person): contact for contact in request.contacts}
    before = next((existing.rows for existing in contact_sources(known) if existing.name == source), None)
    with change(db, context, "import contacts", name=source) as changed:
        changed.before, changed.after = _rows(before), _rows(len(by_key))
        replace_contacts(db, source, by_key.values())
    extensions = {person.extension for person in (*all_people(known), *people_of(context.settings))}
    named = {contact.person for contact in by_key.values() if contact.person}
    return ContactsImported(before, len(by_key), sorted(named - extensions))


def import_people(db: sqlite3.Connection, context: Context, request: PeopleRequest) -> PeopleImported:
    """Add or update people or DIDs. For those that are in the settings too, the settings count."""
    source, kind = source_name(request.source), request.kind
    if source in (SETTINGS, *PBX_SOURCES):
        words = Wording("{name} is a reserved name: use another one", {"name": source})
        raise Refused("bad-source", words, "source")
    table = _TABLES[kind]
    rows = {table.key(row): row for row in request.rows}
    with change(db, context, f"import {kind}", name=source) as changed:
        before = table.read(db)
        table.write(db, rows.values(), source)
        after = table.read(db)
        note_each(db, context, changed.what, {key: (before.get(key), after[key]) for key in rows})
        changed.after = _rows(len(rows))
    of_settings = {table.key(row) for row in table.of_settings(context.settings)}
    kept = [key for key, row in rows.items() if key in of_settings or after[key].entry != row]
    return PeopleImported(changed.id, len(rows), sorted(kept))


def import_calls(db: sqlite3.Connection, context: Context, request: CallsRequest) -> Written:
    """Learn from past calls. The audit records the import before it begins, so it records an interrupted import too."""
    with change(db, context, "import calls", name=request.name):
        pass
    return write_calls(db, request.items, time.time, hours=calling_hours_of(context.settings))


def remove(db: sqlite3.Connection, context: Context, request: RemoveImportRequest) -> Removed:
    """Remove an import with all its rows. Only a removal of people or DIDs can be undone: the audit keeps them."""
    kind, count = _import_called(db, request)

    def note() -> int | None:
        with change(db, context, "import remove", name=request.name) as changed:
            changed.before = {"kind": kind.value, "rows": count}
            if kind is ImportKind.CONTACTS:
                remove_contacts(db, request.name)
            elif kind in _TABLES:
                rows = _TABLES[kind].read(db)
                gone = {key: (row, None) for key, row in rows.items() if row.source == request.name}
                note_each(db, context, changed.what, gone)
                _TABLES[kind].remove(db, request.name)
        return changed.id if kind in _TABLES else None

    if kind is ImportKind.NUMBERS:
        remove_source(db, request.name, also=note)
        return Removed(None, kind, count)
    return Removed(note(), kind, count)


def source_name(source: str) -> str:
    """Return the name. Raise Refused if the name is not valid for an import."""
    if not NAME.fullmatch(source):
        raise Refused("bad-source", NO_SOURCE, "source")
    return source


class _Table(NamedTuple):
    key: Callable[[Any], str]
    read: Callable[[sqlite3.Connection], dict[str, From]]
    write: Callable[[sqlite3.Connection, Iterable[Any], str], None]
    remove: Callable[[sqlite3.Connection, str], int]
    of_settings: Callable[[Settings], Iterable[Any]]


_TABLES = {
    ImportKind.PEOPLE: _Table(attrgetter("extension"), people_from, upsert_people, remove_people, people_of),
    ImportKind.DIDS: _Table(attrgetter("number"), dids_from, upsert_dids, remove_dids, dids_of),
}


class _Counted:
    def __init__(self, own_numbers: frozenset[str], problems: Sequence[RowProblem]) -> None:
        self.rows = 0
        self.own: set[str] = set()
        self._own_numbers = own_numbers
        self._problems = problems

    def of(self, rows: Iterable[ImportedRow]) -> Iterator[ImportedRow]:
        """Yield the rows and count them. Raise Refused if there are no rows: an empty file must not delete a list."""
        for row in rows:
            self.rows += 1
            if row[0] in self._own_numbers:
                self.own.add(row[0])
            yield row
        if not self.rows:
            raise Refused(NOTHING_USABLE, nothing_usable(self._problems))


def note_each(
    db: sqlite3.Connection, context: Context, what: str, rows: Mapping[str, tuple[From | None, From | None]]
) -> None:
    """Write an audit row for each changed person or DID, so that each can be undone. `rows`: rows before and after."""
    for key, (before, after) in rows.items():
        if before != after:
            number, name = (key, "") if key.startswith("+") else (None, key)
            add_audit(db, Change(what, number, name, _kept(before), _kept(after)), context.actor, context.at)


def _kept(row: From | None) -> dict[str, object] | None:
    return {**plain(row.entry), "source": row.source} if row else None


def _rows(count: int | None) -> dict[str, int] | None:
    return None if count is None else {"rows": count}


def _import_called(db: sqlite3.Connection, request: RemoveImportRequest) -> tuple[ImportKind, int]:
    name, kind = request
    imports = {
        ImportKind.NUMBERS: {source.name: source.numbers for source in sources(db)},
        ImportKind.CONTACTS: dict(contact_sources(db)),
        ImportKind.PEOPLE: dict(people_sources(db)),
        ImportKind.DIDS: dict(did_sources(db)),
    }
    wanted = {known: names for known, names in imports.items() if kind in (None, known)}
    matches = [(known, names[name]) for known, names in wanted.items() if name in names]
    if not matches:
        others = {other for names in wanted.values() for other in names}
        raise Refused("no-such-import", f"unknown import {name[:80]!r}{nearest(name, others) if others else ''}")
    if len(matches) > 1:
        kinds = " and ".join(known for known, _ in matches)
        raise Refused("several-imports", f"several imports have this name, of {kinds}: choose one with --kind")
    return matches[0]


PERSON = UndoKind(
    lambda _db, _row, value: From(parse_plain(value, Person), value["source"]),
    lambda db, _, person: person_from(db, person.entry.extension),
    lambda db, _, person: remove_person(db, person.entry.extension),
    lambda db, _, person: upsert_people(db, [person.entry], person.source),
)
DID = UndoKind(
    lambda _db, _row, value: From(_did_of(value), value["source"]),
    lambda db, _, did: did_from(db, did.entry.number),
    lambda db, _, did: remove_did(db, did.entry.number),
    lambda db, _, did: upsert_dids(db, [did.entry], did.source),
)


def undo_of_person(value: dict[str, Any]) -> UndoKind:
    """Return how to undo a change of a person or DID. `value`: the person or DID, as the audit stored it."""
    return DID if "screen" in value else PERSON


def _did_of(value: dict[str, Any]) -> Did:
    """Parse a DID from the audit. Older versions of CallSieve stored only one group, and no `trap`."""
    old = value.get("group")
    did: Did = parse_plain({"trap": False, **value, "groups": value.get("groups", [old] if old else [])}, Did)
    return did


def fetch_soon(db: sqlite3.Connection, context: Context, name: str) -> None:
    """Mark a feed of the settings as due, for the timer to fetch it. Daemon and console may not access the network."""
    last = feed_fetches(db).get(name)
    if last is None or name not in {feed.name for feed in context.settings.feed}:
        raise Refused("no-such-feed", Wording("There is no such feed in the settings."))
    with change(db, context, "feed fetch", name=name) as changed:
        changed.is_nothing = last.next_at <= context.at
        if not changed.is_nothing:
            changed.before = FetchTime(last.next_at)
            changed.after = FetchTime(context.at)
            set_feed_fetch(db, last._replace(next_at=context.at))
