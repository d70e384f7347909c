"""`callsieve asterisk install` and `uninstall` without a terminal."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from callsieve.install import plan
from callsieve.install.cli import commands
from callsieve.install.steps import REMOVE_PROMPTS
from tests.callsieve.program import Program
from tests.office import NOBODY


def test_refused_install_names_the_command_with_yes(callsieve: Program, tmp_path: Path) -> None:
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


def test_uninstall_stops_all_units(callsieve: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    stopped, forgotten, reloaded = asked.read_text().splitlines()
    assert {*stopped.split()} == {"disable", "--now", *installed}
    assert (forgotten, reloaded) == ("reset-failed callsieve*", "daemon-reload")
    assert not [*units.iterdir()]


def test_install_without_asterisk_names_no_asterisk_command(
    callsieve: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc, units = tmp_path / "no-asterisk", tmp_path / "units"
    place = ("--etc", etc, "--systemd-dir", units)
    monkeypatch.setattr(plan, "_usual_group", lambda: 0)
    assert "groupadd --system asterisk" in callsieve.fails("asterisk", "install", *place, "--no-asterisk", "--systemd")
    monkeypatch.setattr(plan, "_usual_group", lambda: NOBODY)
    assert "--no-asterisk needs --systemd" in callsieve.fails("asterisk", "install", *place, "--no-asterisk")
    said = callsieve.ok("asterisk", "install", *place, "--no-asterisk", "--systemd", "--yes")
    assert (units / "callsieve-hub.service").exists()
    assert not etc.exists()
    assert "asterisk -rx" not in said
    said = callsieve.ok("asterisk", "uninstall", *place, "--yes")
    assert not [*units.iterdir()]
    assert "asterisk -rx" not in said


def test_uninstall_names_the_files_that_stay(
    callsieve: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, helper = tmp_path / "callsieve-program", callsieve.state.with_name(f"{callsieve.state.name}-call-back")
    link = tmp_path / "bin" / "callsieve"
    link.parent.mkdir()
    link.symlink_to(program / "bin" / "callsieve")
    helper.mkdir()
    monkeypatch.setenv("PATH", f"{link.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "prefix", str(program))
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "extensions.conf").write_text("[general]\n")
    secret, prompts = tmp_path / "crm.secret", tmp_path / "data" / "sounds" / "en" / "callsieve"
    secret.write_text("s3cret")
    prompts.mkdir(parents=True)
    (prompts / "whisper.wav").touch()
    copy = etc / "extensions.conf.before-callsieve"
    units = tmp_path / "units"
    (units / "callsieve.service.d").mkdir(parents=True)
    (units / "callsieve.service.d" / "mine.conf").write_text("[Service]\n")
    callsieve.config.write_text(
        f'[[webhook]]\nname = "crm"\nurl = "https://crm.example/"\nsecret = "file:{secret}"\nevents = ["call.ended"]\n'
    )
    monkeypatch.setattr(commands, "DATA", (str(tmp_path / "data"),))
    place = ("--etc", etc, "--systemd-dir", units, "--yes")
    callsieve.ok("asterisk", "install", *place, "--no-ami")
    (etc / "extensions.conf").write_text(f"{(etc / 'extensions.conf').read_text()}[mine]\n")
    said = callsieve.ok("asterisk", "uninstall", *place)
    left = (link, secret, copy)
    for command in (*(f"rm {item}" for item in left), *(f"rm -r {item}" for item in (helper, program, prompts))):
        assert command in said
    assert f"rm -r {units / 'callsieve.service.d'}" in said
    assert REMOVE_PROMPTS in said.partition("written")[0], "said before anything is taken out"
    assert copy.exists()


def test_restart_is_not_suggested_while_a_policy_is_unusable(callsieve: Program, tmp_path: Path) -> None:
    """The policy uses an evidence family of an older version. The error names file, line, condition and replacement."""
    etc, units = tmp_path / "etc", tmp_path / "units"
    etc.mkdir()
    (etc / "extensions.conf").write_text("[general]\n")
    place = ("--etc", etc, "--systemd-dir", units, "--yes", "--systemd", "--no-ami")
    callsieve.ok("asterisk", "install", *place)
    (callsieve.folder / "policies").mkdir()
    rule = '[[rule]]\nname = "range"\nwhen = { plan = "telemarketing" }\naction = "tag"\nreason = "x"\n'
    file = callsieve.file("policies/old.toml", f'default = "allow"\n{rule}')
    callsieve.config.write_text(callsieve.config.read_text() + '\n[policy]\nname = "old"\n')
    refused = callsieve("asterisk", "install", *place)
    assert refused.code == 2
    said = refused.out + refused.err
    for text in (file.name, "line 4", "plan", "nobodys_range"):
        assert text in said
    assert "systemctl restart" not in said
