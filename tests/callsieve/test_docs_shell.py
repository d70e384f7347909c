"""The `sh` blocks of the pages for users: each line is run in a shell, or NOT_RUN_HERE says why not."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.programs import COMMAND_LINE
from reputation.store.outcomes import record_outcome
from tests.callsieve.program import Program
from tests.callsieve.test_docs import make_office, short_folder
from tests.office import CALLER, ROOT
from tests.reputation.store_builders import make_outcome

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    ROOT / "docs" / "freepbx.md",
    ROOT / "docs" / "reference" / "policies.md",
]
CONTACT = "tests/integration/test_first_contact.py"
PACKAGED = "tests/integration/first_contact/packaged.py"
UNITS = f"needs systemd: {CONTACT} starts the units"
FREEPBX = "needs FreePBX's database: tests/integration/test_setup_freepbx.py"
INSTALL = f"writes Asterisk's files and units: {CONTACT}, tests/callsieve/install"
# The beginning of a line, and the reason, with the test that does it elsewhere.
NOT_RUN_HERE = {
    "make demo": "tests/integration/test_demo.py runs it",
    "make test": "this is it",
    "apt install ": f"needs a bare Debian: {PACKAGED}",
    "callsieve setup": "asks at a terminal, and changes Asterisk: tests/integration/test_setup.py",
    "tar -xzf callsieve-freepbx-*.tar.gz": "needs FreePBX: tests/integration/test_freepbx_module.py",
    "python3 -m venv /opt/callsieve": f"installs: {CONTACT}",
    "/opt/callsieve/bin/pip install ": f"installs: {CONTACT}",
    "ln -s /opt/callsieve": f"installs: {CONTACT}",
    "asterisk -rx ": f"needs Asterisk: {CONTACT}",
    "systemctl ": UNITS,
    "groupadd ": "makes a group of the machine",
    "chown ": "needs the user callsieve",
    "install -m ": "needs the user callsieve",
    "(umask 077; nano ": "an editor",
    "callsieve asterisk install": INSTALL,
    "callsieve import people --from ": f"needs a PBX: {CONTACT}, tests/integration/test_people.py",
    "callsieve import contacts --from freepbx": FREEPBX,
    "callsieve import calls --from freepbx": FREEPBX,
    "callsieve import numbers --from freepbx-allowlist": FREEPBX,
    "callsieve import numbers --from astdb": "needs Asterisk's database: tests/callsieve/imports",
    "callsieve prompts ": "needs espeak-ng and sox, and Asterisk's folder of sounds: tests/callsieve/prompts",
    "callsieve web": "runs until it is stopped: tests/browser",
    "callsieve events test mqtt": "needs a broker: tests/callsieve/events/test_mqtt.py",
    "callsieve db restore BACKUP": "replaces the store: tests/callsieve/maintenance",
    "callsieve hub ": "needs PostgreSQL: tests/callsieve/hub",
    "PGUSER=postgres ": "needs PostgreSQL: tests/callsieve/hub",
    "createdb ": "needs PostgreSQL: tests/callsieve/hub",
    "dropdb ": "needs PostgreSQL: tests/callsieve/hub",
    "psql ": "needs PostgreSQL: tests/callsieve/hub",
    "cd /var/lib/postgresql": "the folder of a PostgreSQL of the machine",
    "openssl req ": "makes a certificate for that PostgreSQL",
    "callsieve policy accept head-office:": "needs a hub: tests/callsieve/hub",
    "callsieve policy activate head-office:": "needs a hub: tests/callsieve/hub",
    "curl -s http://127.0.0.1:8481/": "needs the API: tests/callsieve/decide/test_other_switches_page.py",
}
MAY_BE_ONE = ("callsieve status", "callsieve doctor")  # exit code 1: something must be fixed, as nothing runs here
PASSWORD = "correct horse battery staple\n"
# What a page takes for granted that the office of the examples does not have.
BEFORE = {
    "mark-watch": ("callsieve own add +442071838750 --name 'Example Ltd'",),
    "own-number-marked": ("callsieve own add +442071838750 --name 'Acme Care'",),
}
FILES = {
    "2026-11-20_201.txt": "201,7421834\n",
    "tps.txt": "02071838751\n",
    "robinson.csv": "number\n+34912345678\n",
    "policies/house.toml": 'extends = "cautious"\n',
    "house-cases.toml": '[[case]]\nname = "a stranger"\npolicy = "house"\nexpect = { action = "allow" }\n',
}
PNG = bytes.fromhex("89504e470d0a1a0a") + b"\0" * 64


def blocks_of(page: Path) -> list[str]:
    """Return the `sh` blocks of a page without their indentation."""
    blocks = re.finditer(r"^( *)```sh\n(.*?)^\1```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{block[1]}", "", block[2], flags=re.MULTILINE) for block in blocks]


def lines_of(block: str) -> Iterator[str]:
    """Yield what is typed at once: a line, several that a quote or a backslash joins, or a whole script."""
    if block.startswith("#!"):
        yield block
        return
    typed = ""
    for line in block.splitlines():
        typed += line + "\n"
        if typed.startswith("#"):
            typed = ""
            continue
        try:
            shlex.split(typed, comments=True)
        except ValueError:  # a quote is open
            continue
        if not line.endswith("\\"):
            yield typed
            typed = ""


LINES = {page: [line for block in blocks_of(page) for line in lines_of(block)] for page in PAGES}


def is_run_here(line: str) -> bool:
    """Return whether nothing says why a line is not run."""
    return not line.startswith(tuple(NOT_RUN_HERE))


def test_each_exception_is_used_and_names_an_existing_test() -> None:
    every = [line for lines in LINES.values() for line in lines]
    assert [start for start in NOT_RUN_HERE if not any(line.startswith(start) for line in every)] == []
    named = [path for reason in NOT_RUN_HERE.values() for path in re.findall(r"tests/[\w/.]+\w", reason)]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if LINES[page]], ids=lambda page: page.stem)
def test_each_documented_line_is_valid_shell(page: Path) -> None:
    for line in LINES[page]:
        assert subprocess.run(("bash", "-n", "-c", line), check=False, capture_output=True).stderr == b"", line


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(map(is_run_here, LINES[page]))], ids=lambda page: page.stem
)
def test_each_documented_line_succeeds(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder() as name:
        folder = Path(name)
        monkeypatch.chdir(folder)
        program = make_office(folder)
        for file, text in FILES.items():
            (folder / file).write_text(text)
        (folder / "hiya.png").write_bytes(PNG)
        talk = make_outcome("1", time.time() - 86_400.0, by="201", talk=95.0, caller=CALLER)
        program.write(record_outcome, talk, talk.ended_at)
        for line in (*BEFORE.get(page.stem, ()), *filter(is_run_here, LINES[page])):
            run_line(program, line)
        monkeypatch.undo()


def run_line(program: Program, line: str) -> None:
    """Run a line as a shell in the folder of the office does. Commands of CallSieve run in this process."""
    if not line.startswith("callsieve "):
        run_script(program, line)
        return
    line, _, _ = line.strip().partition(" > ")
    line = re.sub(r"\$\((.+?)\)", lambda part: shell(part[1], program).strip(), line)
    result = program(*shlex.split(line, comments=True)[1:], piped=PASSWORD)
    assert result.code in ((0, 1) if line.startswith(MAY_BE_ONE) else (0,)), (line, result)


def run_script(program: Program, script: str) -> None:
    """Run a whole script, for which the publisher's server is a folder, and `callsieve` is on the path."""
    feed = program.folder / "feed"
    feed.mkdir()
    (feed / f"{shell('date -d yesterday +%F', program).strip()}.csv").write_text("number,category\n+12017421834,scam\n")
    command = program.folder / "callsieve"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m {COMMAND_LINE} "$@"\n')
    command.chmod(0o755)
    shell(script.replace("/var/lib/callsieve-feeds", str(feed)), program)
    assert "dnc" in program.ok("import", "list")


def shell(script: str, program: Program) -> str:
    """Return what a script prints; it must end well."""
    folder = program.folder
    more = {"PATH": f"{folder}:{program.environment['PATH']}", "FEED_URL": f"file://{folder}/feed"}
    done = subprocess.run(
        ("bash", "-c", script),
        capture_output=True,
        text=True,
        env={**program.environment, **more},
        cwd=folder,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
