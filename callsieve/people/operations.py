"""Operations that import people and DIDs, from a PBX or from a company directory.

Entries that the administrator made (settings, imported files) stay. People and DIDs that no longer exist on the PBX
stay until their removal is requested. Repeating an import changes nothing.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import NumberText
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.imports import operations
from callsieve.imports.operations import (
    PBX_SOURCES,
    ImportKind,
    PeopleImported,
    PeopleRequest,
    Removed,
    RemoveImportRequest,
    note_each,
)
from callsieve.imports.rows import person_of_row, problem_of_did, problem_of_person
from callsieve.text.csv_table import FIELD_CHARACTERS, problem_of_number
from callsieve.wiring import dids_of, people_of
from reputation.encoding import FLAT
from reputation.model import Did, Person
from reputation.numbers import did_number_of
from reputation.store.people import (
    SETTINGS,
    all_dids,
    all_people,
    remove_did,
    remove_person,
    upsert_dids,
    upsert_people,
)
from reputation.store.sources import From, dids_from, people_from
from reputation.wording import Wording

NOBODY_THERE = "the PBX has no people now, so nobody is removed: check that Asterisk's modules are loaded (module show)"


class TakeoverState(StrEnum):
    """The effect of an import on a person or DID. `YOURS`: the administrator entered another value, which stays."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    GONE = "gone"
    YOURS = "yours"


class Takeover(NamedTuple):
    """A person or DID in an import: in CallSieve (`before`) and on the PBX (`after`). None: there is no such entry."""

    kind: ImportKind
    key: str
    state: TakeoverState
    before: Person | Did | None
    after: Person | Did | None


class TakeoverRequest(NamedTuple):
    """A request to import people and DIDs from a PBX. `source`: a name in PBX_SOURCES.

    `remove_gone`: whether to remove people and DIDs that no longer exist on the PBX.
    """

    source: str
    people: Sequence[Person]
    dids: Sequence[Did]
    remove_gone: bool = False


class TakenOver(NamedTuple):
    """The result of an import from a PBX. `change_id`: None if nothing changed."""

    change_id: int | None
    rows: list[Takeover]


def compared(db: sqlite3.Connection, context: Context, request: TakeoverRequest) -> list[Takeover]:
    """Compare the PBX with the known people and DIDs. Return people first, then DIDs."""
    settings = context.settings
    people = {entry.extension: From(entry, SETTINGS) for entry in people_of(settings)}
    dids = {entry.number: From(entry, SETTINGS) for entry in dids_of(settings)}
    return [
        *_compared(ImportKind.PEOPLE, people_from(db) | people, {entry.extension: entry for entry in request.people}),
        *_compared(ImportKind.DIDS, dids_from(db) | dids, {entry.number: entry for entry in request.dids}),
    ]


def take_over(db: sqlite3.Connection, context: Context, request: TakeoverRequest) -> TakenOver:
    """Write new and changed people and DIDs. On request, remove people and DIDs that no longer exist on the PBX.

    Raises:
        Refused: Removal is requested, but the PBX has no people at all, for example while it starts.
    """
    assert request.source in PBX_SOURCES
    if request.remove_gone and not request.people:
        raise Refused("nobody-there", NOBODY_THERE)
    rows = compared(db, context, request)
    if not any(_is_written(row, request) for row in rows):
        return TakenOver(None, rows)
    with change(db, context, "import people", name=request.source) as changed:
        rows = compared(db, context, request)
        written = [row for row in rows if _is_written(row, request)]
        previous = people_from(db) | dids_from(db)
        _write(db, written, request.source)
        after = people_from(db) | dids_from(db)
        note_each(db, context, changed.what, {row.key: (previous.get(row.key), after.get(row.key)) for row in written})
        changed.after = {"rows": len(written)}
    return TakenOver(changed.id, rows)


def _compared(
    kind: ImportKind, known: dict[str, From], of_pbx: dict[str, Person] | dict[str, Did]
) -> Iterable[Takeover]:
    for key in sorted(known.keys() | of_pbx.keys(), key=lambda key: (len(key), key)):
        known_entry, after = known.get(key), of_pbx.get(key)
        before = known_entry.entry if known_entry else None
        is_from_pbx = known_entry is None or known_entry.source in PBX_SOURCES
        if after is None and not is_from_pbx:
            continue  # entered by the administrator, and unknown to the PBX
        yield Takeover(kind, key, _state(before, after, is_ours=is_from_pbx), before, after)


def _state(before: Person | Did | None, after: Person | Did | None, *, is_ours: bool) -> TakeoverState:
    if before == after:
        return TakeoverState.SAME
    if not is_ours:
        return TakeoverState.YOURS
    if before is None:
        return TakeoverState.NEW
    return TakeoverState.GONE if after is None else TakeoverState.CHANGED


def _is_written(row: Takeover, request: TakeoverRequest) -> bool:
    is_new = row.state in (TakeoverState.NEW, TakeoverState.CHANGED)
    return is_new or (request.remove_gone and row.state is TakeoverState.GONE)


def _write(db: sqlite3.Connection, rows: Sequence[Takeover], source: str) -> None:
    upsert_people(db, [row.after for row in rows if isinstance(row.after, Person)], source)
    upsert_dids(db, [row.after for row in rows if isinstance(row.after, Did)], source)
    for row in rows:
        if row.after is None:
            (remove_person if row.kind is ImportKind.PEOPLE else remove_did)(db, row.key)


MOST_ROWS = 10_000
Word = Annotated[str, Meta(max_length=81)]
SourceText = Annotated[str, Meta(min_length=1, max_length=128, description="The name of an import.")]


class PersonShown(NamedTuple):
    """A person. `source`: the person's import, or null. `of_settings`: whether the settings override the import."""

    person: Annotated[Person, FLAT]
    source: str | None
    of_settings: bool


class DidShown(NamedTuple):
    """A DID. `source`: the DID's import, or null. `of_settings`: whether the settings override the import."""

    did: Annotated[Did, FLAT]
    source: str | None
    of_settings: bool


class PersonRow(msgspec.Struct, frozen=True):
    """A person. `endpoint`: the phone's name in Asterisk; by default `PJSIP/` and the extension.

    Attributes:
        extension: The person's extension.
        group: The person's group.
        language: The person's language.
        name: The person's name.
    """

    extension: Word
    endpoint: Annotated[str, Meta(max_length=101)] = ""
    group: Word = ""
    language: Word = ""
    name: Annotated[str, Meta(max_length=FIELD_CHARACTERS)] = ""


class DidRow(msgspec.Struct, frozen=True):
    """A DID. `screen`: whether calls to the DID are screened; false for lines of fax machines, alarms and lifts.

    Attributes:
        groups: The groups whose people calls to the DID may reach; empty for everybody.
        callee: The extension or number that a call to the DID reaches.
    """

    number: NumberText
    groups: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    callee: Word = ""
    screen: bool = True


class PeopleImport(msgspec.Struct, frozen=True):
    """People to import. People who are not in the request stay. `people`: the people to add or update."""

    source: SourceText
    people: Annotated[tuple[PersonRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


class DidImport(msgspec.Struct, frozen=True):
    """DIDs to import. DIDs that are not in the request stay. `dids`: the DIDs to add or update."""

    source: SourceText
    dids: Annotated[tuple[DidRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


def find_people(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[PersonShown]:
    """Return the people of this site."""
    sources, named = people_from(db), {person.extension for person in people_of(context.settings)}
    return page_from(
        {person.extension: person for person in all_people(db)}.values(),
        request,
        lambda person: (person.extension,),
        lambda person: PersonShown(person, _source(sources.get(person.extension)), person.extension in named),
    )


def find_dids(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[DidShown]:
    """Return the DIDs of this site."""
    sources, named = dids_from(db), {did.number for did in dids_of(context.settings)}
    return page_from(
        {did.number: did for did in all_dids(db)}.values(),
        request,
        lambda did: (did.number,),
        lambda did: DidShown(did, _source(sources.get(did.number)), did.number in named),
    )


def import_people(db: sqlite3.Connection, context: Context, request: PeopleImport) -> PeopleImported:
    """Add or update all people in the request, or none after an error."""
    rows = [_person(place, row) for place, row in enumerate(request.people)]
    return operations.import_people(db, context, PeopleRequest(request.source, rows, ImportKind.PEOPLE))


def import_dids(db: sqlite3.Connection, context: Context, request: DidImport) -> PeopleImported:
    """Add or update all DIDs in the request, or none after an error."""
    region = context.settings.numbers.region
    rows = [_did(place, row, region) for place, row in enumerate(request.dids)]
    return operations.import_people(db, context, PeopleRequest(request.source, rows, ImportKind.DIDS))


def remove_people(db: sqlite3.Connection, context: Context, source: SourceText) -> Removed:
    """Remove the import called `source`, with all people that the import added."""
    return operations.remove(db, context, RemoveImportRequest(source, ImportKind.PEOPLE))


def remove_dids(db: sqlite3.Connection, context: Context, source: SourceText) -> Removed:
    """Remove the import called `source`, with all DIDs that the import added."""
    return operations.remove(db, context, RemoveImportRequest(source, ImportKind.DIDS))


def _source(entry: From | None) -> str | None:
    return None if entry is None else entry.source


def _person(place: int, row: PersonRow) -> Person:
    fields = (row.extension, row.endpoint, row.group, row.language)
    problem = problem_of_person(*fields)
    if problem is None and not row.name.isprintable():
        problem = Wording("the name must be one line")
    if problem is not None:
        raise Refused("bad-person", problem, f"people[{place}]")
    return person_of_row(*fields, row.name)


def _did(place: int, row: DidRow, region: str) -> Did:
    number = did_number_of(row.number, region)
    problem = problem_of_did(number, row.number, row.groups, row.callee)
    if number is None or problem is not None:
        raise Refused("bad-did", problem or problem_of_number(row.number), f"dids[{place}]")
    return Did(number, tuple(dict.fromkeys(row.groups)), row.callee or None, row.screen)
