"""Feeds and other imports: how large and old each is, whether it still comes, and why the last one was refused."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.imports.feed_health import (
    FeedHealth,
    FoundFeed,
    feeds_found,
    fresh_at,
    late_after_seconds,
    nobody_fetches,
    skills_of,
)
from callsieve.lookups.views import LookupShown, lookups_shown, said_right
from callsieve.settings import Loaded
from callsieve.web.request import Page, PageRequest
from reputation.store.imports import ImportSource, sources
from reputation.store.sources import FeedSource, NamedSource, contact_sources, feed_fetches
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
class FeedsShown:
    """The page: feeds, the worst first; those that never came; lists of numbers that came once; contacts; look-ups.

    `nobody_fetches`: feeds of the settings wait for a timer that does not run.
    """

    feeds: tuple[FeedShown, ...]
    missing: tuple[FoundFeed, ...]
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
    feeds = feeds_found(db, settings, now)
    there = [(one.feed, one.health) for one in feeds if one.feed is not None]
    skills = skills_of(db, [feed for feed, _ in there], now)
    found = [
        FeedShown(feed, health, fresh_at(feed) + late_after_seconds(feed), said_right(skills[feed.name]))
        for feed, health in there
    ]
    found.sort(key=lambda one: (not one.health.detail, one.feed.name))
    names = {one.feed.name for one in found}
    lists = tuple(one for one in sources(db) if one.name not in names)
    missing = tuple(one for one in feeds if one.feed is None)
    waits = nobody_fetches([feed.name for feed in settings.feed], feed_fetches(db), now)
    asked = lookups_shown(db, settings, now)
    return FeedsShown(tuple(found), missing, waits, lists, tuple(contact_sources(db)), asked)


PAGES = (Page("GET", "/feeds", show, Role.VIEWER),)
