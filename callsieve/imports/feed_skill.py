"""How good feeds are, by what our own people and the callers showed: as look-ups are judged (callsieve.lookups)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from callsieve.lookups.measure import Skill, skill_of
from reputation.store.feeds import FeedSource, compared_with_feeds
from reputation.store.lookups import Compared

DAYS = 90
DAY_SECONDS = 86_400.0


def skills_of(db: sqlite3.Connection, feeds: Iterable[FeedSource], now: float) -> dict[str, Skill]:
    """Of each feed by name, over the last 90 days."""
    found = compared_with_feeds(db, now - DAYS * DAY_SECONDS)
    return {feed.name: skill_of(found.get(feed.name, Compared())) for feed in feeds}
