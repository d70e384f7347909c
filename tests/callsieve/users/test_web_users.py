"""The users' page: added, given another role or password, removed; never without an administrator, never oneself."""

from __future__ import annotations

import pytest

from callsieve.users.passwords import is_password
from reputation.store.audit import audit_rows
from reputation.store.users import all_users, password_of, user_of
from tests.callsieve.browsing import PASSWORD, Browser, Console, problem_of
from tests.integration.test_hostile import PAYLOADS


@pytest.fixture
def ada(console: Console) -> Browser:
    return console.browser("administrator")


def roles(console: Console) -> dict[str, str]:
    return {user.name: user.role.word for user in console.office.read(all_users)}


def test_added_user_can_log_in(console: Console, ada: Browser) -> None:
    page = ada.done("/users/add", name="eve", role="operator", person="201", password="four words in a row").text
    assert "<strong>eve</strong> operator" in page
    stored = console.office.read(password_of, "eve")
    assert is_password("four words in a row", stored)
    (row,) = console.office.read(audit_rows)
    assert (row.who, row.what, row.name) == ("ada (console)", "user add", "eve")
    assert '"role":"operator","extension":"201"' in str(row.after)
    assert "four words" not in str(row)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"name": "ada"}, "already a user with this name"),
        ({"name": "../etc"}, "A name must be at most 64"),
        ({"name": ""}, "A name must be at most 64"),
        ({"name": "x" * 65}, "A name must be at most 64"),
        ({"password": "short"}, "12 to 256"),
        ({"password": "aaaaaaaaaaaaaaa"}, "too easy to guess"),
        ({"person": "999"}, "no such person"),
    ],
)
def test_bad_user_form_shows_the_problem(console: Console, ada: Browser, wrong: dict[str, str], problem: str) -> None:
    fields = {"name": "eve", "role": "viewer", "password": "four words in a row", **wrong}
    answer = ada.post("/users/add", **fields)
    assert answer.status_code == 422
    assert problem in problem_of(answer.text)
    assert sorted(roles(console)) == ["ada", "otto", "vera"]
    assert "four words" not in answer.text


def test_changed_role_ends_sessions_and_is_audited(console: Console, ada: Browser) -> None:
    vera = console.browser("viewer")
    assert vera.get("/account").status_code == 200
    ada.done("/users/vera/role", role="operator")
    assert roles(console)["vera"] == "operator"
    assert vera.get("/account").status_code == 303
    (row,) = console.office.read(audit_rows)
    assert (row.before, row.after) == ('{"role":"viewer"}', '{"role":"operator"}')


def test_changed_password_ends_the_sessions(console: Console, ada: Browser) -> None:
    otto = console.browser("operator")
    ada.done("/users/otto/password", password="another four words")
    assert otto.get("/account").status_code == 303
    stored = console.office.read(password_of, "otto")
    assert is_password("another four words", stored)
    assert not is_password(PASSWORD, stored)
    assert "a password must have" in problem_of(ada.post("/users/otto/password", password="short").text)


def test_removed_user_stays_in_the_audit(console: Console, ada: Browser) -> None:
    otto = console.browser("operator")
    otto.done("/lists/add", list="block", entry="+12015550123")
    ada.done("/users/otto/remove")
    assert sorted(roles(console)) == ["ada", "vera"]
    assert otto.get("/account").status_code == 303
    assert "otto (console)" in ada.text("/audit")


def test_users_cannot_remove_themselves_or_the_last_administrator(console: Console, ada: Browser) -> None:
    for path, fields in (
        ("/users/ada/remove", {}),
        ("/users/ada/role", {"role": "viewer"}),
        ("/users/ada/password", {"password": "another four words"}),
    ):
        assert ada.post(path, **fields).status_code == 422
    assert roles(console)["ada"] == "administrator"
    ada.done("/users/vera/role", role="administrator")
    ada.done("/users/vera/role", role="viewer")
    assert roles(console)["vera"] == "viewer"


def test_unknown_user_names_change_nothing(console: Console, ada: Browser) -> None:
    for name in ("nobody", "..%2fada", "%00", "ADA", "1 OR 1=1"):
        assert ada.post(f"/users/{name}/remove").status_code == 404, name
    assert ada.post("/users/vera/role", role="root").status_code == 422
    assert ada.post("/users/vera/role", role="").status_code == 422
    assert len(roles(console)) == 3
    assert console.office.read(audit_rows) == []


def test_hostile_text_in_the_form_is_escaped(console: Console, ada: Browser) -> None:
    plain = ada.text("/users").count("<script")
    for text in ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', *PAYLOADS):
        shown = text.encode("utf-8", "replace").decode()
        page = ada.post("/users/add", name=shown, role="viewer", person=shown, password="x").text
        assert page.count("<script") == plain
        assert "<img" not in page
    assert console.office.read(user_of, "x") is None or roles(console)["x"] == "viewer"
