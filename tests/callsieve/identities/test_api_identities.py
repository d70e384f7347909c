"""Identities through the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import changes_of
from tests.office import CALLER

HOSPITAL = {"number": CALLER, "name": "City Hospital", "level": 2, "note": "documents seen"}


def test_identity_is_added_shown_replaced_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        assert program.done("POST", "/identities", HOSPITAL)["replaced"] is None
        again = program.done("POST", "/identities", {**HOSPITAL, "name": "St. Mary's"})
        assert (again["identity"]["name"], again["replaced"]["name"]) == ("St. Mary's", "City Hospital")
        (shown,) = program.get("/identities")["items"]
        assert (shown["number"], shown["level"], shown["is_over"]) == (CALLER, 2, False)
        program.done("DELETE", f"/identities/{CALLER}")
        assert program.get("/identities") == {"items": [], "next": None}
    assert [what for what, who, _ in changes_of(office) if who == "token:program-1"] == [
        *("identity remove", "identity add", "identity add")
    ]


def test_the_right_code_proves_control(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        made = program.done("POST", f"/identities/{CALLER}/code", {})
        proven = program.done("POST", f"/identities/{CALLER}/prove", {"code": made["code"], "name": "J. Doe"})
        assert (proven["name"], proven["level"]) == ("J. Doe", 1)


def test_wrong_codes_are_counted(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        made = program.done("POST", f"/identities/{CALLER}/code", {})
        wrong = {"code": "000000" if made["code"] != "000000" else "000001", "name": "J. Doe"}
        path = f"/identities/{CALLER}/prove"
        assert [program.refused("POST", path, wrong)[1] for _ in range(6)] == [*["code-wrong"] * 5, "code-spent"]
        assert program.refused("POST", path, {**wrong, "code": made["code"]}) == (422, "code-spent")


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        pytest.param("POST", "", {**HOSPITAL, "number": "12"}, (422, "bad-number"), id="no-number"),
        pytest.param("POST", "", {**HOSPITAL, "note": ""}, (422, "no-note"), id="not-proven"),
        pytest.param("POST", "", {**HOSPITAL, "level": 3}, (422, "bad-body"), id="no-level"),
        pytest.param("POST", "", {**HOSPITAL, "name": "a\nb"}, (422, "bad-text"), id="two-lines"),
        pytest.param("POST", "", {**HOSPITAL, "expires": "5y"}, (422, "too-late"), id="too-long"),
        pytest.param("DELETE", f"/{CALLER}", None, (404, "not-recorded"), id="not-recorded"),
        pytest.param("POST", f"/{CALLER}/prove", {"code": "1", "name": "x"}, (422, "code-none"), id="no-code"),
    ],
)
def test_invalid_request_is_refused(tmp_path: Path, method: str, path: str, body: Any, told: tuple[int, str]) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        assert api.program(Role.OPERATOR).refused(method, f"/identities{path}", body) == told
    assert changes_of(office) == []
