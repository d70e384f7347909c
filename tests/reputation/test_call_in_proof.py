"""Proof of control by a call: a code that was keyed is right once, for its number, in time; and what is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.appeals import CODE_SECONDS, CODE_TRIES, ProofAnswer
from reputation.call_in_proof import prove_by_call
from reputation.model import Identity
from reputation.store.audit import audit_rows
from reputation.store.call_backs import keep_code
from reputation.store.connection import open_store
from reputation.store.identities import LASTS_SECONDS, all_identities, identity_of, set_identity
from tests.builders import CALLER, NOW

LIFT, RIGHT, WRONG = CALLER, "314159", "271828"
ADDED_AT = "SELECT added_at FROM identity WHERE number = ?"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def test_the_right_code_is_level_1_from_then_on(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW, "Lift 3")
    assert prove_by_call(db, LIFT, RIGHT, NOW + 60) is ProofAnswer.RIGHT
    identity = identity_of(db, LIFT)
    assert identity is not None
    assert (identity.name, identity.level, identity.expires_at) == ("Lift 3", 1, NOW + 60 + LASTS_SECONDS)
    assert db.execute(ADDED_AT, (LIFT,)).fetchone() == (NOW + 60,)
    [row] = audit_rows(db)
    assert (row.what, row.number, row.at) == ("identity prove", LIFT, NOW + 60)


def test_it_is_right_once(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW)
    answers = [prove_by_call(db, LIFT, RIGHT, NOW + n) for n in (1, 2)]
    assert answers == [ProofAnswer.RIGHT, ProofAnswer.NONE]


def test_a_proof_made_again_is_dated_anew(db: sqlite3.Connection) -> None:
    set_identity(db, Identity(LIFT, "Lift 3", 1, NOW + LASTS_SECONDS), NOW)
    keep_code(db, LIFT, LIFT, RIGHT, NOW + 100, "somebody else")
    prove_by_call(db, LIFT, RIGHT, NOW + 200)
    assert [one.name for one in all_identities(db)] == ["Lift 3"]
    assert db.execute(ADDED_AT, (LIFT,)).fetchone() == (NOW + 200,)


@pytest.mark.parametrize(
    ("number", "code", "after", "answer"),
    [
        pytest.param("+12015550199", RIGHT, 1.0, ProofAnswer.NONE, id="of-another-number"),
        pytest.param(LIFT, RIGHT, CODE_SECONDS, ProofAnswer.EXPIRED, id="a-day-later"),
    ],
)
def test_where_no_code_could_be_right_nothing_is_written(
    db: sqlite3.Connection, number: str, code: str, after: float, answer: ProofAnswer
) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW)
    assert prove_by_call(db, number, code, NOW + after) is answer
    assert (all_identities(db), audit_rows(db)) == ([], [])


def test_who_guesses_spends_the_code_and_is_in_the_audit(db: sqlite3.Connection) -> None:
    keep_code(db, LIFT, LIFT, RIGHT, NOW)
    assert {prove_by_call(db, LIFT, WRONG, NOW + n) for n in range(CODE_TRIES)} == {ProofAnswer.WRONG}
    assert prove_by_call(db, LIFT, RIGHT, NOW + 9) is ProofAnswer.SPENT
    assert (len(audit_rows(db)), all_identities(db)) == (CODE_TRIES, [])
