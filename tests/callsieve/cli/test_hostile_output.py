"""Hostile text in all rows of the store: no command or document sends it to a terminal, browser or spreadsheet as code.

The commands come from the parser: a new command is tested unless NOT_TRIED names it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from callsieve.changes.operation import Context
from callsieve.digest.operations import DayRequest, day, day_of
from callsieve.digest.text import digest_text, plain_text
from callsieve.main.console_server import PAGES
from callsieve.text.csv_table import FORMULAS
from reputation.appeals import Appeal
from reputation.model import Direction
from reputation.store.appeals import open_appeal
from reputation.store.lists import Contact, add_contacts
from reputation.store.outcomes import record_outcome
from reputation.store.own_labels import LabelCheck, record_label_check
from reputation.users import Role
from tests.callsieve import browsing
from tests.callsieve.browsing import Clock
from tests.callsieve.policy.test_web_policies import tried_draft
from tests.callsieve.program import Program, make_record
from tests.callsieve.test_docs import COMMANDS
from tests.callsieve.web.test_hostile import call_at, fill, number_at
from tests.callsieve.web.test_hostile_forms import TEXTS, read
from tests.office import Office
from tests.reputation.store_builders import make_outcome

DAY = 86_400.0
HOSTILE = [*TEXTS.values(), "=cmd|' /C calc'!A0\x9b31m", "[red]@SUM(1)\r\x08", "-1\x1b]0;x\x07"]
NUMBER_CELL = re.compile(r"\+[0-9]+")
CALL, NUMBER = "C4KQ2M00", number_at(0)
# What stands for the arguments of commands.
EXAMPLES = {
    "number": NUMBER,
    "caller": NUMBER,
    "appeal": "AP9E4100",
    "extension": f"x{call_at(0)}",
    "to": "ftc",
    "of_day": time.strftime("%Y-%m-%d", time.localtime(time.time() - DAY)),
}
MORE = (
    *("digest today --html", f"calls show {CALL}", f"calls show {call_at(0)}", f"calls show {call_at(1)} --json"),
    *("own guidance --out {guidance}", "own comply {of_day} --html", "policy try {policy}"),
    *("policy show {policy}", "policy check {policy}", f"policy explain {{policy}} --caller {NUMBER}"),
    *("replay --days 30 --policy {policy} --against cautious --html {html}", "replay {history} --policy {policy}"),
    *("replay --days 30 --policy {policy} --against cautious --json", "feeds --export list"),
    "policy try {policy} --json",
)
# These wait, change data, use the network or need a file. Their output is like that of the tested commands.
NOT_TRIED = frozenset(
    """alerts test|appeal evidence|appeal open|calls tail|call-back show|events test|exchange fetch|exchange publish
    exchange show|feeds fetch|housekeeping run|import calls|import contacts|import feed|import numbers|import people
    list import|mark|own consent import|own hygiene|own import|own registers import|plan check|policy test|policy try
    replay|signing verify|token add|unmark""".replace("\n    ", "|").split("|")
)


def policy_text(reason: str) -> str:
    rule = f'name = "all"\nwhen = {{ caller_kind = "number" }}\naction = "challenge"\nreason = {json.dumps(reason)}\n'
    return f'extends = "cautious"\n[[rule]]\n{rule}'


def make_hostile(office: Office) -> None:
    """Each text in all rows of a number of its own, also in the calls of yesterday."""
    fill(office, HOSTILE)
    at = time.time() - DAY
    for place, text in enumerate(HOSTILE):
        number, made_up = f"+1206555{place:04d}", {"action": text, "would_be": text, "level": text}
        call = make_record(f"C4KQ2M0{place}", at=at, linkedid=f"now{place}", caller=number, trunk=text, policy=text)
        other: dict[str, Any] = {
            "caller_text": text,
            "rule": text,
            "reason": text,
            "callee": text,
            **(made_up if place else {}),
        }
        office.add_decisions(call._replace(**other))
        told: dict[str, Any] = {"caller": number, "trunk": text, "group": text, "rung": (text,), "queue": text}
        office.write(record_outcome, make_outcome(f"now{place}", at, by=text, talk=95.0, **told), at + 200)
        out = make_outcome(f"out{place}", at, by=text, talk=9.0, direction=Direction.OUTBOUND, group=text)
        office.write(record_outcome, out, at + 200)
        office.write(add_contacts, "crm", [Contact(number, text, "201")])
        office.write(record_label_check, LabelCheck(NUMBER, text[:40], at, text, 1, person=text, next_at=at))
        line = "".join(filter(str.isprintable, text))[:200]
        told = {"name": line, "contact": line, "statement": text, "decision_id": CALL}
        office.write(open_appeal, Appeal(reference=f"AP9E410{place}", number=number_at(place), opened_at=at, **told))


@pytest.fixture
def hostile(callsieve: Program) -> Program:
    callsieve.state.mkdir()
    make_hostile(callsieve)
    return callsieve


def lines(program: Program) -> Iterator[list[str]]:
    """All command lines to try."""
    known = {**EXAMPLES, "policy": str(program.file("tried.toml", policy_text(HOSTILE[0])))}
    known |= {"html": str(program.folder / "report.html"), "history": str(program.folder / "history.jsonl")}
    known |= {"guidance": str(program.folder / "guidance.html")}
    program.ok("calls", "export", "--out", known["history"])
    for name, command in COMMANDS.items():
        has_json = any("--json" in parameter.opts for parameter in command.params)
        if name in NOT_TRIED or not (has_json or name.endswith(" export")):
            continue
        line = name.split()
        for parameter in command.params:
            if parameter.required or (parameter.name == "number" and parameter.param_type_name == "argument"):
                is_option = parameter.param_type_name == "option"
                line += [*([parameter.opts[0]] if is_option else []), known[parameter.name]]
        yield line
        if has_json:
            yield [*line, "--json"]
    for more in MORE:
        yield [word.format(**known) for word in more.split()]


def test_commands_print_no_control_characters(hostile: Program) -> None:
    pages = 0
    for line in lines(hostile):
        result = hostile(*line)
        printed = result.out + result.err
        assert {character for character in printed if not character.isprintable()} <= {"\n"}, line
        assert result.code in (0, 1) or line[0] in ("hub", "prompts"), (line, result.err)
        if "--json" in line and result.code == 0:
            json.loads(result.out)
        if result.out.startswith("<!doctype"):
            assert read("/", result.out).faults == [], line
            pages += 1
    assert pages == 2
    assert read("/", (hostile.folder / "guidance.html").read_text()).faults == []
    report = (hostile.folder / "report.html").read_text()
    assert read("/", report).faults == []
    assert all(text in unescape(report) for text in ("+12065550000", "<xss"))


def test_mail_of_the_digest_has_no_control_characters(hostile: Program) -> None:
    digest = hostile.read(day, Context("t", Role.VIEWER, time.time(), hostile.load()), DayRequest(day_of(time.time())))
    mail = plain_text(digest_text(digest))
    assert {character for character in mail if not character.isprintable()} <= {"\n"}


def test_csv_cells_are_never_formulas(tmp_path: Path) -> None:
    office = browsing.Office(tmp_path)
    make_hostile(office)
    with office.console() as console:
        ada = console.browser("administrator")
        files = {page.path: ada.text(page.path) for page in PAGES if page.path.endswith(".csv")}
    program = Program(tmp_path)
    files |= {line: program.ok(*line.split()) for line in ("own export", "feeds --export list")}
    assert len(files) == 6
    for name, text in files.items():
        assert {character for character in text if not character.isprintable()} == {"\n"}, name
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert any(HOSTILE[0][:20] in cell for cell in cells) or name == "/people/dids.csv", name
        assert [cell for cell in cells if cell.startswith(FORMULAS) and not NUMBER_CELL.fullmatch(cell)] == [], name


def test_hostile_text_on_the_trial_page_is_escaped(tmp_path: Path) -> None:
    office = browsing.Office(tmp_path)
    office.clock = Clock(time.time())
    make_hostile(office)
    with office.console() as console:
        page = tried_draft(console.browser("administrator"), policy_text(HOSTILE[0]), "7")
    assert read("/policies/trial", page).faults == []
    assert "+12065550000" in page
    assert HOSTILE[0] in unescape(page)
