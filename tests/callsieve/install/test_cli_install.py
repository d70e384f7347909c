"""`callsieve asterisk install` from a script, where nobody can be asked."""

from __future__ import annotations

import shlex
from pathlib import Path

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
