"""How a feed is: well, refused, late or smaller."""

from __future__ import annotations

from typing import Any

import pytest

from callsieve.imports.feed_health import DAY, health_of
from reputation.store.feeds import FeedSource

NOW = 1_790_000_000.0


def make_feed(days: float = 1.0, **fields: Any) -> FeedSource:
    return FeedSource("ftc", "spam", "CSV", 100, NOW - days * DAY, **fields)


@pytest.mark.parametrize(
    ("feed", "says"),
    [
        pytest.param(make_feed(), "ok", id="new"),
        pytest.param(make_feed(29.9), "ok", id="came-once"),
        pytest.param(make_feed(30.1), "stale: it came but once", id="came-once-long-ago"),
        pytest.param(make_feed(13.9, every_seconds=7 * DAY), "ok", id="one-is-missing"),
        pytest.param(make_feed(14.1, every_seconds=7 * DAY - 30), "stale: it used to come every 7 d", id="weekly"),
        pytest.param(make_feed(1.9, every_seconds=3600.0), "ok", id="hourly-is-late-after-two-days"),
        pytest.param(make_feed(2.1, every_seconds=3600.0), "stale: it used to come every 1 h", id="hourly"),
        pytest.param(make_feed(numbers_before=133), "ok", id="a-little-smaller"),
        pytest.param(make_feed(numbers_before=134), "shrank: it had 134 numbers before", id="smaller"),
        pytest.param(make_feed(failed_at=NOW - 3600, failure="x.csv: empty"), "failed: 1 h ago, x.csv: empty", id="no"),
        pytest.param(make_feed(1, failed_at=NOW - 2 * DAY, failure="x"), "ok", id="failed-before-it-came"),
        pytest.param(
            make_feed(99, failed_at=NOW - DAY, failure="x", numbers_before=999), "failed: 1 d ago, x", id="worst-first"
        ),
        pytest.param(make_feed(-5.0), "ok", id="a-clock-that-went-back"),
    ],
)
def test_health(feed: FeedSource, says: str) -> None:
    assert str(health_of(feed, NOW)) == says
