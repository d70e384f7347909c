"""Users of the console through the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.users.passwords import is_password
from reputation.store.users import password_of
from tests.callsieve.asking import ApiOffice

PASSWORD = "correct horse battery staple"
JOE = {"name": "joe", "role": "operator", "password": PASSWORD}


def test_a_user_is_added_changed_and_removed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program()
        before = [item["name"] for item in program.get("/users")["items"]]
        assert program.done("POST", "/users", JOE)["role"] == "operator"
        assert [item["name"] for item in program.get("/users")["items"]] == sorted([*before, "joe"])
        assert is_password(PASSWORD, office.read(password_of, "joe"))
        assert program.done("PUT", "/users/joe/role", {"role": "viewer"})["before"] == "operator"
        program.done("PUT", "/users/joe/password", {"password": "another four words"})
        assert is_password("another four words", office.read(password_of, "joe"))
        assert program.get("/users/joe")["role"] == "viewer"
        assert program.refused("DELETE", "/users/joe/second-factor") == (422, "no-second-factor")
        program.done("DELETE", "/users/joe")
        assert program.refused("GET", "/users/joe") == (404, "no-such-user")


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        pytest.param({"role": "king"}, (422, "unknown-role"), id="role"),
        pytest.param({"password": "short"}, (422, "bad-password"), id="password"),
        pytest.param({"person": "999"}, (404, "unknown-person"), id="person"),
    ],
)
def test_bad_user_requests_are_refused(tmp_path: Path, change: dict[str, object], answer: tuple[int, str]) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.program().refused("POST", "/users", {**JOE, **change}) == answer
