"""Appeals in the store: in force at the next call, an upheld one equals never marked, and undo leaves no trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Action
from policies.engine import decide as decide_call
from policies.reasons import Reason, Why
from reputation.appeals import (
    ATTACHMENT_BYTES,
    ATTACHMENTS,
    CODE_TRIES,
    COOLING_OFF_DAYS,
    Appeal,
    AppealError,
    AppealState,
    AppealStep,
    ProofAnswer,
)
from reputation.model import AuthClass, ChallengeResult, EndedBy, Level, Verdict
from reputation.scoring import vector_of
from reputation.store.appeals import (
    AppealRuling,
    all_appeals,
    appeal_of,
    appeals_of,
    appeals_to_decide,
    decide,
    open_appeal,
    prove,
    put_back,
    take_step,
)
from reputation.store.evidence import record_challenge
from reputation.store.evidence_rows import marks_of, rows_of
from reputation.store.facts import facts_of
from reputation.store.identities import raise_epoch
from reputation.store.imports import import_numbers
from reputation.store.marks import add_mark, tombstones_of
from reputation.store.outcomes import record_outcome
from reputation.store.public_appeals import NewAttachment, attach, attachments_of, content_of, detach, keep_code
from tests.builders import make_call, policy_ordering
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
from tests.reputation.store_builders import CALLER, DAY, NOW, make_appeal, make_mark, make_outcome, make_query

UPHOLD = AppealRuling(True, "the calls were wanted")
WITHOUT_BLAME = AppealRuling(True, "telemarketing, but no scam", category_only=True)
DENY = AppealRuling(False, "three people took such a call")

ruled_after = st.sampled_from([0, 1, 13, 27, 61])  # hours, as the marks of histories


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


def file(db: sqlite3.Connection, number: str = CALLER, at: float = NOW, reference: str = "AP9E4100") -> Appeal:
    return open_appeal(db, make_appeal(number=number, opened_at=at, reference=reference))


def rule(db: sqlite3.Connection, ruling: AppealRuling, number: str = CALLER, at: float = NOW) -> None:
    file(db, number, at)
    take_step(db, "AP9E4100", AppealStep.ACCEPT, at)
    decide(db, "AP9E4100", ruling, at)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(AppealError) as error:
        yield
    assert error.value.code == code


def settled(db: sqlite3.Connection) -> list[tuple[str, str, int]]:
    return db.execute("SELECT reporter, case_id, agrees FROM settled ORDER BY reporter").fetchall()


def make_bad(db: sqlite3.Connection, number: str = CALLER) -> None:
    """Make a number that is rejected: marks of two groups, hang-ups, a source and a failed challenge."""
    import_numbers(db, "feed", "spam", [(number, None, None, None)], lambda: NOW)
    db.execute("UPDATE import_source SET format = 'list'")
    record_challenge(db, "c", number, AuthClass.UNKNOWN, ChallengeResult.SILENT, NOW)
    for n, group in enumerate(["sales", "support", "sales", "sales", "support"]):
        add_mark(db, replace(make_mark(number, reporter=str(201 + n), at=NOW + n), group=group))
    for n in range(8):
        hung_up = make_outcome(f"h{n}", NOW, caller=number, by=f"21{n}", talk=3.0, ended_by=EndedBy.CALLEE)
        record_outcome(db, hung_up._replace(source="cdr"), LATER)


# Upheld.


@given(histories, st.sampled_from(NUMBERS), ruled_after)
def test_an_upheld_appeal_equals_never_marked(found: list[Any], number: str, hours: int) -> None:
    at = NOW + hours * HOUR
    with closing(empty_store(KEEN)) as db, closing(empty_store(KEEN)) as other:
        apply(db, found)
        rule(db, WITHOUT_BLAME, number, at)
        apply(other, found)
        other.execute("DELETE FROM mark WHERE number = ? AND verdict = 'spam' AND at <= ?", (number, at))
        fold_all(other)
        assert standings(db) == standings(other)
        assert_fresh(db)


@given(histories, st.sampled_from(NUMBERS), ruled_after, st.randoms(use_true_random=False))
def test_marks_in_any_order_stay_retracted(found: list[Any], number: str, hours: int, random: Any) -> None:
    at = NOW + hours * HOUR
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    cut = random.randrange(len(shuffled) + 1)
    with closing(empty_store(KEEN)) as db, closing(empty_store(KEEN)) as other:
        apply(db, found)
        rule(db, WITHOUT_BLAME, number, at)
        apply(other, shuffled[:cut])
        rule(other, WITHOUT_BLAME, number, at)
        apply(other, shuffled[cut:])
        assert standings(other) == standings(db)
        assert_fresh(other)


@given(histories, st.sampled_from(NUMBERS), ruled_after, st.sampled_from([UPHOLD, WITHOUT_BLAME, DENY]))
def test_an_undone_ruling_equals_no_ruling(found: list[Any], number: str, hours: int, ruling: AppealRuling) -> None:
    with closing(empty_store(KEEN)) as db:
        apply(db, found)
        before = standings(db)
        rule(db, ruling, number, NOW + hours * HOUR)
        put_back(db, accepted(number, NOW + hours * HOUR))
        assert (standings(db), settled(db), tombstones_of(db, number)) == (before, [], [])
        assert_fresh(db)
        assert [appeal.state for appeal in appeals_of(db, number)] == [AppealState.IN_FORCE]


def accepted(number: str = CALLER, at: float = NOW) -> Appeal:
    """Return the appeal that `rule` decides."""
    return make_appeal(number=number, opened_at=at, state=AppealState.IN_FORCE, in_force_at=at)


def test_marks_are_still_listed_after_an_upheld_appeal(db: sqlite3.Connection) -> None:
    add_mark(db, make_mark())
    rule(db, UPHOLD)
    assert [mark.verdict for mark in marks_of(db, CALLER)] == [Verdict.SPAM]
    assert rows_of(db, CALLER).marks == []
    [stone] = tombstones_of(db, CALLER)
    assert stone.covers("209", NOW)
    assert not stone.covers("201", NOW + 1)


def test_new_marks_weigh_less_for_ninety_days_after_an_appeal(db: sqlite3.Connection) -> None:
    rule(db, UPHOLD)
    for reporter in ("201", "202", "203"):
        add_mark(db, make_mark(reporter=reporter, at=NOW + 88 * DAY))
    doubted, again = (facts_of(db, make_query(now=NOW + days * DAY)).reputation.log_odds for days in (89, 91))
    assert doubted == pytest.approx(2.7, abs=0.1)
    assert again > doubted + 0.5


def test_reporters_of_an_upheld_case_are_trusted_less(db: sqlite3.Connection) -> None:
    add_mark(db, make_mark(reporter="201"))
    add_mark(db, make_mark(reporter="202", verdict=Verdict.OK))
    add_mark(db, make_mark(reporter="203", auth_class=AuthClass.UNAUTHENTICATED))
    rule(db, UPHOLD)
    assert settled(db) == [("201", "AP9E4100", 0)]
    put_back(db, accepted())
    decided = decide(db, "AP9E4100", DENY, NOW + 1)
    assert (decided.reporters, settled(db)) == (("201",), [("201", "AP9E4100", 1)])


def test_a_mark_against_an_earlier_owner_costs_no_trust(db: sqlite3.Connection) -> None:
    add_mark(db, make_mark(reporter="201"))
    raise_epoch(db, CALLER, NOW + HOUR, "reassigned", "admin")
    add_mark(db, make_mark(reporter="202", at=NOW + 2 * HOUR))
    rule(db, UPHOLD, at=NOW + 3 * HOUR)
    assert settled(db) == [("202", "AP9E4100", 0)]
    assert standings(db) == {}


def test_a_wrong_category_alone_costs_no_trust(db: sqlite3.Connection) -> None:
    add_mark(db, make_mark())
    rule(db, WITHOUT_BLAME)
    assert (settled(db), standings(db)) == ([], {})


# In force.


def test_an_appealed_number_is_not_rejected(db: sqlite3.Connection) -> None:
    make_bad(db)
    reject = policy_ordering("reject")
    query = make_query(now=NOW + HOUR)

    def decision() -> tuple[Action, Why | None, Level]:
        facts = facts_of(db, query)
        one = decide_call(make_call(CALLER), facts, reject, query.now)
        assert (one.capped_by is None) == ('"appeal"' not in vector_of(facts.reputation))
        return one.action, one.capped_by, facts.reputation.level

    assert decision() == (Action.REJECT, None, Level.REJECT)
    file(db)
    assert decision() == (Action.REJECT, None, Level.REJECT)
    take_step(db, "AP9E4100", AppealStep.ACCEPT, NOW)
    capped = (Action.CHALLENGE, Why(Reason.APPEALED, {"reference": "AP9E4100"}))
    assert decision() == (*capped, Level.ROUTE)
    assert '"appeal": "AP9E4100"' in vector_of(facts_of(db, query).reputation)
    decide(db, "AP9E4100", DENY, NOW + 60)
    assert decision() == (Action.REJECT, None, Level.REJECT)
    put_back(db, accepted())
    assert decision()[:2] == capped
    decide(db, "AP9E4100", UPHOLD, NOW + 60)
    assert decision() == (Action.REJECT, None, Level.TAG)  # the source alone is left
    assert known(db, "+12015550999").reputation.appeal is None


def test_a_code_proves_control(db: sqlite3.Connection) -> None:
    file(db)
    assert prove(db, "AP9E4100", "031415", NOW) is ProofAnswer.NONE
    keep_code(db, "AP9E4100", CALLER, "031415", NOW)
    assert prove(db, "AP9E4100", "031416", NOW) is ProofAnswer.WRONG
    assert facts_of(db, make_query()).reputation.appeal is None
    assert prove(db, "AP9E4100", "031 415", NOW + 60) is ProofAnswer.RIGHT
    appeal = appeal_of(db, "AP9E4100")
    assert appeal is not None
    assert (appeal.state, appeal.proven, appeal.in_force_at) == (AppealState.IN_FORCE, True, NOW + 60)
    assert facts_of(db, make_query()).reputation.appeal == "AP9E4100"
    assert prove(db, "AP9E4100", "031415", NOW + 61) is ProofAnswer.NONE  # it is used up


def test_five_wrong_answers_spend_a_code(db: sqlite3.Connection) -> None:
    file(db)
    keep_code(db, "AP9E4100", CALLER, "031415", NOW)
    answers = [prove(db, "AP9E4100", "271828", NOW) for _ in range(CODE_TRIES)]
    assert set(answers) == {ProofAnswer.WRONG}
    assert prove(db, "AP9E4100", "031415", NOW) is ProofAnswer.SPENT
    keep_code(db, "AP9E4100", CALLER, "141421", NOW)
    assert prove(db, "AP9E4100", "141421", NOW) is ProofAnswer.RIGHT


# Filing.


def test_a_second_appeal_waits_until_a_month_after_a_denial(db: sqlite3.Connection) -> None:
    file(db)
    with refused("appealed"):
        file(db, reference="AP000002")
    take_step(db, "AP9E4100", AppealStep.ACCEPT, NOW)
    with refused("appealed"):
        file(db, reference="AP000002")
    decide(db, "AP9E4100", DENY, NOW)
    with refused("denied-lately"):
        file(db, at=NOW + (COOLING_OFF_DAYS - 0.5) * DAY, reference="AP000002")
    file(db, at=NOW + COOLING_OFF_DAYS * DAY, reference="AP000002")
    file(db, "+12015550999", reference="AP000003")
    assert [appeal.reference for appeal in appeals_of(db, CALLER)] == ["AP000002", "AP9E4100"]
    assert len(all_appeals(db)) == 3


def test_a_withdrawn_appeal_allows_a_new_one(db: sqlite3.Connection) -> None:
    file(db)
    take_step(db, "AP9E4100", AppealStep.WITHDRAW, NOW, " not theirs ")
    withdrawn = appeal_of(db, "AP9E4100")
    assert withdrawn is not None
    assert (withdrawn.state, withdrawn.reason) == (AppealState.WITHDRAWN, "not theirs")
    file(db, reference="AP000002")
    with refused("appealed"):
        put_back(db, accepted())


def test_appeals_are_listed_by_waiting_time(db: sqlite3.Connection) -> None:
    for n, number in enumerate(NUMBERS[:4]):
        file(db, number, NOW + n, f"AP00000{n}")
    for n, days in ((2, 20), (1, 10)):
        take_step(db, f"AP00000{n}", AppealStep.ACCEPT, NOW + days * DAY)
    take_step(db, "AP000003", AppealStep.WITHDRAW, NOW)
    assert [appeal.reference for appeal in appeals_to_decide(db)] == ["AP000001", "AP000002", "AP000000"]


def test_an_unknown_appeal_is_refused(db: sqlite3.Connection) -> None:
    for act in (
        lambda: take_step(db, "AP9E4100", AppealStep.ACCEPT, NOW),
        lambda: decide(db, "AP9E4100", UPHOLD, NOW),
        lambda: prove(db, "AP9E4100", "031415", NOW),
    ):
        with refused("no-such-appeal"):
            act()


# What is shown for it.


def record(content: bytes, name: str = "calls.csv") -> NewAttachment:
    return NewAttachment(name, content, "joe")


def test_attaching_the_same_file_twice_keeps_one(db: sqlite3.Connection) -> None:
    file(db)
    first = attach(db, "AP9E4100", record(b"one"), NOW)
    assert attach(db, "AP9E4100", record(b"one", "again.csv"), NOW + 1) == first
    attach(db, "AP9E4100", record(b"two", "a\nb\x1b"), NOW)
    there = [
        (attachment.place, attachment.name, attachment.size, attachment.added_by)
        for attachment in attachments_of(db, "AP9E4100")
    ]
    assert there == [(1, "calls.csv", 3, "joe"), (2, "ab", 3, "joe")]
    assert content_of(db, "AP9E4100", 2) == b"two"
    assert detach(db, "AP9E4100", 1) == first
    assert (detach(db, "AP9E4100", 1), content_of(db, "AP9E4100", 1)) == (None, None)


def test_attachments_are_limited_in_size_and_number(db: sqlite3.Connection) -> None:
    file(db)
    attach(db, "AP9E4100", record(b"x" * ATTACHMENT_BYTES), NOW)
    for content, code in ((b"x" * (ATTACHMENT_BYTES + 1), "file-too-large"), (b"", "empty-file")):
        with refused(code):
            attach(db, "AP9E4100", record(content), NOW)
    for n in range(ATTACHMENTS - 1):
        attach(db, "AP9E4100", record(str(n).encode()), NOW)
    with refused("too-many-files"):
        attach(db, "AP9E4100", record(b"one more"), NOW)
