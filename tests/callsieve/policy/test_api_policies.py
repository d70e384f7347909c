"""Policies through the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callsieve.policy.api.endpoints import CASES, POLICY
from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import changes_of


def test_policies_are_listed_shown_and_put_in_force(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program()
        in_force = {item["name"]: item["in_force_for"] for item in program.get("/policies")["items"]}
        assert (in_force["cautious"], in_force["strict"]) == (["all calls"], [])
        shown = program.get("/policies/strict")
        assert (shown["name"], shown["observe"]) == ("strict", False)
        assert shown["rules"][0]["action"]
        done = program.done("POST", "/policies/strict/activate")
        assert (done["policy"], done["observe"]) == ("strict", False)
        in_force = {item["name"]: item["in_force_for"] for item in program.get("/policies")["items"]}
        assert (in_force["cautious"], in_force["strict"]) == ([], ["all calls"])
    assert changes_of(office) == [("policy activate", "token:program-1", None)]


def test_policy_text_is_checked(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        assert program.done("POST", "/policies/check", {"text": POLICY})["usable"]
        wrong = program.done("POST", "/policies/check", {"text": POLICY.replace("reject", "destroy")})
        assert not wrong["usable"]
        assert [problem["line"] for problem in wrong["problems"]] == [6]


def test_posted_policy_becomes_the_next_version_in_force(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program()
        done = program.done("POST", "/policies", {"text": POLICY, "note": "premium numbers"})
        assert done["policy"] == "console-1"
        latest = program.done("POST", "/policies", {"text": POLICY})
        assert latest["policy"] == "console-2"
        assert program.get("/policies/console-1")["rules"][0]["name"] == "premium"
        in_force = {item["name"]: item["in_force_for"] for item in program.get("/policies")["items"]}
        assert (in_force["console-1"], in_force["console-2"]) == ([], ["all calls"])
        assert program.refused("POST", "/policies", {"text": POLICY.replace("reject", "x")}) == (409, "unusable-policy")
        program.done("POST", f"/changes/{latest['change_id']}/undo")
        in_force = {item["name"]: item["in_force_for"] for item in program.get("/policies")["items"]}
        assert in_force["console-1"] == ["all calls"]


def test_cases_are_run(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        tried = program.done("POST", "/policies/test", {"cases": CASES, "policy": "balanced"})
        assert (tried["cases"], tried["failed"]) == (1, 0)
        tried = program.done("POST", "/policies/test", {"cases": CASES.replace('"allow"', '"reject"')})
        assert tried["failed"] == 1
        assert tried["tried"][0]["differs"] == [{"key": "action", "expected": "reject", "found": "allow"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        pytest.param("GET", "/nowhere", None, (404, "no-such-policy"), id="no-policy"),
        pytest.param("POST", "/nowhere/activate", None, (404, "no-such-policy"), id="activate-none"),
        pytest.param("GET", "/secret.toml", None, (404, "no-such-policy"), id="a-file"),
        pytest.param("POST", "/test", {"cases": "["}, (422, "bad-cases"), id="no-toml"),
        pytest.param("POST", "/test", {"cases": CASES, "policy": "/etc/x.toml"}, (404, "no-such-policy"), id="path"),
        pytest.param(
            "POST",
            "/test",
            {"cases": CASES.replace("[[case]]", '[[case]]\npolicy = "/etc/hostname.toml"')},
            (404, "no-such-policy"),
            id="path-in-a-case",
        ),
    ],
)
def test_bad_requests_are_refused_with_status_and_code(
    tmp_path: Path, method: str, path: str, body: Any, told: tuple[int, str]
) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        assert api.program().refused(method, f"/policies{path}", body) == told
    assert changes_of(office) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", "/policies/nonesuch", None, id="shown"),
        pytest.param("GET", "/policies/None.Such", None, id="no-name"),
        pytest.param("POST", "/policies/nonesuch/activate", None, id="activated"),
        pytest.param("POST", "/policies/test", {"cases": CASES, "policy": "nonesuch"}, id="tried"),
    ],
)
def test_unknown_policy_is_not_found_without_revealing_a_path(
    tmp_path: Path, method: str, path: str, body: object
) -> None:
    with ApiOffice(tmp_path).api() as api:
        answer = api.program().ask(method, path, body)
        assert (answer.status, answer.code) == (404, "no-such-policy")
        assert str(tmp_path) not in answer.response.text
