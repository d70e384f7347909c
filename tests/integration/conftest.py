"""Real Asterisk, real daemon, real calls. Where no Asterisk can be had these tests are skipped with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import LabUnavailable, ensure_pbx

DELAYS: dict[str, float] = {}


@pytest.fixture(scope="session", autouse=True)
def _lab() -> None:
    try:
        ensure_pbx()
    except LabUnavailable as error:
        pytest.skip(f"no Asterisk to be had here: {error}")


@pytest.fixture
def record_delay(request: pytest.FixtureRequest) -> Callable[[float | None], None]:
    """Notes how long a call waited for us in a failure; the longest of each test is printed at the end."""

    def record(seconds: float | None) -> None:
        assert seconds is not None, "the call never rang"
        DELAYS[request.node.name] = max(seconds, DELAYS.get(request.node.name, 0.0))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if DELAYS:
        terminalreporter.section("how long a call waited, from its INVITE to ringing")
        for name, seconds in DELAYS.items():
            terminalreporter.write_line(f"{1000 * seconds:8.1f} ms  {name}")
