"""Consents, registers, call lists and the proof of a day, through the API."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from reputation.model import Direction
from reputation.store.outbound import past_calls
from reputation.store.outcomes import record_outcomes
from reputation.store.registers import add_numbers, begin_copy, put_in_force
from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW, changes_of
from tests.reputation.store_builders import make_outcome

BAD_TIME = (422, "bad-time")
AGREED, LISTED, UNWANTED, FREE = "+12017421801", "+12017421802", "+12017421803", "+12017421804"


def fill(office: ApiOffice) -> None:
    def register(db: sqlite3.Connection) -> None:
        copy = begin_copy(db, "us-dnc", "US", "dnc.txt", NOW - 40 * 86_400, NOW)
        add_numbers(db, copy, [LISTED, AGREED])
        put_in_force(db, copy, "0" * 64, 2)

    office.write(register)


def test_consent_is_recorded_shown_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        noted = program.done("POST", "/consents", {"number": AGREED, "proof": "form 1", "until": "2027-01-31"})
        assert (noted["consent"]["proof"], program.get("/consents")["items"][0]["is_over"]) == ("form 1", False)
        program.done("POST", "/consents", {"number": FREE, "proof": "form 2"})
        page = program.get("/consents", limit=1)
        rest = program.get("/consents", limit=1, cursor=page["next"])
        assert {page["items"][0]["number"], rest["items"][0]["number"]} == {AGREED, FREE}
        program.done("DELETE", f"/consents/{FREE}")
        assert program.refused("DELETE", f"/consents/{FREE}") == (404, "no-consent")
        assert program.refused("POST", "/consents", {"number": FREE, "proof": " "}) == (422, "no-proof")
        assert program.refused("POST", "/consents", {"number": FREE, "proof": "x", "until": "soon"}) == (
            422,
            "bad-time",
        )
    assert [what for what, _, _ in changes_of(office)] == [
        *("own consent remove", "own consent add", "own consent add")
    ]


def test_call_list_is_checked_and_the_check_recorded(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    fill(office)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        program.done("POST", "/do-not-call", {"number": UNWANTED})
        program.done("POST", "/consents", {"number": AGREED, "proof": "form 1"})
        (copy,) = program.get("/registers")["items"]
        assert (copy["name"], copy["age_days"], copy["is_too_old"], copy["max_days"]) == ("us-dnc", 40, True, 31)
        numbers = [FREE, LISTED, UNWANTED, AGREED, FREE, "nobody"]
        told = program.done("POST", "/call-lists/check", {"numbers": numbers})
        assert [(finding["line"], finding["fault"]) for finding in told["findings"]] == [
            *((2, "register"), (3, "do-not-call"), (5, "duplicate"), (6, "not-a-number"))
        ]
        assert (told["rows"], told["kept"], told["clean"]) == (6, 2, [FREE, AGREED])
        assert program.refused("POST", "/call-lists/check", {"numbers": []}) == (422, "bad-body")
    assert next(what for what, _, _ in changes_of(office)) == "own hygiene"


@pytest.mark.parametrize("day", ["2025-13-01", "yesterday", "x"])
def test_bad_day_of_compliance_is_refused(tmp_path: Path, day: str) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.program(Role.OPERATOR).refused("GET", f"/compliance/{day}") == (422, "bad-day")


def test_compliance_proof_contains_no_full_number(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    call = make_outcome("1", NOW - 60, by="201", direction=Direction.OUTBOUND, dialled=FREE)
    office.write(record_outcomes, [call], NOW)
    assert office.read(past_calls, FREE)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        told = program.get("/compliance/2025-12-29")
        assert (told["without_guard"], told["asked"]) == (1, 0)
        assert FREE not in str(told)
        assert {item["country"] for item in program.get("/laws")["items"]} >= {"US", "GB", "CN"}
