"""What bash, zsh and fish offer at the tab key: real shells, which start the real program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from callsieve.main.capabilities import HELP
from lab.programs import COMMAND_LINE
from lab.shells import shell_command
from tests.callsieve.program import Program
from tests.office import ROOT

pytestmark = pytest.mark.slow  # shells, which start `callsieve` several times each

# As bash does it: the words so far, the last of which is to be completed.
BASH = """\
source $SCRIPT
set -- callsieve "$@"
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
[[ $(complete -p callsieve) =~ " -F "([^ ]+)" callsieve" ]]
"${BASH_REMATCH[1]}" callsieve
printf '%s\\n' "${COMPREPLY[@]}"
"""
# zsh hands what we print to its own `_arguments`, as `name:help` in quotes; here that prints the names.
ZSH = """\
compdef() { defined=$1 }
_arguments() { local list=${1#*\\(\\(}; print -rl -- ${${(Q)${(z)${list%\\)\\)}}}%%:*} }
source $SCRIPT
words=(callsieve "$@"); CURRENT=$#words
$defined
"""
FISH = """\
source $SCRIPT
complete -C "callsieve $TYPED" | string replace -r '\\t.*' '' || true
"""
SHELLS = {"bash": ("--norc", BASH), "zsh": ("-f", ZSH), "fish": ("--no-config", FISH)}
GROUP = pytest.param(["own", "dnc", ""], ["add", "list", "remove"], id="group")
OPTIONS = pytest.param(["status", "--"], ["--config", "--help", "--json"], id="options")
CHOICE = pytest.param(["completion", "f"], ["fish"], id="choice")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With `callsieve` on PATH, broken settings, and no state directory: neither is looked at."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "bin" / "callsieve"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m {COMMAND_LINE} "$@"\n')
    program.chmod(0o755)
    (folder / "broken.toml").write_text("[agi\n")
    return {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "CALLSIEVE_CONFIG": str(folder / "broken.toml"),
        "CALLSIEVE_STATE": str(folder / "state"),
    }


def offered(name: str, tmp_path: Path, environment: dict[str, str], words: list[str]) -> list[str]:
    option, script = SHELLS[name]
    file = tmp_path / "completion"
    file.write_text(Program(tmp_path).ok("completion", name))
    typed = [name, *words] if name != "fish" else []  # fish reads `--` itself
    done = subprocess.run(
        (*shell_command(name), option, "-c", script, *typed),
        env={**environment, "SCRIPT": str(file), "TYPED": " ".join(words)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not Path(environment["CALLSIEVE_STATE"]).exists()
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(["sta"], ["status"], id="command"),
        pytest.param([""], list(HELP), id="every-command"),
        *(GROUP, OPTIONS, CHOICE),
    ],
)
def test_bash_completes_commands_and_options(
    environment: dict[str, str], tmp_path: Path, words: list[str], names: list[str]
) -> None:
    assert offered("bash", tmp_path, environment, words) == sorted(names)


@pytest.mark.parametrize(("words", "names"), [GROUP, OPTIONS, CHOICE])
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts_of_other_shells(
    environment: dict[str, str], tmp_path: Path, shell: str, words: list[str], names: list[str]
) -> None:
    assert offered(shell, tmp_path, environment, words) == sorted(names)


def test_unsupported_shell_is_refused(callsieve: Program) -> None:
    assert "'bash', 'zsh', 'fish'" in callsieve.fails("completion", "tcsh")
