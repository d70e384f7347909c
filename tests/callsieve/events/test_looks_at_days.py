"""`digest.ready` is sent once for each day."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.digest.operations import SCHEDULED
from callsieve.events.checks import run_scheduled
from callsieve.events.kinds import EventKind
from callsieve.settings import parse_settings
from reputation.store.database import open_store
from reputation.store.outbox import events_after, use_receivers
from reputation.store.transaction import transaction

SETTINGS = parse_settings('[digest]\nat = "07:00"\n', "test")
HOUR, DAY = 3600.0, 86_400.0
MIDNIGHT = 1_795_737_600.0  # 2026-11-27 00:00 UTC


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        with transaction(opened):
            use_receivers(opened, {"mail": [EventKind.DIGEST_READY]})
        yield opened


def digest_days_at(db: sqlite3.Connection, *times: float) -> list[str]:
    """Return the days of digest events after checks at these times."""
    for now in times:
        with transaction(db):
            run_scheduled(db, SETTINGS, None, now, SCHEDULED)
    return [event.data["day"] for event in events_after(db, 0, 100)]


def test_digest_event_once_a_day_from_its_time(db: sqlite3.Connection) -> None:
    assert digest_days_at(db, MIDNIGHT + 1, MIDNIGHT + 7 * HOUR - 1) == []
    assert digest_days_at(db, MIDNIGHT + 7 * HOUR, MIDNIGHT + 7 * HOUR + 30, MIDNIGHT + 23 * HOUR) == ["2026-11-26"]


def test_sender_that_was_stopped_sends_only_yesterday(db: sqlite3.Connection) -> None:
    assert digest_days_at(db, MIDNIGHT + 8 * HOUR, MIDNIGHT + 3 * DAY + 20 * HOUR) == ["2026-11-26", "2026-11-29"]


def test_clock_set_back_sends_no_second_digest(db: sqlite3.Connection) -> None:
    later = MIDNIGHT + DAY + 8 * HOUR
    assert digest_days_at(db, later, later - DAY, later - 3 * DAY, later) == ["2026-11-27"]


def test_digest_day_is_not_noted_without_receivers(tmp_path: Path) -> None:
    with open_store(tmp_path / "other.db") as db:
        assert digest_days_at(db, MIDNIGHT + 8 * HOUR) == []
        with transaction(db):
            use_receivers(db, {"mail": [EventKind.DIGEST_READY]})
        assert digest_days_at(db, MIDNIGHT + 9 * HOUR) == ["2026-11-26"]
