"""Feeds and other imports: how large and old each is, whether it still comes, and why the last one was refused."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.imports.feed_health import (
    FeedHealth,
    fresh_at,
    health_of,
    health_of_missing,
    late_after_seconds,
    nobody_fetches,
)
from callsieve.imports.feed_skill import skills_of
from callsieve.lookups.views import LookupShown, lookups_shown, said_right
from callsieve.settings import Loaded
from callsieve.web.request import PageRequest
from callsieve.web.routes import Page
from reputation.store.feed_fetches import FeedFetch, feed_fetches
from reputation.store.feeds import FeedSource, feed_sources
from reputation.store.imports import ImportSource, sources
from reputation.store.sources import NamedSource, contact_sources
from reputation.users import Role
from reputation.wording import Wording


@dataclass(frozen=True, slots=True)
class FeedShown:
    """A feed and how it is. `stale_at`: from when on it is late; `was_right`: of how many callers that it lists."""

    feed: FeedSource
    health: FeedHealth
    stale_at: float
    was_right: Wording


@dataclass(frozen=True, slots=True)
class MissingFeed:
    """A feed of the settings that never came, and when it was asked for last and is next; None: nobody has asked."""

    name: str
    health: FeedHealth
    asked_at: float | None
    next_at: float | None


@dataclass(frozen=True, slots=True)
class FeedsShown:
    """The page: feeds, the worst first; those that never came; lists of numbers that came once; contacts; look-ups.

    `nobody_fetches`: feeds of the settings wait for a timer that does not run.
    """

    feeds: tuple[FeedShown, ...]
    missing: tuple[MissingFeed, ...]
    nobody_fetches: bool
    lists: tuple[ImportSource, ...]
    contacts: tuple[NamedSource, ...]
    lookups: tuple[LookupShown, ...]


async def show(req: PageRequest) -> Response:
    """The page."""
    return req.page("imports/feeds.html", feeds=await req.read(feeds_shown, req.now, req.state.loaded))


def feeds_shown(db: sqlite3.Connection, now: float, loaded: Loaded) -> FeedsShown:
    """What the page shows: feeds and look-ups are those of the settings, too."""
    settings = loaded.settings
    wanted = [feed.name for feed in settings.feed]
    fetches = feed_fetches(db)
    feeds = feed_sources(db)
    skills = skills_of(db, feeds, now)
    found = [
        FeedShown(one, health_of(one, now), fresh_at(one) + late_after_seconds(one), said_right(skills[one.name]))
        for one in feeds
    ]
    found.sort(key=lambda one: (not one.health.detail, one.feed.name))
    names = {one.feed.name for one in found}
    lists = tuple(one for one in sources(db) if one.name not in names)
    missing = tuple(_missing(name, fetches.get(name), now) for name in sorted(set(wanted) - names))
    waits = nobody_fetches(wanted, fetches, now)
    asked = lookups_shown(db, settings, now)
    return FeedsShown(tuple(found), missing, waits, lists, tuple(contact_sources(db)), asked)


def _missing(name: str, fetch: FeedFetch | None, now: float) -> MissingFeed:
    asked_at, next_at = (fetch.asked_at, fetch.next_at) if fetch else (None, None)
    return MissingFeed(name, health_of_missing(fetch, now), asked_at, next_at)


PAGES = (Page("GET", "/feeds", show, Role.VIEWER),)
