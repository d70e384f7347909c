"""`callsieve calls search` and `tail`, and learnt evidence in `lookup`."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from reputation.marking import MarkStatement, mark
from reputation.model import Direction, Disposition, EndedBy, MarkChannel, Verdict
from reputation.outcome import OutcomeRecord
from reputation.store.audit import Change, add_audit
from reputation.store.connection import open_store, transaction
from reputation.store.outcomes import record_outcome
from tests.callsieve.program import Program, make_record
from tests.office import CALLER

HUNG_UP = OutcomeRecord(
    linkedid="c1",
    at=time.time() - 90,
    direction=Direction.INBOUND,
    disposition=Disposition.ANSWERED,
    caller=CALLER,
    did="+442071838750",
    answered_by="201",
    ring_seconds=3.0,
    talk_seconds=2.0,
    ended_by=EndedBy.CALLEE,
)


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    now = time.time()
    program.add_decisions(
        make_record("AAAAAAAA", at=now - 95, linkedid="c1", action="allow", would_be="allow", rule="default"),
        make_record("BBBBBBBB", at=now - 50, linkedid="c2", caller="+12015550123", callee="202"),
    )
    with open_store(program.store) as db, transaction(db):
        record_outcome(db, HUNG_UP, now)
        statement = MarkStatement(number=CALLER, reporter="201", verdict=Verdict.SPAM, at=now, channel=MarkChannel.CLI)
        mark(db, statement)
    return program


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param([], ["BBBBBBBB", "AAAAAAAA"], id="all, the latest first"),
        pytest.param(["--number", CALLER], ["AAAAAAAA"], id="by caller"),
        pytest.param(["--callee", "202"], ["BBBBBBBB"], id="by callee"),
        pytest.param(["--callee", "201"], ["AAAAAAAA"], id="by who answered"),
        pytest.param(["--rule", "default"], ["AAAAAAAA"], id="by rule"),
        pytest.param(["--action", "allow"], ["AAAAAAAA"], id="by action"),
        pytest.param(["--until", "2020-01-01T00:00"], [], id="by time"),
        pytest.param(["--since", "70s"], ["BBBBBBBB"], id="since-a-minute-ago"),
        pytest.param(["--since", "1h"], ["BBBBBBBB", "AAAAAAAA"], id="since-an-hour-ago"),
        pytest.param(["--until", "1m"], ["AAAAAAAA"], id="until-a-minute-ago"),
        pytest.param(["--since", "2020-01-01", "--until", "2100-01-01"], ["BBBBBBBB", "AAAAAAAA"], id="by-days"),
        pytest.param(["--last", "1"], ["BBBBBBBB"], id="as many as asked"),
    ],
)
def test_search_filters_calls(callsieve: Program, options: list[str], found: list[str]) -> None:
    rows = json.loads(callsieve.ok("calls", "search", *options, "--json"))
    assert [row["id"] for row in rows] == found


def test_search_by_action_uses_the_would_be_action(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("CCCCCCCC", linkedid="c3", action="allow", would_be="route"))
    for action, found in (("route", "CCCCCCCC"), ("allow", "AAAAAAAA")):
        rows = callsieve("calls", "search", "--action", action, "--json").json
        assert [row["id"] for row in rows] == [found]


def test_search_shows_the_ending(callsieve: Program) -> None:
    text = callsieve.ok("calls", "search", "--number", CALLER)
    assert "rang 3 s, talked 2 s, ended by callee" in text
    assert callsieve.ok("calls", "search", "--rule", "nothing") == "No call matches.\n"


def test_call_taken_by_a_menu_is_not_shown_as_failed(callsieve: Program) -> None:
    menu = HUNG_UP._replace(linkedid="c2", disposition=Disposition.FAILED, answered_by=None, talk_seconds=0.0)
    with open_store(callsieve.store) as db, transaction(db):
        record_outcome(db, menu, time.time())
    assert "inbound reached nobody, rang 3 s" in callsieve.ok("calls", "search", "--callee", "202")


def test_search_suggests_the_nearest_action(callsieve: Program) -> None:
    assert "did you mean allow?" in callsieve.fails("calls", "search", "--action", "alow")


def test_tail_shows_only_new_calls(callsieve: Program) -> None:
    process = callsieve.start("calls", "tail", "--seconds", "2", "--json")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        callsieve.add_decisions(
            make_record(f"C{round(time.time() * 10) % 10_000_000:07}", at=time.time(), linkedid="c9")
        )
        time.sleep(0.25)
    out, _ = process.communicate(timeout=20)
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows
    assert {row["decision"]["id"][0] for row in rows} == {"C"}


def test_tail_shows_a_feature_code_without_its_call(callsieve: Program) -> None:
    code = HUNG_UP._replace(direction=Direction.INTERNAL, caller="201", dialled="*37", did=None)
    process = callsieve.start("calls", "tail", "--seconds", "2")
    deadline, count = time.monotonic() + 60, 0
    while time.monotonic() < deadline and process.poll() is None:
        count += 1
        with open_store(callsieve.store) as db, transaction(db):
            record_outcome(db, code._replace(linkedid=f"i{count}", at=time.time() - 2), time.time())
            change = Change("mark", f"+1201555{count:04}", after={"verdict": "spam"})
            add_audit(db, change, "phone 201", time.time())
            add_audit(db, Change("mark", CALLER, after={"verdict": "ok"}), "joe", time.time())
        time.sleep(0.25)
    out, _ = process.communicate(timeout=20)
    lines = out.decode().splitlines()
    assert lines
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d +phone 201: mark \+1201555\d{4}  verdict spam", line) for line in lines)


def test_lookup_shows_marks_signals_and_calls(callsieve: Program) -> None:
    text = callsieve.ok("lookup", CALLER)
    assert "spam by 201" in text
    assert "hung-up-on: 1" in text
    assert "ended by callee" in text
