"""Our people and DIDs, through the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import changes_of

CAROL = {"extension": "301", "name": "Carol", "group": "support"}
DID = {"number": "+12025550177", "groups": ["support"], "screen": False}


def test_people_are_imported_shown_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program()
        assert program.done("POST", "/imports/people/directory", {"people": [CAROL]})["rows"] == 1
        people = {item["extension"]: item for item in program.get("/people")["items"]}
        assert people["301"]["endpoint"] == "PJSIP/301"
        assert (people["301"]["source"], people["301"]["of_settings"]) == ("directory", False)
        assert program.done("DELETE", "/imports/people/directory")["rows"] == 1
        assert "301" not in {item["extension"] for item in program.get("/people")["items"]}
        assert program.refused("DELETE", "/imports/people/directory") == (404, "no-such-import")
    assert ("import people", "token:program-1", None) in changes_of(office)


def test_dids_are_imported_shown_and_removed(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        program.done("POST", "/imports/dids/directory", {"dids": [DID]})
        dids = {item["number"]: item for item in program.get("/dids")["items"]}
        assert (dids[DID["number"]]["groups"], dids[DID["number"]]["screen"]) == (["support"], False)
        program.done("DELETE", "/imports/dids/directory")
        assert DID["number"] not in {item["number"] for item in program.get("/dids")["items"]}


def test_people_are_listed_in_pages(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        rows = [{"extension": str(extension)} for extension in range(300, 305)]
        program.done("POST", "/imports/people/directory", {"people": rows})
        page = program.get("/people", limit=3)
        seen = [item["extension"] for item in page["items"]]
        while page["next"]:
            page = program.get("/people", limit=3, cursor=page["next"])
            seen += [item["extension"] for item in page["items"]]
        assert seen == sorted(seen)
        assert {row["extension"] for row in rows} <= set(seen)


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        pytest.param("imports/people/x", {"people": [CAROL, {"extension": "3/1"}]}, (422, "bad-person"), id="person"),
        pytest.param("imports/people/x", {"people": [{**CAROL, "name": "a\nb"}]}, (422, "bad-person"), id="two-lines"),
        pytest.param("imports/people/x", {"people": []}, (422, "bad-body"), id="nobody"),
        pytest.param("imports/people/freepbx", {"people": [CAROL]}, (422, "bad-source"), id="a-pbx"),
        pytest.param("imports/dids/x", {"dids": [{"number": "x"}]}, (422, "bad-did"), id="no-number"),
        pytest.param("imports/dids/x", {"dids": [{**DID, "groups": ["a,b"]}]}, (422, "bad-did"), id="no-group"),
    ],
)
def test_import_with_a_bad_row_changes_nothing(tmp_path: Path, path: str, body: Any, told: tuple[int, str]) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        assert api.program().refused("POST", f"/{path}", body) == told
        assert api.program(Role.OPERATOR).refused("POST", f"/{path}", body)[0] in (403, 422)
    assert changes_of(office) == []
