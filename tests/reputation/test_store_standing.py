"""The stored standing of a number always equals a fold over all its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.evidence import Circumstances
from reputation.facts import Facts
from reputation.marking import MarkStatement, mark, unmark
from reputation.memory_store import MemoryStore
from reputation.model import (
    Answered,
    AuthClass,
    ChallengeResult,
    Direction,
    EndedBy,
    Identity,
    MarkChannel,
    SignalCategory,
    Verdict,
    Voice,
)
from reputation.outcome import OutcomeRecord
from reputation.scoring import reputation_of
from reputation.standing import Standing
from reputation.store.evidence_rows import bad_numbers_near, rows_of, signals_of
from reputation.store.facts import facts_of, standing
from reputation.store.housekeeping import expire
from reputation.store.identities import identity_of, raise_epoch, set_identity
from reputation.store.imports import import_numbers
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark, review
from reputation.store.outcomes import record_outcome, record_outcomes, settle_outcomes
from reputation.store.privacy import erase_number
from reputation.store.standing import fold_next, numbers_to_review, refresh, settle_case, use_weights, weights_of
from reputation.weights import CountWeights, FeedWeights, Weights
from tests.reputation.histories import (
    HOUR,
    KEEN,
    LATER,
    NUMBERS,
    apply,
    assert_fresh,
    checksum,
    empty_store,
    fold_all,
    histories,
    known,
    rounded,
    spoofed,
    standings,
)
from tests.reputation.store_builders import CALLER, DAY, NOW, make_mark, make_outcome, make_query, make_record

SUMS = Standing._fields[:9]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


@given(histories, st.randoms(use_true_random=False))
def test_order_repetition_and_folding_give_the_same_standing(found: list[Any], random: Any) -> None:
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    with closing(empty_store(KEEN)) as db, closing(empty_store(KEEN)) as other:
        apply(db, found)
        apply(other, shuffled)
        assert checksum(other) == checksum(db)
        assert standings(other) == standings(db)
        assert_fresh(db)


@given(histories, st.randoms(use_true_random=False))
def test_a_replay_in_memory_equals_the_store(found: list[Any], random: Any) -> None:
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    ledger = MemoryStore(KEEN)
    with closing(empty_store(KEEN)) as db:
        apply(db, found)
        for item in shuffled:
            if isinstance(item, OutcomeRecord):
                ledger.learn(item)
            else:
                ledger.add_mark(item)
        for number in NUMBERS:
            for auth_class in AuthClass:
                stored, folded = standing(db, number, auth_class), ledger.standing(number, auth_class)
                assert (stored is None) == (folded is None)
                if stored is not None and folded is not None:
                    assert [getattr(stored, sum_) for sum_ in SUMS] == pytest.approx(
                        [getattr(folded, sum_) for sum_ in SUMS], abs=1e-9
                    )
                    nothing: dict[str, Any] = dict.fromkeys(SUMS, 0.0)
                    assert stored._replace(**nothing) == folded._replace(**nothing)
                evidence = ledger.evidence(number, auth_class, LATER)
                reputation = reputation_of(evidence, Circumstances(auth_class), KEEN, LATER)
                facts = known(db, number, auth_class)
                assert rounded(reputation) == rounded(facts.reputation)
                assert ledger.voice(number, auth_class, LATER) == facts.voice


@given(histories, spoofed, st.randoms(use_true_random=False))
def test_spoofed_calls_change_nothing_for_the_owner(found: list[Any], evil: list[Any], random: Any) -> None:
    mixed = [*found, *evil]
    random.shuffle(mixed)
    with closing(empty_store(KEEN)) as db, closing(empty_store(KEEN)) as other:
        apply(db, found)
        apply(other, mixed)
        for number in NUMBERS:
            for auth_class in (AuthClass.AUTHENTICATED, AuthClass.UNKNOWN):
                owners = known(db, number, auth_class).reputation
                assert known(other, number, auth_class).reputation == owners


def test_a_pass_in_a_spoofed_call_renews_nothing(db: sqlite3.Connection) -> None:
    add_mark(db, make_mark(reporter="paris:201", at=NOW, auth_class=AuthClass.AUTHENTICATED))
    before = standing(db, CALLER, AuthClass.AUTHENTICATED)
    passed: dict[str, Any] = {
        "challenge": ChallengeResult.PASSED,
        "auth_class": AuthClass.UNAUTHENTICATED,
        "source": "cdr",
    }
    apply(db, [make_outcome("p1", NOW + DAY, by="202", talk=40.0, **passed)])
    after = standing(db, CALLER, AuthClass.AUTHENTICATED)
    assert before is not None
    assert after is not None
    assert (after.at, after.marks) == (before.at, before.marks) == (NOW, before.marks)


def test_a_pass_in_a_spoofed_call_keeps_a_robot_voice(db: sqlite3.Connection) -> None:
    heard: dict[str, Any] = {"voice": Voice.ROBOT, "auth_class": AuthClass.UNKNOWN, "source": "cdr"}
    apply(db, [make_outcome("r1", NOW, ring=3.0, **heard)])
    before = known(db, CALLER, AuthClass.UNKNOWN).reputation
    passed: dict[str, Any] = {"challenge": ChallengeResult.PASSED, "source": "cdr"}
    apply(db, [make_outcome("p1", NOW + HOUR, ring=3.0, auth_class=AuthClass.UNAUTHENTICATED, **passed)])
    assert known(db, CALLER, AuthClass.UNKNOWN).reputation == before
    apply(db, [make_outcome("p2", NOW + HOUR, ring=3.0, auth_class=AuthClass.AUTHENTICATED, **passed)])
    assert known(db, CALLER, AuthClass.UNKNOWN).reputation != before


@pytest.mark.parametrize("auth_class", AuthClass)
def test_only_a_one_ring_call_of_the_owner_cancels_a_call_back(db: sqlite3.Connection, auth_class: AuthClass) -> None:
    call_back(db)
    apply(db, [make_outcome("r1", NOW + 2 * HOUR, ring=3.0, source="cdr", auth_class=auth_class)])
    found = standing(db, CALLER, AuthClass.AUTHENTICATED)
    is_there = found is not None and (SignalCategory.CALLED_BACK, 1) in found.signals
    assert is_there == (auth_class is AuthClass.UNAUTHENTICATED)
    ledger = MemoryStore()
    ledger.learn(make_outcome("o1", NOW + 3 * HOUR, by="202", talk=40.0, direction=Direction.OUTBOUND))
    ledger.learn(make_outcome("r1", NOW + 2 * HOUR, ring=3.0, auth_class=auth_class))
    assert ledger.standing(CALLER, AuthClass.AUTHENTICATED) == found


@given(histories, st.sampled_from(NUMBERS[:4]), st.floats(0, 1e6))
def test_unmark_is_never_marked(found: list[Any], number: str, seconds: float) -> None:
    """For a reporter without other evidence about the number."""
    say = MarkStatement(
        number=number, reporter="209", verdict=Verdict.SPAM, at=NOW + seconds, channel=MarkChannel.CLI, region="US"
    )
    with closing(empty_store(KEEN)) as db:
        apply(db, found)
        before = [rounded(known(db, number_, auth_class).reputation) for number_ in NUMBERS for auth_class in AuthClass]
        result = mark(db, say)
        assert result.mark is not None
        assert standing(db, number, result.mark.auth_class) is not None
        unmark(db, replace(say, verdict=Verdict.RETRACTED, at=say.at + 5))
        after = [rounded(known(db, number_, auth_class).reputation) for number_ in NUMBERS for auth_class in AuthClass]
        assert after == before
        assert_fresh(db)


def test_a_thousand_marks_of_one_person_count_once(db: sqlite3.Connection) -> None:
    for second in range(1000):
        add_mark(db, make_mark(at=NOW + second))
    with closing(empty_store()) as other:
        add_mark(other, make_mark(at=NOW + 999))
        assert standings(db) == standings(other)
        assert known(db).reputation == known(other).reputation


def test_one_call_is_one_signal_however_many_phones_ring(db: sqlite3.Connection) -> None:
    everybody = tuple(str(200 + n) for n in range(20))
    record_outcome(db, make_outcome(rung=everybody, forked=20, source="cdr"), LATER)
    assert len(signals_of(db, CALLER)) == 1
    found = standing(db, CALLER, AuthClass.UNKNOWN)
    assert found is not None
    assert found.signals == ((SignalCategory.UNANSWERED, 1),)


# No write leaves a standing behind.


def with_decision(db: sqlite3.Connection) -> None:
    """Record an outcome that waited for its decision, and one whose class the decision changes."""
    record_outcome(db, make_outcome("w1", NOW + 5, ring=3.0), NOW + 10)
    record_decisions(db, [make_record("d1", NOW, linkedid="w1", auth_class=AuthClass.AUTHENTICATED)])
    settle_outcomes(db, NOW + 20)


def batch(db: sqlite3.Connection) -> None:
    found = [make_outcome(f"b{n}", NOW + n * DAY, by="201", talk=31.0, source="cdr") for n in range(3)]
    record_outcomes(db, found, LATER)


def call_back(db: sqlite3.Connection) -> None:
    outcome = make_outcome("o1", NOW + 3 * HOUR, by="202", talk=40.0, direction=Direction.OUTBOUND, source="cdr")
    record_outcome(db, outcome, LATER)


def one_ring(db: sqlite3.Connection) -> None:
    """Record a one-ring call, which cancels the call-back before it."""
    record_outcome(db, make_outcome("r1", NOW + 2 * HOUR, ring=3.0, source="cdr"), LATER)


def marking(verdict: Verdict, at: float) -> Callable[[sqlite3.Connection], object]:
    def spoken(db: sqlite3.Connection) -> object:
        about = MarkStatement(number=CALLER, reporter="201", verdict=verdict, at=at, channel=MarkChannel.EXTENSION)
        return mark(db, about)

    return spoken


WRITES: list[Callable[[sqlite3.Connection], object]] = [
    with_decision,
    batch,
    call_back,
    one_ring,
    marking(Verdict.SPAM, NOW + 1),
    lambda db: add_mark(db, make_mark(reporter="202", at=NOW + 2, auth_class=AuthClass.AUTHENTICATED)),
    lambda db: settle_case(db, ["201"], "case-1", False, NOW + 3),
    lambda db: settle_case(db, ["202"], "case-1", True, NOW + 3),
    marking(Verdict.OK, NOW + 4),
    marking(Verdict.RETRACTED, NOW + 5),
    marking(Verdict.SPAM, NOW + 6),
    lambda db: raise_epoch(db, CALLER, NOW + DAY, "reassigned", "admin"),
    lambda db: review(db, CALLER, NOW + DAY, "admin"),
    lambda db: expire(db, NOW + 366 * DAY),
    lambda db: erase_number(db, CALLER),
]


def test_every_write_keeps_the_standing_up_to_date(db: sqlite3.Connection) -> None:
    seen = set()
    for index, write in enumerate(WRITES):
        write(db)
        seen.add(tuple(standings(db).items()))
        try:
            assert_fresh(db)
        except AssertionError as error:
            raise AssertionError(f"write {index}") from error
    assert len(seen) >= len(WRITES) - 3  # each did something, but the review, the repeated retraction and expiry
    assert standings(db) == {}


# Epochs, trust, reviews.


def test_evidence_older_than_the_owner_weighs_a_quarter(db: sqlite3.Connection) -> None:
    for reporter in ("201", "202"):
        add_mark(db, make_mark(reporter=reporter))
    set_identity(db, Identity(CALLER, "Acme", 2, NOW + 300 * DAY), NOW - 9 * DAY)
    before = standing(db, CALLER, AuthClass.UNKNOWN)
    assert raise_epoch(db, CALLER, NOW + HOUR, "reassigned", "admin") == 1
    after = standing(db, CALLER, AuthClass.UNKNOWN)
    assert before is not None
    assert after is not None
    assert after.marks == pytest.approx(before.marks / 4)
    assert after.reporters == 2
    assert known(db).identity is None
    assert identity_of(db, CALLER) is not None
    add_mark(db, make_mark(reporter="203", at=NOW + 2 * HOUR))
    found = standing(db, CALLER, AuthClass.UNKNOWN)
    assert found is not None
    assert found.marks == pytest.approx(1.5, abs=0.01)


def test_the_epoch_of_a_number_only_rises(db: sqlite3.Connection) -> None:
    assert [raise_epoch(db, CALLER, NOW + at, "feed", "admin") for at in (5, 5, 3, 9, 9)] == [1, 1, 1, 2, 2]


def test_an_identity_proven_after_the_owner_change_stays(db: sqlite3.Connection) -> None:
    set_identity(db, Identity(CALLER, "Acme", 1, LATER + DAY), NOW)
    raise_epoch(db, CALLER, NOW - DAY, "reassigned", "admin")
    assert known(db).identity is not None


def test_settled_cases_lower_the_trust_in_a_reporter(db: sqlite3.Connection) -> None:
    for number in NUMBERS[:2]:
        add_mark(db, make_mark(number))
    for case in ("a", "b", "b"):
        settle_case(db, ["201"], case, False, NOW)
    for number in NUMBERS[:2]:
        found = standing(db, number, AuthClass.UNKNOWN)
        assert found is not None
        assert found.marks == pytest.approx(8 / 12 / 0.8)
    settle_case(db, ["201"], "b", True, NOW - 1)  # what was decided later counts
    assert db.execute("SELECT total(agrees) FROM settled").fetchone() == (0.0,)


def five_marks_in_a_minute(db: sqlite3.Connection) -> None:
    for n in range(5):
        add_mark(db, make_mark(reporter=str(201 + n), at=NOW + n))


def test_a_burst_waits_for_a_review_and_counts_after_it(db: sqlite3.Connection) -> None:
    five_marks_in_a_minute(db)
    assert [(number.number, number.at, number.reporters) for number in numbers_to_review(db)] == [(CALLER, NOW + 4, 5)]
    assert known(db).reputation.log_odds == 0.0
    review(db, CALLER, NOW + 3, "admin")
    assert len(numbers_to_review(db)) == 1
    review(db, CALLER, NOW + 60, "admin")
    review(db, CALLER, NOW + 3, "admin")
    assert numbers_to_review(db) == []
    assert known(db).reputation.log_odds > 3


def test_a_burst_confirmed_by_calls_needs_no_review(db: sqlite3.Connection) -> None:
    five_marks_in_a_minute(db)
    outcome = make_outcome("c1", NOW, by="208", talk=3.0, ended_by=EndedBy.CALLEE, source="cdr")
    record_outcome(db, outcome, LATER)
    assert numbers_to_review(db) == []


# The block.


def mark_spam(db: sqlite3.Connection, *numbers: str, at: float = NOW) -> None:
    for number in numbers:
        for reporter in ("201", "202", "203"):
            add_mark(db, make_mark(number, reporter=reporter, at=at))


def bad_neighbours(facts: Facts) -> int:
    return next((dict(f.counts)["bad numbers"] for f in facts.reputation.families if f.name == "own block"), 0)


BLOCK = [f"+12015550{n}" for n in range(500, 600)]


@pytest.mark.parametrize(
    ("others", "counted"),
    [
        pytest.param(BLOCK[:2], 0, id="two"),
        pytest.param(BLOCK[:3], 3, id="three"),
        pytest.param([*BLOCK[:2], CALLER], 0, id="not-the-number-itself"),
        pytest.param([*BLOCK[:2], "+120155505001"], 0, id="not-a-longer-number"),
        pytest.param([*BLOCK[:2], "+12015551500"], 0, id="not-another-block"),
        pytest.param(BLOCK, 5, id="more-than-five-are-not-counted"),
    ],
)
def test_bad_neighbours_are_counted(db: sqlite3.Connection, others: list[str], counted: int) -> None:
    mark_spam(db, *others)
    assert bad_neighbours(known(db)) == counted
    assert bad_neighbours(known(db, auth_class=AuthClass.AUTHENTICATED)) == 0


def test_service_numbers_have_no_bad_neighbours(db: sqlite3.Connection) -> None:
    banks = [f"+8695{n}" for n in range(500, 520)]
    mark_spam(db, *banks)
    assert bad_neighbours(known(db, number="+8695588")) == 0
    assert bad_numbers_near(db, "+8695588") == []
    ledger = MemoryStore(Weights())
    for number in banks:
        for reporter in ("201", "202"):
            ledger.add_mark(make_mark(number, reporter=reporter, at=NOW))
    assert ledger.evidence("+8695588", AuthClass.UNKNOWN, NOW).bad_neighbours == 0


def test_neighbours_count_for_sixty_days(db: sqlite3.Connection) -> None:
    mark_spam(db, *BLOCK[:3], at=LATER - 61 * DAY)
    assert bad_neighbours(known(db)) == 0


def test_old_bad_neighbours_do_not_hide_new_ones(db: sqlite3.Connection) -> None:
    mark_spam(db, *BLOCK[:50], at=LATER - 50 * DAY)  # was bad once
    assert bad_neighbours(known(db)) == 0
    mark_spam(db, *BLOCK[50:53])
    assert bad_neighbours(known(db)) == 3


def test_each_number_of_a_block_on_a_list_counts_once(tmp_path: Path, db: sqlite3.Connection) -> None:
    """A list that an administrator imported by hand is no outside evidence."""
    for source in ("one", "two"):
        import_numbers(db, source, "spam", [(number, None, None, None) for number in BLOCK[:2]], lambda: NOW)
    import_numbers(db, "customers", "ok", [(BLOCK[9], None, None, None)], lambda: NOW)
    mark_spam(db, BLOCK[0])
    assert bad_neighbours(known(db)) == 0
    mark_spam(db, BLOCK[2])
    assert bad_neighbours(known(db)) == 3
    assert bad_neighbours(known(db, auth_class=AuthClass.AUTHENTICATED)) == 0
    late = make_query(CALLER, now=NOW + 61 * DAY)
    assert bad_neighbours(facts_of(db, late)) == 0


def test_a_fully_listed_block_reads_few_rows(db: sqlite3.Connection) -> None:
    """The block is listed by an import that is not live yet."""
    about = "id, name, verdict, live, imported_at, touched_at, numbers"
    db.execute(f"INSERT INTO import_source ({about}) VALUES (70, 'staged', 'spam', 0, 0.0, 0.0, 1)")
    db.executemany(
        "INSERT INTO imported (number, source) VALUES (?, 70)", ((f"+12015550{n:03d}",) for n in range(1000))
    )
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    db.set_progress_handler(count, 10)
    assert bad_neighbours(known(db, "+12015550999")) == 0
    db.set_progress_handler(None, 0)
    assert steps < 150  # some 1,500 steps of SQLite's machine; the whole block takes 10,000


# The weights that sums are made with.


def test_new_weights_fold_all_numbers_in_batches(db: sqlite3.Connection) -> None:
    mark_spam(db, *NUMBERS)
    batch(db)
    fold_all(db)
    heavy = Weights(counts=CountWeights(marks_half_life_days=2.0, wanted=-9.0))
    assert use_weights(db, heavy)
    assert not use_weights(db, heavy)
    add_mark(db, make_mark("+12015551999"))  # another program writes in between: with the new ones
    assert weights_of(db).counts.wanted == -9.0
    assert fold_next(db, 3) == 3
    counts = [fold_next(db, 3) for _ in range(4)]
    assert sum(counts) == len(NUMBERS) - 3 + 1
    assert counts[-1] == 0
    assert_fresh(db)
    found = standing(db, CALLER, AuthClass.UNKNOWN)
    assert found is not None
    assert found.wanted > 0


def test_weights_outside_the_sums_fold_nothing(db: sqlite3.Connection) -> None:
    use_weights(db, Weights())
    assert not use_weights(db, Weights(feeds=FeedWeights(spam=2.0)))


def test_an_older_store_without_standings_is_folded_once(db: sqlite3.Connection) -> None:
    mark_spam(db, CALLER)
    db.execute("DELETE FROM standing")
    assert known(db).reputation.log_odds == 0.0
    assert fold_next(db, 50) == 1
    assert known(db).reputation.log_odds > 3
    assert fold_next(db, 50) == 0


def test_unreadable_weights_become_the_defaults(db: sqlite3.Connection) -> None:
    db.execute("""UPDATE folding SET weights = '{"zeal": 3}'""")
    assert weights_of(db).counts.marks_half_life_days == 30.0
    assert use_weights(db, Weights())


def test_a_refresh_of_a_number_without_rows_leaves_nothing(db: sqlite3.Connection) -> None:
    refresh(db, CALLER)
    assert standings(db) == {}
    assert rows_of(db, CALLER).answered == []


def test_answering_people_are_in_the_standing(db: sqlite3.Connection) -> None:
    batch(db)
    assert rows_of(db, CALLER).answered == [Answered(CALLER, AuthClass.UNKNOWN, "201", NOW + 2 * DAY + 41)]
    found = standing(db, CALLER, AuthClass.UNKNOWN)
    assert found is not None
    assert (found.answered, found.answers) == (1, 1.0)
