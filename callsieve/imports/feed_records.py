"""Feeds, and how they are, for scripts and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from callsieve.imports.feed_health import (
    FeedHealth,
    fresh_at,
    health_of,
    health_of_missing,
    late_after_seconds,
    read_failure,
)
from reputation.store.feed_fetches import FeedFetch
from reputation.store.feeds import FeedSource


def feeds_as_json(
    found: Iterable[FeedSource], missing: Mapping[str, FeedFetch | None], now: float
) -> list[dict[str, object]]:
    """Feeds in force, and after them those of the settings that never came."""
    return [
        *(_feed_as_json(feed, now) for feed in found),
        *(_missing_as_json(name, fetch, now) for name, fetch in missing.items()),
    ]


def _feed_as_json(feed: FeedSource, now: float) -> dict[str, object]:
    return {
        **feed._asdict(),
        **_failure_as_json(feed.failure),
        "age_seconds": now - feed.imported_at,
        "stale_at": fresh_at(feed) + late_after_seconds(feed),
        **_health_as_json(health_of(feed, now)),
    }


def _missing_as_json(name: str, fetch: FeedFetch | None, now: float) -> dict[str, object]:
    """A feed of the settings that never came: the same keys, as far as there is something to say."""
    known = fetch._asdict() if fetch else {}
    keys = ("every_seconds", "asked_at", "next_at", "failed_at")
    return {
        "name": name,
        "numbers": 0,
        "imported_at": None,
        **{key: known.get(key) for key in keys},
        **_failure_as_json(fetch and fetch.failure),
        **_health_as_json(health_of_missing(fetch, now)),
    }


def _failure_as_json(kept: str | None) -> dict[str, object]:
    failure = None if kept is None else read_failure(kept)
    return {"failure": failure and str(failure.words), "failure_code": failure and failure.code}


def _health_as_json(health: FeedHealth) -> dict[str, object]:
    return {"health": health.health, "detail": str(health.detail)}
