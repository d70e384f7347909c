"""Operations on identities: written and audited, or refused with a code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from callsieve.changes.operation import Context, Refused
from callsieve.identities.operations import CodeRequest, IdentityRequest, ProofRequest, add, make_code, prove, remove
from callsieve.settings import Loaded, Settings
from reputation.appeals import CODE_SECONDS, CODE_TRIES
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.identities import all_identities
from reputation.users import Role
from tests.office import CALLER

AT = 1_790_000_000.0
LOADED = Loaded(settings=Settings(), file=None, state=Path("unused"))
ACME = IdentityRequest(CALLER, "Acme", 1)
PROOF = ProofRequest(CALLER, "000000", "Acme")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def context(at: float = AT) -> Context:
    return Context("joe", Role.ADMINISTRATOR, at, LOADED)


@pytest.mark.parametrize(
    ("operation", "request_", "code", "field"),
    [
        pytest.param(add, replace(ACME, number="911"), "bad-number", "", id="emergency-number"),
        pytest.param(add, replace(ACME, name=" "), "no-name", "name", id="empty-name"),
        pytest.param(add, replace(ACME, name="a\nb"), "bad-text", "name", id="name-with-line-break"),
        pytest.param(add, replace(ACME, note="x" * 201), "bad-text", "note", id="long-note"),
        pytest.param(add, replace(ACME, level=3), "bad-level", "level", id="no-such-level"),
        pytest.param(add, replace(ACME, level=2, note=" "), "no-note", "note", id="level-2-without-its-proof"),
        pytest.param(add, replace(ACME, expires="never"), "bad-time", "expires", id="no-time"),
        pytest.param(add, replace(ACME, expires="2y"), "too-late", "expires", id="two-years"),
        pytest.param(remove, CALLER, "not-recorded", "", id="not-recorded"),
        pytest.param(make_code, CodeRequest("x"), "bad-number", "", id="no-number-to-call"),
        pytest.param(make_code, CodeRequest(CALLER, "a\nb"), "bad-text", "name", id="code-for-two-lines"),
        pytest.param(prove, PROOF, "code-none", "", id="no-code"),
        pytest.param(prove, replace(PROOF, name=""), "no-name", "name", id="prove-without-name"),
    ],
)
def test_refused_request_has_a_code_and_changes_nothing(
    db: sqlite3.Connection, operation: Callable[..., Any], request_: object, code: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        operation(db, context(), request_)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert (audit_rows(db), all_identities(db)) == ([], [])


def test_replaced_identity_is_returned(db: sqlite3.Connection) -> None:
    first = add(db, context(), ACME)
    second = add(db, context(AT + 60), replace(ACME, name="Apex"))
    assert (first.replaced, second.replaced) == (None, first.identity)
    assert remove(db, context(), CALLER).identity == second.identity


def test_wrong_code_is_counted_and_audited(db: sqlite3.Connection) -> None:
    made = make_code(db, context(), CodeRequest(CALLER))
    wrong = replace(PROOF, code="000000" if made.code != "000000" else "000001")
    for _ in range(CODE_TRIES):
        refused = prove(db, context(), wrong)
        assert isinstance(refused, Refused)
        assert refused.code == "code-wrong"
    with pytest.raises(Refused) as spent:
        prove(db, context(), replace(PROOF, code=made.code))
    assert spent.value.code == "code-spent"
    assert [row.what for row in audit_rows(db)] == [*["identity prove"] * CODE_TRIES, "identity code"]


def test_code_is_valid_for_a_day(db: sqlite3.Connection) -> None:
    proof = replace(PROOF, code=make_code(db, context(), CodeRequest(CALLER)).spoken)
    with pytest.raises(Refused) as old:
        prove(db, context(AT + CODE_SECONDS), proof)
    assert old.value.code == "code-expired"
    proven = prove(db, context(AT + CODE_SECONDS - 1), proof)
    assert [proven] == all_identities(db)
