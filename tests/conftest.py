"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from lab.tools import use_fetched_tools

# How fast a busy machine makes its examples says nothing about the code. CI tries the same examples each time: it is to
# speak of the change. All other runs look for new ones.
settings.register_profile(
    "callsieve", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("callsieve")

NOBODY = 65534
IS_ROOT = os.geteuid() == 0
WAITED = "seconds a call waited"
# Tests here wait for real calls and real pages more than they compute.
REAL_PARTS = {"integration", "browser"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--may-skip", action="store_true", help="skip the tests of a missing program; else they fail")


def pytest_configure(config: pytest.Config) -> None:
    """xdist tells its workers the width of a terminal that they do not have."""
    use_fetched_tools()
    if hasattr(config, "workerinput"):
        os.environ.pop("COLUMNS", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits goes first: begun last, it would be all that the end of a run consists of."""
    items.sort(key=lambda item: item.path.parent.name not in REAL_PARTS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What only root can do is skipped for others. CI is root."""
    if item.get_closest_marker("root") and not IS_ROOT:
        pytest.skip("only root can do this")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Any other skip is a failure: it would hide what was not tested."""
    report = yield
    allowed = item.config.getoption("--may-skip") or hasattr(report, "wasxfail")
    if report.skipped and not allowed and (IS_ROOT or not item.get_closest_marker("root")):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which only `make test-fast` may do: {reason}"
    return report


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Without root's rights: permissions count for nothing to root, and CI is root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield
    if user == 0:
        os.seteuid(user)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long calls waited for us in each failure, wherever the tests ran."""
    waited = {
        report.nodeid.partition("::")[2]: max(seconds)
        for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed"))
        if (seconds := [value for name, value in report.user_properties if name == WAITED])
    }
    if waited:
        terminalreporter.section("how long a call waited, from its INVITE to ringing or to the final answer")
        for name, longest in waited.items():
            terminalreporter.write_line(f"{1000 * longest:8.1f} ms  {name}")
