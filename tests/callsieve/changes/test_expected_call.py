"""The expected-call window of a feature code is undone and restored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.changes.operation import Context
from callsieve.changes.undo import UndoRequest, undo
from callsieve.main.capabilities import CHANGES
from callsieve.settings import Loaded, Settings
from reputation.feature_codes import apply_feature_code
from reputation.model import Person
from reputation.store.audit import latest_of
from reputation.store.database import open_store
from reputation.store.lists import EXPECT_SECONDS, expected_call_of
from reputation.store.people import upsert_people
from reputation.store.transaction import transaction
from reputation.users import Role

NOW = 1_790_000_000.0


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "store.db") as db:
        with transaction(db):
            upsert_people(db, [Person("201", "PJSIP/201")], "test")
        yield db


def test_expected_call_is_undone_and_restored(db: sqlite3.Connection, tmp_path: Path) -> None:
    context = Context(
        "ada", Role.OPERATOR, NOW + 600, Loaded(settings=Settings(), file=None, state=tmp_path), changes=CHANGES
    )
    with transaction(db):
        apply_feature_code(db, "PJSIP/201", "expect", NOW)
    (opened,) = latest_of(db, ("expecting",), 1)
    undo(db, context, UndoRequest(opened.id))
    assert expected_call_of(db, "201") is None
    with transaction(db):
        for seconds in (700, 800):
            apply_feature_code(db, "PJSIP/201", "expect", NOW + seconds)
    assert expected_call_of(db, "201") is None
    (closed,) = latest_of(db, ("not-expecting",), 1)
    undo(db, context, UndoRequest(closed.id))
    assert expected_call_of(db, "201") == ("201", NOW + 700 + EXPECT_SECONDS)
