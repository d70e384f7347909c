"""Appeals of number owners, through the API."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from reputation.users import Role
from tests.callsieve.asking import ApiOffice, Program
from tests.callsieve.browsing import changes_of
from tests.office import CALLER

NEW = {"number": CALLER, "name": "J. Doe", "contact": "j.doe@hospital.example", "statement": "We are a hospital."}


def filed(program: Program, **more: Any) -> str:
    return str(program.done("POST", "/appeals", {**NEW, **more})["appeal"]["reference"])


def test_appeal_is_filed_accepted_and_decided(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        reference = filed(program)
        assert [item["reference"] for item in program.get("/appeals")["items"]] == [reference]
        accepted = program.done("POST", f"/appeals/{reference}/accept")
        assert accepted["appeal"]["state"] == "in_force"
        assert accepted["appeal"]["due_at"] > accepted["appeal"]["opened_at"]
        decided = program.done("POST", f"/appeals/{reference}/decide", {"ruling": "uphold", "reason": "It is."})
        assert (decided["appeal"]["state"], decided["reporters"]) == ("upheld", [])
        assert program.get("/appeals")["items"] == []
        assert [item["state"] for item in program.get("/appeals", all="true")["items"]] == ["upheld"]
        case = program.get(f"/appeals/{CALLER}")
        assert (case["reference"], case["attachments"], case["marks"]) == (reference, [], [])
    assert [what for what, _, _ in changes_of(office)] == ["appeal decide", "appeal accept", "appeal open"]


def test_call_back_code_proves_control(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        reference = filed(program)
        made = program.done("POST", f"/appeals/{reference}/code")
        assert made["number"] == CALLER
        wrong = "000000" if made["code"] != "000000" else "000001"
        assert program.refused("POST", f"/appeals/{reference}/prove", {"code": wrong}) == (422, "code-wrong")
        proven = program.done("POST", f"/appeals/{reference}/prove", {"code": made["code"]})
        assert (proven["proven"], proven["state"]) == (True, "in_force")


def test_evidence_is_attached_downloaded_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        path = f"/appeals/{filed(program)}/evidence"
        letter = {"name": "letter.bin", "content": b64encode(b"\0\xff a letter").decode()}
        call = {"name": "call.txt", "content": b64encode(b"They called back.").decode()}
        attached = program.done("POST", path, {"files": [letter, call]})["attachments"]
        assert [(item["place"], item["name"], item["added_by"]) for item in attached] == [
            *((1, "letter.bin", "token:program-1"), (2, "call.txt", "token:program-1"))
        ]
        assert b64decode(program.get(f"{path}/1")["content"]) == b"\0\xff a letter"
        assert program.done("DELETE", f"{path}/1")["name"] == "letter.bin"
        assert program.refused("GET", f"{path}/1") == (404, "no-such-evidence")
        assert program.refused("GET", f"{path}/x") == (422, "bad-path")
        assert program.refused("POST", path, {"files": [{**letter, "content": "!"}]}) == (422, "bad-body")
        assert program.refused("POST", path, {"files": [{**letter, "content": ""}]}) == (422, "empty-file")
    assert [what for what, _, _ in changes_of(office)] == [
        *("appeal evidence", "appeal evidence download", "appeal evidence", "appeal open")
    ]


def test_appeal_can_be_withdrawn(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        reference = filed(program)
        done = program.done("POST", f"/appeals/{reference}/withdraw", {"reason": "filed twice"})
        assert (done["appeal"]["state"], done["appeal"]["reason"]) == ("withdrawn", "filed twice")
        assert program.refused("POST", f"/appeals/{reference}/accept") == (409, "closed")


def test_appeals_are_listed_latest_first_in_pages(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        filings = []
        for digit in range(5):
            office.clock.now += 1
            filings.append(filed(program, number=f"+1201555011{digit}"))
        page = program.get("/appeals", limit=2)
        seen = [item["reference"] for item in page["items"]]
        while page["next"]:
            page = program.get("/appeals", limit=2, cursor=page["next"])
            seen += [item["reference"] for item in page["items"]]
        assert seen == filings[::-1]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        pytest.param("", {**NEW, "name": ""}, (422, "bad-body"), id="empty-name"),
        pytest.param("", {**NEW, "decision": "7KQ2M4XA"}, (404, "no-such-decision"), id="unknown-decision"),
        pytest.param("/7KQ2M4XA/accept", None, (404, "no-such-appeal"), id="unknown-appeal"),
        pytest.param("/7KQ2M4XA/decide", {"ruling": "maybe", "reason": "x"}, (422, "bad-body"), id="unknown-ruling"),
    ],
)
def test_invalid_request_is_refused(tmp_path: Path, path: str, body: Any, told: tuple[int, str]) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.program(Role.OPERATOR).refused("POST", f"/appeals{path}", body) == told


def test_filed_appeal_cannot_be_decided_or_filed_again(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        path = f"/appeals/{filed(program)}/decide"
        assert program.refused("POST", path, {"ruling": "deny", "reason": "x"}) == (409, "not-in-force")
        assert program.refused("POST", "/appeals", NEW) == (409, "appealed")
