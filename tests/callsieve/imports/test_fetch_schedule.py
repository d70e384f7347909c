"""When a feed is fetched, and when a failed fetch is retried."""

from __future__ import annotations

import msgspec
import pytest

from callsieve.imports.feed_health import DAY, FAILURES, health_of, health_of_missing, nobody_fetches_feeds
from callsieve.imports.fetch import FIRST_RETRY_SECONDS, Fetched, TryLater, due, fetch_failed, fetch_succeeded
from callsieve.integration_settings import FeedTable
from callsieve.outside.errors import OutsideError, OutsideProblem, read_kept_failure
from callsieve.settings import Settings
from callsieve.source_health import SourceStatus, every_seconds
from reputation.store.sources import FeedSource

NOW = 1_800_000_000.0
FEED = FeedTable(name="ftc", url="https://example.com/list.csv", every="1d")
GOT = Fetched('"1"', "Thu, 26 Nov 2026 10:00:00 GMT", "abc", 1_764_200_000)
TIMEOUT = OutsideError(OutsideProblem.TIMEOUT, host="example.com", seconds=300)


@pytest.mark.parametrize(("every", "seconds"), [("6h", 21_600), ("1d", 86_400), ("2w", 1_209_600)])
def test_interval_is_parsed(every: str, seconds: int) -> None:
    assert every_seconds(every) == seconds


def test_feed_is_due_after_its_interval() -> None:
    last = fetch_succeeded(FEED, GOT, NOW)
    assert due(FEED, None, NOW)
    assert not due(FEED, last, NOW + DAY - 1)
    assert due(FEED, last, NOW + DAY)


def test_changed_settings_and_clock_set_back_make_a_feed_due() -> None:
    last = fetch_succeeded(FEED, GOT, NOW)
    for other in ({"url": "https://example.com/other.csv"}, {"verdict": "ok"}, {"region": "GB"}):
        assert due(msgspec.structs.replace(FEED, **other), last, NOW + 1)
    assert due(FEED, last, NOW - 30 * DAY)


def test_failed_fetch_is_retried_less_and_less_often() -> None:
    last = fetch_succeeded(FEED, GOT, NOW)
    waits = []
    for _ in range(9):
        last = fetch_failed(FEED, last, TIMEOUT, NOW)
        waits.append(last.next_at - NOW)
    assert waits[:3] == [FIRST_RETRY_SECONDS, 2 * FIRST_RETRY_SECONDS, 4 * FIRST_RETRY_SECONDS]
    assert waits[-1] == DAY
    assert (last.etag, last.file, last.came_at) == (GOT.etag, GOT.file, NOW), "what is in force stays known"
    assert read_kept_failure(last.failure or "", FAILURES).code == "timeout"
    assert fetch_succeeded(FEED, GOT, NOW).failures == 0


def test_retry_after_of_the_server_is_respected() -> None:
    assert fetch_failed(FEED, None, TryLater("example.com", 503, 7200), NOW).next_at == NOW + 7200
    assert fetch_failed(FEED, None, TryLater("example.com", 503), NOW).next_at == NOW + FIRST_RETRY_SECONDS


def test_new_address_forgets_the_old_etag() -> None:
    changed = FeedTable(name="ftc", url="https://example.com/other.csv")
    last = fetch_failed(changed, fetch_succeeded(FEED, GOT, NOW), TIMEOUT, NOW)
    assert (last.etag, last.file) == (None, None)
    assert not due(changed, last, NOW + 1)


def test_unchanged_feed_is_not_stale() -> None:
    feed = FeedSource("ftc", "spam", "CSV", 100, NOW, DAY)
    assert health_of(feed, NOW + 9 * DAY).health is SourceStatus.STALE
    assert health_of(feed._replace(came_at=NOW + 8 * DAY), NOW + 9 * DAY).health is SourceStatus.OK
    assert health_of(feed._replace(came_at=NOW + 2 * DAY), NOW + 9 * DAY).health is SourceStatus.STALE


def test_unchanged_answer_clears_a_failure() -> None:
    last = fetch_failed(FEED, None, TIMEOUT, NOW + 1)
    feed = FeedSource("ftc", "spam", "CSV", 100, NOW, DAY, failed_at=last.failed_at, failure=last.failure)
    assert health_of(feed, NOW + 2).health is SourceStatus.FAILED
    assert health_of(feed._replace(came_at=NOW + 900), NOW + 901).health is SourceStatus.OK


def test_missing_feed_is_waiting_or_failed() -> None:
    assert health_of_missing(None, NOW).health is SourceStatus.WAITING
    assert health_of_missing(fetch_failed(FEED, None, TIMEOUT, NOW), NOW + 5).health is SourceStatus.FAILED


def test_missing_timer_is_noticed() -> None:
    last, settings = {"ftc": fetch_succeeded(FEED, GOT, NOW)}, Settings(feed=(FEED,))
    assert nobody_fetches_feeds(settings, {}, NOW)
    assert not nobody_fetches_feeds(Settings(), {}, NOW)
    assert not nobody_fetches_feeds(settings, last, NOW + DAY + 1800)
    assert nobody_fetches_feeds(settings, last, NOW + DAY + 7200)
