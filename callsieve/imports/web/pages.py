"""Pages of imports: feeds with their health, and people and DIDs with import and export."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from callsieve.changes.operation import Refused, note
from callsieve.imports import operations
from callsieve.imports.feed_health import (
    KnownFeed,
    fresh_at,
    late_after_seconds,
    list_feeds,
    nobody_fetches_feeds,
    skills_of,
)
from callsieve.imports.operations import (
    MOST_ROWS,
    TOO_MANY,
    ImportKind,
    PeopleRequest,
    RemoveImportRequest,
    source_name,
)
from callsieve.imports.rows import DID_COLUMNS, PEOPLE_COLUMNS, dids_as_csv, dids_in, people_as_csv, people_in
from callsieve.lookups.views import LookupShown, lookups_shown
from callsieve.settings import Loaded, Settings
from callsieve.source_health import SourceHealth
from callsieve.source_skill import accuracy_of
from callsieve.text.csv_table import CsvTable, usable
from callsieve.text.table_errors import TableError
from callsieve.text.times import day
from callsieve.web.request import Page, PageRequest, as_file, uploaded_table
from callsieve.wiring import dids_of, people_of
from reputation.model import Did, Person
from reputation.store.audit import Change
from reputation.store.imports import ImportSource, sources
from reputation.store.people import all_dids, all_people
from reputation.store.sources import (
    FeedSource,
    NamedSource,
    contact_sources,
    did_sources,
    dids_from,
    feed_fetches,
    people_from,
    people_sources,
)
from reputation.users import Role
from reputation.wording import Wording

UPLOAD_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class PeopleShown:
    """The content of the page of people and DIDs. `of_settings`: extensions and numbers defined in the settings.

    `source_of`: for each imported extension or number, the name of its import.
    """

    people: tuple[Person, ...]
    dids: tuple[Did, ...]
    of_settings: frozenset[str]
    source_of: Mapping[str, str]
    people_sources: tuple[NamedSource, ...]
    did_sources: tuple[NamedSource, ...]


def people_shown(db: sqlite3.Connection, settings: Settings) -> PeopleShown:
    """Return the content of the page of people and DIDs."""
    named = {person.extension for person in people_of(settings)} | {did.number for did in dids_of(settings)}
    return PeopleShown(
        tuple(all_people(db)),
        tuple(all_dids(db)),
        frozenset(named),
        {key: source.source for key, source in (people_from(db) | dids_from(db)).items()},
        tuple(people_sources(db)),
        tuple(did_sources(db)),
    )


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the page of people and DIDs. `problem`: why a form was rejected."""
    shown = await req.read(people_shown, req.state.loaded.settings)
    return req.page("imports/people.html", 422 if problem else 200, people=shown, problem=problem)


async def export_people(req: PageRequest) -> Response:
    """Return all people as a CSV file."""
    await req.perform(note, Change("people export"))
    return as_file(people_as_csv(await req.read(all_people)), f"callsieve-people-{day(req.now)}.csv")


async def export_dids(req: PageRequest) -> Response:
    """Return all DIDs as a CSV file."""
    await req.perform(note, Change("did export"))
    return as_file(dids_as_csv(await req.read(all_dids)), f"callsieve-dids-{day(req.now)}.csv")


async def import_people(req: PageRequest) -> Response:
    """Add or update people from a file."""
    return await _import(req, ImportKind.PEOPLE, PEOPLE_COLUMNS, people_in)


async def import_dids(req: PageRequest) -> Response:
    """Add or update DIDs from a file."""
    region = req.state.loaded.settings.numbers.region
    return await _import(req, ImportKind.DIDS, DID_COLUMNS, lambda table: dids_in(table, region))


async def remove_people(req: PageRequest) -> Response:
    """Remove an import of people."""
    return await _remove(req, ImportKind.PEOPLE)


async def remove_dids(req: PageRequest) -> Response:
    """Remove an import of DIDs."""
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
    problems = [problem.words for problem in table.problems]
    return req.page("imports/people_imported.html", done=done, skipped=table.skipped, problems=problems)


@dataclass(frozen=True, slots=True)
class FeedShown:
    """A feed with its health. `stale_at`: when the feed becomes stale. `was_right`: how accurate the feed was."""

    feed: FeedSource
    health: SourceHealth
    stale_at: float
    was_right: Wording


@dataclass(frozen=True, slots=True)
class FeedsShown:
    """The content of the page of feeds and other sources. `feeds`: the imported feeds, those with a problem first.

    `of_settings`: names of feeds that the timer fetches. `nobody_fetches`: whether feeds are overdue because no timer
    runs. `missing`: feeds of the settings that were never imported.
    """

    feeds: tuple[FeedShown, ...]
    missing: tuple[KnownFeed, ...]
    nobody_fetches: bool
    lists: tuple[ImportSource, ...]
    contacts: tuple[NamedSource, ...]
    lookups: tuple[LookupShown, ...]
    of_settings: frozenset[str]


async def show_feeds(req: PageRequest) -> Response:
    """Show the page of feeds."""
    return req.page("imports/feeds.html", feeds=await req.read(feeds_shown, req.now, req.state.loaded))


async def fetch_feed(req: PageRequest) -> Response:
    """Let the timer fetch a feed of the settings at its next run."""
    await req.perform(operations.fetch_soon, req.form.get("feed", ""))
    return req.go("/feeds", "feed-due")


def feeds_shown(db: sqlite3.Connection, now: float, loaded: Loaded) -> FeedsShown:
    """Return the content of the page of feeds."""
    settings = loaded.settings
    feeds = list_feeds(db, settings, now)
    imported = [(status.feed, status.health) for status in feeds if status.feed is not None]
    skills = skills_of(db, [feed for feed, _ in imported], now)
    shown_feeds = [
        FeedShown(feed, health, fresh_at(feed) + late_after_seconds(feed), accuracy_of(skills[feed.name]))
        for feed, health in imported
    ]
    shown_feeds.sort(key=lambda shown: (not shown.health.detail, shown.feed.name))
    names = {shown.feed.name for shown in shown_feeds}
    lists = tuple(source for source in sources(db) if source.name not in names)
    missing = tuple(status for status in feeds if status.feed is None)
    fetches = feed_fetches(db)
    waits = nobody_fetches_feeds(settings, fetches, now)
    fetched = frozenset(feed.name for feed in settings.feed if feed.name in fetches)
    asked = lookups_shown(db, settings, now)
    return FeedsShown(tuple(shown_feeds), missing, waits, lists, tuple(contact_sources(db)), asked, fetched)


PAGES = (
    Page("GET", "/feeds", show_feeds, Role.VIEWER),
    Page("POST", "/feeds/fetch", fetch_feed, Role.ADMINISTRATOR),
    Page("GET", "/people", show, Role.VIEWER),
    Page("GET", "/people/export.csv", export_people, Role.OPERATOR),
    Page("GET", "/people/dids.csv", export_dids, Role.OPERATOR),
    Page("POST", "/people/import", import_people, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/dids/import", import_dids, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("POST", "/people/remove", remove_people, Role.ADMINISTRATOR),
    Page("POST", "/people/dids/remove", remove_dids, Role.ADMINISTRATOR),
)
