"""How a feed is: whether it still comes, and as large as it used to; the health check, metrics and events of feeds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple

from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, first_ill, ok, warn
from callsieve.monitoring.metrics import MetricFamily
from callsieve.outside.errors import KeptFailure, read_kept_failure
from callsieve.settings import Loaded, Settings
from callsieve.source_health import SourceHealth, SourceStatus, nobody_fetches, templates_of
from callsieve.source_skill import MEASURED_SECONDS, Skill, skill_of
from callsieve.text.table_errors import TableProblem
from callsieve.text.times import ago, span_words
from reputation.encoding import FLAT, Instant
from reputation.events import EventKind, FeedStale
from reputation.store.lookups import Compared
from reputation.store.outbox import emit_bad
from reputation.store.sources import FeedFetch, FeedSource, compared_with_feeds, feed_fetches, feed_sources
from reputation.wording import Places, Wording

DAY = 86_400.0
# A feed is late after twice the time between its imports, or this many days where it came but once.
LATE_AFTER_GAPS = 2.0
LATE_DAYS = 30.0
LEAST_GAP_SECONDS = DAY
OVERDUE_SECONDS = 3600.0  # the timer looks every quarter of an hour
EARLY = 1.01  # seven days less a few seconds are called seven days
# Smaller than this share of the import before is said, smaller than that one is refused.
SHRANK_SHARE = 0.75
REFUSED_SHARE = 0.5


class FeedFailure(StrEnum):
    """Why a feed was not taken, where its file is a table: `TableProblem` says what else may be wrong with that."""

    FEED_SHRANK = (
        "{numbers:,} numbers, less than half of the {before:,} in force: is the file whole? --accept-smaller takes it"
    )
    OTHER_VERDICT = (
        "{source} has the verdict {before} and this import {verdict}: "
        "say --verdict {before}, or first remove the import"
    )
    NOTHING_USABLE = "no row can be used"
    TOO_MANY_ROWS = "more than {most:,} rows: that is no feed of telephone numbers"
    BAD_STATUS = "{host}: it answers {status} in the place of the file"
    NO_CHECKSUM = "{host}: there is no sha256 of the file"
    BAD_CHECKSUM = "{host}: the file is not the one that its sha256 is of: is it being replaced?"
    NO_SIGNATURE = "{host}: there is no signature file {file} ({status})"
    BAD_SIGNATURE = "{host}: the file is not signed by the key of the settings"
    OLD_SIGNATURE = "{host}: the file was signed before the one in force: somebody serves an old one"
    UNPACKS_LARGE = "more than {most:,} bytes when it is unpacked: a larger `megabytes` in the settings takes it"

    @property
    def code(self) -> str:
        """As the store keeps it: `feed-shrank`."""
        return self._name_.lower().replace("_", "-")


FAILURES = templates_of(TableProblem, FeedFailure)


def health_of(feed: FeedSource, now: float) -> SourceHealth:
    """How the feed is at that time."""
    if feed.failed_at is not None and feed.failed_at >= fresh_at(feed):
        return _failed(feed.failed_at, feed.failure, now)
    if now - fresh_at(feed) > late_after_seconds(feed):
        if not feed.every_seconds:
            return SourceHealth(SourceStatus.STALE, Wording("imported only once"))
        usual = span_words(EARLY * feed.every_seconds)
        return SourceHealth(SourceStatus.STALE, Wording("it used to come every {span}", {"span": usual}))
    if feed.numbers_before and feed.numbers < SHRANK_SHARE * feed.numbers_before:
        return SourceHealth(SourceStatus.SHRANK, Wording("it had {n:,} numbers before", {"n": feed.numbers_before}))
    return SourceHealth(SourceStatus.OK)


def health_of_missing(fetch: FeedFetch | None, now: float) -> SourceHealth:
    """How a feed of the settings is that never came."""
    if fetch is not None and fetch.failed_at is not None:
        return _failed(fetch.failed_at, fetch.failure, now)
    return SourceHealth(SourceStatus.WAITING, Wording("it has not come yet"))


class FoundFeed(NamedTuple):
    """A feed that came, or one of the settings that never did, and how it is."""

    name: str
    feed: FeedSource | None
    fetch: FeedFetch | None
    health: SourceHealth


def feeds_found(db: sqlite3.Connection, settings: Settings, now: float) -> list[FoundFeed]:
    """Return the feeds that came, and after them those of the settings that never did."""
    feeds, fetches = feed_sources(db), feed_fetches(db)
    there = {feed.name for feed in feeds}
    missing = [feed.name for feed in settings.feed if feed.name not in there]
    return [
        *(FoundFeed(feed.name, feed, fetches.get(feed.name), health_of(feed, now)) for feed in feeds),
        *(FoundFeed(name, None, fetches.get(name), health_of_missing(fetches.get(name), now)) for name in missing),
    ]


def _failed(at: float, failure: str | None, now: float) -> SourceHealth:
    failed: Places = {"when": ago(at, now), "failure": read_kept_failure(failure or "", FAILURES).words}
    return SourceHealth(SourceStatus.FAILED, Wording("{when}, {failure}", failed))


def fresh_at(feed: FeedSource) -> float:
    """When it came, or when its server said last that it is still the same."""
    return max(feed.imported_at, feed.came_at or 0.0)


def nobody_fetches_feeds(settings: Settings, fetches: Mapping[str, FeedFetch], now: float) -> bool:
    """Return whether feeds of the settings wait for a timer that does not run."""
    return nobody_fetches((fetches[feed.name].next_at if feed.name in fetches else None for feed in settings.feed), now)


def late_after_seconds(feed: FeedSource) -> float:
    """At which age the feed is stale."""
    if feed.every_seconds is None:
        return LATE_DAYS * DAY
    return LATE_AFTER_GAPS * max(feed.every_seconds, LEAST_GAP_SECONDS)


def skills_of(db: sqlite3.Connection, feeds: Iterable[FeedSource], now: float) -> dict[str, Skill]:
    """Of each feed by name, over the last 90 days."""
    found = compared_with_feeds(db, now - MEASURED_SECONDS)
    return {feed.name: skill_of(found.get(feed.name, Compared())) for feed in feeds}


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed; of one of the settings that never came less is known.

    Attributes:
        name: The name of the feed.
        numbers: How many numbers it lists.
        numbers_before: How many the import before had; null where there was none.
        verdict: What being on it means: spam or ok.
        format: The format of its file.
        imported_at: When it was imported; null where it never came.
        every_seconds: How often it comes, in seconds.
        stale_at: From when on it is late.
        came_at: When its server gave the file last, or said that it is the same.
        asked_at: When it was last asked for.
        next_at: When it is asked for next.
        failed_at: When it last failed.
        failure: Why it last failed; null where it did not.
        skill: How good it is, over the last 90 days; null where it never came.
    """

    name: str
    numbers: int
    health: Annotated[SourceHealth, FLAT]
    numbers_before: int | None
    verdict: str | None
    format: str | None
    imported_at: Instant | None
    every_seconds: float | None
    stale_at: Instant | None
    came_at: Instant | None
    asked_at: Instant | None
    next_at: Instant | None
    failed_at: Instant | None
    failure: KeptFailure | None
    skill: Skill | None


class FeedsRequest(PageQuery, frozen=True, kw_only=True):
    """Which feeds.

    Attributes:
        health: Only those that are doing so.
    """

    health: SourceStatus | None = None


def find_feeds(db: sqlite3.Connection, context: Context, request: FeedsRequest) -> ResultPage[FeedRecord]:
    """Return the feeds in force, and those of the settings that never came."""
    found = feeds_found(db, context.settings, context.at)
    skills = skills_of(db, (one.feed for one in found if one.feed), context.at)
    wanted = (one for one in found if request.health in (None, one.health.health))
    return page_from(wanted, request, lambda one: (one.name,), lambda one: feed_record(one, skills.get(one.name)))


def feed_record(one: FoundFeed, skill: Skill | None) -> FeedRecord:
    """Return what is told of a feed."""
    feed, known = one.feed, one.feed or one.fetch
    failure = known and known.failure
    return FeedRecord(
        name=one.name,
        numbers=feed.numbers if feed else 0,
        health=one.health,
        numbers_before=feed and feed.numbers_before,
        verdict=feed and feed.verdict,
        format=feed and feed.format,
        imported_at=feed and feed.imported_at,
        every_seconds=known and known.every_seconds,
        stale_at=feed and fresh_at(feed) + late_after_seconds(feed),
        came_at=known and known.came_at,
        asked_at=known and known.asked_at,
        next_at=known and known.next_at,
        failed_at=known and known.failed_at,
        failure=None if failure is None else read_kept_failure(failure, FAILURES),
        skill=skill,
    )


FEEDS = "callsieve feeds"
FETCH_TIMER = Wording("systemctl enable --now callsieve-feeds.timer, or callsieve feeds fetch by cron")


def has_fresh_feeds(context: CheckContext) -> Finding:
    """Return whether feeds still come, and are as large as they used to be; those of the settings are fetched."""
    return context.judge_store(lambda db, now: _judged(db, context.loaded.settings, now))


def _judged(db: sqlite3.Connection, settings: Settings, now: float) -> Finding:
    if nobody_fetches_feeds(settings, feed_fetches(db), now):
        return warn(Wording("nobody fetches them: the timer does not run"), FETCH_TIMER)
    found = feeds_found(db, settings, now)
    if ill := first_ill(((one.name, one.health) for one in found), FEEDS):
        return ill
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
        data = FeedStale(feed=name, status=status, detail=str(health.detail or ""), imported_at=imported_at)
        found[name] = (status, data) if health.brings_nothing else None
    emit_bad(db, "feed/", EventKind.FEED_STALE, found, now)


def feed_metrics(feeds: Sequence[FeedSource], now: float) -> Iterator[MetricFamily]:
    """Return how each feed is, by its name."""
    ages = {feed.name: now - feed.imported_at for feed in feeds}
    healthy = {feed.name: health_of(feed, now).health is SourceStatus.OK for feed in feeds}
    yield MetricFamily("feed_age_seconds", "Since a feed was last replaced.", ages, "feed")
    yield MetricFamily("feed_numbers", "Numbers in a feed.", {feed.name: feed.numbers for feed in feeds}, "feed")
    yield MetricFamily("feed_healthy", "1 while a feed comes as it used to.", healthy, "feed")


def metrics(db: sqlite3.Connection, _loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return what /metrics shows of feeds."""
    return feed_metrics(feed_sources(db), now)


CHECKS = (HealthCheck(place=330, name="feeds", find=has_fresh_feeds, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.FEED_STALE,), _tell_stale),)
