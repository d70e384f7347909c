"""The telemetry file of the daemon."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agi.screening import BUCKETS_MS, Counts
from agi.server import Stats
from callsieve.daemon.background import write_telemetry
from callsieve.telemetry import (
    FRESH_SECONDS,
    MOST_BYTES,
    NAME,
    HearingState,
    Listening,
    LookUpCounts,
    Telemetry,
    is_fresh,
    read_telemetry,
)


def make_telemetry(at: float = 1_000.0) -> Telemetry:
    """A daemon that is well and has decided about three calls."""
    return Telemetry(
        at=at,
        started_at=900.0,
        policy="cautious",
        observing=False,
        trouble="",
        server=Stats(accepted=4, in_flight=1, answered=3, failed_open={"timed out": 1}),
        is_blind=False,
        by_action={"allow": 2, "tag": 1},
        took=[3] + [0] * len(BUCKETS_MS),
        took_seconds=0.001,
        store_refused=0,
        breaker_open=False,
        journal_waiting=0,
        journal_dropped=0,
        journal_degraded=False,
        log_lost=0,
        listening=Listening(True, "", 53, 0, 0, 1, 0.0, 2, 0, 0),
        look_ups=LookUpCounts(asked=3, more=1, nothing=1, late=1),
        hearing=HearingState(ready=True, late=False, heard=3, nothing=2, missed=1, waiting=1),
    )


def test_telemetry_round_trips_and_replaces_the_old_file(tmp_path: Path) -> None:
    write_telemetry(tmp_path, make_telemetry(1.0))
    write_telemetry(tmp_path, make_telemetry(2.0))
    assert read_telemetry(tmp_path) == make_telemetry(2.0)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) & 0o022 == 0


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no daemon yet"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"at": 1.0}', id="another version"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 2 * MOST_BYTES, id="endless"),
    ],
)
def test_unreadable_telemetry_is_ignored(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    assert read_telemetry(tmp_path) is None


def test_old_telemetry_is_not_fresh() -> None:
    assert is_fresh(make_telemetry(100.0), 100.0 + FRESH_SECONDS / 2)
    assert not is_fresh(make_telemetry(100.0), 100.0 + FRESH_SECONDS)
    assert not is_fresh(None, 100.0)


@pytest.mark.parametrize(
    ("elapsed_ms", "bucket"),
    [(0.0, 0), (0.5, 0), (0.51, 1), (400.0, len(BUCKETS_MS) - 1), (401.0, len(BUCKETS_MS))],
)
def test_decision_is_counted_in_its_bucket(elapsed_ms: float, bucket: int) -> None:
    counts = Counts()
    counts.count_decision(elapsed_ms)
    assert counts.took.index(1) == bucket
    assert (sum(counts.took), counts.took_ms) == (1, elapsed_ms)
