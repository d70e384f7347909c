"""Bursts that wait for a review, marks that an administrator corrects, and numbers with a new owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.appeals import ProofAnswer
from reputation.model import AuthClass, Identity
from reputation.store.appeals import prove
from reputation.store.facts import standing
from reputation.store.identities import (
    LASTS_SECONDS,
    Epoch,
    all_epochs,
    all_identities,
    epochs_of,
    identities_due,
    identity_of,
    lower_epoch,
    note_control,
    raise_epoch,
    set_identity,
)
from reputation.store.marks import (
    Correction,
    add_mark,
    correct,
    correction_of,
    forget_review,
    reporters_of,
    review,
    review_of,
    undo_correction,
)
from reputation.store.public_appeals import keep_code
from reputation.store.standing import numbers_to_review
from tests.reputation.histories import (
    HOUR,
    KEEN,
    LATER,
    NUMBERS,
    apply,
    assert_fresh,
    empty_store,
    fold_all,
    histories,
    known,
    standings,
)
from tests.reputation.store_builders import CALLER, DAY, NOW, make_mark
from tests.reputation.test_store_appeals import file

WRONG = Correction("7KQ2M4XA", CALLER, ("201", "202"))
YEAR = LASTS_SECONDS


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


def mark_all(db: sqlite3.Connection, *reporters: str) -> None:
    for n, reporter in enumerate(reporters):
        add_mark(db, make_mark(reporter=reporter, at=NOW + n))


# Corrections.


@given(histories, st.sampled_from(NUMBERS), st.sampled_from([0, 13, 61]), st.randoms(use_true_random=False))
def test_a_corrected_mark_stays_removed_when_sent_again(found: list[Any], number: str, hours: int, random: Any) -> None:
    at = NOW + hours * HOUR
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    correction = Correction("7KQ2M4XA", number, ("202",))
    with closing(empty_store(KEEN)) as db, closing(empty_store(KEEN)) as other:
        correct(db, correction, at)
        apply(db, shuffled)
        apply(other, found)
        sql = "DELETE FROM mark WHERE number = ? AND reporter = '202' AND verdict = 'spam' AND at <= ?"
        other.execute(sql, (number, at))
        other.execute("INSERT INTO settled SELECT * FROM (VALUES ('202', '7KQ2M4XA', 0, ?))", (at,))
        fold_all(other)
        assert standings(db) == standings(other)
        assert_fresh(db)
        undo_correction(db, "7KQ2M4XA")
        with closing(empty_store(KEEN)) as untouched:
            apply(untouched, found)
            assert standings(db) == standings(untouched)


def test_a_correction_costs_trust_and_ends_the_burst(db: sqlite3.Connection) -> None:
    mark_all(db, "201", "202", "203", "204", "205")
    assert len(numbers_to_review(db, CALLER)) == 1
    correct(db, WRONG, NOW + 60)
    assert numbers_to_review(db) == []
    assert reporters_of(db, CALLER) == ["203", "204", "205"]
    assert db.execute("SELECT reporter, agrees FROM settled ORDER BY 1").fetchall() == [("201", 0), ("202", 0)]
    assert correction_of(db, "7KQ2M4XA") == WRONG
    undo_correction(db, "7KQ2M4XA")
    assert correction_of(db, "7KQ2M4XA") is None
    assert len(numbers_to_review(db, CALLER)) == 1


def test_a_new_mark_after_a_correction_counts(db: sqlite3.Connection) -> None:
    mark_all(db, "201", "202")
    correct(db, WRONG, NOW + 60)
    add_mark(db, make_mark(reporter="201", at=NOW + 61))
    assert reporters_of(db, CALLER) == ["201"]


def test_a_review_can_be_undone(db: sqlite3.Connection) -> None:
    mark_all(db, "201", "202", "203", "204", "205")
    review(db, CALLER, NOW + 60, "joe")
    found = review_of(db, CALLER)
    assert found is not None
    assert (found.who, numbers_to_review(db), numbers_to_review(db, "+12015550999")) == ("joe", [], [])
    assert forget_review(db, CALLER) == found
    assert forget_review(db, CALLER) is None
    assert len(numbers_to_review(db)) == 1


# Another owner.


def test_undoing_an_owner_change_restores_the_evidence(db: sqlite3.Connection) -> None:
    mark_all(db, "201", "202")
    set_identity(db, Identity(CALLER, "Acme", 2, NOW + YEAR), NOW)
    before, reputation = standings(db), known(db).reputation
    raise_epoch(db, CALLER, NOW + HOUR, "reassigned", "joe")
    ended = identity_of(db, CALLER)
    assert ended is not None
    assert (ended.expires_at, known(db).identity) == (NOW + HOUR, None)
    assert all_epochs(db) == epochs_of(db, CALLER) == [Epoch(CALLER, 1, NOW + HOUR, "reassigned", "joe")]
    lower_epoch(db, CALLER)
    assert lower_epoch(db, CALLER) is None
    assert (standings(db), known(db).reputation) == (before, reputation)
    assert known(db).identity == Identity(CALLER, "Acme", 2, NOW + YEAR)


def test_only_the_latest_owner_change_is_undone(db: sqlite3.Connection) -> None:
    mark_all(db, "201")
    for at in (NOW - DAY, NOW + DAY):
        raise_epoch(db, CALLER, at, "reassigned", "joe")
    lower_epoch(db, CALLER)
    found = standing(db, CALLER, AuthClass.UNKNOWN)
    assert found is not None
    assert found.marks == 1.0
    assert [epoch.at for epoch in epochs_of(db, CALLER)] == [NOW - DAY]


def test_a_late_identity_ends_with_the_next_owner(db: sqlite3.Connection) -> None:
    for at in (NOW - DAY, NOW + DAY, NOW + 2 * DAY):
        raise_epoch(db, CALLER, at, "reassigned", "joe")
    set_identity(db, Identity(CALLER, "Acme", 1, NOW + YEAR), NOW)
    [identity] = all_identities(db)
    assert identity.expires_at == NOW + DAY


# Identities.


def test_a_call_back_is_an_identity_of_level_1_for_twelve_months(db: sqlite3.Connection) -> None:
    file(db)
    keep_code(db, "AP9E4100", CALLER, "031415", NOW)
    assert prove(db, "AP9E4100", "031415", NOW) is ProofAnswer.RIGHT
    assert identity_of(db, CALLER) == Identity(
        CALLER, "Carol Ltd", 1, NOW + YEAR, "repeated the code from a call-back to the number, for appeal AP9E4100"
    )
    assert known(db).identity is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Identity(CALLER, "Acme", 2, LATER + DAY), Identity(CALLER, "Acme", 2, LATER + DAY), id="better"),
        pytest.param(
            Identity(CALLER, "Acme", 1, LATER + DAY),
            Identity(CALLER, "Acme", 1, LATER + YEAR, "called back"),
            id="renewed",
        ),
        pytest.param(
            Identity(CALLER, "Acme", 2, LATER), Identity(CALLER, "Carol", 1, LATER + YEAR, "called back"), id="ended"
        ),
    ],
)
def test_repeated_proof_of_control_renews_the_identity(
    db: sqlite3.Connection, before: Identity, after: Identity
) -> None:
    set_identity(db, before, NOW)
    assert note_control(db, CALLER, "Carol", LATER, "called back") == after
    assert identity_of(db, CALLER) == after


def test_due_identities_are_listed_by_their_end(db: sqlite3.Connection) -> None:
    for number, days in zip(NUMBERS, (40, 5, 20, -3), strict=False):
        set_identity(db, Identity(number, "Acme", 1, LATER + days * DAY), NOW)
    raise_epoch(db, NUMBERS[0], NOW + DAY, "reassigned", "joe")
    due = [identity.number for identity in identities_due(db, LATER + 14 * DAY)]
    assert due == [NUMBERS[0], NUMBERS[3], NUMBERS[1]]
