"""With broken settings the switch and the emergency window work, and the doctor names the error."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.callsieve.doctor.test_doctor import ASTDB
from tests.callsieve.program import Program, one_line

NO_TOML = b"[agi\nlisten = 1\n"
NO_UTF8 = b"# caf\xe9\n"
BROKEN = [
    pytest.param(NO_TOML, "not TOML", id="no-toml"),
    pytest.param(b"[agi]\nlisen = '127.0.0.1:1'\n", "agi.lisen: unknown key", id="unknown-key"),
    pytest.param(b"[agi]\ndeadline_ms = 'soon'\n", "agi.deadline_ms: expected", id="wrong-type"),
    pytest.param(b"[numbers]\nregion = 'Narnia'\n", "numbers.region: ", id="wrong-value"),
    pytest.param(b"[asterisk]\ncommand = 7\n", "asterisk.command: expected", id="the-command-itself"),
    pytest.param(b"asterisk = 7\n", "asterisk: expected", id="no-table"),
    pytest.param(NO_UTF8, "not UTF-8 at byte 5", id="no-utf-8"),
    pytest.param(b"#" * (1 << 20) + b"#", "not a settings file", id="too-large"),
    pytest.param(None, "cannot be read", id="missing"),
]


@pytest.fixture
def callsieve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """`asterisk`, as it is run by default, is a program that keeps `callsieve/off`."""
    (tmp_path / "bin").mkdir()
    put_asterisk(tmp_path / "bin" / "asterisk")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return Program(tmp_path)


def put_asterisk(path: Path) -> Path:
    """A program with Asterisk's console and its database in a file beside it."""
    path.write_text(f"#!{sys.executable}\n{ASTDB}")
    path.chmod(0o755)
    return path.with_suffix(".db")


def break_settings(callsieve: Program, content: bytes | None) -> None:
    callsieve.config.unlink()
    if content is not None:
        callsieve.config.write_bytes(content)


@pytest.mark.parametrize(("content", "says"), BROKEN)
def test_the_switch_works_with_broken_settings(callsieve: Program, content: bytes | None, says: str) -> None:
    break_settings(callsieve, content)
    kept = callsieve.folder / "bin" / "asterisk.db"
    for command, is_off in (("off", True), ("on", False)):
        result = callsieve(command)
        assert (result.code, kept.exists()) == (0, is_off)
        assert f"{callsieve.config}: " in one_line(result.err)
        assert says in result.err


@pytest.mark.parametrize(("content", "says"), BROKEN)
def test_emergency_window_works_with_broken_settings(callsieve: Program, content: bytes | None, says: str) -> None:
    callsieve.ok("db", "migrate")
    break_settings(callsieve, content)
    for command, is_open in (("open", True), ("close", False)):
        result = callsieve("emergency", command)
        assert (result.code, f"{callsieve.config}: " in one_line(result.err), says in result.err) == (0, True, True)
        status = callsieve("emergency", "status", "--json")
        assert (status.code, status.json["open"], says in one_line(status.err)) == (0, is_open, True)


def test_readable_keys_of_broken_settings_are_used(callsieve: Program) -> None:
    usable = '[store]\npath = "elsewhere.db"\n[emergency]\nwindow_minutes = 5\n'
    callsieve.config.write_text(usable)
    callsieve.ok("db", "migrate")
    callsieve.config.write_text(usable + "[agi]\nlisen = 1\n")
    opened_at = time.time()
    assert callsieve("emergency", "open").code == 0
    until = callsieve("emergency", "status", "--json").json["until"]
    assert datetime.fromisoformat(until).timestamp() == pytest.approx(opened_at + 300, abs=60)
    assert not callsieve.store.exists()


def test_broken_settings_create_no_other_store(callsieve: Program) -> None:
    break_settings(callsieve, NO_TOML)
    assert (callsieve("emergency", "open").code, callsieve.store.exists()) == (2, False)


def test_install_names_the_broken_key_and_changes_nothing(callsieve: Program, tmp_path: Path) -> None:
    break_settings(callsieve, b"# ours\n[agi]\nlisen = 1\n")
    (tmp_path / "etc").mkdir()
    said = callsieve.fails("asterisk", "install", "--etc", tmp_path / "etc", "--yes")
    assert f"{callsieve.config}: line 3: agi.lisen" in said
    assert "run this again" in said
    assert list((tmp_path / "etc").iterdir()) == []


@pytest.mark.parametrize("command", ["off", "on"])
def test_switch_works_if_the_named_settings_are_missing(callsieve: Program, command: str) -> None:
    missing = callsieve.folder / "missing.toml"
    result = callsieve(command, "--config", missing)
    assert (result.code, f"{missing}: cannot be read" in one_line(result.err)) == (0, True)


def test_switch_works_if_the_settings_are_a_directory(callsieve: Program) -> None:
    break_settings(callsieve, None)
    callsieve.config.mkdir()
    result = callsieve("off")
    assert (result.code, "cannot be read" in one_line(result.err)) == (0, True)


def test_switch_uses_the_asterisk_command_of_broken_settings(callsieve: Program) -> None:
    kept = put_asterisk(callsieve.folder / "elsewhere")
    command = shlex.join([str(callsieve.folder / "elsewhere")])
    break_settings(callsieve, f"[asterisk]\ncommand = {json.dumps(command)}\n[agi]\nlisen = 'x'\n".encode())
    result = callsieve("off")
    assert (result.code, kept.exists()) == (0, True)
    assert "agi.lisen" in one_line(result.err)


def test_switch_fails_if_asterisk_fails(callsieve: Program) -> None:
    break_settings(callsieve, NO_TOML)
    (callsieve.folder / "bin" / "asterisk").write_text("#!/bin/sh\nexit 1\n")
    assert callsieve("off").code == 2


@pytest.mark.parametrize(("content", "says"), BROKEN)
def test_doctor_reports_broken_settings(callsieve: Program, content: bytes | None, says: str) -> None:
    break_settings(callsieve, content)
    result = callsieve("doctor", "--json")
    assert (result.code, result.err) == (1, "")
    found = {check["name"]: check for check in result.json}
    assert found["settings"]["status"] == "fail"
    assert str(callsieve.config) in found["settings"]["detail"]
    assert says in found["settings"]["detail"]
    assert found["settings"]["remedy"]
    assert {found[name]["status"] for name in ("policy", "store", "people", "daemon")} == {"unknown"}
    assert found["prompts"]["detail"] != ""
    assert callsieve("doctor").out.count("no settings") == 1
