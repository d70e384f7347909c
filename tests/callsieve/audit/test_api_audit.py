"""Changes through the API: found and undone."""

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


def list_number(program: Program) -> int:
    """List CALLER and return the id of the change."""
    return int(program.done("POST", ENTRIES, {"entry": CALLER})["change_id"])


def test_a_change_is_found_and_undone(api: RunningApi) -> None:
    program, reader = api.program(Role.OPERATOR), api.program(Role.ADMINISTRATOR)
    change_id = list_number(program)
    one = reader.get(f"/changes/{change_id}")
    assert (one["what"], one["who"], one["number"], one["can_undo"]) == ("list add", "token:program-1", CALLER, True)
    undone = program.done("POST", f"/changes/{change_id}/undo")
    assert (undone["what"], undone["subject"], undone["things"]) == ("list add", CALLER, 1)
    assert program.get(ENTRIES)["items"] == []
    assert program.refused("POST", f"/changes/{change_id}/undo") == (409, "undone-already")
    assert reader.get(f"/changes/{change_id}")["can_undo"] is False
    assert program.refused("GET", f"/changes/{change_id}") == (403, "wrong-role")


def test_undo_is_refused_after_a_later_change(api: RunningApi) -> None:
    program = api.program()
    first, _ = list_number(program), program.done("POST", ENTRIES, {"entry": CALLER, "note": "again"})
    assert program.refused("POST", f"/changes/{first}/undo") == (409, "changed-since")


@pytest.mark.parametrize("text", ["0", "999", "-1", "1.5", "x", "9" * 15, "9" * 40, "%D9%A1"])
def test_unknown_change_gets_404(api: RunningApi, text: str) -> None:
    program = api.program()
    assert program.refused("GET", f"/changes/{text}") == (404, "no-such-change")
    assert program.refused("POST", f"/changes/{text}/undo") == (404, "no-such-change")


def test_changes_are_filtered_and_paged(api: RunningApi) -> None:
    program, other = api.program(), api.program()
    made = [list_number(program) for _ in range(3)] + [list_number(other)]
    assert [item["id"] for item in program.get("/changes", who="token:program-1")["items"]] == made[2::-1]
    assert len(program.get("/changes", about="201-742-1834", what="list add")["items"]) == 4
    assert program.get("/changes", about="nobody")["items"] == []
    page = program.get("/changes", limit=2)
    list_number(other)
    rest = program.get("/changes", limit=2, cursor=page["next"])
    assert [item["id"] for item in (*page["items"], *rest["items"])] == made[::-1]
    assert rest["next"] is None


def test_undo_needs_role_and_scope_of_the_change(api: RunningApi) -> None:
    """Both role and scopes of the token are checked."""
    context = Context("joe", Role.ADMINISTRATOR, NOW, api.office.load())
    wanted = tokens.NewToken("crm", "operator", ["read"], "30d")
    change_id = api.office.write(tokens.add, context, wanted).change_id
    path = f"/changes/{change_id}/undo"
    assert api.program(Role.OPERATOR).refused("POST", path) == (403, "administrators-only")
    assert api.program(Role.ADMINISTRATOR, (Scope.WRITE,)).refused("POST", path) == (403, "wrong-scope")
    assert api.program(Role.ADMINISTRATOR).done("POST", path)["what"] == "token add"


def test_operator_cannot_undo_a_change_of_owner(api: RunningApi) -> None:
    """In the console only administrators record a change of owner."""
    context = Context("joe", Role.ADMINISTRATOR, NOW, api.office.load())
    change_id = api.office.write(new_owner, context, OwnerRequest("+12017421834", "sold")).change_id
    path = f"/changes/{change_id}/undo"
    assert api.program(Role.OPERATOR).refused("POST", path) == (403, "administrators-only")
    assert api.program(Role.ADMINISTRATOR).done("POST", path)["what"] == "reassigned add"
