"""Feeds, and how they are, for scripts and programs."""

from __future__ import annotations

from collections.abc import Iterable

from callsieve.imports.feed_health import FoundFeed, fresh_at, late_after_seconds, read_failure


def feeds_as_json(found: Iterable[FoundFeed], now: float) -> list[dict[str, object]]:
    """Return feeds in force, and those of the settings that never came, of which less is said."""
    return [_as_json(one, now) for one in found]


def _as_json(one: FoundFeed, now: float) -> dict[str, object]:
    if one.feed is not None:
        feed, kept = one.feed, one.feed.failure
        about = {**feed._asdict(), "age_seconds": now - feed.imported_at}
        about["stale_at"] = fresh_at(feed) + late_after_seconds(feed)
    else:
        known, kept = one.fetch._asdict() if one.fetch else {}, one.fetch and one.fetch.failure
        about = {"name": one.name, "numbers": 0, "imported_at": None}
        about |= {key: known.get(key) for key in ("every_seconds", "asked_at", "next_at", "failed_at")}
    failure = None if kept is None else read_failure(kept)
    return {
        **about,
        "failure": failure and str(failure.words),
        "failure_code": failure and failure.code,
        "health": one.health.health,
        "detail": str(one.health.detail),
    }
