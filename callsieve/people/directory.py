"""Our people and DIDs: shown, and brought in row by row by a directory that says who has which phone.

find_people, find_dids: views; import_people, import_dids, remove_people, remove_dids: operations
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import NumberText
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.imports import operations
from callsieve.imports.operations import ImportKind, PeopleImported, PeopleRequest, Removed, RemoveImportRequest
from callsieve.imports.rows import person_of_row, problem_of_did, problem_of_person
from callsieve.text.csv_table import FIELD_CHARACTERS
from callsieve.wiring import dids_of, people_of
from reputation.encoding import FLAT
from reputation.model import Did, Person
from reputation.numbers import did_number_of
from reputation.store.people import all_dids, all_people
from reputation.store.sources import From, dids_from, people_from

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
    """A person. `endpoint`: as the PBX names the phone; `PJSIP/` and the extension if not given."""

    extension: Word
    endpoint: Annotated[str, Meta(max_length=101)] = ""
    group: Word = ""
    language: Word = ""
    name: Annotated[str, Meta(max_length=FIELD_CHARACTERS)] = ""


class DidRow(msgspec.Struct, frozen=True):
    """A DID. `screen`: false for fax, alarm and lift."""

    number: NumberText
    groups: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    callee: Word = ""
    screen: bool = True


class PeopleImport(msgspec.Struct, frozen=True):
    """People to be added, or brought up to date. Those that are not here stay."""

    source: SourceText
    people: Annotated[tuple[PersonRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


class DidImport(msgspec.Struct, frozen=True):
    """DIDs to be added, or brought up to date. Those that are not here stay."""

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
