"""Taking over the people and DIDs that a PBX knows: what would change, and one operation that changes it.

What the administrator has typed (settings, imports of files) stays; what is gone from the PBX stays until it is asked
to go. Done twice, the second time changes nothing.

Our people and DIDs: shown, and brought in row by row by a directory that says who has which phone.

find_people, find_dids: views; import_people, import_dids, remove_people, remove_dids: operations
"""

from __future__ import annotations

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
from callsieve.text.csv_table import FIELD_CHARACTERS
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

NOBODY_THERE = "the PBX knows nobody now, which takes nobody out: see whether its modules are loaded (module show)"


class TakeoverState(StrEnum):
    """What becomes of a person or DID. YOURS: the administrator says something else, and that stays."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    GONE = "gone"
    YOURS = "yours"


class Takeover(NamedTuple):
    """One person or DID. `before` is what is known, `after` what the PBX says; None: nothing."""

    kind: ImportKind
    key: str
    state: TakeoverState
    before: Person | Did | None
    after: Person | Did | None


class TakeoverRequest(NamedTuple):
    """All that a PBX knows. `source`: one of PBX_SOURCES; `remove_gone`: what it does not know any more goes."""

    source: str
    people: Sequence[Person]
    dids: Sequence[Did]
    remove_gone: bool = False


class TakenOver(NamedTuple):
    """`change_id` None: nothing had to be changed."""

    change_id: int | None
    rows: list[Takeover]


def compared(db: sqlite3.Connection, context: Context, request: TakeoverRequest) -> list[Takeover]:
    """What the PBX says beside what is known here: people, then DIDs, each in their order."""
    settings = context.settings
    people = {one.extension: From(one, SETTINGS) for one in people_of(settings)}
    dids = {one.number: From(one, SETTINGS) for one in dids_of(settings)}
    return [
        *_compared(ImportKind.PEOPLE, people_from(db) | people, {one.extension: one for one in request.people}),
        *_compared(ImportKind.DIDS, dids_from(db) | dids, {one.number: one for one in request.dids}),
    ]


def take_over(db: sqlite3.Connection, context: Context, request: TakeoverRequest) -> TakenOver:
    """Operation: writes what is new and changed, and on request takes out what is gone.

    Refused where the PBX knows nobody at all: while it starts, say. That is no reason to drop everybody.
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
        there = people_from(db) | dids_from(db)
        _write(db, written, request.source)
        after = people_from(db) | dids_from(db)
        note_each(db, context, changed.what, {row.key: (there.get(row.key), after.get(row.key)) for row in written})
        changed.after = {"rows": len(written)}
    return TakenOver(changed.id, rows)


def _compared(kind: ImportKind, known: dict[str, From], said: dict[str, Person] | dict[str, Did]) -> Iterable[Takeover]:
    for key in sorted(known.keys() | said.keys(), key=lambda key: (len(key), key)):
        there, after = known.get(key), said.get(key)
        before = there.one if there else None
        is_ours = there is None or there.source in PBX_SOURCES
        if after is None and not is_ours:
            continue  # the administrator's, of which the PBX says nothing
        yield Takeover(kind, key, _state(before, after, is_ours=is_ours), before, after)


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
    """One of our people. `source`: the import that it comes from; `of_settings`: the settings win over imports."""

    person: Annotated[Person, FLAT]
    source: str | None
    of_settings: bool


class DidShown(NamedTuple):
    """A number of ours that callers dial. `source`: the import that it comes from; `of_settings`: the settings win."""

    did: Annotated[Did, FLAT]
    source: str | None
    of_settings: bool


class PersonRow(msgspec.Struct, frozen=True):
    """A person. `endpoint`: as the PBX names the phone; `PJSIP/` and the extension if not given.

    Attributes:
        extension: The extension of the person.
        group: The group of the person.
        language: The language.
        name: The name.
    """

    extension: Word
    endpoint: Annotated[str, Meta(max_length=101)] = ""
    group: Word = ""
    language: Word = ""
    name: Annotated[str, Meta(max_length=FIELD_CHARACTERS)] = ""


class DidRow(msgspec.Struct, frozen=True):
    """A DID. `screen`: false for fax, alarm and lift.

    Attributes:
        groups: The groups that the number belongs to.
        callee: The called party: an extension, or the number that was dialled.
    """

    number: NumberText
    groups: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    callee: Word = ""
    screen: bool = True


class PeopleImport(msgspec.Struct, frozen=True):
    """People to be added, or brought up to date. Those that are not here stay.

    Attributes:
        people: The people.
    """

    source: SourceText
    people: Annotated[tuple[PersonRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


class DidImport(msgspec.Struct, frozen=True):
    """DIDs to be added, or brought up to date. Those that are not here stay.

    Attributes:
        dids: The DIDs.
    """

    source: SourceText
    dids: Annotated[tuple[DidRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


def find_people(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[PersonShown]:
    """Return our people."""
    sources, named = people_from(db), {one.extension for one in people_of(context.settings)}
    return page_from(
        {one.extension: one for one in all_people(db)}.values(),
        request,
        lambda one: (one.extension,),
        lambda one: PersonShown(one, _source(sources.get(one.extension)), one.extension in named),
    )


def find_dids(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[DidShown]:
    """Return our DIDs."""
    sources, named = dids_from(db), {one.number for one in dids_of(context.settings)}
    return page_from(
        {one.number: one for one in all_dids(db)}.values(),
        request,
        lambda one: (one.number,),
        lambda one: DidShown(one, _source(sources.get(one.number)), one.number in named),
    )


def import_people(db: sqlite3.Connection, context: Context, request: PeopleImport) -> PeopleImported:
    """Add people, or bring them up to date, under a name by which they can be taken out again: all or none."""
    rows = [_person(place, row) for place, row in enumerate(request.people)]
    return operations.import_people(db, context, PeopleRequest(request.source, rows, ImportKind.PEOPLE))


def import_dids(db: sqlite3.Connection, context: Context, request: DidImport) -> PeopleImported:
    """Add DIDs, or bring them up to date, under a name by which they can be taken out again: all or none."""
    region = context.settings.numbers.region
    rows = [_did(place, row, region) for place, row in enumerate(request.dids)]
    return operations.import_people(db, context, PeopleRequest(request.source, rows, ImportKind.DIDS))


def remove_people(db: sqlite3.Connection, context: Context, source: SourceText) -> Removed:
    """Take an import of people out, with all that it brought."""
    return operations.remove(db, context, RemoveImportRequest(source, ImportKind.PEOPLE))


def remove_dids(db: sqlite3.Connection, context: Context, source: SourceText) -> Removed:
    """Take an import of DIDs out, with all that it brought."""
    return operations.remove(db, context, RemoveImportRequest(source, ImportKind.DIDS))


def _source(found: From | None) -> str | None:
    return None if found is None else found.source


def _person(place: int, row: PersonRow) -> Person:
    fields = (row.extension, row.endpoint, row.group, row.language)
    problem = problem_of_person(*fields) or ("" if row.name.isprintable() else "a name is one line")
    if problem:
        raise Refused("bad-person", problem, f"people[{place}]")
    return person_of_row(*fields, row.name)


def _did(place: int, row: DidRow, region: str) -> Did:
    number = did_number_of(row.number, region)
    problem = problem_of_did(number, row.number, row.groups, row.callee)
    if number is None or problem:
        raise Refused("bad-did", problem, f"dids[{place}]")
    return Did(number, tuple(dict.fromkeys(row.groups)), row.callee or None, row.screen)
