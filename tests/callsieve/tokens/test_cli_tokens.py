"""`callsieve token`: made, shown, revoked and undone; and what is kept of one."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.tokens import operations
from callsieve.tokens.operations import MOST_TOKENS, NewToken
from reputation.store.users import add_token, all_tokens, token_by_digest, touch_token
from reputation.users import ApiToken, Role, Scope, digest_of
from tests.callsieve.program import Program


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    return program


def test_token_is_shown_once_and_stored_as_a_hash(callsieve: Program) -> None:
    made = callsieve("token", "add", "crm", "--scope", "read", "--scope", "marks", "--expires", "90d", "--json").json
    assert digest_of(made["secret"])
    token = made["token"]
    assert (token["name"], token["role"], token["scopes"]) == ("crm", "operator", ["read", "marks"])
    assert 89 * 86400 < datetime.fromisoformat(token["expires_at"]).timestamp() - time.time() < 91 * 86400
    assert made["secret"].encode() not in callsieve.store.read_bytes()
    kept = callsieve.read(token_by_digest, digest_of(made["secret"]) or "")
    assert kept is not None
    assert kept.token.scopes == (Scope.READ, Scope.MARKS)
    (shown,) = callsieve("token", "list", "--json").json
    assert made["secret"] not in str(shown)
    assert (shown["used_at"], shown["is_over"]) == (None, False)


def test_token_is_printed_on_its_own_line(callsieve: Program) -> None:
    lines = callsieve.ok("token", "add", "crm").splitlines()
    assert [line for line in lines if digest_of(line)] == [lines[2]]


def test_no_two_tokens_are_alike(callsieve: Program) -> None:
    made = {callsieve("token", "add", f"crm{count}", "--json").json["secret"] for count in range(5)}
    assert len(made) == 5


def test_last_use_and_expiry_are_shown(callsieve: Program) -> None:
    now = time.time()
    callsieve.write(add_token, ApiToken("old", Role.VIEWER, (Scope.READ,), now - 99, now - 1), "digest")
    callsieve.write(touch_token, 1, now - 7200)
    (row,) = callsieve.ok("token", "list").splitlines()[1:]
    assert "(ended)" in row
    assert "2 h ago" in row


def test_revoked_token_cannot_be_restored(callsieve: Program) -> None:
    callsieve.ok("token", "add", "crm")
    assert "crm" in callsieve.ok("token", "revoke", "crm")
    assert callsieve.read(all_tokens) == []
    assert "cannot be undone" in callsieve.fails("undo", "2")
    callsieve.fails("token", "revoke", "crm")
    callsieve.ok("token", "add", "crm")


def test_making_a_token_is_undone(callsieve: Program) -> None:
    change_id = callsieve("token", "add", "crm", "--json").json["change_id"]
    callsieve.write(touch_token, 1, time.time())
    callsieve.ok("undo", str(change_id))
    assert callsieve.read(all_tokens) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("crm --role admin", "--role: there is no role 'admin'"),
        ("crm --scope writ", "--scope: there is no scope 'writ' (did you mean write?)"),
        ("crm --role viewer --scope write", "--scope: write needs the role operator"),
        ("crm --expires soon", "--expires: 'soon' is not an expiry"),
        ("crm --expires 2020-01-01", "--expires: '2020-01-01' is in the past; or never"),
        ("crm --per-minute 0", "--per-minute: must be 1 to 100000"),
        ("a/b", "A name must be at most 64 letters"),
    ],
)
def test_bad_token_options_are_refused(callsieve: Program, typed: str, said: str) -> None:
    assert said in callsieve.fails("token", "add", *typed.split())
    assert callsieve.read(all_tokens) == []


def test_token_name_in_use_is_refused(callsieve: Program) -> None:
    callsieve.ok("token", "add", "crm", "--expires", "never")
    assert "revoke it first" in callsieve.fails("token", "add", "crm")


def test_number_of_tokens_is_limited(callsieve: Program) -> None:
    for count in range(MOST_TOKENS):
        callsieve.write(add_token, ApiToken(f"t{count}", Role.VIEWER, (Scope.READ,), 0.0), f"digest {count}")
    assert "revoke" in callsieve.fails("token", "add", "crm")


def test_only_administrators_make_and_revoke_tokens(callsieve: Program) -> None:
    context = Context("otto", Role.OPERATOR, time.time(), callsieve.load())
    for operation, request in (
        (operations.add, NewToken("crm", "viewer", ["read"], "30d")),
        (operations.revoke, "crm"),
    ):
        with pytest.raises(Refused) as refused:
            callsieve.write(operation, context, request)  # type: ignore[arg-type]
        assert refused.value.code == "administrators-only"
