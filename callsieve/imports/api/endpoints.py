"""Feeds, for programs: which there are, and whether they still come."""

from __future__ import annotations

import sqlite3
from typing import Any

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import Instant
from callsieve.changes.operation import Context
from callsieve.imports.feed_health import feeds_as_json, feeds_found
from reputation.users import Role, Scope


class FeedRecord(ApiStruct, frozen=True):
    """A feed, as `callsieve feeds --json` has it; of one of the settings that never came less is said.

    `stale_at`: from when on it is late. `health`: ok, failed, stale or shrank, and `detail` why.
    """

    name: str
    numbers: int
    health: str
    detail: str
    verdict: str | None = None
    format: str | None = None
    imported_at: Instant | None = None
    age_seconds: float | None = None
    every_seconds: float | None = None
    numbers_before: int | None = None
    stale_at: Instant | None = None
    failed_at: Instant | None = None
    failure: str | None = None
    failure_code: str | None = None
    came_at: Instant | None = None
    asked_at: Instant | None = None
    next_at: Instant | None = None


class Feeds(ApiStruct, frozen=True):
    """The feeds in force, and those of the settings that never came."""

    feeds: list[FeedRecord]


def show(db: sqlite3.Connection, context: Context, _asked: Asked[None, None]) -> dict[str, Any]:
    """All of them."""
    return {"feeds": feeds_as_json(feeds_found(db, context.settings, context.at), context.at)}


ENDPOINTS = (Endpoint("GET", "/feeds", show, Scope.READ, Role.VIEWER, Feeds, "Feeds, and whether they still come."),)
