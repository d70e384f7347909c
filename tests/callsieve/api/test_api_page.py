"""docs/reference/api.md: its lines are typed into a shell, and print what the page says; its tables are whole.

`python -m tests.callsieve.api.test_api_page` runs them and writes what they print into the page.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from callsieve.main.capabilities import ALL, endpoints_of
from lab.programs import COMMAND_LINE
from lab.tools import use_fetched_tools
from reputation.users import Scope
from tests.callsieve.api.serving import ServedApi, serving_api
from tests.callsieve.test_docs import examples_of

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reference" / "api.md"
KIT = ROOT / "callsieve" / "api"
CODE = re.compile(r"""(?:ApiError|_unauthorised|_invalid)\(\s*(?:[A-Za-z_.]+,\s*)?"([a-z-]+)\"""")
TABLE_HEAD = "| | scope | role |\n|---|---|---|\n"


class Shell:
    """What is typed on the page, with the token that the page makes."""

    def __init__(self, served: ServedApi) -> None:
        self.served = served
        self.token = ""
        # Typed at once, and never folded.
        self.environment = {**served.office.environment, "TZ": "UTC", "COLUMNS": "200", "SUDO_USER": "joe"}

    def type(self, command: str) -> str:
        """What it prints."""
        if command.startswith("callsieve "):
            command = f"{shlex.quote(sys.executable)} -m {COMMAND_LINE}{command.removeprefix('callsieve')}"
        environment = {**self.environment, "API": self.served.url, "TOKEN": self.token}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, cwd=ROOT)
        printed = (done.stdout + done.stderr).replace("\r\n", "\n")
        if made := re.search(r"^cs_[\w-]{43}$", printed, re.MULTILINE):
            self.token = made[0]
        return printed if not printed or printed.endswith("\n") else f"{printed}\n"


def steady(printed: str) -> str:
    """Without what changes from run to run."""
    for pattern, instead in (
        (r"cs_[\w-]{43}", "TOKEN"),
        (r"\b1\d{9}(\.\d+)?\b", "AT"),
        (r"\d{4}-\d\d-\d\d([ T][\d:.]+Z?)?", "DATE"),
        (r"r=\d+;t=\d+", "r=LEFT;t=SECONDS"),
    ):
        printed = re.sub(pattern, instead, printed, flags=re.MULTILINE)
    return printed


def rewritten(page: str, shell: Shell) -> str:
    """The page with what its lines print now, where that is something else, and with the table of all endpoints."""

    def block(match: re.Match[str]) -> str:
        printed = []
        for example in examples_of(match[0]):
            now = shell.type(example.command)
            printed.append(f"$ {example.command}\n{example.printed if steady(now) == steady(example.printed) else now}")
        return f"```console\n{''.join(printed)}```"

    page = re.sub(r"^```console\n.*?^```$", block, page, flags=re.MULTILINE | re.DOTALL)
    head, _, rest = page.partition(TABLE_HEAD)
    return head + TABLE_HEAD + table(rest.partition("\n\n")[0]) + "\n\n" + rest.partition("\n\n")[2]


def table(before: str) -> str:
    """A line for each endpoint, with what was added to it by hand."""
    kept = {match[1]: match[2] for match in re.finditer(r"^\| `([^`]+)`([^|]*)", before, re.MULTILINE)}
    lines = [
        f"| `{entry.method} {entry.path}`{kept.get(f'{entry.method} {entry.path}', ' ')}"
        f"| {entry.scope} | {entry.role.word} |"
        for entry in sorted(endpoints_of(ALL), key=lambda entry: (entry.path, entry.method))
    ]
    return "\n".join(lines)


@pytest.mark.slow
def test_the_lines_print_what_the_page_says(tmp_path: Path) -> None:
    examples = examples_of(PAGE.read_text())
    assert len(examples) > 12
    with serving_api(tmp_path, empty=True) as served:
        shell = Shell(served)
        for example in examples:
            assert steady(shell.type(example.command)) == steady(example.printed), example.command


def test_the_table_has_every_endpoint() -> None:
    _, _, rest = PAGE.read_text().partition(TABLE_HEAD)
    written = rest.partition("\n\n")[0]
    assert written == table(written)


def test_every_scope_is_explained() -> None:
    assert [scope for scope in Scope if f"| `{scope}` |" not in PAGE.read_text()] == []


def test_every_code_of_the_kit_is_in_the_table_of_errors() -> None:
    codes = {code for file in KIT.glob("*.py") for code in CODE.findall(file.read_text())}
    assert len(codes) > 15
    errors = PAGE.read_text().partition("| status | code |")[2].partition("\n\n")[0]
    assert {code for code in codes if f"`{code}`" not in errors} == set()


if __name__ == "__main__":
    use_fetched_tools()
    os.chdir(ROOT)
    with TemporaryDirectory() as folder, serving_api(Path(folder), empty=True) as served:
        PAGE.write_text(rewritten(PAGE.read_text(), Shell(served)))
