"""`callsieve user`: who may use the console."""

from __future__ import annotations

from typing import Any

import pytest

from callsieve.changes.operation import Refused
from callsieve.cli import options
from callsieve.users.operations import LAST_ADMINISTRATOR, NO_NAME, NO_PERSON, NO_SECOND_FACTOR, TAKEN
from callsieve.users.passwords import LONGEST, hashed, is_outdated, is_password
from reputation.store.database import open_store
from reputation.store.transaction import transaction
from reputation.store.users import (
    SecondFactor,
    add_user,
    all_users,
    password_of,
    remove_user,
    set_role,
    set_second_factor,
)
from reputation.users import ConsoleUser, Role
from tests.callsieve.program import Program, Result, one_line

PASSWORD = "four words in a row"


def piped(callsieve: Program, *arguments: str, password: str = PASSWORD) -> Result:
    """The command with a password on its standard input, which is no terminal."""
    return callsieve(*arguments, piped=f"{password}\n")


def stored_password(callsieve: Program, name: str) -> str | None:
    with open_store(callsieve.store) as db:
        return password_of(db, name)


def test_a_user_is_added_shown_changed_and_removed(callsieve: Program) -> None:
    add = ("user", "add", "ada", "--role", "administrator", "--person", "201")
    added = callsieve.process(*add, stdin=f"{PASSWORD}\n".encode())
    assert added.code == 0, added.err
    assert "as administrator" in added.out
    assert is_password(PASSWORD, stored_password(callsieve, "ada"))
    assert piped(callsieve, "user", "add", "vera").code == 0
    shown = callsieve("user", "list", "--json").json
    assert [(item["name"], item["role"], item["extension"]) for item in shown] == [
        ("ada", "administrator", "201"),
        ("vera", "viewer", None),
    ]
    assert "operator (was viewer)" in callsieve.ok("user", "role", "vera", "operator")
    assert piped(callsieve, "user", "password", "vera", password="another four words").code == 0
    assert is_password("another four words", stored_password(callsieve, "vera"))
    callsieve.ok("user", "remove", "vera", "--yes")
    assert stored_password(callsieve, "vera") is None
    audit = callsieve("audit", "--json").json
    assert [row["what"] for row in audit] == ["user remove", "user password", "user role", "user add", "user add"]
    assert "argon2" not in str(audit)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("user", "add", "a b"), str(NO_NAME)),
        (("user", "add", "ada", "--role", "admin"), "'admin'"),
        (("user", "add", "ada", "--person", "999"), f"--person: {NO_PERSON}"),
        (("user", "add", "ada"), "12 to 256"),
    ],
)
def test_bad_user_prints_one_error_line(callsieve: Program, arguments: tuple[str, ...], says: str) -> None:
    result = piped(callsieve, *arguments, password="short")
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1


def test_user_name_in_use_is_refused(callsieve: Program) -> None:
    assert piped(callsieve, "user", "add", "ada").code == 0
    assert str(TAKEN) in piped(callsieve, "user", "add", "ada").err


def test_unknown_user_suggests_a_similar_name(callsieve: Program) -> None:
    assert piped(callsieve, "user", "add", "ada").code == 0
    assert "did you mean ada" in callsieve.fails("user", "role", "adda", "viewer")


def test_a_second_factor_is_reset_without_showing_its_secret(callsieve: Program) -> None:
    assert piped(callsieve, "user", "add", "ada").code == 0
    assert str(NO_SECOND_FACTOR) in callsieve.fails("user", "reset-totp", "ada")
    with open_store(callsieve.store) as db, transaction(db):
        set_second_factor(db, "ada", SecondFactor("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1))
    (shown,) = callsieve("user", "list", "--json").json
    assert shown["has_second_factor"] is True
    callsieve.ok("user", "reset-totp", "ada")
    assert "there is no user" in callsieve.fails("user", "reset-totp", "eve")
    (after,) = callsieve("user", "list", "--json").json
    assert after["has_second_factor"] is False
    row, _ = callsieve("audit", "--json").json
    assert (row["what"], row["name"], row["after"]) == ("user reset-totp", "ada", {"second_factor": "turned off"})
    assert "GEZDGN" not in str((shown, row))


@pytest.mark.parametrize("others", [pytest.param((), id="alone"), pytest.param(("vera",), id="beside-others")])
def test_last_administrator_keeps_the_role(callsieve: Program, others: tuple[str, ...]) -> None:
    assert piped(callsieve, "user", "add", "ada", "--role", "administrator").code == 0
    for name in others:
        assert piped(callsieve, "user", "add", name, "--role", "viewer").code == 0
    assert str(LAST_ADMINISTRATOR) in callsieve.fails("user", "role", "ada", "viewer")
    callsieve.ok("user", "role", "ada", "administrator")
    if others:
        assert str(LAST_ADMINISTRATOR) in callsieve.fails("user", "remove", "ada", "--yes")
    else:
        assert "Removed the user" in callsieve.ok("user", "remove", "ada", "--yes")


@pytest.mark.parametrize("password", ["short", "a" * 12, "x" * (LONGEST + 1), "adalovelaceadalovelace"])
def test_easily_guessed_password_is_refused(password: str) -> None:
    with pytest.raises(Refused) as refused:
        hashed(password, name="adalovelace")
    assert refused.value.code == "bad-password"


def test_password_is_verified_by_its_hash() -> None:
    stored = hashed(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert hashed(PASSWORD) != stored
    assert is_password(PASSWORD, stored)
    assert not is_password(PASSWORD + " ", stored)
    assert not is_password(PASSWORD, None)
    assert not is_password(PASSWORD, "damaged")
    assert not is_outdated(stored)
    assert is_outdated("$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$" + stored.rpartition("$")[2])


@pytest.mark.parametrize(
    "words", [["role", "ada", "viewer"], ["remove", "ada", "--yes"], ["password", "ada"], ["add", "eve"]], ids=" ".join
)
def test_last_administrator_rule_holds_for_concurrent_changes(
    callsieve: Program, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Another connection commits its change last thing before the command's own transaction begins."""
    for name in ("ada", "bob"):
        assert piped(callsieve, "user", "add", name, "--role", "administrator").code == 0
    perform = options.perform

    def others_first(*arguments: Any, **more: Any) -> Any:
        with open_store(callsieve.store) as db, transaction(db):
            set_role(db, "bob", Role.VIEWER)
            if words[0] == "password":
                remove_user(db, "ada")
            if words[0] == "add":
                add_user(db, ConsoleUser("eve", Role.OPERATOR, None, 0.0, 0.0), "hash")
        return perform(*arguments, **more)

    monkeypatch.setattr(options, "perform", others_first)
    says = {"password": "there is no user", "add": str(TAKEN)}.get(words[0], str(LAST_ADMINISTRATOR))
    result = piped(callsieve, "user", *words)
    assert (result.code, result.out) == (2, "")
    assert says in one_line(result.err)
    with open_store(callsieve.store) as db:
        roles = {user.name: user.role for user in all_users(db)}
    expected = {"ada": Role.ADMINISTRATOR, "bob": Role.VIEWER, "eve": Role.OPERATOR}
    missing = {"password": {"ada", "eve"}, "add": set()}.get(words[0], {"eve"})
    assert roles == {name: role for name, role in expected.items() if name not in missing}
