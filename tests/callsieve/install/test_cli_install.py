"""`callsieve asterisk install` and `uninstall` from a script, where nobody can be asked."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from callsieve.install.cli import commands
from tests.callsieve.program import Program


def test_the_error_names_the_command_that_writes(callsieve: Program, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "extensions.conf").write_text("[general]\n")
    refused = callsieve.process("asterisk", "install", "--etc", etc, "--systemd-dir", tmp_path / "units", "--no-ami")
    assert refused.code == 2
    assert [path.name for path in etc.iterdir()] == ["extensions.conf"]
    program, *words = shlex.split(refused.err.rpartition(": ")[2])
    assert (program, words[-1]) == ("callsieve", "--yes")
    callsieve.ok(*words)
    assert (etc / "callsieve.d" / "callsieve.conf").exists()


def test_no_unit_is_left_running(callsieve: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen on a real systemd: a service whose file is gone runs on, and a timer goes on starting its own."""
    etc, units, asked = tmp_path / "etc", tmp_path / "units", tmp_path / "asked"
    etc.mkdir()
    (etc / "extensions.conf").write_text("[general]\n")
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(commands, "UNITS", units)
    place = ("--etc", etc, "--systemd-dir", units, "--yes")
    callsieve.ok("asterisk", "install", *place, "--systemd", "--no-ami")
    installed = {path.name for path in units.iterdir()}
    callsieve.ok("asterisk", "uninstall", *place)
    stopped, reloaded = asked.read_text().splitlines()
    assert {*stopped.split()} == {"disable", "--now", *installed}
    assert reloaded == "daemon-reload"
    assert not [*units.iterdir()]
