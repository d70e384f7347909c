"""Our people and DIDs: who and which numbers there are, from where, and their files out and in."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from callsieve.changes.operation import Refused, note
from callsieve.imports import operations
from callsieve.imports.operations import (
    MOST_ROWS,
    TOO_MANY,
    ImportKind,
    PeopleRequest,
    RemoveImportRequest,
    source_name,
)
from callsieve.imports.rows import DID_COLUMNS, PEOPLE_COLUMNS, dids_as_csv, dids_in, people_as_csv, people_in
from callsieve.settings import Settings
from callsieve.text.csv_table import CsvTable, usable
from callsieve.text.table_errors import TableError
from callsieve.text.times import day
from callsieve.web.request import Page, PageRequest, as_file, uploaded_table
from callsieve.wiring import dids_of, people_of
from reputation.model import Did, Person
from reputation.store.audit import Change
from reputation.store.people import all_dids, all_people
from reputation.store.sources import NamedSource, did_sources, dids_from, people_from, people_sources
from reputation.users import Role
from reputation.wording import Wording

UPLOAD_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class PeopleShown:
    """The page. `of_settings`: extensions and numbers that the settings name, which win over every import.

    `source_of`: the import that the others came from, by extension or number.
    """

    people: tuple[Person, ...]
    dids: tuple[Did, ...]
    of_settings: frozenset[str]
    source_of: Mapping[str, str]
    people_sources: tuple[NamedSource, ...]
    did_sources: tuple[NamedSource, ...]


def people_shown(db: sqlite3.Connection, settings: Settings) -> PeopleShown:
    """What the page shows."""
    named = {one.extension for one in people_of(settings)} | {one.number for one in dids_of(settings)}
    return PeopleShown(
        tuple(all_people(db)),
        tuple(all_dids(db)),
        frozenset(named),
        {key: one.source for key, one in (people_from(db) | dids_from(db)).items()},
        tuple(people_sources(db)),
        tuple(did_sources(db)),
    )


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """The page, with what was wrong of what was asked."""
    shown = await req.read(people_shown, req.state.loaded.settings)
    return req.page("imports/people.html", 422 if problem else 200, people=shown, problem=problem)


async def export_people(req: PageRequest) -> Response:
    """Our people as a file."""
    await req.perform(note, Change("people export"))
    return as_file(people_as_csv(await req.read(all_people)), f"callsieve-people-{day(req.now)}.csv")


async def export_dids(req: PageRequest) -> Response:
    """Our DIDs as a file."""
    await req.perform(note, Change("did export"))
    return as_file(dids_as_csv(await req.read(all_dids)), f"callsieve-dids-{day(req.now)}.csv")


async def import_people(req: PageRequest) -> Response:
    """People from a file: new ones, and those that are there brought up to date."""
    return await _import(req, ImportKind.PEOPLE, PEOPLE_COLUMNS, people_in)


async def import_dids(req: PageRequest) -> Response:
    """DIDs from a file."""
    region = req.state.loaded.settings.numbers.region
    return await _import(req, ImportKind.DIDS, DID_COLUMNS, lambda table: dids_in(table, region))


async def remove_people(req: PageRequest) -> Response:
    """An import of people taken out, with all that it brought."""
    return await _remove(req, ImportKind.PEOPLE)


async def remove_dids(req: PageRequest) -> Response:
    """An import of DIDs taken out, with all that it brought."""
    return await _remove(req, ImportKind.DIDS)


async def _remove(req: PageRequest, kind: ImportKind) -> Response:
    await req.perform(operations.remove, RemoveImportRequest(req.form.get("source", ""), kind))
    return req.go("/people", "import-gone")


async def _import(
    req: PageRequest, kind: ImportKind, columns: Sequence[str], rows_in: Callable[[CsvTable], Iterator[Any]]
) -> Response:
    try:
        source = source_name(req.form.get("source", "").strip())
        table = uploaded_table(req, columns)
        rows = await asyncio.to_thread(usable, table, rows_in(table), MOST_ROWS, TOO_MANY)
        done = await req.perform(operations.import_people, PeopleRequest(source, rows, kind))
    except (TableError, Refused) as error:
        return await show(req, error.words)
    problems = list(map(str, table.problems))
    return req.page("imports/people_imported.html", done=done, skipped=table.skipped, problems=problems)


PAGES = (
    Page("GET", "/people", show, Role.VIEWER),
    Page("GET", "/people/export.csv", export_people, Role.OPERATOR),
    Page("GET", "/people/dids.csv", export_dids, Role.OPERATOR),
    Page("POST", "/people/import", import_people, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/dids/import", import_dids, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/remove", remove_people, Role.ADMINISTRATOR),
    Page("POST", "/people/dids/remove", remove_dids, Role.ADMINISTRATOR),
)
