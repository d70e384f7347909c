"""The manual page: every command and option is in it, and mandoc reads it without a complaint."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

import pytest

from lab.shells import shell_command
from tests.callsieve.program import Program, all_commands
from tests.callsieve.test_docs import commands_of


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    file = folder / "callsieve.1"
    file.write_text(Program(folder).ok("man"))
    return file


def mandoc(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*shell_command("mandoc"), *options, str(page)), capture_output=True, check=False, text=True, timeout=60
    )


def test_mandoc_reports_no_problem(page: Path) -> None:
    done = mandoc(page, "-T", "lint", "-W", "style")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_source_line_begins_with_a_space(page: Path) -> None:
    assert [line for line in page.read_text().splitlines() if line.startswith(" ")] == []


def test_page_has_every_command_with_help_and_options(page: Path) -> None:
    shown = " ".join(html.unescape(re.sub(r"<[^>]*>", "", mandoc(page, "-T", "html").stdout)).split())
    missing = [
        text
        for name, command in commands_of(all_commands())
        for text in (
            name,
            " ".join((command.help or "").split("\n\n")[0].split()),
            *(option for param in command.params if param.param_type_name == "option" for option in param.opts),
            *(
                param.help
                for param in command.params
                if param.help and "--config" not in param.opts and param.name != "as_json"
            ),
        )
        if text not in shown
    ]
    assert missing == []
