"""The health of a feed: ok, failed, stale or shrunken."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from callsieve.changes.operation import Refused
from callsieve.imports.feed_health import DAY, FAILURES, health_of
from callsieve.outside.errors import read_kept_failure
from callsieve.source_health import failure_of
from callsieve.text.table_errors import TableError, TableProblem, table_error
from reputation.store.errors import StoreError
from reputation.store.sources import FAILURE_CHARACTERS, FeedSource

NOW = 1_790_000_000.0


def make_feed(days: float = 1.0, **fields: Any) -> FeedSource:
    return FeedSource("ftc", "spam", "CSV", 100, NOW - days * DAY, **fields)


@pytest.mark.parametrize(
    ("feed", "says"),
    [
        pytest.param(make_feed(), "ok", id="new"),
        pytest.param(make_feed(29.9), "ok", id="imported-once"),
        pytest.param(
            make_feed(30.1),
            "stale: the feed was imported only once, so its numbers may be out of date",
            id="imported-once-long-ago",
        ),
        pytest.param(make_feed(13.9, every_seconds=7 * DAY), "ok", id="one-is-missing"),
        pytest.param(
            make_feed(14.1, every_seconds=7 * DAY - 30), "stale: the feed was usually updated every 7 d", id="week"
        ),
        pytest.param(make_feed(1.9, every_seconds=3600.0), "ok", id="hourly-is-late-after-two-days"),
        pytest.param(
            make_feed(2.1, every_seconds=3600.0), "stale: the feed was usually updated every 1 h", id="hourly"
        ),
        pytest.param(make_feed(numbers_before=133), "ok", id="a-little-smaller"),
        pytest.param(make_feed(numbers_before=134), "shrank: the feed had 134 numbers before", id="smaller"),
        pytest.param(make_feed(failed_at=NOW - 3600, failure="x.csv: empty"), "failed: 1 h ago, x.csv: empty", id="no"),
        pytest.param(make_feed(1, failed_at=NOW - 2 * DAY, failure="x"), "ok", id="failed-before-the-first-import"),
        pytest.param(
            make_feed(99, failed_at=NOW - DAY, failure="x", numbers_before=999), "failed: 1 d ago, x", id="worst-first"
        ),
        pytest.param(make_feed(-5.0), "ok", id="a-clock-that-went-back"),
    ],
)
def test_health_follows_age_and_failures(feed: FeedSource, says: str) -> None:
    assert str(health_of(feed, NOW)) == says


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(table_error(TableProblem.NOT_UTF_8, "f\n.csv", line=3, byte="0xff"), "not-utf-8", id="table"),
        pytest.param(TableError("too many"), "refused", id="no-code"),
        pytest.param(Refused("no-such-user", "who?"), "refused", id="foreign-code"),
        pytest.param(FileNotFoundError(errno.ENOENT, "no such file", "f.csv"), "no-file", id="no-file"),
        pytest.param(PermissionError(errno.EACCES, "denied", "f.csv"), "unreadable", id="permission"),
        pytest.param(StoreError("the disk is full"), "store", id="store"),
        pytest.param(
            table_error(TableProblem.NO_COLUMN, "f", wanted="x", line=1, found='"' * 9999), "no-column", id="long"
        ),
    ],
)
def test_failure_is_stored_by_code(error: Exception, code: str) -> None:
    kept = failure_of(error, FAILURES)
    assert json.loads(kept)["code"] == code
    assert len(kept) <= FAILURE_CHARACTERS
    read = read_kept_failure(kept, FAILURES)
    assert read.code == code
    assert str(read.words).isprintable()


@pytest.mark.parametrize("kept", ["x.csv: empty", "[]", '{"code": "new-one"}', '{"code": "not-utf-8", "line": "x"}'])
def test_unreadable_failure_is_shown_unchanged(kept: str) -> None:
    assert read_kept_failure(kept, FAILURES) == ("", kept)
