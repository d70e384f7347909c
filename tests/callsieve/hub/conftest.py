"""One PostgreSQL for all tests of the hub, and a database of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.postgresql import PostgreSql
from tests.callsieve.hub.sites import TestHub


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """One server for the run, without autovacuum."""
    with PostgreSql(options={"autovacuum": "off"}) as server:
        yield server


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    """A server of this test alone, which may be frozen and stopped."""
    with PostgreSql() as server:
        yield server


@pytest.fixture
def hub(postgresql: PostgreSql, tmp_path: Path) -> Iterator[TestHub]:
    hub = TestHub(postgresql, tmp_path).make()
    yield hub
    hub.remove()
