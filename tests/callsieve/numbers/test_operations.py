"""What is said about a number and decided about that, whoever asks: written and audited, or refused with a code."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.numbers.operations import (
    WHY_NOT_MARKED,
    CorrectionRequest,
    MarkRequest,
    OwnerRequest,
    correct,
    forget_review,
    mark,
    new_owner,
    review,
    same_owner,
)
from callsieve.settings import Loaded, load_settings
from reputation.marking import MarkRefusal
from reputation.model import Identity, MarkChannel, Verdict
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.identities import set_identity
from reputation.store.transaction import transaction
from reputation.users import Role
from reputation.wording import Places
from tests.office import CALLER, SETTINGS

AT = 1_790_000_000.0
SPAM = MarkRequest(CALLER, "201", Verdict.SPAM, MarkChannel.CLI)
RETRACTED = SPAM._replace(verdict=Verdict.RETRACTED)
WRONG = CorrectionRequest(CALLER, ("201",), "a survey of ours")
OWNER = OwnerRequest(CALLER, "the carrier says so")


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return load_settings(tmp_path / "settings.toml")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def context(loaded: Loaded, at: float = AT) -> Context:
    return Context("joe", Role.ADMINISTRATOR, at, loaded)


@pytest.mark.parametrize(
    ("operation", "request_", "code", "field"),
    [
        pytest.param(mark, SPAM._replace(person="210"), "unknown-person", "as", id="slip"),
        pytest.param(mark, SPAM._replace(person=None), "nobody", "", id="nobody"),
        pytest.param(mark, SPAM._replace(number="911"), "emergency-number", "", id="emergency"),
        pytest.param(
            mark, SPAM._replace(verdict=Verdict.OK, category="x"), "category-of-no-spam", "category", id="category"
        ),
        pytest.param(mark, RETRACTED, "not-marked", "", id="nothing-said"),
        pytest.param(mark, RETRACTED._replace(number="anonymous"), "not-marked", "", id="no-number"),
        pytest.param(review, CALLER, "nothing-to-review", "", id="no-burst"),
        pytest.param(review, "911", "bad-number", "", id="no-number-to-review"),
        pytest.param(forget_review, CALLER, "not-reviewed", "", id="no-review"),
        pytest.param(correct, WRONG, "no-such-mark", "", id="no-mark"),
        pytest.param(correct, WRONG._replace(reason=" "), "bad-reason", "reason", id="no-reason"),
        pytest.param(new_owner, OWNER._replace(reason="a\nb"), "bad-reason", "reason", id="two-lines"),
        pytest.param(new_owner, OWNER._replace(reason="x" * 201), "bad-reason", "reason", id="long-reason"),
        pytest.param(new_owner, OWNER._replace(since="soon"), "bad-time", "since", id="no-time"),
        pytest.param(new_owner, OWNER._replace(since="2999-01-01"), "bad-time", "since", id="in-the-future"),
        pytest.param(same_owner, CALLER, "not-reassigned", "", id="same-owner"),
    ],
)
def test_refusals_have_a_code_and_change_nothing(
    db: sqlite3.Connection, loaded: Loaded, operation: Callable[..., Any], request_: object, code: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        operation(db, context(loaded), request_)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert audit_rows(db) == []


def test_a_verified_business_needs_a_category_and_a_reason(db: sqlite3.Connection, loaded: Loaded) -> None:
    with transaction(db):
        set_identity(db, Identity(CALLER, "First Bank", 2, 1e11), 0.0)
    with pytest.raises(Refused) as refused:
        mark(db, context(loaded), SPAM)
    assert refused.value.code == "verified"
    assert "First Bank" in str(refused.value)
    done = mark(db, context(loaded), SPAM._replace(category="debt", reason="calls at night"))
    assert (done.result.status, done.change_id) == ("marked", 1)


def test_every_refusal_of_a_mark_has_a_message() -> None:
    assert set(MarkRefusal) - set(WHY_NOT_MARKED) == {MarkRefusal.NOBODY_CALLED}, "that is only said by phone"
    about: Places = {"number": CALLER, "person": "201", "most": 20, "name": "First Bank"}
    for words in WHY_NOT_MARKED.values():
        assert not re.search("[{}]", str(replace(words, places=about)))


def test_new_owner_before_the_current_one_is_refused(db: sqlite3.Connection, loaded: Loaded) -> None:
    assert new_owner(db, context(loaded), OWNER).epoch.at == AT
    with pytest.raises(Refused) as refused:
        new_owner(db, context(loaded, AT + 60), OWNER._replace(since="2d"))
    assert refused.value.code == "owned-already"


def test_new_owner_returns_the_identity_that_ended(db: sqlite3.Connection, loaded: Loaded) -> None:
    with transaction(db):
        set_identity(db, Identity(CALLER, "First Bank", 2, 1e11), AT - 60)
    ended = new_owner(db, context(loaded), OWNER).ended
    assert ended is not None
    assert ended.name == "First Bank"


def test_audit_has_the_user_and_time_of_each_change(db: sqlite3.Connection, loaded: Loaded) -> None:
    mark(db, context(loaded), SPAM)
    correct(db, context(loaded, AT + 1), WRONG)
    rows = [(row.what, row.number, row.who, row.at) for row in audit_rows(db)]
    assert rows == [("review wrong", CALLER, "joe", AT + 1), ("mark", CALLER, "joe", AT)]
