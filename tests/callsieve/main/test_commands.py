"""A command is imported when it is named, and `callsieve --help` says of each what the command says of itself."""

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


def test_the_table_of_commands_says_what_each_says() -> None:
    said = {name: " ".join(one.help.partition("\n\n")[0].split()) for name, one in all_commands().commands.items()}
    assert said == {"serve": said["serve"], **{name: text for name, (_, text) in COMMANDS.items()}}


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
