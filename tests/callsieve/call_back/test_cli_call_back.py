"""`callsieve call-back`: errors at start, and `show`."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.call_back.helper import STATE_FILE
from tests.callsieve.call_back.helping import NUMBER, settings_text
from tests.callsieve.program import Program


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "call-back.toml"
    file.write_text(settings_text(tmp_path / "spool"))
    return file


def serve(callsieve: Program, settings: Path, *more: str) -> tuple[int, str]:
    folder = settings.parent
    options = ("--settings", str(settings), "--socket", str(folder / "door"), "--state", str(folder))
    result = callsieve.process("call-back", "serve", *options, *more)
    return result.code, result.err.strip()


def test_serve_refuses_without_settings_or_when_disabled(callsieve: Program, settings: Path) -> None:
    code, said = serve(callsieve, settings.with_name("none.toml"))
    assert (code, "none.toml" in said, "callsieve asterisk install" in said) == (2, True, True)
    settings.write_text("")
    code, said = serve(callsieve, settings)
    assert (code, "enabled = true" in said, len(said.splitlines())) == (2, True, 1)


def test_serve_names_an_unknown_user_and_the_settings_file(callsieve: Program, settings: Path) -> None:
    settings.write_text(settings_text(settings.parent / "spool", user="nobody-of-this-name"))
    code, said = serve(callsieve, settings)
    assert (code, str(settings) in said, "nobody-of-this-name" in said) == (2, True, True)


def test_damaged_state_file_prints_one_line(callsieve: Program, settings: Path) -> None:
    (settings.parent / STATE_FILE).write_text("{")
    code, said = serve(callsieve, settings)
    assert (code, STATE_FILE in said, len(said.splitlines())) == (2, True, 1)


def test_show_prints_the_highest_daily_cost(callsieve: Program, settings: Path) -> None:
    assert "30 minutes are billed per day" in callsieve.ok("call-back", "show", "--settings", settings)
    shown = callsieve("call-back", "show", "--settings", settings, "--json").json
    assert shown["most_minutes_a_day"] == 30
    assert shown["settings"]["countries"] == ["US"]


@pytest.mark.parametrize(("number", "refused"), [(NUMBER, None), ("+18095551234", "country"), ("x\x1b", "kind")])
def test_show_checks_a_number_without_calling(
    callsieve: Program, settings: Path, number: str, refused: str | None
) -> None:
    shown = callsieve("call-back", "show", number, "--settings", settings, "--json").json
    assert shown["refused"] == refused
    assert "\x1b" not in callsieve.ok("call-back", "show", number, "--settings", settings)
