"""Options, fixtures and rules of all tests."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lab.debian import LabUnavailable
from lab.pango import use_fetched_pango
from lab.tools import use_fetched_tools
from reputation.store import database
from tests.memory_files import forget_memory, use_memory
from tests.reachable import make_reachable

# Containers set this. Without bytecode each program that a test starts would compile our modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How fast a busy machine makes its examples says nothing about the code. CI tries the same examples each time: it is to
# speak of the change, and half as many are enough. All other runs look for new ones.
IS_CI = "CI" in os.environ
settings.register_profile(
    "callsieve",
    max_examples=25 if IS_CI else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=IS_CI,
)
settings.register_profile("fast", settings.get_profile("callsieve"), max_examples=10)
settings.load_profile("callsieve")

NOBODY = 65534
create_empty = database.create_file
PRAGMAS = database.PRAGMAS
IS_ROOT = os.geteuid() == 0
WAITED = "seconds a call waited"
LONGEST_ID = 28
# Tests in these folders and files wait for real calls, pages and processes more than they compute.
REAL_PARTS = {"integration", "browser", "test_process", "test_store_files"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--may-skip", action="store_true", help="skip the tests of a missing program; else they fail")


def pytest_configure(config: pytest.Config) -> None:
    """Set up the environment. xdist gives its workers the width of a terminal that they do not have."""
    use_fetched_tools()
    use_fetched_pango()
    if not hasattr(config, "workerinput"):
        use_memory()
    if hasattr(config, "workerinput"):
        os.environ.pop("COLUMNS", None)
    elif IS_ROOT:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):  # then the tests that need it fail
            make_reachable(config.rootpath)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep files of failed tests until the next run."""
    if exitstatus == 0 and not hasattr(session.config, "workerinput"):
        forget_memory()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Freeze collected tests: garbage collection took two fifths of the collection time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long files first, or one of them would prolong the end of a run.

    Waiting tests come first, and within each part the files with the longest `timeout` mark.
    """
    longest: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0.0), float(mark.args[0]) if mark else 0.0)
    items.sort(key=lambda item: (REAL_PARTS.isdisjoint((item.path.parent.name, item.path.stem)), -longest[item.path]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need root for other users. CI is root."""
    if item.get_closest_marker("root") and not IS_ROOT:
        pytest.skip("only root can do this")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail any other skip: it would hide untested code.

    A program that could not be fetched is treated here, once for all tests: it fails, or is skipped with --may-skip.
    """
    report = yield
    may_skip = item.config.getoption("--may-skip")
    if may_skip and call.excinfo is not None and call.excinfo.errisinstance(LabUnavailable):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {call.excinfo.value}")
    allowed = may_skip or hasattr(report, "wasxfail")
    if report.skipped and not allowed and (IS_ROOT or not item.get_closest_marker("root")):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which only `make test-fast` may do: {reason}"
    return report


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text names its case by its beginning; pytest numbers those that begin alike."""
    return ascii(val)[1:LONGEST_ID] if isinstance(val, str) and len(val) > LONGEST_ID else None


@pytest.fixture(scope="session", autouse=True)
def copied_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new store starts as a copy of a migrated one: the migrations take 20 ms, and tests make thousands of stores.
    Nor does a store wait for the disk, which only matters when the power fails: each waited 1 ms, or 20 on a busy disk.

    Programs that tests start migrate and wait as ever, and so do the tests that ask for `migrating_stores`.
    """
    template = tmp_path_factory.mktemp("template") / "callsieve.db"
    with database.open_store(template):
        pass
    content = template.read_bytes()

    def create(path: Path) -> None:
        copy = path.with_name(f"{path.name}.copy-{threading.get_ident()}")
        with contextlib.suppress(OSError):  # the real one says what is wrong
            if not path.exists() and not database.is_lost(path):
                path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
                with open(os.open(copy, os.O_CREAT | os.O_WRONLY, 0o640), "wb") as file:
                    file.write(content)
                os.link(copy, path)  # unlike a rename it leaves a store that somebody else has just made
        with contextlib.suppress(OSError):
            copy.unlink()
        create_empty(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "create_file", create)
        patch.setattr(database, "PRAGMAS", (*PRAGMAS, "PRAGMA synchronous = OFF"))
        yield


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds with the prompts of both languages, to be read or copied: made once for all tests that ask for them."""
    from tests.voices import make_voices, shared_by_workers

    return make_voices(shared_by_workers(tmp_path_factory) / "voices")


@pytest.fixture
def migrating_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are made and opened as the product does it."""
    monkeypatch.setattr(database, "create_file", create_empty)
    monkeypatch.setattr(database, "PRAGMAS", PRAGMAS)


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Drop root's rights, because permissions do not apply to root. CI is root."""
    user = os.geteuid()
    if user == 0:
        os.setresuid(NOBODY, NOBODY, 0)
    yield
    if user == 0:
        os.setresuid(0, 0, 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long calls waited in each failure."""
    waited = {
        report.nodeid.partition("::")[2]: max(seconds)
        for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed"))
        if (seconds := [value for name, value in report.user_properties if name == WAITED])
    }
    if waited:
        terminalreporter.section("how long a call waited, from its INVITE to ringing or to the final answer")
        for name, longest in waited.items():
            terminalreporter.write_line(f"{1000 * longest:8.1f} ms  {name}")
