"""Our people and DIDs: who and which numbers there are, from where, and their files out and in."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from callsieve.imports.people_csv import DID_COLUMNS, MOST_ROWS, dids_as_csv, dids_in, people_as_csv
from callsieve.imports.rows import NAME, PEOPLE_COLUMNS, people_in
from callsieve.settings import Settings
from callsieve.text.csv_table import Table, TableError
from callsieve.text.times import day
from callsieve.web.request import NotThere, Visit, as_file
from callsieve.web.routes import Page
from callsieve.web.words import N_
from callsieve.wiring import dids_of, people_of
from reputation.model import Did, Person
from reputation.store.audit import Change
from reputation.store.people import SETTINGS, all_dids, all_people, upsert_dids, upsert_people
from reputation.store.sources import NamedSource, did_sources, people_sources, remove_dids, remove_people
from reputation.users import Role

if TYPE_CHECKING:
    from callsieve.web.routes import Handler

UPLOAD_BYTES = 2 << 20
EMPTY = N_("Choose a file first.")
NO_SOURCE = N_("Say what this import is called: letters, digits, space, _, . and -, 64 at most.")
NO_ROW = N_("Not one row can be used.")
TOO_MANY = N_("More than 20,000 rows: that is no list of people or DIDs.")


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
    await visit.note("people export")
    return as_file(people_as_csv(await visit.read(all_people)), f"callsieve-people-{day(visit.now)}.csv")


async def export_dids(visit: Visit) -> Response:
    """Our DIDs as a file."""
    await visit.note("did export")
    return as_file(dids_as_csv(await visit.read(all_dids)), f"callsieve-dids-{day(visit.now)}.csv")


async def import_people(visit: Visit) -> Response:
    """People from a file: new ones, and those that are there brought up to date."""
    return await _import(visit, "import people", PEOPLE_COLUMNS, people_in, upsert_people)


async def import_dids(visit: Visit) -> Response:
    """DIDs from a file."""
    region = visit.desk.loaded.settings.numbers.region
    return await _import(visit, "import dids", DID_COLUMNS, lambda table: dids_in(table, region), upsert_dids)


def removing(kind: str, remove: Callable[[sqlite3.Connection, str], int]) -> Handler:
    """An import taken back, with all that it brought."""

    async def handle(visit: Visit) -> Response:
        source = visit.form.get("source", "")

        def write(db: sqlite3.Connection, change: Change) -> None:
            count = remove(db, source)
            if not count:
                raise NotThere
            change.before = {"kind": kind, "rows": count}

        await visit.change("import remove", write, name=source)
        return visit.go("/people", "import-gone")

    return handle


async def _import(
    visit: Visit,
    what: str,
    columns: Sequence[str],
    rows_in: Callable[[Table], object],
    upsert: Callable[..., None],
) -> Response:
    source, raw = visit.form.get("source", "").strip(), visit.files.get("file", b"")
    if not NAME.fullmatch(source) or source == SETTINGS:
        return await _page(visit, NO_SOURCE)
    if not raw:
        return await _page(visit, EMPTY)
    try:
        table = Table(io.BytesIO(raw), columns, "the file")
        rows = list(rows_in(table))  # type: ignore[call-overload]
    except TableError as error:
        return await _page(visit, str(error))
    problems = [f"line {problem.line}: {problem.text}" for problem in table.problems]
    if not rows or len(rows) > MOST_ROWS:
        return await _page(visit, TOO_MANY if rows else "; ".join(problems[:1]) or NO_ROW)

    def write(db: sqlite3.Connection, change: Change) -> None:
        change.after = {"rows": len(rows)}
        upsert(db, rows, source)

    await visit.change(what, write, name=source)
    return visit.page("imports/people_imported.html", count=len(rows), skipped=table.skipped, problems=problems)


async def _page(visit: Visit, problem: str = "") -> Response:
    shown = await visit.read(people_shown, visit.desk.loaded.settings)
    return visit.page("imports/people.html", 422 if problem else 200, people=shown, problem=problem)


PAGES = (
    Page("GET", "/people", show, Role.VIEWER),
    Page("GET", "/people/export.csv", export_people, Role.OPERATOR),
    Page("GET", "/people/dids.csv", export_dids, Role.OPERATOR),
    Page("POST", "/people/import", import_people, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/dids/import", import_dids, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/remove", removing("people", remove_people), Role.ADMINISTRATOR),
    Page("POST", "/people/dids/remove", removing("dids", remove_dids), Role.ADMINISTRATOR),
)
