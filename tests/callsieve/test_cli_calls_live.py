"""`callsieve calls search` and `tail`, and what `lookup` shows of what was learnt."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reputation.marking import Statement, mark
from reputation.model import Direction, Disposition, EndedBy, MarkChannel, OutcomeRecord, Verdict
from reputation.store.connection import open_store, transaction
from reputation.store.outcomes import record_outcome
from tests.callsieve.program import CALLER, Program, make_record

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
        statement = Statement(number=CALLER, reporter="201", verdict=Verdict.SPAM, at=now, channel=MarkChannel.CLI)
        mark(db, statement)
    return program


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param([], ["BBBBBBBB", "AAAAAAAA"], id="all, the latest first"),
        pytest.param(["--number", CALLER], ["AAAAAAAA"], id="by caller"),
        pytest.param(["--callee", "202"], ["BBBBBBBB"], id="by callee"),
        pytest.param(["--rule", "default"], ["AAAAAAAA"], id="by rule"),
        pytest.param(["--action", "allow"], ["AAAAAAAA"], id="by action"),
        pytest.param(["--until", "2020-01-01T00:00"], [], id="by time"),
        pytest.param(["--last", "1"], ["BBBBBBBB"], id="as many as asked"),
    ],
)
def test_search_finds(callsieve: Program, options: list[str], found: list[str]) -> None:
    rows = json.loads(callsieve.ok("calls", "search", *options, "--json"))
    assert [row["decision"]["id"] for row in rows] == found


def test_search_shows_how_a_call_ended(callsieve: Program) -> None:
    text = callsieve.ok("calls", "search", "--number", CALLER)
    assert "inbound answered by 201, rang 3 s, talked 2 s, ended by callee" in text
    assert callsieve.ok("calls", "search", "--rule", "nothing") == "No call matches.\n"


def test_a_call_that_only_a_machine_took_has_not_failed(callsieve: Program) -> None:
    menu = replace(HUNG_UP, linkedid="c2", disposition=Disposition.FAILED, answered_by=None, talk_seconds=0.0)
    with open_store(callsieve.store) as db, transaction(db):
        record_outcome(db, menu, time.time())
    assert "inbound reached nobody, rang 3 s" in callsieve.ok("calls", "search", "--callee", "202")


def test_search_with_a_word_that_is_no_action(callsieve: Program) -> None:
    result = callsieve("calls", "search", "--action", "alow")
    assert (result.code, result.err) == (2, "callsieve: --action does not know 'alow' (did you mean allow?)\n")


def test_tail_shows_what_comes_and_nothing_older(callsieve: Program) -> None:
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


def test_lookup_shows_marks_signals_and_calls(callsieve: Program) -> None:
    text = callsieve.ok("lookup", CALLER)
    assert "spam by 201" in text
    assert "hung-up-on: 1 of our people" in text
    assert "ended by callee" in text
