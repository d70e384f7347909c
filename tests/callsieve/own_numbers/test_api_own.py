"""Our own numbers and the do-not-call list, through the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callsieve.own_numbers.fields import FIELDS
from reputation.model import Direction
from reputation.store.outcomes import record_outcomes
from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW, changes_of
from tests.office import CALLER
from tests.reputation.store_builders import make_outcome

OWN, OTHER = "+12025550140", "+12025550141"


def test_number_is_registered_changed_rested_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        added = program.done("POST", "/own-numbers", {"number": OWN, "name": "Example Ltd", "trunks": ["carrier"]})
        assert (added["own_number"]["name"], added["before"]) == ("Example Ltd", None)
        edited = program.done("PATCH", f"/own-numbers/{OWN}", {"purpose": "appointments"})
        assert (edited["own_number"]["name"], edited["own_number"]["purpose"]) == ("Example Ltd", "appointments")
        same = program.done("PATCH", f"/own-numbers/{OWN}", {"purpose": "appointments"})
        assert same["change_id"] is None
        assert program.done("POST", f"/own-numbers/{OWN}/check", {"next_check": "never"})["own_number"]["checked_at"]
        assert program.done("POST", f"/own-numbers/{OWN}/rest")["own_number"]["state"] == "resting"
        assert program.refused("POST", f"/own-numbers/{OWN}/use", {}) == (409, "rests-still")
        assert program.done("POST", f"/own-numbers/{OWN}/use", {"early": True})["own_number"]["state"] == "active"
        assert program.done("POST", f"/own-numbers/{OWN}/retire")["own_number"]["state"] == "retired"
        [shown] = program.get("/own-numbers")["items"]
        assert (shown["number"], shown["grade"], shown["reasons"]) == (OWN, None, [])
        health = program.get(f"/own-numbers/{OWN}")
        assert health["register"]["state"] == "retired"
        assert health["health"]["windows"]
        program.done("DELETE", f"/own-numbers/{OWN}")
        assert program.refused("GET", f"/own-numbers/{OWN}") == (404, "not-registered")
    assert [what for what, _, _ in changes_of(office)] == [
        *("own remove", "own retire", "own use", "own rest", "own check", "own add", "own add")
    ]


def test_the_register_is_filtered_and_paged(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        for number in (OWN, OTHER):
            program.done("POST", "/own-numbers", {"number": number})
        program.done("POST", f"/own-numbers/{OTHER}/rest")
        first = program.get("/own-numbers", limit=1)
        assert [item["number"] for item in first["items"]] == [OWN]
        rest = program.get("/own-numbers", limit=1, cursor=first["next"])
        assert ([item["number"] for item in rest["items"]], rest["next"]) == ([OTHER], None)
        assert [item["number"] for item in program.get("/own-numbers", state="resting")["items"]] == [OTHER]
        assert program.get("/own-numbers", unwell=True)["items"] == []
        assert program.refused("GET", "/own-numbers?state=sleeping") == (422, "bad-query")


def test_unregistered_outgoing_number_is_listed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    call = make_outcome("c1", NOW - 60, by="201", direction=Direction.OUTBOUND, own_number=OWN)
    office.write(record_outcomes, [call], NOW)
    with office.api() as api:
        [seen] = api.program(Role.OPERATOR).get("/own-numbers/unregistered")["items"]
        assert (seen["number"], seen["calls"], seen["grade"]) == (OWN, 1, None)


def test_every_field_of_the_register_can_be_sent(tmp_path: Path) -> None:
    sent = {field.name: ["one", "two"] if field.is_list else "2027-01-31" for field in FIELDS}
    with ApiOffice(tmp_path).api() as api:
        own = api.program().done("POST", "/own-numbers", {"number": OWN, **sent})["own_number"]
        for field in FIELDS:
            assert own[field.attribute], field


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        pytest.param("POST", "", {"number": "12"}, (422, "bad-number"), id="no-number"),
        pytest.param("POST", "", {"number": OWN, "nme": "x"}, (422, "bad-body"), id="unknown-field"),
        pytest.param("PATCH", f"/{OWN}", {"name": "x"}, (404, "not-registered"), id="not-registered"),
        pytest.param("POST", f"/{OWN}/rest", None, (404, "not-registered"), id="rest"),
        pytest.param("DELETE", f"/{OWN}", None, (404, "not-registered"), id="remove"),
    ],
)
def test_bad_requests_are_refused_with_status_and_code(
    tmp_path: Path, method: str, path: str, body: Any, told: tuple[int, str]
) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.program(Role.OPERATOR).refused(method, f"/own-numbers{path}", body) == told


def test_registering_a_number_twice_is_refused(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        program.done("POST", "/own-numbers", {"number": OWN})
        assert program.refused("POST", "/own-numbers", {"number": OWN}) == (409, "registered-already")


def test_do_not_call_request_is_added_listed_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        added = program.done("POST", "/do-not-call", {"number": CALLER, "note": "by mail"})
        assert (added["wish"]["number"], added["wish"]["note"]) == (CALLER, "by mail")
        assert program.done("POST", "/do-not-call", {"number": CALLER})["change_id"] is None
        assert [item["number"] for item in program.get("/do-not-call")["items"]] == [CALLER]
        assert [item["number"] for item in program.get("/do-not-call", number=CALLER)["items"]] == [CALLER]
        assert program.get("/do-not-call", number=OWN)["items"] == []
        program.done("DELETE", f"/do-not-call/{CALLER}")
        assert program.refused("DELETE", f"/do-not-call/{CALLER}") == (404, "not-listed")
    assert [what for what, _, _ in changes_of(office)] == ["own dnc remove", "own dnc add"]
