"""Pipes and endless files: every command that reads files refuses them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.callsieve.program import Program, one_line
from tests.office import CALLER, SETTINGS

pytestmark = pytest.mark.slow  # files that would fill the memory, read by a process each

READING = (
    "import numbers {file} --source feed",
    "import contacts {file} --source crm",
    "import people {file} --source staff",
    "import calls {file}",
    "list import {file}",
    "own import {file}",
    "replay {file}",
    "policy check {file}",
    "policy test {file}",
    "policy explain {file} --caller +12015550100",
    "db restore {file} --yes",
    f"appeal evidence {CALLER} {{file}}",
)
# Commands that read gzip.
IMPORTS = (*READING[:2], "import calls {file}")
EMPTY_LINES = 300_000_000


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """A program with a store and an appeal."""
    program = Program(tmp_path)
    program.ok("appeal", "open", CALLER, "--name", "Carol", "--contact", "+12015550199", "--statement", "no")
    return program


@pytest.mark.parametrize("command", READING)
def test_pipe_in_place_of_a_file_is_refused(callsieve: Program, command: str) -> None:
    fifo = callsieve.folder / "fifo.toml"  # no process writes into it
    os.mkfifo(fifo)
    line = callsieve.fails(*command.format(file=fifo).split())
    assert str(fifo) in line
    assert "not a regular file" in line


def test_pipe_among_the_policies_blocks_no_command(callsieve: Program) -> None:
    (callsieve.state / "policies").mkdir()
    os.mkfifo(callsieve.state / "policies" / "activated")
    os.mkfifo(callsieve.state / "policies" / "console-7.toml")
    for command in ("policy list", "policy check console-7", "policy activate strict", "doctor"):
        result = callsieve(*command.split())
        assert result.code in (0, 1, 2), result.err
        assert "Traceback" not in result.err
    result = callsieve("policy", "show", "console-7")
    assert result.code == 2
    assert "not a regular file" in one_line(result.err)


@pytest.mark.parametrize("name", ["state/daemon.json", "etc/extensions.conf", "etc/manager.conf", "state/callsieve.db"])
def test_pipe_in_place_of_a_checked_file_does_not_block_the_doctor(tmp_path: Path, name: str) -> None:
    """The doctor of root reads files that the service and Asterisk may replace."""
    (tmp_path / "state").mkdir()
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / name)
    program = Program(tmp_path, f'{SETTINGS}\n[asterisk]\netc = "{tmp_path}/etc"\ncommand = "/bin/false"\n')
    result = program.process("doctor", "--json", seconds=30.0)
    assert result.code == 1
    assert len(result.json) > 20


def packed_lines(count: int, first: bytes) -> bytes:
    """Return a first line and many empty ones, packed in several gzip members."""
    chunk = b"\n" * 1_000_000
    return gzip.compress(first) + gzip.compress(chunk) * (count // len(chunk))


@pytest.mark.parametrize("command", IMPORTS)
def test_import_refuses_endless_empty_lines(callsieve: Program, command: str) -> None:
    first = b'{"at": 1}\n' if "calls" in command else b"number,name\n"
    file = callsieve.file("empty.gz", packed_lines(EMPTY_LINES, first))
    before = callsieve("import", "list", "--json").json
    result = callsieve.process(*command.format(file=file).split(), seconds=30.0)
    assert (result.code, result.out) == (2, "")
    assert "lines are empty" in one_line(result.err)
    assert callsieve("import", "list", "--json").json == before


def test_replay_refuses_endless_empty_lines(callsieve: Program) -> None:
    file = callsieve.file("empty.jsonl", b'{"at": 1}\n' + b"\n" * 1_000_000)
    assert "lines are empty" in one_line(callsieve.process("replay", file, seconds=30.0).err)


def test_as_many_empty_lines_as_rows_are_accepted(callsieve: Program) -> None:
    numbers = "".join(f"+1201555{n:04}\n\n" for n in range(10_000)) + "\n" * 90_000
    callsieve.ok("import", "numbers", callsieve.file("n.csv", "number\n" + numbers), "--source", "feed")
    assert callsieve("import", "list", "--json").json[0]["rows"] == 10_000
