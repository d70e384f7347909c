"""What is known about a number, and marks, through the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.users import Role, Scope
from tests.callsieve.asking import ApiOffice, RunningApi
from tests.callsieve.browsing import Ticking, changes_of
from tests.callsieve.console_calls import add_calls, make_decision
from tests.office import CALLER

OTHER = "+442071838755"
MARK = f"/numbers/{CALLER}/marks/201"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with ApiOffice(tmp_path).api() as running:
        yield running


def test_number_in_local_format_is_looked_up(api: RunningApi) -> None:
    add_calls(api.office, make_decision(caller=CALLER))
    program = api.program(Role.OPERATOR, (Scope.READ,))
    known = program.get(f"/numbers/{CALLER}")
    assert known == program.get("/numbers/201-742-1834")
    assert (known["number"], known["country"], len(known["decisions"])) == (CALLER, "US", 1)
    assert known["now"]["action"] == "allow"


def test_many_numbers_are_looked_up_in_the_given_order(api: RunningApi) -> None:
    add_calls(api.office, make_decision(caller=CALLER))
    program = api.program(Role.OPERATOR, (Scope.READ,))
    answer = program.ask("POST", "/numbers/look-up", {"numbers": [OTHER, "201-742-1834"]})
    assert answer.status == 200
    assert answer.json["items"] == [program.get(f"/numbers/{OTHER}"), program.get(f"/numbers/{CALLER}")]


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        pytest.param([CALLER, "nobody"], "bad-number", id="one-is-none"),
        pytest.param([], "bad-body", id="none"),
        pytest.param([CALLER] * 101, "bad-body", id="too-many"),
    ],
)
def test_bad_lists_of_numbers_are_refused(api: RunningApi, numbers: list[str], code: str) -> None:
    answer = api.program().ask("POST", "/numbers/look-up", {"numbers": numbers})
    assert (answer.status, answer.code) == (422, code)


@pytest.mark.parametrize("text", ["nobody", "12", "+", "%20", "x" * 200])
def test_text_that_is_not_a_number_is_refused(api: RunningApi, text: str) -> None:
    answer = api.program().ask("GET", f"/numbers/{text}")
    assert (answer.status, answer.code, answer.problem.field) == (422, "bad-number", "number")


def test_mark_is_made_changed_and_removed(api: RunningApi) -> None:
    program = api.program(Role.OPERATOR, (Scope.MARKS,))
    marked = program.done("PUT", MARK, {"verdict": "spam", "category": "scam"})
    assert (marked["mark"]["verdict"], marked["mark"]["reporter"], marked["before"]) == ("spam", "201", None)
    assert program.done("PUT", MARK, {"verdict": "ok"})["before"]["verdict"] == "spam"
    assert program.done("DELETE", MARK)["mark"]["verdict"] == "retracted"
    assert changes_of(api.office) == [
        ("unmark", "token:program-1", CALLER),
        ("mark", "token:program-1", CALLER),
        ("mark", "token:program-1", CALLER),
    ]


@pytest.mark.parametrize("body", [{"verdict": "spam", "category": "scam", "reason": "sold me gold"}, {"verdict": "ok"}])
def test_the_same_mark_twice_changes_nothing(tmp_path: Path, body: dict[str, str]) -> None:
    office = ApiOffice(tmp_path)
    office.clock = Ticking()
    with office.api() as api:
        program = api.program(Role.OPERATOR, (Scope.MARKS,))
        first, second = (program.done("PUT", MARK, body) for _ in range(2))
        assert (second["status"], second["change_id"]) == ("unchanged", None)
        assert second["mark"] == second["before"] == first["mark"]
        assert program.done("PUT", MARK, {**body, "reason": "again"})["change_id"]
    assert [what for what, _, _ in changes_of(office)] == ["mark", "mark"]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        pytest.param("PUT", MARK, {"verdict": "grey"}, (422, "bad-body"), id="no-verdict"),
        pytest.param("PUT", MARK, {"verdict": "ok", "category": "scam"}, (422, "category-of-no-spam"), id="category"),
        pytest.param("PUT", f"/numbers/{CALLER}/marks/999", {"verdict": "spam"}, (404, "unknown-person"), id="nobody"),
        pytest.param("PUT", "/numbers/911/marks/201", {"verdict": "spam"}, (422, "emergency-number"), id="emergency"),
        pytest.param("DELETE", MARK, None, (404, "not-marked"), id="not-marked"),
    ],
)
def test_bad_marks_are_refused(api: RunningApi, method: str, path: str, body: object, told: tuple[int, str]) -> None:
    assert api.program().refused(method, path, body) == told
    assert changes_of(api.office) == []
