"""Real Asterisk, real daemon, real calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import ensure_pbx
from tests.conftest import WAITED


@pytest.fixture(scope="session", autouse=True)
def _lab() -> None:
    ensure_pbx()


@pytest.fixture
def record_delay(request: pytest.FixtureRequest) -> Callable[[float | None], None]:
    """Notes how long a call waited for us in a failure; the longest of each test is printed at the end."""

    def record(seconds: float | None) -> None:
        assert seconds is not None, "the call never rang"
        request.node.user_properties.append((WAITED, seconds))

    return record
