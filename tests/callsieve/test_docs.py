"""docs/reference/commands/ and docs/tutorials/: every command is there, and the examples print what they say.

`python -m tests.callsieve.test_docs` makes the pages of the commands, and writes what the examples
print into all of them.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from reputation.store.database import open_store
from reputation.store.imports import import_numbers
from tests.callsieve.command_pages import FOLDER, HEADING, all_pages, made_index, made_page, notes_in
from tests.callsieve.program import Program, all_commands, make_record
from tests.office import CALLER, SETTINGS

DOCS = FOLDER.parents[1]
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
COLUMNS = "100"
WITHOUT_SETTINGS = {"completion", "help", "man", "public page", "hearing", "call-back serve", "call-back show"}

FILES = {
    "complaints.csv": "number,category,note\n201-742-1834,scam,car warranty\n+12017421835,telemarketing,\n12,,\n",
    "dnc.csv": "Company_Phone_Number,Created_Date,Violation_Date,Consumer_City,Consumer_State,Consumer_Area_Code,"
    "Subject,Recorded_Message_Or_Robocall\n"
    "2017421834,2026-11-02 09:14:11,2026-11-01 18:02:00,Springfield,Ohio,419,Computer & technical support,Y\n"
    "2017421834,2026-11-03 10:00:00,2026-11-03 09:58:00,Springfield,Ohio,419,Other,N\n"
    "5551234567,2026-11-03 10:20:00,2026-11-03 10:11:00,,Ohio,419,Other,N\n",
    "campaign.csv": "number,name\n201-742-1834,Jo\n+12010001234,Nobody\n12,Broken\n2017421834,Jo again\n",
    "consents.csv": "number,proof,until\n+12017421834,contract 12,2027-12-31\n+12017421835,,\n",
    "dnc-201.txt": "201,7421834\n201,7421835\n",
    "history.jsonl": '{"at": 1767258007.5, "type": "inbound", "call": "c0", "caller": "+12017421850", "answered": true,'
    ' "callee": "201", "talk_seconds": 4.0, "ended_by": "callee"}\n',
    "march.jsonl": """\
{"at": 1772355600, "type": "mark", "number": "+12017421834", "reporter": "201", "verdict": "spam"}
{"at": 1772359200, "type": "inbound", "call": "c1", "caller": "+12017421834", "callee": "201", "answered": true, \
"talk_seconds": 4, "ended_by": "callee"}
{"at": 1772362800, "type": "inbound", "call": "c2", "caller": "+12017421899", "did": "+442071838750"}
{"at": 1772366400, "type": "outbound", "call": "o1", "caller": "202", "callee": "+12017421834", "answered": true, \
"talk_seconds": 90}
""",
    "lists.csv": "entry,list,action,note,expires\n+447000*,block,warn,personal numbers,\n"
    "+442071838755,allow,,the bank,\n+447000000000,grey,,,\n",
    "crm.csv": "number;name;person\n201-742-1800;First Bank;\n201-742-1836;Joe;201\n",
    "alice.vcf": "BEGIN:VCARD\nVERSION:3.0\nFN:Jo Appleton\nTEL;TYPE=CELL:201-742-1837\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:3.0\nFN:Mail Only\nEMAIL:mail@example.com\nEND:VCARD\n",
    "people.csv": "extension,name,group\n203,Carol,sales\n204,Dave,\n",
    "next-door.toml": """\
adds_to = "US"
calling_code = 1
read = 2026-11-27

[[range]]
prefix = "+1201742"
purpose = "call-centre"
note = "the agency next door"
""",
    "draft-plan.toml": """\
country = "FR"
calling_code = 33
read = 2026-11-27

[[range]]
prefix = "0162"
purpose = "telemarketing"

[[range]]
prefix = "+33948"
purpose = "sales"
""",
    "call-back.toml": 'enabled = true\ncountries = ["US"]\nchannel = "PJSIP/{number}@carrier"\n',
    "draft.toml": """\
extends = "cautious"

[[rule]]
name = "premium"
when = { prefxi = "+1900" }
action = "rejct"
reason = "premium numbers do not call"

[[rule]]
name = "night"
when = { trunk = "carrier" }
action = "allow"
""",
    "office-cases.toml": """\
[[case]]
name = "a customer who calls for the first time"
policy = "office"
expect = { action = "allow" }

[[case]]
name = "a number that others complained about, and nobody here knows"
policy = "office"
facts = { listed = [{ source = "ftc" }] }
expect = { action = "challenge", rule = "listed" }

[[case]]
name = "the same, and he passed a challenge last week"
policy = "office"
facts = { listed = [{ source = "ftc" }], level = "warn", challenge_passed_days_ago = 7 }
expect = { action = "challenge" }
""",
    "policies/office.toml": """\
extends = "cautious"

[[rule]]
name = "listed"
when = { listed = "ftc", relationship = false }
action = "challenge"
reason = "other people have complained about this number"
""",
}
OFFICE = SETTINGS + '\n[[scope]]\ngroup = "sales"\npolicy = "office"\n'


@dataclass(frozen=True, slots=True)
class Example:
    """A command of the page and what it is said to print."""

    command: str
    printed: str


def commands_of(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command of the program that is not a group alone, by what is typed after `callsieve`."""
    inner = getattr(command, "commands", None)
    if inner is None or (path and command.invoke_without_command):
        yield " ".join(path), command
    for name, one in (inner or {}).items():
        yield from commands_of(one, (*path, name))


COMMANDS = dict(commands_of(all_commands()))
PAGES = all_pages()
# A command in running text or in a block of shell lines.
OPTION = re.compile(r" (--[a-z-]+)")


def test_commands_and_headings_agree() -> None:
    assert sorted(name for page in PAGES.values() for name in HEADING.findall(page)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", PAGES)
def test_command_pages_match_the_parser(name: str) -> None:
    """Else: `python -m tests.callsieve.test_docs`."""
    front = PAGES[name][: PAGES[name].index("# ")]
    assert PAGES[name] == made_page(name, COMMANDS, notes_in(PAGES[name]), front)


def test_the_index_has_every_command() -> None:
    index = (FOLDER / "index.md").read_text()
    assert index == made_index(COMMANDS, index)


def commands_named(text: str) -> Iterator[tuple[str, str]]:
    """Each command that a text names, as far as its words are commands, with the rest of its line."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.findall(r"`callsieve ([^`]+)`|^(?:\$ )?callsieve (.+)", line):
            words = "".join(part).split("#")[0].split()
            plain = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
            count = next((n for n in range(len(plain), 0, -1) if " ".join(words[:n]) in COMMANDS), 0)
            yield " ".join(words[: count or 1]), " ".join(words[count:])


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_documented_command_exists(page: Path) -> None:
    groups = {" ".join(name.split()[:n]) for name in COMMANDS for n in range(1, len(name.split()))}
    groups |= {"COMMAND", "--help", "--version", "..."}
    wrong = []
    for name, rest in commands_named(page.read_text()):
        if name not in COMMANDS:
            wrong += [name] if name.split("|")[0] not in groups else []
            continue
        parameters = COMMANDS[name].params
        known = {option for one in parameters for option in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
        wrong += [f"{name} {option}" for option in OPTION.findall(f" {rest.split('|')[0]}") if option not in known]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_a_config_option(name: str) -> None:
    assert COMMANDS[name].help
    takes_config = any("--config" in parameter.opts for parameter in COMMANDS[name].params)
    assert takes_config is (name not in WITHOUT_SETTINGS)


def examples_of(page: str) -> list[Example]:
    """The commands in the page's `console` blocks, in order."""
    examples = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            examples.append(Example(command, printed))
    return examples


def make_office(folder: Path) -> Program:
    """The office that the examples are about."""
    (folder / "policies").mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    program = Program(folder, OFFICE)
    now = time.time()
    with open_store(program.store) as db:
        import_numbers(db, "complaints", "spam", [(CALLER, "telemarketing", None, None)], lambda: now - 200 * 86_400)
    program.add_decisions(
        make_record("7KQ2M4XA", at=now - 90),
        make_record(
            "B1D5Q0ZT",
            at=now - 4000,
            caller="+12015550123",
            action="allow",
            would_be="tag",
            policy="observe",
        ),
    )
    return program


def run(program: Program, command: str) -> str:
    """What a command prints, as if all were where a service has it."""
    words = shlex.split(command)
    if words[0] == "cat":
        printed = (program.folder / words[1]).read_text()
    else:
        result = program(*(word.replace("/etc/callsieve", str(program.folder)) for word in words[1:]))
        printed = result.err + result.out
    printed = printed.replace(str(program.state), "/var/lib/callsieve")
    return printed.replace(str(program.folder), "/etc/callsieve")


def steady(printed: str) -> str:
    """Without what changes from run to run."""
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d \w+)?", "DATE"),
        (r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?", "DATE"),
        (r"\d\d-\d\d \d\d:\d\d", "DATE"),
        (r"callsieve-\d{8}T\d{6}\.db", "BACKUP"),
        (r"\d+ (s|min|h) ago|just now", "AGO"),
        (r"\d+\.\d s\b", "SECONDS"),
        (r"\b\d+ s\b", "AGE"),
        (r"[\d.]+ kB", "SIZE"),
        (r"\b[0-9A-HJKMNP-TV-Z]{8}\b", "ID"),
        (r"\bcs_[\w-]{43}", "TOKEN"),
        (r"\b\d{3} \d{3}\b", "CODE"),
        (r"callsieve undo \d+", "callsieve undo CHANGE"),
        (r"^ +\d+  DATE", "CHANGE  DATE"),
        (r" +$", ""),
        (r"  +", "  "),
    ):
        printed = re.sub(pattern, instead, printed, flags=re.MULTILINE)
    return printed


def rewritten(page: str, program: Program) -> str:
    """The page with what its commands print now, where that is something else."""

    def again(example: re.Match[str]) -> str:
        printed = run(program, example[1])
        return f"$ {example[1]}\n{example[2] if steady(printed) == steady(example[2]) else printed}"

    def block(match: re.Match[str]) -> str:
        examples = re.sub(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", again, match[1], flags=re.MULTILINE)
        return f"```console\n{examples}```"

    return re.sub(r"^```console\n(.*?)^```$", block, page, flags=re.MULTILINE | re.DOTALL)


def short_folder() -> TemporaryDirectory[str]:
    """Short, so that no path is folded that is not on the page."""
    return TemporaryDirectory(prefix="cs-", dir="/tmp")


def make_book() -> list[list[Path]]:
    """The pages with examples: those that run on one store after each other are together."""
    return [[FOLDER / f"{name}.md" for name in PAGES], *([page] for page in TUTORIALS)]


@pytest.mark.parametrize("pages", make_book(), ids=lambda pages: f"{pages[0].parent.name}-{pages[0].stem}")
def test_documented_examples_print_the_documented_output(pages: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", COLUMNS)
    examples = [(page.name, example) for page in pages for example in examples_of(page.read_text())]
    assert examples
    with short_folder() as folder:
        program = make_office(Path(folder))
        monkeypatch.chdir(folder)
        for page, example in examples:
            assert steady(run(program, example.command)) == steady(example.printed), (page, example.command)
        monkeypatch.undo()


if __name__ == "__main__":
    os.environ["COLUMNS"] = COLUMNS
    for page_name, page_text in PAGES.items():
        front_matter = page_text[: page_text.index("# ")]
        made = made_page(page_name, COMMANDS, notes_in(page_text), front_matter)
        (FOLDER / f"{page_name}.md").write_text(made)
    (FOLDER / "index.md").write_text(made_index(COMMANDS, (FOLDER / "index.md").read_text()))
    for chapter in make_book():
        with short_folder() as folder:
            os.chdir(folder)
            program = make_office(Path(folder))
            for file in chapter:
                file.write_text(rewritten(file.read_text(), program))
