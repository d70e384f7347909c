"""Operations on appeals: written and audited, or refused with a code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from callsieve.appeals.operations import (
    AppealChange,
    AppealCodeRequest,
    AppealRequest,
    EvidenceFile,
    EvidencePlace,
    EvidenceRequest,
    RulingRequest,
    WithdrawRequest,
    accept,
    appeal_about,
    attach,
    decide,
    detach,
    file,
    make_code,
    prove,
    withdraw,
)
from callsieve.changes.operation import Context, Refused
from callsieve.changes.undo import UndoRequest, undo
from callsieve.main.capabilities import CHANGES
from callsieve.settings import Loaded, Settings
from reputation.appeals import Appeal, AppealState
from reputation.store.appeals import all_appeals
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.marks import tombstones_of
from reputation.users import Role
from tests.office import CALLER

AT = 1_790_000_000.0
LOADED = Loaded(settings=Settings(), file=None, state=Path("unused"))
FILED = AppealRequest(CALLER, "Acme Ltd", "help@acme.example")
DENY = RulingRequest(CALLER, "deny", "three people took such a call")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def context(at: float = AT) -> Context:
    return Context("joe", Role.ADMINISTRATOR, at, LOADED, changes=CHANGES)


def code_of(operation: Callable[..., Any], db: sqlite3.Connection, request: object) -> str:
    """Return the code of the refusal, which must change nothing."""
    before = (audit_rows(db), all_appeals(db))
    with pytest.raises(Refused) as refused:
        operation(db, context(), request)
    assert (audit_rows(db), all_appeals(db)) == before
    return refused.value.code


def undo_and_load(db: sqlite3.Connection, change_id: int | None) -> Appeal:
    """Undo a change and return the appeal."""
    undo(db, context(), UndoRequest(change_id or 0))
    return appeal_about(db, context(), CALLER)


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        pytest.param(file, replace(FILED, number="911"), "bad-number", id="emergency-number"),
        pytest.param(file, replace(FILED, name=" "), "nobody", id="empty-name"),
        pytest.param(file, replace(FILED, decision="7KQ2M4XA"), "no-such-decision", id="unknown-decision"),
        pytest.param(accept, "AAAAAAAA", "no-such-appeal", id="unknown-reference"),
        pytest.param(accept, CALLER, "no-such-appeal", id="number-without-appeal"),
        pytest.param(accept, "x", "bad-number", id="neither-reference-nor-number"),
        pytest.param(withdraw, WithdrawRequest(CALLER), "no-such-appeal", id="withdraw-unknown"),
        pytest.param(decide, replace(DENY, ruling="maybe"), "unknown-ruling", id="no-ruling"),
        pytest.param(decide, replace(DENY, category_only=True), "denied-category", id="denied-for-its-category"),
        pytest.param(attach, EvidenceRequest(CALLER, ()), "no-evidence", id="attach-no-file"),
        pytest.param(
            attach, EvidenceRequest(CALLER, (EvidenceFile("x", b"1"),)), "no-such-appeal", id="attach-to-unknown"
        ),
    ],
)
def test_request_without_an_appeal_is_refused(
    db: sqlite3.Connection, operation: Callable[..., Any], request_: object, code: str
) -> None:
    assert code_of(operation, db, request_) == code


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        pytest.param(file, FILED, "appealed", id="filed-already"),
        pytest.param(decide, DENY, "not-in-force", id="not-in-force"),
        pytest.param(decide, replace(DENY, reason=" "), "no-reason", id="no-reason"),
        pytest.param(withdraw, WithdrawRequest(CALLER, "x" * 4001), "too-long", id="long-reason"),
        pytest.param(prove, AppealCodeRequest(CALLER, "031415"), "code-none", id="no-code"),
        pytest.param(detach, EvidencePlace(CALLER, 1), "no-such-evidence", id="unknown-evidence"),
        pytest.param(
            attach,
            EvidenceRequest(CALLER, (EvidenceFile("a", b"1"), EvidenceFile("b", b""))),
            "empty-file",
            id="empty-file",
        ),
    ],
)
def test_request_is_refused_while_only_filed(
    db: sqlite3.Connection, operation: Callable[..., Any], request_: object, code: str
) -> None:
    file(db, context(), FILED)
    assert code_of(operation, db, request_) == code


def test_wrong_code_is_counted_and_audited(db: sqlite3.Connection) -> None:
    reference = file(db, context(), FILED).appeal.reference
    made = make_code(db, context(), reference)
    wrong = prove(db, context(), AppealCodeRequest(reference, "000000" if made.code != "000000" else "000001"))
    assert isinstance(wrong, Refused)
    assert wrong.code == "code-wrong"
    assert db.execute("SELECT tries FROM call_back_code").fetchall() == [(1,)]
    proven = prove(db, context(), AppealCodeRequest(reference, made.spoken))
    assert isinstance(proven, Appeal)
    assert (proven.state, proven.proven) == (AppealState.IN_FORCE, True)
    assert [row.what for row in audit_rows(db)] == ["appeal prove", "appeal prove", "appeal code", "appeal open"]


# Undone.


def test_each_step_can_be_undone(db: sqlite3.Connection) -> None:
    filed = file(db, context(), FILED).appeal
    accepted = accept(db, context(), CALLER)
    decided = decide(db, context(), replace(DENY, ruling="uphold"))
    assert len(tombstones_of(db, CALLER)) == 1
    assert undo_and_load(db, decided.change_id) == accepted.appeal
    assert tombstones_of(db, CALLER) == []
    assert undo_and_load(db, accepted.change_id) == filed
    withdrawn = withdraw(db, context(), WithdrawRequest(CALLER, "not theirs"))
    assert undo_and_load(db, withdrawn.change_id) == filed


def undo_code(db: sqlite3.Connection, change_id: int | None) -> str:
    with pytest.raises(Refused) as refused:
        undo_and_load(db, change_id)
    return refused.value.code


def test_undo_is_refused_after_a_later_change(db: sqlite3.Connection) -> None:
    filed = file(db, context(), FILED)
    accepted = accept(db, context(), CALLER)
    decide(db, context(), DENY)
    assert undo_code(db, accepted.change_id) == "changed-since"
    assert undo_code(db, filed.change_id) == "cannot-undo"
    assert undo_code(db, 4711) == "no-such-change"


def test_withdrawal_stays_after_a_new_appeal(db: sqlite3.Connection) -> None:
    file(db, context(), FILED)
    withdrawn: AppealChange = withdraw(db, context(), WithdrawRequest(CALLER))
    file(db, context(AT + 60), FILED)
    assert undo_code(db, withdrawn.change_id) == "appealed"


def test_proof_cannot_be_undone(db: sqlite3.Connection) -> None:
    file(db, context(), FILED)
    prove(db, context(), AppealCodeRequest(CALLER, make_code(db, context(), CALLER).code))
    [(change_id,)] = db.execute("SELECT id FROM audit WHERE what = 'appeal prove'")
    assert undo_code(db, change_id) == "cannot-undo"


def test_decision_audits_the_appeal_as_stored_at_that_time(db: sqlite3.Connection, tmp_path: Path) -> None:
    """Another user accepts the appeal between reading and writing of the decision."""
    file(db, context(), FILED)
    with open_store(tmp_path / "callsieve.db") as other:
        meanwhile = [lambda: accept(other, context(), CALLER)]

        def before(statement: str) -> None:
            if statement.startswith("BEGIN") and meanwhile:
                meanwhile.pop()()

        db.set_trace_callback(before)
        decided = decide(db, context(), DENY)
        db.set_trace_callback(None)
    assert undo_and_load(db, decided.change_id).state is AppealState.IN_FORCE
