"""Calls of service numbers from before these had keys get theirs, by the text that the journal kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reputation.model import CallerKind
from reputation.store import short_codes
from reputation.store.database import open_store
from reputation.store.journal import decisions, record_decisions
from reputation.store.outcomes import outcomes, record_outcomes
from reputation.store.short_codes import FIND, LATEST, Place, name_short_codes
from reputation.store.transaction import transaction
from tests.reputation.store_builders import NOW, make_outcome, make_record

REGIONS = {"beijing": "CN", "paris": "FR"}


def region_of(trunk: str | None) -> str:
    return REGIONS.get(trunk or "", "US")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def call_before(db: sqlite3.Connection, call: str, text: str, trunk: str) -> None:
    """A call as an earlier version wrote it down."""
    record = make_record(call, caller=None, linkedid=call)._replace(caller_text=text, trunk=trunk)
    with transaction(db):
        record_decisions(db, [record])
        record_outcomes(db, [make_outcome(linkedid=call, caller=None, caller_kind=CallerKind.INVALID)], NOW)
        for table in ("decision", "outcome"):
            db.execute(f"UPDATE {table} SET caller_kind = 'short-code' WHERE linkedid = ?", (call,))


def callers(db: sqlite3.Connection) -> dict[str, tuple[str | None, CallerKind, str]]:
    return {one.id: (one.caller, one.caller_kind, one.caller_text) for one in decisions(db, limit=100)}


def test_kept_texts_are_read_by_the_region_of_their_trunk(db: sqlite3.Connection) -> None:
    call_before(db, "C1", "95588", "beijing")
    call_before(db, "C2", "3949", "paris")
    call_before(db, "C3", "95588", "paris")
    with transaction(db):
        name_short_codes(db, region_of)
        name_short_codes(db, region_of)
    assert callers(db) == {
        "C1": ("+8695588", CallerKind.SERVICE, ""),
        "C2": ("+333949", CallerKind.SERVICE, ""),
        "C3": (None, CallerKind.SERVICE, "95588"),
    }
    assert [(one.linkedid, one.caller) for one in outcomes(db, number="+8695588")] == [("C1", "+8695588")]


def test_it_goes_in_steps_and_finds_rows_by_an_index(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_codes, "ROWS_AT_ONCE", 2)
    for call, trunk in (("C1", "beijing"), ("C2", "paris"), ("C3", "paris")):  # those that can be read come last
        call_before(db, call, "95588", trunk)
    place: Place | None = LATEST
    steps = 0
    with transaction(db):
        while place is not None:
            place = name_short_codes(db, region_of, place)
            steps += 1
    assert steps == 3
    assert callers(db)["C1"] == ("+8695588", CallerKind.SERVICE, "")
    with closing(db.execute(f"EXPLAIN QUERY PLAN {FIND}", (*LATEST, 1))) as plan:
        assert "decision_short_code" in str(plan.fetchall())
