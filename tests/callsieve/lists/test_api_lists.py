"""The administrator's lists through the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from reputation.users import Role, Scope
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import changes_of
from tests.office import CALLER

ENTRIES = "/lists/block/entries"


def test_an_entry_is_added_shown_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        added = program.done("POST", ENTRIES, {"entry": CALLER, "note": "a call centre", "expires": "30d"})
        assert added["entry"]["text"] == CALLER
        assert added["replaced"] is None
        assert [item["text"] for item in program.get(ENTRIES)["items"]] == [CALLER]
        assert program.get("/lists/allow/entries") == {"items": [], "next": None}
        program.done("DELETE", f"{ENTRIES}/{CALLER}")
        assert program.get(ENTRIES)["items"] == []
    assert changes_of(office) == [
        ("list remove", "token:program-1", CALLER),
        ("list add", "token:program-1", CALLER),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        pytest.param("POST", ENTRIES, {"entry": "12"}, (422, "bad-entry"), id="no-number"),
        pytest.param("POST", ENTRIES, {"entry": "+12025550100"}, (403, "administrators-only"), id="our-own"),
        pytest.param("POST", ENTRIES, {"entry": CALLER, "expires": "soon"}, (422, "bad-time"), id="no-time"),
        pytest.param("POST", ENTRIES, {"entry": CALLER, "action": "rejct"}, (422, "unknown-action"), id="no-action"),
        pytest.param("POST", "/lists/grey/entries", {"entry": CALLER}, (404, "no-such-list"), id="no-list"),
        pytest.param("DELETE", f"{ENTRIES}/{CALLER}", None, (404, "not-listed"), id="not-listed"),
    ],
)
def test_bad_requests_are_refused_with_status_and_code(
    tmp_path: Path, method: str, path: str, body: object, told: tuple[int, str]
) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        assert api.program(Role.OPERATOR).refused(method, path, body) == told
    assert changes_of(office) == []


def test_next_page_is_stable_when_earlier_entries_are_added(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        numbers = [f"+1201555010{digit}" for digit in (1, 3, 5, 7)]
        for number in numbers:
            program.done("POST", ENTRIES, {"entry": number})
        page = program.get(ENTRIES, limit=2)
        assert [item["text"] for item in page["items"]] == numbers[:2]
        program.done("POST", ENTRIES, {"entry": "+12015550100"})
        page = program.get(ENTRIES, limit=2, cursor=page["next"])
        assert [item["text"] for item in page["items"]] == numbers[2:]
        assert page["next"] is None


def test_preview_shows_the_effect_of_an_entry(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR, (Scope.READ,))
        look = program.done("POST", "/lists/block/preview", {"entry": "+33*"})
        assert (look["is_for_administrators"], look["replaced"], look["calls"]) == (True, None, 0)
        assert program.done("POST", "/lists/block/preview", {"entry": "+12025550100"})["objections"]
        assert program.refused("POST", "/lists/block/preview", {"entry": "12"}) == (422, "bad-entry")
    assert changes_of(office) == []


def test_number_is_added_to_and_removed_from_a_personal_list(tmp_path: Path) -> None:
    office, path = ApiOffice(tmp_path), f"/people/201/entries/{CALLER}"
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        assert program.done("PUT", path, {"list_name": "block"})["change_id"]
        program.done("PUT", path, {"list_name": "allow"})
        assert program.done("PUT", path, {"list_name": "allow"})["change_id"] is None, "the same again changes nothing"
        (entry,) = program.get("/people/201/entries")["items"]
        assert (entry["verdict"], entry["number"], entry["person"]) == ("allow", CALLER, "201")
        assert program.get("/people/202/entries") == {"items": [], "next": None}
        assert program.refused("PUT", f"/people/999/entries/{CALLER}", {"list_name": "block"}) == (
            404,
            "no-such-person",
        )
        undo = program.done("DELETE", path)["change_id"]
        assert program.refused("DELETE", path) == (404, "not-listed")
        program.done("POST", f"/changes/{undo}/undo")
        assert len(program.get("/people/201/entries")["items"]) == 1
    assert [what for what, _, _ in changes_of(office)] == ["undo list remove", "list remove", "list add", "list add"]
