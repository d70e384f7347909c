"""Proof of control by a call: a code is accepted once, for its number and in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.appeals import CODE_SECONDS, CODE_TRIES, AppealState, ProofAnswer
from reputation.model import AuthClass, Identity
from reputation.store.appeals import appeal_of, open_appeal, prove_by_call
from reputation.store.audit import audit_rows
from reputation.store.connection import open_store
from reputation.store.identities import LASTS_SECONDS, all_identities, identity_of, set_identity
from reputation.store.public_appeals import add_public_appeal, called_in_at, keep_code, shown_code
from tests.builders import CALLER, NOW
from tests.reputation.store_builders import make_appeal

LIFT, RIGHT, WRONG = CALLER, "314159", "271828"
ADDED_AT = "SELECT added_at FROM identity WHERE number = ?"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def test_the_right_code_proves_identity_level_1(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW, "Lift 3")
    assert prove_by_call(db, LIFT, RIGHT, NOW + 60) is ProofAnswer.RIGHT
    identity = identity_of(db, LIFT)
    assert identity is not None
    assert (identity.name, identity.level, identity.expires_at) == ("Lift 3", 1, NOW + 60 + LASTS_SECONDS)
    assert db.execute(ADDED_AT, (LIFT,)).fetchone() == (NOW + 60,)
    [row] = audit_rows(db)
    assert (row.what, row.number, row.at) == ("identity prove", LIFT, NOW + 60)


def test_a_code_is_accepted_once(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW)
    answers = [prove_by_call(db, LIFT, RIGHT, NOW + n) for n in (1, 2)]
    assert answers == [ProofAnswer.RIGHT, ProofAnswer.NONE]


def test_a_repeated_proof_gets_a_new_date(db: sqlite3.Connection) -> None:
    set_identity(db, Identity(LIFT, "Lift 3", 1, NOW + LASTS_SECONDS), NOW)
    keep_code(db, LIFT, LIFT, RIGHT, NOW + 100, "somebody else")
    prove_by_call(db, LIFT, RIGHT, NOW + 200)
    assert [identity.name for identity in all_identities(db)] == ["Lift 3"]
    assert db.execute(ADDED_AT, (LIFT,)).fetchone() == (NOW + 200,)


@pytest.mark.parametrize(
    ("number", "code", "after", "answer"),
    [
        pytest.param("+12015550199", RIGHT, 1.0, ProofAnswer.NONE, id="of-another-number"),
        pytest.param(LIFT, RIGHT, CODE_SECONDS, ProofAnswer.EXPIRED, id="a-day-later"),
    ],
)
def test_a_call_without_a_valid_code_writes_nothing(
    db: sqlite3.Connection, number: str, code: str, after: float, answer: ProofAnswer
) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW)
    assert prove_by_call(db, number, code, NOW + after) is answer
    assert (all_identities(db), audit_rows(db)) == ([], [])


def test_wrong_guesses_spend_the_code_and_are_audited(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW)
    assert {prove_by_call(db, LIFT, WRONG, NOW + n) for n in range(CODE_TRIES)} == {ProofAnswer.WRONG}
    assert prove_by_call(db, LIFT, RIGHT, NOW + 9) is ProofAnswer.SPENT
    assert (len(audit_rows(db)), all_identities(db)) == (CODE_TRIES, [])


def appeal_filed(db: sqlite3.Connection, code: str) -> str:
    """File an appeal on the public page, which shows the code."""
    appeal = open_appeal(db, make_appeal(number=LIFT, opened_at=NOW))
    add_public_appeal(db, appeal.reference, "link", NOW)
    keep_code(db, shown_code(appeal.reference), LIFT, code, NOW)
    return appeal.reference


@pytest.mark.parametrize(
    ("auth_class", "state", "proven"),
    [
        pytest.param(AuthClass.AUTHENTICATED, AppealState.IN_FORCE, True, id="signed"),
        pytest.param(AuthClass.UNKNOWN, AppealState.OPEN, False, id="unsigned"),
    ],
)
def test_a_public_page_code_proves_only_in_a_signed_call(
    db: sqlite3.Connection, auth_class: AuthClass, state: AppealState, proven: bool
) -> None:
    reference = appeal_filed(db, RIGHT)
    assert prove_by_call(db, LIFT, WRONG, NOW + 1, auth_class) is ProofAnswer.NONE
    assert prove_by_call(db, LIFT, RIGHT, NOW + 60, auth_class) is ProofAnswer.RIGHT
    appeal = appeal_of(db, reference)
    assert appeal is not None
    assert (appeal.state, appeal.proven) == (state, proven)
    assert called_in_at(db, reference) == NOW + 60
    assert (identity_of(db, LIFT) is not None) == proven
    [row] = audit_rows(db, LIFT)
    assert (row.what, row.at) == ("appeal prove", NOW + 60)


def test_a_public_page_code_does_not_replace_an_operators_code(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, "161803", NOW, "Lift 3")
    appeal_filed(db, RIGHT)
    assert prove_by_call(db, LIFT, "161803", NOW + 1) is ProofAnswer.RIGHT
    assert identity_of(db, LIFT) is not None
