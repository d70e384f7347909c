"""Evidence that leads to a challenge at the first call: trap calls, and sources that were right."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from reputation.model import AuthClass, ChallengeResult, Did, Direction, Level
from reputation.store.evidence import record_challenge
from reputation.store.facts import facts_of
from reputation.store.housekeeping import expire
from reputation.store.imports import import_numbers
from reputation.store.journal import record_decisions
from reputation.store.marks import Tombstone, add_tombstone, remove_tombstones
from reputation.store.outcomes import record_outcome, settle_outcomes
from reputation.store.people import replace_settings_dids, trap_dids
from reputation.store.standing import count_proofs, fold_next
from tests.callsieve.program import make_record
from tests.reputation.histories import empty_store
from tests.reputation.store_builders import CALLER, DAY, NOW, make_outcome, make_query

TRAP = "+442071838790"
SIGNED = '{"families": [{"family": "attestation", "log_odds": -0.5, "counts": {"A": 1}}], "would_change": []}'
UNSIGNED = '{"families": [], "would_change": []}'


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        replace_settings_dids(db, [Did(TRAP, trap=True)])
        yield db


def call_trap(db: sqlite3.Connection, name: str, vector: str = UNSIGNED) -> None:
    record = make_record(f"d{name}", linkedid=name, at=NOW, caller=CALLER, did=TRAP, action="allow", rule="trap")
    record_decisions(db, [record._replace(vector=vector)])
    record_outcome(db, make_outcome(name, NOW, did=TRAP, ring=0.0), NOW + 10)
    settle_outcomes(db, NOW + 100)


def level(db: sqlite3.Connection) -> Level:
    return facts_of(db, make_query(now=NOW + 200)).reputation.level


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [([UNSIGNED], Level.TAG), ([UNSIGNED] * 2, Level.CHALLENGE), ([SIGNED], Level.CHALLENGE)],
    ids=["one", "two", "one-signed"],
)
def test_trap_calls_decide_the_level(db: sqlite3.Connection, vectors: list[str], expected: Level) -> None:
    for name, vector in enumerate(vectors):
        call_trap(db, f"c{name}", vector)
    assert level(db) is expected


def test_evidence_of_a_trap_is_removed_with_the_trap(db: sqlite3.Connection) -> None:
    call_trap(db, "c1", SIGNED)
    replace_settings_dids(db, [Did(TRAP)])
    fold_next(db, 50)
    assert level(db) is Level.NONE
    replace_settings_dids(db, [Did(TRAP, trap=True)])
    fold_next(db, 50)
    assert level(db) is Level.CHALLENGE


def test_an_upheld_appeal_removes_trap_evidence(db: sqlite3.Connection) -> None:
    call_trap(db, "c1", SIGNED)
    add_tombstone(db, Tombstone(CALLER, "", "AP9E4100", NOW + 60))
    assert level(db) is Level.NONE
    remove_tombstones(db, "AP9E4100")
    assert level(db) is Level.CHALLENGE


def test_a_trap_call_counts_for_no_person_or_own_number(db: sqlite3.Connection) -> None:
    call_trap(db, "c1")
    assert db.execute("SELECT count(*) FROM own_day").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM reached").fetchone() == (0,)


def test_a_recently_answered_did_is_no_trap(db: sqlite3.Connection) -> None:
    now = time.time()
    record_outcome(db, make_outcome("c1", now, by="201", talk=5.0, did=TRAP, source="cdr"), now + 10)
    replace_settings_dids(db, [Did(TRAP, trap=True)])
    assert trap_dids(db) == []


@pytest.mark.parametrize(("days", "traps"), [(60, []), (89, []), (91, [TRAP])])
def test_answered_dids_are_kept_longer_than_calls(db: sqlite3.Connection, days: int, traps: list[str]) -> None:
    now = time.time()
    then = now - days * DAY
    record_outcome(db, make_outcome("c1", then, by="201", talk=5.0, did=TRAP, source="cdr"), then + 10)
    expire(db, now)
    assert db.execute("SELECT count(*) FROM outcome").fetchone() == (0,)
    replace_settings_dids(db, [Did(TRAP, trap=True)])
    assert trap_dids(db) == traps
    expire(db, now + 90 * DAY)
    assert db.execute("SELECT count(*) FROM answered_did").fetchone() == (0,)


def listed(db: sqlite3.Connection, right: int, wrong: int) -> None:
    """Import a source that lists CALLER and numbers that failed a challenge or were called back."""
    numbers = [f"+1201742{n:04d}" for n in range(right + wrong)]
    rows = [(number, None, None, None) for number in (CALLER, *numbers)]
    import_numbers(db, "feed", "spam", rows, lambda: NOW)
    db.execute("UPDATE import_source SET format = 'list'")
    for n, number in enumerate(numbers[:right]):
        record_challenge(db, f"c{n}", number, AuthClass.UNKNOWN, ChallengeResult.SILENT, NOW)
    for n, number in enumerate(numbers[right:]):
        call = make_outcome(
            f"o{n}", NOW, by="201", talk=60.0, direction=Direction.OUTBOUND, caller="201", dialled=number
        )
        record_outcome(db, call._replace(source="cdr"), NOW + 100)
    count_proofs(db, NOW + 100)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [(29, 0, Level.TAG), (30, 0, Level.CHALLENGE), (27, 3, Level.CHALLENGE), (26, 4, Level.TAG)],
)
def test_a_source_challenges_once_it_was_right(db: sqlite3.Connection, right: int, wrong: int, expected: Level) -> None:
    listed(db, right, wrong)
    assert level(db) is expected
