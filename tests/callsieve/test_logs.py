"""Log lines: one form for people, one for machines."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from callsieve.logs import configure_logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_a_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    logging.getLogger("callsieve.x").warning("the store is %s", "full")
    line = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[WARNING \] the store is full\n", line)


def test_a_line_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(as_json=True)
    logging.getLogger("callsieve.x").error("the store is %s", "full")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("the store is full", "error")


def test_a_bug_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    try:
        raise LookupError("a bug")
    except LookupError:
        logging.getLogger("callsieve.x").exception("it failed")
    assert "LookupError: a bug" in capsys.readouterr().err


def test_what_is_not_asked_for_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    logging.getLogger("callsieve.x").debug("a detail")
    assert capsys.readouterr().err == ""
