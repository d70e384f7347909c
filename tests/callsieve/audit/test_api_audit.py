"""Changes through the API: looked for, and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.changes.operation import Context
from callsieve.numbers.operations import OwnerRequest, new_owner
from callsieve.tokens import operations as tokens
from reputation.users import Role, Scope
from tests.callsieve.asking import ApiOffice, Program, RunningApi
from tests.callsieve.browsing import NOW
from tests.office import CALLER

ENTRIES = "/lists/block/entries"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with ApiOffice(tmp_path).api() as running:
        yield running


def listed(program: Program) -> int:
    """The id of a change."""
    return int(program.done("POST", ENTRIES, {"entry": CALLER})["change_id"])


def test_a_change_is_found_and_undone(api: RunningApi) -> None:
    program, reader = api.program(Role.OPERATOR), api.program(Role.ADMINISTRATOR)
    change_id = listed(program)
    one = reader.get(f"/changes/{change_id}")
    assert (one["what"], one["who"], one["number"], one["can_undo"]) == ("list add", "token:program-1", CALLER, True)
    undone = program.done("POST", f"/changes/{change_id}/undo")
    assert (undone["what"], undone["subject"], undone["things"]) == ("list add", CALLER, 1)
    assert program.get(ENTRIES)["items"] == []
    assert program.refused("POST", f"/changes/{change_id}/undo") == (409, "undone-already")
    assert reader.get(f"/changes/{change_id}")["can_undo"] is False
    assert program.refused("GET", f"/changes/{change_id}") == (403, "wrong-role")


def test_what_was_changed_again_stays(api: RunningApi) -> None:
    program = api.program()
    first, _ = listed(program), program.done("POST", ENTRIES, {"entry": CALLER, "note": "again"})
    assert program.refused("POST", f"/changes/{first}/undo") == (409, "changed-since")


@pytest.mark.parametrize("text", ["0", "999", "-1", "1.5", "x", "9" * 15, "9" * 40, "%D9%A1"])
def test_a_change_that_is_not_there(api: RunningApi, text: str) -> None:
    program = api.program()
    assert program.refused("GET", f"/changes/{text}") == (404, "no-such-change")
    assert program.refused("POST", f"/changes/{text}/undo") == (404, "no-such-change")


def test_changes_are_looked_for_page_by_page(api: RunningApi) -> None:
    program, other = api.program(), api.program()
    made = [listed(program) for _ in range(3)] + [listed(other)]
    assert [item["id"] for item in program.get("/changes", who="token:program-1")["items"]] == made[2::-1]
    assert len(program.get("/changes", about="201-742-1834", what="list add")["items"]) == 4
    assert program.get("/changes", about="nobody")["items"] == []
    page = program.get("/changes", limit=2)
    listed(other)
    rest = program.get("/changes", limit=2, cursor=page["next"])
    assert [item["id"] for item in (*page["items"], *rest["items"])] == made[::-1]
    assert rest["next"] is None


def test_nobody_undoes_what_they_may_not_do(api: RunningApi) -> None:
    """Neither by their role nor by their scopes."""
    context = Context("joe", Role.ADMINISTRATOR, NOW, api.office.load())
    wanted = tokens.NewToken("crm", "operator", ["read"], "30d")
    change_id = api.office.write(tokens.add, context, wanted).change_id
    path = f"/changes/{change_id}/undo"
    assert api.program(Role.OPERATOR).refused("POST", path) == (403, "administrators-only")
    assert api.program(Role.ADMINISTRATOR, (Scope.WRITE,)).refused("POST", path) == (403, "wrong-scope")
    assert api.program(Role.ADMINISTRATOR).done("POST", path)["what"] == "token add"


def test_an_operator_takes_back_no_change_of_owner(api: RunningApi) -> None:
    """In the console administrators alone say whose a number is."""
    context = Context("joe", Role.ADMINISTRATOR, NOW, api.office.load())
    change_id = api.office.write(new_owner, context, OwnerRequest("+12017421834", "sold")).change_id
    path = f"/changes/{change_id}/undo"
    assert api.program(Role.OPERATOR).refused("POST", path) == (403, "administrators-only")
    assert api.program(Role.ADMINISTRATOR).done("POST", path)["what"] == "reassigned add"
