"""The health of feeds: whether they are still updated and have not shrunk. Also their metrics and events."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple

from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, first_problem, ok, warn
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
# A feed is late after twice the time between its imports, or after this many days if it was imported only once.
LATE_AFTER_GAPS = 2.0
LATE_DAYS = 30.0
LEAST_GAP_SECONDS = DAY
EARLY = 1.01  # so that a few seconds less than seven days are shown as seven days
# A feed that shrinks below the first share of its previous size is reported, below the second it is refused.
SHRANK_SHARE = 0.75
REFUSED_SHARE = 0.5
NOT_IMPORTED = Wording("not imported yet")


class FeedFailure(StrEnum):
    """The reasons why a feed was not imported. `TableProblem` has the reasons why a file cannot be read as a table."""

    FEED_SHRANK = (
        "{numbers:,} numbers, less than half of the {before:,} in use now: the file may be incomplete. "
        "To accept the file, add --accept-smaller"
    )
    OTHER_VERDICT = (
        "the earlier import of {source} has the verdict {before}, but this one has {verdict}: "
        "use --verdict {before}, or first remove the earlier import"
    )
    NOTHING_USABLE = "no row can be used"
    TOO_MANY_ROWS = "more than {most:,} rows: this is not a feed of telephone numbers"
    BAD_STATUS = "{host}: answered with HTTP status {status} instead of the file"
    NO_CHECKSUM = "{host}: no sha256 of the file found"
    BAD_CHECKSUM = "{host}: the file does not match its sha256: its publisher may just be updating it"
    NO_SIGNATURE = "{host}: no signature file {file} ({status})"
    BAD_SIGNATURE = "{host}: the file is not signed by the key in the settings"
    OLD_SIGNATURE = "{host}: the file was signed earlier than the file in use: the server has an old copy"
    UNPACKS_LARGE = "more than {most:,} bytes after decompression: raise `megabytes` in the settings to accept it"

    @property
    def code(self) -> str:
        """Return the reason as a code for the store, such as `feed-shrank`."""
        return self._name_.lower().replace("_", "-")


FAILURES = templates_of(TableProblem, FeedFailure)


def health_of(feed: FeedSource, now: float) -> SourceHealth:
    """Return the health of an imported feed."""
    if feed.failed_at is not None and feed.failed_at >= fresh_at(feed):
        return _failed(feed.failed_at, feed.failure, now)
    if now - fresh_at(feed) > late_after_seconds(feed):
        if not feed.every_seconds:
            return SourceHealth(
                SourceStatus.STALE, Wording("the feed was imported only once, so its numbers may be out of date")
            )
        usual = span_words(EARLY * feed.every_seconds)
        return SourceHealth(SourceStatus.STALE, Wording("the feed was usually updated every {span}", {"span": usual}))
    if feed.numbers_before and feed.numbers < SHRANK_SHARE * feed.numbers_before:
        return SourceHealth(
            SourceStatus.SHRANK, Wording("the feed had {n:,} numbers before", {"n": feed.numbers_before})
        )
    return SourceHealth(SourceStatus.OK)


def health_of_missing(fetch: FeedFetch | None, now: float) -> SourceHealth:
    """Return the health of a feed that the settings name but that was never imported."""
    if fetch is not None and fetch.failed_at is not None:
        return _failed(fetch.failed_at, fetch.failure, now)
    return SourceHealth(SourceStatus.WAITING, NOT_IMPORTED)


class KnownFeed(NamedTuple):
    """A feed with its health. `feed`: None if the settings name the feed, but it was never imported."""

    name: str
    feed: FeedSource | None
    fetch: FeedFetch | None
    health: SourceHealth

    @property
    def remedy(self) -> str:
        """Return the command that updates the feed."""
        if self.fetch is not None or self.feed is None:
            return f"callsieve feeds fetch {self.name}"
        return f"callsieve import feed FILE --source {self.name}"


def list_feeds(db: sqlite3.Connection, settings: Settings, now: float) -> list[KnownFeed]:
    """Return the imported feeds, then the feeds that the settings name but that were never imported."""
    feeds, fetches = feed_sources(db), feed_fetches(db)
    imported = {feed.name for feed in feeds}
    missing = [feed.name for feed in settings.feed if feed.name not in imported]
    return [
        *(KnownFeed(feed.name, feed, fetches.get(feed.name), health_of(feed, now)) for feed in feeds),
        *(KnownFeed(name, None, fetches.get(name), health_of_missing(fetches.get(name), now)) for name in missing),
    ]


def _failed(at: float, failure: str | None, now: float) -> SourceHealth:
    failed: Places = {"when": ago(at, now), "failure": read_kept_failure(failure or "", FAILURES).words}
    return SourceHealth(SourceStatus.FAILED, Wording("{when}, {failure}", failed))


def fresh_at(feed: FeedSource) -> float:
    """Return when the feed was imported, or when its server last reported it unchanged, whichever is later."""
    return max(feed.imported_at, feed.came_at or 0.0)


def nobody_fetches_feeds(settings: Settings, fetches: Mapping[str, FeedFetch], now: float) -> bool:
    """Return whether feeds in the settings are overdue, because no timer fetches feeds."""
    return nobody_fetches((fetches[feed.name].next_at if feed.name in fetches else None for feed in settings.feed), now)


def late_after_seconds(feed: FeedSource) -> float:
    """Return the age in seconds from which the feed counts as stale."""
    if feed.every_seconds is None:
        return LATE_DAYS * DAY
    return LATE_AFTER_GAPS * max(feed.every_seconds, LEAST_GAP_SECONDS)


def skills_of(db: sqlite3.Connection, feeds: Iterable[FeedSource], now: float) -> dict[str, Skill]:
    """Return by name how accurate each feed was in the last 90 days, judged by your people and calls."""
    compared = compared_with_feeds(db, now - MEASURED_SECONDS)
    return {feed.name: skill_of(compared.get(feed.name, Compared())) for feed in feeds}


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed. If a feed in the settings was never imported, most fields are null.

    Attributes:
        name: The name of the feed.
        numbers: How many numbers the feed lists.
        numbers_before: How many numbers the previous import had; null for a first import.
        verdict: The verdict on all numbers of the feed: `spam` or `ok`.
        format: The format of the feed's file.
        imported_at: When the feed was last imported; null if never.
        every_seconds: The usual time between imports, in seconds.
        stale_at: When the feed becomes stale if it is not updated.
        came_at: When the feed's server last sent the file or reported the file unchanged.
        asked_at: When the feed's server was last queried.
        next_at: When the feed is fetched next.
        failed_at: When a fetch or an import of the feed last failed.
        failure: The reason of the last failure; null without a failure.
        skill: How accurate the feed was in the last 90 days; null if the feed was never imported.
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
    """Filters for feeds. `health`: only feeds with this health."""

    health: SourceStatus | None = None


def find_feeds(db: sqlite3.Connection, context: Context, request: FeedsRequest) -> ResultPage[FeedRecord]:
    """Return the imported feeds, and the feeds that the settings name but that were never imported."""
    feeds = list_feeds(db, context.settings, context.at)
    skills = skills_of(db, (known.feed for known in feeds if known.feed), context.at)
    wanted = (known for known in feeds if request.health in (None, known.health.health))
    return page_from(
        wanted, request, lambda known: (known.name,), lambda known: feed_record(known, skills.get(known.name))
    )


def feed_record(known_feed: KnownFeed, skill: Skill | None) -> FeedRecord:
    """Return a feed in the format of the API."""
    feed, known = known_feed.feed, known_feed.feed or known_feed.fetch
    failure = known and known.failure
    return FeedRecord(
        name=known_feed.name,
        numbers=feed.numbers if feed else 0,
        health=known_feed.health,
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


FETCH_TIMER = Wording("systemctl enable --now callsieve-feeds.timer, or run `callsieve feeds fetch` by cron")


def has_fresh_feeds(context: CheckContext) -> Finding:
    """Check that feeds are still updated and have not shrunk, and that the timer fetches them."""
    return context.judge_store(lambda db, now: _check_feeds(db, context.loaded.settings, now))


def _check_feeds(db: sqlite3.Connection, settings: Settings, now: float) -> Finding:
    if nobody_fetches_feeds(settings, feed_fetches(db), now):
        return warn(Wording("feeds are not fetched: the timer is not running"), FETCH_TIMER)
    feeds = list_feeds(db, settings, now)
    remedy = next((known.remedy for known in feeds if not known.health.is_well), "")
    if bad := first_problem(((known.name, known.health) for known in feeds), remedy):
        return bad
    ages = [now - known.feed.imported_at for known in feeds if known.feed is not None]
    if not ages:
        return ok(NOT_IMPORTED if feeds else NONE)
    oldest = span_words(max(0.0, *ages))
    return ok(Wording("{count} in use, the oldest updated {age} ago", {"count": len(feeds), "age": oldest}))


def _emit_stale(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """Emit an event for each feed that became stale or failed. A feed that only shrank is still in use: no event."""
    states: dict[str, tuple[str, FeedStale] | None] = {}
    for name, feed, _, health in list_feeds(db, settings, now):
        status = health.health.value
        imported_at = None if feed is None else feed.imported_at
        data = FeedStale(feed=name, status=status, detail=str(health.detail or ""), imported_at=imported_at)
        states[name] = (status, data) if health.brings_nothing else None
    emit_bad(db, "feed/", EventKind.FEED_STALE, states, now)


def feed_metrics(feeds: Sequence[FeedSource], now: float) -> Iterator[MetricFamily]:
    """Yield the metrics of feeds, labelled by feed name."""
    ages = {feed.name: now - feed.imported_at for feed in feeds}
    healthy = {feed.name: health_of(feed, now).health is SourceStatus.OK for feed in feeds}
    yield MetricFamily("feed_age_seconds", "Seconds since a feed was last replaced.", ages, "feed")
    yield MetricFamily("feed_numbers", "Numbers in a feed.", {feed.name: feed.numbers for feed in feeds}, "feed")
    yield MetricFamily("feed_healthy", "1 if a feed is updated as usual.", healthy, "feed")


def metrics(db: sqlite3.Connection, _loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return the metrics of all imported feeds."""
    return feed_metrics(feed_sources(db), now)


CHECKS = (HealthCheck(place=330, name="feeds", find=has_fresh_feeds, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.FEED_STALE,), _emit_stale),)
