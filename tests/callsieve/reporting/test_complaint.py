"""Complaints: what we know beside what the authority asks for, and nothing of who of ours was called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callsieve.reporting.authorities import AUTHORITIES
from reputation.store.journal import record_decisions
from reputation.store.outcomes import record_outcome
from tests.callsieve.browsing import Office
from tests.callsieve.program import Program, make_record
from tests.office import CALLER
from tests.reputation.store_builders import make_outcome

DID = "+442071838750"
AT = 1_795_000_000.0
REASON = "about a car <b>warranty</b>"


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """The caller rang, talked for 31 s, and was marked."""
    callsieve = Program(tmp_path)
    callsieve.write(record_decisions, [make_record(at=AT, linkedid="1.1", caller=CALLER, did=DID)])
    callsieve.write(record_outcome, make_outcome("1.1", AT, caller=CALLER, by="201", talk=31.0), AT + 60)
    callsieve.ok("mark", CALLER, "spam", "--as", "201", "--category", "robocall", "--reason", REASON)
    return callsieve


def complaint(callsieve: Program, to: str, *options: str) -> dict[str, Any]:
    return dict(callsieve("report", "show", CALLER, "--to", to, *options, "--json").json)


def value(found: dict[str, Any], kind: str) -> str:
    return str(next(field["value"] for field in found["fields"] if field["kind"] == kind))


@pytest.mark.parametrize("to", AUTHORITIES)
def test_each_complaint_has_the_number_and_sources(callsieve: Program, to: str) -> None:
    found = complaint(callsieve, to, "--language", "en")
    assert value(found, "caller") == CALLER
    assert found["sources"]
    assert all(source["url"].startswith("http") for source in found["sources"])
    assert found["not_read"]
    text = callsieve.ok("report", "show", CALLER, "--to", to)
    assert CALLER in text
    assert found["site"] in text


def test_complaint_has_the_reason_but_not_the_reporter(callsieve: Program) -> None:
    found = complaint(callsieve, "ftc")
    assert value(found, "recorded") == "yes, according to our people"
    assert REASON in value(found, "description")
    text = callsieve.ok("report", "show", CALLER, "--to", "ftc")
    assert "201" not in text.replace(CALLER, "")
    assert "Alice" not in text


def test_complaint_is_about_the_last_call(callsieve: Program) -> None:
    found = complaint(callsieve, "12321", "--language", "en")
    assert value(found, "called-at") == "2026-11-18 11:06 UTC"
    assert value(found, "our-number") == DID
    assert value(found, "talked") == "answered, 31 s"


def test_complaint_is_in_the_language_of_the_authority(callsieve: Program) -> None:
    assert "来电号码" in callsieve.ok("report", "show", CALLER, "--to", "12321")
    assert "The number that called" in callsieve.ok("report", "show", CALLER, "--to", "12321", "--language", "en")
    assert "来电号码" in callsieve.ok("report", "show", CALLER, "--to", "ftc", "--language", "zh")


def test_unknown_details_are_left_open(callsieve: Program) -> None:
    found = callsieve("report", "show", "+12017421899", "--to", "ftc", "--json").json
    assert value(found, "called-at") == value(found, "kind") == "(not known here)"
    assert value(found, "yours") == "(please fill in yourself)"
    assert found["calls"] == []


def test_unknown_authority_is_refused(callsieve: Program) -> None:
    assert "acma" in callsieve.fails("report", "show", CALLER, "--to", "acma")


def test_number_page_links_to_the_complaint(office: Office) -> None:
    with office.console() as console:
        ada = console.browser("operator")
        assert "/complaint" in ada.text(f"/numbers/{CALLER}")
        assert "Choose the authority" in ada.text(f"/numbers/{CALLER}/complaint")
        page = ada.text(f"/numbers/{CALLER}/complaint?to=ftc")
        assert "The number that called" in page
        assert "来电号码" in ada.text(f"/numbers/{CALLER}/complaint?to=ftc&language=zh")
        assert ada.get("/numbers/nobody/complaint").status_code == 404
