"""A command is imported when it is named; `callsieve --help` makes do with a table."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from callsieve.main.cli import all_commands
from callsieve.main.commands import COMMANDS
from tests.callsieve.program import Program
from tests.office import ROOT

# Runs a command, then says which modules it has imported.
PROGRAM = "import sys; from callsieve.main.cli import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
CAPABILITY = re.compile(r"\bcallsieve\.(\w+)\.cli\.\w+")


def test_the_table_has_every_command_that_its_modules_add() -> None:
    assert set(all_commands().commands) == {"serve", *COMMANDS}


def test_help_says_of_each_command_what_the_table_says(callsieve: Program) -> None:
    shown = " ".join(callsieve.ok("--help").replace("│", " ").split())
    assert [name for name, (_, text) in COMMANDS.items() if f"{name} {text}" not in shown] == []


@pytest.mark.parametrize(
    ("words", "imported"),
    [
        pytest.param(["--help"], set(), id="help"),
        pytest.param(["list", "show", "--help"], {"lists"}, id="group"),
        pytest.param(["lookup", "--help"], {"numbers"}, id="command"),
    ],
)
def test_only_the_command_that_is_named_is_imported(callsieve: Program, words: list[str], imported: set[str]) -> None:
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, *words),
        capture_output=True,
        env=callsieve.environment,
        cwd=ROOT,
        check=True,
        text=True,
    )
    assert set(CAPABILITY.findall(done.stderr)) == imported
