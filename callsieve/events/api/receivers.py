"""Receivers of events, for programs: how each does, and what it was not told."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from callsieve.api.endpoint import endpoint
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.events import operations
from callsieve.events.operations import ReplayRequest
from callsieve.events.receiver_health import ReceiverShown, events_shown
from reputation.encoding import Instant
from reputation.users import Role, Scope


@dataclass(frozen=True, slots=True)
class ReceiverRecord:
    """A receiver of the settings. The counts are 0 until the sender has run with it.

    Attributes:
        name: The name: `webhook/crm`.
        health: How it does; `new` until the sender has run with it.
        waiting: How many events wait for it.
        delivered: How many events it took.
        dead_letters: How many events it will not be told, unless they are replayed.
        lost: How many events were dropped for their age or number.
        failing_since: Since when it takes nothing, null where it does.
        failure: Why it takes nothing; empty where it does.
    """

    name: str
    health: Literal["ok", "new", "failing", "late", "off"]
    waiting: int
    delivered: int
    dead_letters: int
    lost: int
    failing_since: Instant | None
    failure: str


def find_receivers(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[ReceiverRecord]:
    """Return the receivers of the settings, by name."""
    shown = events_shown(db, context.settings, context.at).receivers
    return page_from(shown, request, lambda one: (one.name,), _record)


def _record(shown: ReceiverShown) -> ReceiverRecord:
    state = shown.state
    counts = (state.waiting, state.delivered, state.dead_letters, state.lost) if state else (0, 0, 0, 0)
    health = shown.health.name.lower()
    return ReceiverRecord(shown.name, health, *counts, shown.failing_since, shown.failure)  # type: ignore[arg-type]


ENDPOINTS = (
    endpoint("GET", "/receivers", find_receivers, Scope.ADMIN, Role.ADMINISTRATOR),
    endpoint(
        "POST",
        "/receivers/replay",
        operations.replay,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        example=ReplayRequest(receiver="webhook/crm"),
    ),
)
