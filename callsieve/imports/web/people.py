"""Our people and DIDs: who and which numbers there are, from where, and their files out and in."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from callsieve.changes.operation import Refused, note
from callsieve.imports import operations
from callsieve.imports.operations import MOST_ROWS, TOO_MANY, ImportKind, PeopleRequest, RemoveRequest, source_name
from callsieve.imports.people_csv import DID_COLUMNS, dids_as_csv, dids_in, people_as_csv
from callsieve.imports.rows import PEOPLE_COLUMNS, people_in
from callsieve.settings import Settings
from callsieve.text.csv_table import CsvTable, TableError, usable
from callsieve.text.times import day
from callsieve.web.request import Visit, as_file, uploaded_table
from callsieve.web.routes import Page
from callsieve.wiring import dids_of, people_of
from reputation.model import Did, Person
from reputation.store.audit import Change
from reputation.store.people import all_dids, all_people
from reputation.store.sources import NamedSource, did_sources, people_sources
from reputation.users import Role
from reputation.wording import Wording

UPLOAD_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class PeopleShown:
    """The page. `of_settings`: extensions and numbers that the settings name, which win over every import."""

    people: tuple[Person, ...]
    dids: tuple[Did, ...]
    of_settings: frozenset[str]
    people_sources: tuple[NamedSource, ...]
    did_sources: tuple[NamedSource, ...]


def people_shown(db: sqlite3.Connection, settings: Settings) -> PeopleShown:
    """What the page shows."""
    named = {one.extension for one in people_of(settings)} | {one.number for one in dids_of(settings)}
    return PeopleShown(
        tuple(all_people(db)),
        tuple(all_dids(db)),
        frozenset(named),
        tuple(people_sources(db)),
        tuple(did_sources(db)),
    )


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def export_people(visit: Visit) -> Response:
    """Our people as a file."""
    await visit.perform(note, Change("people export"))
    return as_file(people_as_csv(await visit.read(all_people)), f"callsieve-people-{day(visit.now)}.csv")


async def export_dids(visit: Visit) -> Response:
    """Our DIDs as a file."""
    await visit.perform(note, Change("did export"))
    return as_file(dids_as_csv(await visit.read(all_dids)), f"callsieve-dids-{day(visit.now)}.csv")


async def import_people(visit: Visit) -> Response:
    """People from a file: new ones, and those that are there brought up to date."""
    return await _import(visit, ImportKind.PEOPLE, PEOPLE_COLUMNS, people_in)


async def import_dids(visit: Visit) -> Response:
    """DIDs from a file."""
    region = visit.desk.loaded.settings.numbers.region
    return await _import(visit, ImportKind.DIDS, DID_COLUMNS, lambda table: dids_in(table, region))


async def remove_people(visit: Visit) -> Response:
    """An import of people taken out, with all that it brought."""
    return await _remove(visit, ImportKind.PEOPLE)


async def remove_dids(visit: Visit) -> Response:
    """An import of DIDs taken out, with all that it brought."""
    return await _remove(visit, ImportKind.DIDS)


async def _remove(visit: Visit, kind: ImportKind) -> Response:
    await visit.perform(operations.remove, RemoveRequest(visit.form.get("source", ""), kind))
    return visit.go("/people", "import-gone")


async def _import(
    visit: Visit, kind: ImportKind, columns: Sequence[str], rows_in: Callable[[CsvTable], Iterator[Any]]
) -> Response:
    try:
        source = source_name(visit.form.get("source", "").strip())
        table = uploaded_table(visit, columns)
        rows = await asyncio.to_thread(usable, table, rows_in(table), MOST_ROWS, TOO_MANY)
        done = await visit.perform(operations.import_people, PeopleRequest(source, rows, kind))
    except (TableError, Refused) as error:
        return await _page(visit, error.words)
    problems = list(map(str, table.problems))
    return visit.page("imports/people_imported.html", done=done, skipped=table.skipped, problems=problems)


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    shown = await visit.read(people_shown, visit.desk.loaded.settings)
    return visit.page("imports/people.html", 422 if problem else 200, people=shown, problem=problem)


PAGES = (
    Page("GET", "/people", show, Role.VIEWER),
    Page("GET", "/people/export.csv", export_people, Role.OPERATOR),
    Page("GET", "/people/dids.csv", export_dids, Role.OPERATOR),
    Page("POST", "/people/import", import_people, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/dids/import", import_dids, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/remove", remove_people, Role.ADMINISTRATOR),
    Page("POST", "/people/dids/remove", remove_dids, Role.ADMINISTRATOR),
)
