"""The health check of feeds, their metrics, and what is told of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, and_more, ok, warn
from callsieve.imports.feed_health import FeedStatus, feeds_found, health_of, nobody_fetches
from callsieve.monitoring.metrics import MetricFamily
from callsieve.settings import Loaded, Settings
from callsieve.text.times import span_words
from reputation.events import EventKind, FeedStale
from reputation.store.outbox import tell_bad
from reputation.store.sources import FeedSource, feed_fetches, feed_sources
from reputation.wording import Wording

FEEDS = "callsieve feeds"
BAD_FEEDS: Final = frozenset({FeedStatus.FAILED, FeedStatus.STALE})
FETCH_TIMER = Wording("systemctl enable --now callsieve-feeds.timer, or callsieve feeds fetch by cron")


def has_fresh_feeds(ground: CheckContext) -> Finding:
    """Return whether feeds still come, and are as large as they used to be; those of the settings are fetched."""
    return ground.judge_store(lambda db, now: _judged(db, ground.loaded.settings, now))


def _judged(db: sqlite3.Connection, settings: Settings, now: float) -> Finding:
    if nobody_fetches([feed.name for feed in settings.feed], feed_fetches(db), now):
        return warn(Wording("nobody fetches them: the timer does not run"), FETCH_TIMER)
    found = feeds_found(db, settings, now)
    ill = [one for one in found if one.health.health is not FeedStatus.OK]
    if ill:
        first = Wording("{feed} {health}", {"feed": ill[0].name, "health": ill[0].health.said})
        return warn(and_more(first, len(ill) - 1), FEEDS)
    if not found:
        return ok(NONE)
    oldest = span_words(max(0.0, *(now - one.feed.imported_at for one in found if one.feed is not None)))
    return ok(Wording("{count}, the oldest {age} old", {"count": len(found), "age": oldest}))


def _tell_stale(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """Tell of each once when it goes bad. A feed that is smaller than before came all the same."""
    found: dict[str, tuple[str, FeedStale] | None] = {}
    for name, feed, _, health in feeds_found(db, settings, now):
        status = health.health.value
        imported_at = None if feed is None else feed.imported_at
        data = FeedStale(feed=name, status=status, detail=str(health.detail), imported_at=imported_at)
        found[name] = (status, data) if health.health in BAD_FEEDS else None
    tell_bad(db, "feed/", EventKind.FEED_STALE, found, now)


def feed_metrics(feeds: Sequence[FeedSource], now: float) -> Iterator[MetricFamily]:
    """Return how each feed is, by its name."""
    ages = {feed.name: now - feed.imported_at for feed in feeds}
    healthy = {feed.name: health_of(feed, now).health is FeedStatus.OK for feed in feeds}
    yield MetricFamily("feed_age_seconds", "Since a feed was last replaced.", ages, "feed")
    yield MetricFamily("feed_numbers", "Numbers in a feed.", {feed.name: feed.numbers for feed in feeds}, "feed")
    yield MetricFamily("feed_healthy", "1 while a feed comes as it used to.", healthy, "feed")


def metrics(db: sqlite3.Connection, _loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return what /metrics shows of feeds."""
    return feed_metrics(feed_sources(db), now)


CHECKS = (HealthCheck(place=330, name="feeds", find=has_fresh_feeds, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.FEED_STALE,), _tell_stale),)
