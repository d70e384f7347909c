"""Feeds and other imports: how large and old each is, whether it still comes, and why the last one was refused."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.imports.feed_health import FeedHealth, health_of, late_after_seconds
from callsieve.web.request import PageRequest
from callsieve.web.routes import Page
from reputation.store.feeds import FeedSource, feed_sources
from reputation.store.imports import ImportSource, sources
from reputation.store.sources import NamedSource, contact_sources
from reputation.users import Role


@dataclass(frozen=True, slots=True)
class FeedShown:
    """A feed and how it is. `stale_at`: from when on it is late."""

    feed: FeedSource
    health: FeedHealth
    stale_at: float


@dataclass(frozen=True, slots=True)
class FeedsShown:
    """The page: feeds, the worst first; lists of numbers that came once; contacts."""

    feeds: tuple[FeedShown, ...]
    lists: tuple[ImportSource, ...]
    contacts: tuple[NamedSource, ...]


async def show(req: PageRequest) -> Response:
    """The page."""
    return req.page("imports/feeds.html", feeds=await req.read(feeds_shown, req.now))


def feeds_shown(db: sqlite3.Connection, now: float) -> FeedsShown:
    """What the page shows."""
    found = [FeedShown(one, health_of(one, now), one.imported_at + late_after_seconds(one)) for one in feed_sources(db)]
    found.sort(key=lambda one: (not one.health.detail, one.feed.name))
    names = {one.feed.name for one in found}
    lists = tuple(one for one in sources(db) if one.name not in names)
    return FeedsShown(tuple(found), lists, tuple(contact_sources(db)))


PAGES = (Page("GET", "/feeds", show, Role.VIEWER),)
