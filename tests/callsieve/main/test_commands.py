"""A command is imported when it is named; `callsieve --help` makes do with a table."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from callsieve.main.capabilities import COMMANDS, GROUPS, HELP, SHORT_HELP
from tests.callsieve.program import Program, all_commands
from tests.office import ROOT

# Runs a command, then says which modules it has imported.
PROGRAM = "import sys; from callsieve.main.cli import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
CAPABILITY = re.compile(r"\bcallsieve\.(\w+)\.cli\.\w+")


def test_every_command_of_the_table_exists() -> None:
    first_words = {name.partition(" ")[0] for name in COMMANDS}
    assert set(all_commands().commands) == first_words == set(HELP)


def test_every_command_of_a_module_is_in_the_table() -> None:
    """What takes `--config` is a command."""
    written = {
        f"{'.'.join(file.relative_to(ROOT / 'callsieve').with_suffix('').parts)}:{name}"
        for file in (ROOT / "callsieve").glob("*/cli/*.py")
        for name in re.findall(r"^def ([a-z]\w*)\([^)]*config: ConfigOption = None", file.read_text(), re.MULTILINE)
    }
    assert written - set(COMMANDS.values()) == set()


def test_help_shows_the_text_of_the_table(callsieve: Program) -> None:
    shown = " ".join(callsieve.ok("help", "all").replace("│", " ").split())
    assert [name for name, text in HELP.items() if f"{name} {text}" not in shown] == []


def test_help_is_in_groups_with_a_line_for_each_command(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words, groups in ((["--help"], SHORT_HELP), (["help", "all"], tuple(GROUPS))):
        printed = callsieve.ok(*words)
        assert max(map(len, printed.splitlines())) == 80
        shown = [line.strip("│╭╮╰╯─ ") for line in printed.splitlines()]
        below = [line for line in shown[shown.index(next(iter(GROUPS))) :] if line]
        expected = [line for group in groups for line in (group, *GROUPS[group])]
        assert [line if line in GROUPS else line.split()[0] for line in below] == expected


def test_short_help_shows_at_most_20_commands() -> None:
    assert sum(len(GROUPS[group]) for group in SHORT_HELP) <= 20


@pytest.mark.parametrize(
    ("words", "imported"),
    [
        pytest.param(["--help"], set(), id="help"),
        pytest.param(["list", "show", "--help"], {"lists"}, id="group"),
        pytest.param(["lookup", "--help"], {"numbers"}, id="command"),
    ],
)
def test_only_the_invoked_command_is_imported(callsieve: Program, words: list[str], imported: set[str]) -> None:
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, *words),
        capture_output=True,
        env=callsieve.environment,
        cwd=ROOT,
        check=True,
        text=True,
    )
    assert set(CAPABILITY.findall(done.stderr)) == imported


def test_help_shows_square_brackets_of_every_command(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    count = 0
    for name in COMMANDS:
        command = all_commands()
        for word in name.split():
            command = command.commands[word]
        texts = (command.help or "", *(getattr(parameter, "help", None) or "" for parameter in command.params))
        if expected := set(re.findall(r"\S*\[\S+", " ".join(texts))):
            shown = " ".join(callsieve.ok(*name.split(), "--help").split())
            assert [text for text in expected if text not in shown] == [], name
            count += 1
    assert count > 10
