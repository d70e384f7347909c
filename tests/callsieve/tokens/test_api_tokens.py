"""Tokens through the API: made, listed and revoked by an administrator's token."""

from __future__ import annotations

from pathlib import Path

import pytest

from reputation.users import Role, Scope
from tests.callsieve.asking import EVERYTHING, ApiOffice

NEW = {"name": "wallboard", "role": "viewer", "scopes": ["read"], "expires": "90d"}


def test_a_token_made_by_the_api_works_until_it_is_revoked(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        made = program.done("POST", "/tokens", NEW)
        wallboard = api.with_secret(made["secret"])
        assert wallboard.get("/status")["version"]
        assert made["token"]["scopes"] == ["read"]
        listed = program.get("/tokens")["items"]
        assert [item["token"]["name"] for item in listed] == ["program-1", "wallboard"]
        assert made["secret"] not in str(listed)
        assert program.get("/tokens/wallboard")["is_over"] is False
        program.done("DELETE", "/tokens/wallboard")
        assert wallboard.refused("GET", "/status") == (401, "wrong-token")
        assert program.refused("DELETE", "/tokens/wallboard") == (404, "no-such-token")


def test_a_token_does_not_revoke_itself(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        assert program.refused("DELETE", "/tokens/program-1") == (409, "own-token")
        assert program.get("/tokens/program-1")["is_over"] is False


def test_token_cannot_grant_a_scope_it_lacks(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.ADMINISTRATOR, (Scope.ADMIN,))
        assert program.refused("POST", "/tokens", NEW) == (422, "scope-beyond-token")
        assert program.done("POST", "/tokens", {**NEW, "role": "administrator", "scopes": ["admin"]})["secret"]


def test_answer_with_a_secret_is_not_stored_for_repetition(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(scopes=EVERYTHING)
        secret = program.done("POST", "/tokens", NEW, headers={"Idempotency-Key": "once"})["secret"]
    files = [path for path in office.state.rglob("*") if path.is_file()]
    assert files
    assert not [file_ for file_ in files if secret.encode() in file_.read_bytes()]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"role": "king"}, "unknown-role", id="role"),
        pytest.param({"scopes": ["all"]}, "scope-beyond-token", id="scope"),
        pytest.param({"scopes": []}, "no-scope", id="no-scope"),
        pytest.param({"expires": "soon"}, "bad-time", id="expires"),
        pytest.param({"per_minute": 0}, "bad-body", id="rate"),
    ],
)
def test_bad_token_requests_are_refused(tmp_path: Path, change: dict[str, object], code: str) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.program().refused("POST", "/tokens", {**NEW, **change}) == (422, code)
