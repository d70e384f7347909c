"""Our people and DIDs, for programs: a directory that says who has which phone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, NumberText, pages_of, record_of
from callsieve.api.paging import PageQuery, page_of, place_of
from callsieve.changes.operation import Context, Refused
from callsieve.imports import operations
from callsieve.imports.operations import ImportKind, PeopleRequest, RemoveRequest
from callsieve.imports.people_csv import problem_of_did
from callsieve.imports.rows import person_of_row, problem_of_person
from callsieve.text.csv_table import FIELD_CHARACTERS
from callsieve.wiring import dids_of, people_of
from reputation.api_tokens import Scope
from reputation.model import Did, Person
from reputation.numbers import did_number_of
from reputation.store.people import all_dids, all_people
from reputation.store.sources import dids_from, people_from
from reputation.users import Role

MOST_ROWS = 10_000
MOST_BYTES = 4 << 20
Word = Annotated[str, Meta(max_length=81)]

_FROM: dict[str, Any] = {"source": str | None, "of_settings": bool}
PersonRecord = record_of("PersonRecord", Person, "One of our people. Those of the settings win over imports.", **_FROM)
PersonRecords = pages_of("PersonRecords", PersonRecord, "A page of people, by extension.")
DidRecord = record_of("DidRecord", Did, "A number of ours that callers dial.", **_FROM)
DidRecords = pages_of("DidRecords", DidRecord, "A page of DIDs, by number.")


class PersonRow(ApiStruct, frozen=True):
    """A person. `endpoint` as the PBX names the phone; PJSIP/ and the extension if not given."""

    extension: Word
    endpoint: Annotated[str, Meta(max_length=101)] = ""
    group: Word = ""
    language: Word = ""
    name: Annotated[str, Meta(max_length=FIELD_CHARACTERS)] = ""


class DidRow(ApiStruct, frozen=True):
    """A DID. `screen` false: for fax, alarm and lift."""

    number: NumberText
    groups: Annotated[list[Word], Meta(max_length=50)] = []  # noqa: RUF012  msgspec copies it
    callee: Word = ""
    screen: bool = True


class PeopleImport(ApiStruct, frozen=True):
    """People to be added, or brought up to date. Those that are not here stay."""

    people: Annotated[list[PersonRow], Meta(min_length=1, max_length=MOST_ROWS)]


class DidImport(ApiStruct, frozen=True):
    """DIDs to be added, or brought up to date. Those that are not here stay."""

    dids: Annotated[list[DidRow], Meta(min_length=1, max_length=MOST_ROWS)]


class RowsImported(ApiStruct, frozen=True):
    """How many there were, each once. `kept`: those that the settings say otherwise."""

    change_id: ChangeId | None
    rows: int
    kept: list[str]


class ImportRemoved(ApiStruct, frozen=True):
    """How many were taken out."""

    change_id: ChangeId | None
    rows: int


def show_people(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """Everybody."""
    sources = {key: one.source for key, one in people_from(db).items()}
    named = {one.extension for one in people_of(context.settings)}
    rows = {one.extension: one for one in all_people(db)}
    return _page(asked.query, rows, sources, named)


def show_dids(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """Every DID."""
    sources = {key: one.source for key, one in dids_from(db).items()}
    named = {one.number for one in dids_of(context.settings)}
    rows = {one.number: one for one in all_dids(db)}
    return _page(asked.query, rows, sources, named)


def import_people(db: sqlite3.Connection, context: Context, asked: Asked[None, PeopleImport]) -> RowsImported:
    """All rows or none."""
    return _import(db, context, asked, [_person(place, row) for place, row in enumerate(asked.body.people)])


def import_dids(db: sqlite3.Connection, context: Context, asked: Asked[None, DidImport]) -> RowsImported:
    """All rows or none."""
    region = context.settings.numbers.region
    return _import(
        db, context, asked, [_did(place, row, region) for place, row in enumerate(asked.body.dids)], ImportKind.DIDS
    )


def remove_people(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> ImportRemoved:
    """All that the import brought."""
    return _remove(db, context, asked, ImportKind.PEOPLE)


def remove_dids(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> ImportRemoved:
    """All that the import brought."""
    return _remove(db, context, asked, ImportKind.DIDS)


def _page(query: PageQuery, rows: dict[str, Any], sources: dict[str, str], named: set[str]) -> dict[str, Any]:
    after = place_of(query.cursor, tuple[str])
    left = [key for key in sorted(rows) if after is None or key > after[0]]
    shown, following = page_of(left, query.limit, lambda key: (key,))
    items = [{**asdict(rows[key]), "source": sources.get(key), "of_settings": key in named} for key in shown]
    return {"items": items, "next": following}


def _person(place: int, row: PersonRow) -> Person:
    fields = (row.extension, row.endpoint, row.group, row.language)
    problem = problem_of_person(*fields) or _problem_of_name(row.name)
    if problem:
        raise Refused("bad-person", problem, f"people[{place}]")
    return person_of_row(*fields, row.name)


def _did(place: int, row: DidRow, region: str) -> Did:
    number = did_number_of(row.number, region)
    problem = problem_of_did(number, row.number, row.groups, row.callee)
    if number is None or problem:
        raise Refused("bad-did", problem, f"dids[{place}]")
    return Did(number, tuple(dict.fromkeys(row.groups)), row.callee or None, row.screen)


def _problem_of_name(name: str) -> str:
    return "" if name.isprintable() else "a name is one line"


def _import(
    db: sqlite3.Connection,
    context: Context,
    asked: Asked[None, Any],
    rows: Sequence[Person] | Sequence[Did],
    kind: ImportKind = ImportKind.PEOPLE,
) -> RowsImported:
    done = operations.import_people(db, context, PeopleRequest(asked.path["name"], rows, kind))
    return RowsImported(change_id=done.change_id, rows=done.rows, kept=done.kept)


def _remove(db: sqlite3.Connection, context: Context, asked: Asked[None, None], kind: ImportKind) -> ImportRemoved:
    done = operations.remove(db, context, RemoveRequest(asked.path["name"], kind))
    return ImportRemoved(change_id=done.change_id, rows=done.rows)


ENDPOINTS = (
    Endpoint("GET", "/people", show_people, Scope.READ, Role.OPERATOR, PersonRecords, "Our people.", query=PageQuery),
    Endpoint("GET", "/dids", show_dids, Scope.READ, Role.OPERATOR, DidRecords, "Our DIDs.", query=PageQuery),
    Endpoint(
        "POST",
        "/imports/people/{name}",
        import_people,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        RowsImported,
        "Add people, or bring them up to date, under a name by which they can be taken out again.",
        body=PeopleImport,
        example=PeopleImport(people=[PersonRow(extension="201", name="Alice", group="sales")]),
        most_bytes=MOST_BYTES,
    ),
    Endpoint(
        "POST",
        "/imports/dids/{name}",
        import_dids,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        RowsImported,
        "Add DIDs, or bring them up to date, under a name by which they can be taken out again.",
        body=DidImport,
        example=DidImport(dids=[DidRow(number="+442071838750", groups=["sales"])]),
        most_bytes=MOST_BYTES,
    ),
    Endpoint(
        "DELETE",
        "/imports/people/{name}",
        remove_people,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        ImportRemoved,
        "Take an import of people out, with all that it brought.",
    ),
    Endpoint(
        "DELETE",
        "/imports/dids/{name}",
        remove_dids,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        ImportRemoved,
        "Take an import of DIDs out, with all that it brought.",
    ),
)
