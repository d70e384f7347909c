"""docs/reference/api.md: its commands print the documented output, and its tables are complete.

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
    """A shell for the commands of the page, with the token that the page creates."""

    def __init__(self, served: ServedApi) -> None:
        self.served = served
        self.token = ""
        # Typed at once, and never folded.
        self.environment = {**served.office.environment, "TZ": "UTC", "COLUMNS": "200", "SUDO_USER": "joe"}

    def type(self, command: str) -> str:
        """Return the output."""
        if command.startswith("callsieve "):
            command = f"{shlex.quote(sys.executable)} -m {COMMAND_LINE}{command.removeprefix('callsieve')}"
        environment = {**self.environment, "API": self.served.url, "TOKEN": self.token}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, cwd=ROOT)
        printed = (done.stdout + done.stderr).replace("\r\n", "\n")
        if made := re.search(r"^cs_[\w-]{43}$", printed, re.MULTILINE):
            self.token = made[0]
        return printed if not printed or printed.endswith("\n") else f"{printed}\n"


def without_run_details(printed: str) -> str:
    """Return the output without tokens, dates and limits."""
    for pattern, instead in (
        (r"cs_[\w-]{43}", "TOKEN"),
        (r"\b1\d{9}(\.\d+)?\b", "AT"),
        (r"\d{4}-\d\d-\d\d([ T][\d:.]+Z?)?", "DATE"),
        (r"r=\d+;t=\d+", "r=LEFT;t=SECONDS"),
    ):
        printed = re.sub(pattern, instead, printed, flags=re.MULTILINE)
    return printed


def updated_page(page: str, shell: Shell) -> str:
    """Return the page with current outputs and a current table of endpoints."""

    def block(match: re.Match[str]) -> str:
        printed = []
        for example in examples_of(match[0]):
            now = shell.type(example.command)
            is_same = without_run_details(now) == without_run_details(example.printed)
            printed.append(f"$ {example.command}\n{example.printed if is_same else now}")
        return f"```console\n{''.join(printed)}```"

    page = re.sub(r"^```console\n.*?^```$", block, page, flags=re.MULTILINE | re.DOTALL)
    head, _, rest = page.partition(TABLE_HEAD)
    return head + TABLE_HEAD + endpoint_table(rest.partition("\n\n")[0]) + "\n\n" + rest.partition("\n\n")[2]


def endpoint_table(before: str) -> str:
    """Return a line for each endpoint, with the text that was added by hand."""
    kept = {match[1]: match[2] for match in re.finditer(r"^\| `([^`]+)`([^|]*)", before, re.MULTILINE)}
    lines = [
        f"| `{entry.method} {entry.path}`{kept.get(f'{entry.method} {entry.path}', ' ')}"
        f"| {entry.scope} | {entry.role.word} |"
        for entry in sorted(endpoints_of(ALL), key=lambda entry: (entry.path, entry.method))
    ]
    return "\n".join(lines)


@pytest.mark.slow
def test_commands_print_the_output_on_the_page(tmp_path: Path) -> None:
    examples = examples_of(PAGE.read_text())
    assert len(examples) > 12
    with serving_api(tmp_path, empty=True) as served:
        shell = Shell(served)
        for example in examples:
            assert without_run_details(shell.type(example.command)) == without_run_details(example.printed), (
                example.command
            )


def test_endpoint_table_is_complete() -> None:
    _, _, rest = PAGE.read_text().partition(TABLE_HEAD)
    written = rest.partition("\n\n")[0]
    assert written == endpoint_table(written)


def test_every_scope_is_explained() -> None:
    assert [scope for scope in Scope if f"| `{scope}` |" not in PAGE.read_text()] == []


def test_every_error_code_is_documented() -> None:
    codes = {code for file in KIT.glob("*.py") for code in CODE.findall(file.read_text())}
    assert len(codes) > 15
    errors = PAGE.read_text().partition("| status | code |")[2].partition("\n\n")[0]
    assert {code for code in codes if f"`{code}`" not in errors} == set()


if __name__ == "__main__":
    use_fetched_tools()
    os.chdir(ROOT)
    with TemporaryDirectory() as folder, serving_api(Path(folder), empty=True) as served:
        PAGE.write_text(updated_page(PAGE.read_text(), Shell(served)))
