"""`callsieve digest`: its formats and its day argument."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.callsieve.program import Program, make_record
from tests.office import CALLER


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """Two calls in the last minute before yesterday's noon in UTC, of a contact that was warned of."""
    program = Program(tmp_path)
    noon = time.time() // 86_400 * 86_400 - 43_200
    warned = {"action": "warn", "would_be": "warn", "rule": "level-warn"}
    program.add_decisions(
        make_record("AAAAAAA1", at=noon, linkedid="1", **warned),
        make_record("AAAAAAA2", at=noon + 30, linkedid="2", **warned),
    )
    (tmp_path / "contacts.csv").write_text(f"number,name,person\n{CALLER},Carol,201\n")
    program.ok("import", "contacts", tmp_path / "contacts.csv", "--source", "crm")
    return program


def test_default_day_is_yesterday(callsieve: Program) -> None:
    assert callsieve.ok("digest", "--json") == callsieve.ok("digest", "yesterday", "--json")
    assert callsieve("digest", "--json").json["probable_mistakes"]["calls"] == 2


def test_mistake_comes_with_its_correcting_command(callsieve: Program) -> None:
    assert f"  callsieve list add allow {CALLER} --note wanted\n" in callsieve.ok("digest")


def test_printed_command_works(callsieve: Program) -> None:
    callsieve.ok("list", "add", "allow", CALLER, "--note", "wanted")
    assert callsieve("list", "show", "allow", "--json").json[0]["text"] == CALLER


def test_html_option_prints_a_page(callsieve: Program) -> None:
    assert callsieve.ok("digest", "--html").startswith("<!doctype html>")


@pytest.mark.parametrize("typed", ["2026-13-01", "tomorrow", "", "2999-01-01", "0001-01-01", "9999-12-31", "-1"])
def test_invalid_day_is_refused(callsieve: Program, typed: str) -> None:
    assert "day" in callsieve.fails("digest", "--", typed)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_commands_are_never_wrapped(callsieve: Program, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert f"callsieve list add allow {CALLER} --note wanted" in callsieve.ok("digest")
