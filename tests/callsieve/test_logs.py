"""Log lines: one form for people, one for machines."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from callsieve.logs import configure_logs, flush_logs


def printed(capfd: pytest.CaptureFixture[str]) -> str:
    """What came out on standard error."""
    logging.getLogger().handlers[0].flush()
    return capfd.readouterr().err


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    flush_logs()  # what another test has not written yet is none of these lines
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_log_line_as_text(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    logging.getLogger("callsieve.x").warning("the store is %s", "full")
    line = printed(capfd)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[WARNING \] the store is full\n", line)


def test_log_line_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(as_json=True)
    logging.getLogger("callsieve.x").error("the store is %s", "full")
    line = json.loads(printed(capfd))
    assert (line["event"], line["level"]) == ("the store is full", "error")


def test_a_bug_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    try:
        raise LookupError("a bug")
    except LookupError:
        logging.getLogger("callsieve.x").exception("it failed")
    assert "LookupError: a bug" in printed(capfd)


def test_debug_lines_are_not_logged_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    logging.getLogger("callsieve.x").debug("a detail")
    assert printed(capfd) == ""
