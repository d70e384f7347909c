"""Real Asterisk, real daemon, real calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import pytest

from lab import ensure_pbx
from lab.screened import ScreenedPbx
from reputation.store.connection import open_store
from tests.conftest import WAITED


@pytest.fixture(scope="session", autouse=True)
def _lab() -> None:
    ensure_pbx()


@pytest.fixture
def leaves_nothing(pbx: ScreenedPbx) -> Iterator[None]:
    """Check after each test that no channel is left after 5 s, and that Asterisk logged no warning."""
    complaints = len(pbx.asterisk.warnings())
    yield
    pbx.asterisk.wait_until_idle(5.0)
    assert pbx.asterisk.warnings()[complaints:] == []


@pytest.fixture
def db(pbx: ScreenedPbx) -> Iterator[sqlite3.Connection]:
    """The daemon's store."""
    with open_store(pbx.daemon.store) as db:
        yield db


@pytest.fixture
def record_delay(request: pytest.FixtureRequest) -> Callable[[float | None], None]:
    """Record how long a call waited during a failure. The longest wait of each test is printed at the end."""

    def record(seconds: float | None) -> None:
        assert seconds is not None, "the call never rang"
        request.node.user_properties.append((WAITED, seconds))

    return record
