"""Decisions through the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.decide.call_facts import linkedid_of
from reputation.users import Role
from tests.callsieve.asking import ApiOffice, RunningApi
from tests.callsieve.browsing import NOW
from tests.callsieve.console_calls import CALLER, add_calls, add_ending, make_decision, make_ending

IDS = ("AAAAAAA1", "AAAAAAA2", "AAAAAAA3", "AAAAAAA4")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    office = ApiOffice(tmp_path)
    add_calls(office, *(make_decision(item, at=NOW - 600 + place) for place, item in enumerate(IDS)))
    add_calls(office, make_decision("BBBBBBB1", at=NOW - 60, caller="+12015550199", action="allow", rule="default"))
    add_ending(office, make_ending(make_decision(IDS[0])))
    with office.api() as running:
        yield running


def ids(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["id"] for item in page["items"]]


def test_pages_stay_consistent_while_calls_come_in(api: RunningApi) -> None:
    program = api.program(Role.OPERATOR)
    first = program.get("/decisions", number=CALLER, limit=3)
    assert ids(first) == ["AAAAAAA4", "AAAAAAA3", "AAAAAAA2"]
    add_calls(api.office, make_decision("CCCCCCC1", at=NOW))
    second = program.get("/decisions", number=CALLER, limit=3, cursor=first["next"])
    assert (ids(second), second["next"]) == (["AAAAAAA1"], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 5),
        ({"number": "201-555-0123"}, 4),
        ({"action": "allow"}, 1),
        ({"rule": "default"}, 1),
        ({"ending": "answered"}, 1),
        ({"since": "2m"}, 1),
        ({"until": "2m"}, 4),
        ({"number": CALLER, "action": "allow"}, 0),
    ],
)
def test_decisions_are_filtered_like_on_the_command_line(api: RunningApi, query: dict[str, str], found: int) -> None:
    assert len(api.program().get("/decisions", **query)["items"]) == found


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("number=nobody", (422, "bad-number")),
        ("action=rejct", (422, "bad-query")),
        ("since=soon", (422, "bad-time")),
        ("limit=0", (422, "bad-query")),
        ("limit=201", (422, "bad-query")),
        ("limit=ten", (422, "bad-query")),
        ("limit=1&limit=2", (422, "bad-query")),
        ("cursor=AAAA", (422, "bad-cursor")),
    ],
)
def test_invalid_query_names_its_field(api: RunningApi, query: str, told: tuple[int, str]) -> None:
    answer = api.program().ask("GET", f"/decisions?{query}")
    assert (answer.status, answer.code) == told
    assert answer.problem.field == query.partition("=")[0]


def test_decision_is_found_by_call_id(api: RunningApi) -> None:
    call_id = f"a84b4c76e66710@192.0.2.1;{'x' * 200}"
    add_calls(api.office, make_decision("DDDDDDD1", at=NOW, linkedid=linkedid_of(call_id)))
    program = api.program()
    assert ids(program.get("/decisions", call_id=call_id)) == ["DDDDDDD1"]
    linkedid = program.get("/decisions/AAAAAAA1")["linkedid"]
    assert "AAAAAAA1" in ids(program.get("/decisions", call_id=linkedid)), "of a call through Asterisk, its linkedid"
    assert ids(program.get("/decisions", call_id="another")) == []


def test_decision_is_shown_and_explained(api: RunningApi) -> None:
    program = api.program(Role.OPERATOR)
    one = program.get(f"/decisions/{IDS[0]}")
    assert (one["caller"], one["action"], one["outcome"]["disposition"]) == (CALLER, "challenge", "answered")
    why = program.get(f"/decisions/{IDS[0]}/explanation")
    assert why["because"]
    assert [item["level"] for item in why["would_change"]] == ["tag"]
    assert (why["since_then"], why["damaged"]) == ([], False)


def test_damaged_evidence_is_flagged(api: RunningApi) -> None:
    add_calls(api.office, make_decision("DDDDDDD1", vector="{"))
    program = api.program()
    assert program.get("/decisions/DDDDDDD1")["vector"] is None
    assert program.get("/decisions/DDDDDDD1/explanation")["damaged"] is True


def test_unknown_decision_gets_404(api: RunningApi) -> None:
    for path in ("/decisions/ZZZZZZZZ", "/decisions/nothing", "/decisions/ZZZZZZZZ/explanation"):
        assert api.program().refused("GET", path) == (404, "no-such-decision")


def test_viewer_may_not_read_decisions(api: RunningApi) -> None:
    assert api.program(Role.VIEWER).refused("GET", "/decisions") == (403, "wrong-role")
