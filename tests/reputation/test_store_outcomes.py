"""Outcomes are stored once, joined with the journal, and give the same evidence in any order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.reasons import Reason, Why
from reputation.model import (
    Answered,
    AuthClass,
    CallerKind,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    ListName,
    Person,
    PersonalTie,
    SignalCategory,
    Tie,
    Verdict,
)
from reputation.outcome import OutcomeRecord
from reputation.signals import latest_by_key, lessons_of
from reputation.store.evidence import record_challenge
from reputation.store.evidence_rows import answered_of, marks_of, signals_of
from reputation.store.facts import facts_of
from reputation.store.journal import record_decisions
from reputation.store.lists import PersonalEntry, personal_entries, set_personal_entry
from reputation.store.marks import add_mark, last_caller_of
from reputation.store.outcomes import (
    SETTLE_SECONDS,
    Recorded,
    outcome_of,
    outcomes,
    record_outcome,
    record_outcomes,
    settle_outcomes,
)
from reputation.store.people import replace_settings_people
from tests.reputation.histories import empty_store
from tests.reputation.store_builders import (
    CALLER,
    DAY,
    DID,
    NOW,
    facts,
    make_mark,
    make_outcome,
    make_query,
    make_record,
    read,
    write,
)

OTHER = "+12015550999"
OUTBOUND = Direction.OUTBOUND
LATER = NOW + 3600.0
PEOPLE = [Person("201", "PJSIP/201", "sales"), Person("202", "PJSIP/202", "support")]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that knows 201 and 202."""
    path = tmp_path / "callsieve.db"
    write(path, replace_settings_people, PEOPLE)
    return path


def record(store: Path, *found: OutcomeRecord, now: float = LATER) -> list[Recorded]:
    """Record outcomes as CDRs of calls that ended an hour ago."""
    return write(store, record_outcomes, [item._replace(source="cdr") for item in found], now)


def categories(store: Path, number: str = CALLER) -> list[tuple[str, str]]:
    return [(signal.callee, signal.category.value) for signal in read(store, signals_of, number)]


class TestRecords:
    def test_an_outcome_round_trips(self, store: Path) -> None:
        full = make_outcome(
            by="201",
            talk=31.5,
            trunk="carrier",
            group="sales",
            queue="support",
            rung=("201", "202"),
            forked=2,
            cause=16,
            sip_code=200,
            ended_by=EndedBy.SYSTEM,
            voicemail_left=True,
            transferred=True,
            parked=True,
            conference=True,
            challenge=ChallengeResult.WRONG,
            complete=False,
        )
        write(store, record_outcome, full, LATER)
        assert read(store, outcome_of, full.linkedid) == full
        assert read(store, outcome_of, "no-such-call") is None

    def test_a_call_from_two_sources_is_one_outcome(self, store: Path) -> None:
        seen = make_outcome(by="201", talk=3.0, ended_by=EndedBy.CALLEE)
        told = seen._replace(ended_by=None, talk_seconds=4.0)
        assert [item.new for item in record(store, seen, told, seen)] == [True, False, False]
        assert read(store, outcome_of, seen.linkedid) == seen._replace(source="cdr", group=None)
        assert categories(store) == [("201", "hung-up-on")]

    def test_a_call_recorded_again_later_adds_no_second_signal(self, store: Path) -> None:
        record(store, make_outcome(ring=3.0))
        write(store, lambda db: db.execute("DELETE FROM outcome"))
        record(store, make_outcome(ring=3.0, ended_by=None))
        assert categories(store) == [(DID, "one-ring")]

    def test_old_calls_leave_only_evidence(self, store: Path) -> None:
        old = make_outcome("old", NOW - 31 * DAY, by="201", talk=61.0)
        very_old = make_outcome("very-old", NOW - 366 * DAY, by="202", talk=61.0)
        assert [item.new for item in record(store, old, very_old, now=NOW)] == [True, True]
        assert read(store, outcomes) == []
        assert categories(store) == [("201", "long-talk")]

    def test_phones_are_resolved_to_people_and_groups(self, store: Path) -> None:
        record(
            store,
            make_outcome("in", by="PJSIP/201", talk=40.0, rung=("PJSIP/201", "PJSIP/202", "PJSIP/999")),
            make_outcome("out", by="PJSIP/202", talk=40.0, direction=OUTBOUND),
            make_outcome("theirs", by="PJSIP/999", talk=40.0, group="sales"),
        )
        found = {item.linkedid: item for item in read(store, outcomes)}
        assert (found["in"].answered_by, found["in"].group) == ("201", "sales")
        assert found["in"].rung == ("201", "202", "PJSIP/999")
        assert (found["out"].caller, found["out"].group) == ("202", None)
        assert (found["theirs"].answered_by, found["theirs"].group) == ("PJSIP/999", "sales")

    def test_outcomes_are_found_by_number_and_by_time(self, store: Path) -> None:
        record(
            store,
            make_outcome("a", NOW),
            make_outcome("b", NOW + 1, caller=OTHER),
            make_outcome("c", NOW + 2, by="201", direction=OUTBOUND),
        )
        assert [item.linkedid for item in read(store, outcomes)] == ["c", "b", "a"]

        def ids(db: sqlite3.Connection, **about: Any) -> list[str]:
            return [outcome.linkedid for outcome in outcomes(db, **about)]

        assert read(store, lambda db: ids(db, number=CALLER)) == ["c", "a"]
        assert read(store, lambda db: ids(db, since=NOW + 1, until=NOW + 2)) == ["b"]
        assert read(store, lambda db: ids(db, limit=1)) == ["c"]


class TestTheJournal:
    def test_an_outcome_is_joined_with_its_decision(self, store: Path) -> None:
        write(store, record_decisions, [make_record("d1", action="tag", auth_class=AuthClass.UNAUTHENTICATED)])
        recorded = write(store, record_outcome, make_outcome(ring=30.0), NOW + 30)
        assert recorded == Recorded(new=True)
        found = read(store, outcome_of, "1767000000.1")
        assert found is not None
        assert (found.decision_id, found.action, found.auth_class) == ("d1", "tag", AuthClass.UNAUTHENTICATED)
        assert categories(store) == []

    @pytest.mark.parametrize("decided_first", [True, False])
    def test_a_call_let_in_by_a_not_spam_mark_gives_no_signal(self, store: Path, decided_first: bool) -> None:
        let_in = Why(Reason.DEFAULT, {}, Reason.NOT_SPAM_FOR_CALLEE).kept
        decided = [make_record("d1", reason=let_in, callee="201")]
        over = make_outcome(by="201", talk=2.0, ended_by=EndedBy.CALLEE)
        if decided_first:
            write(store, record_decisions, decided)
        write(store, record_outcome, over, NOW + 0.1)
        if not decided_first:
            write(store, record_decisions, decided)
            write(store, settle_outcomes, NOW + 1)
        found = read(store, outcome_of, over.linkedid)
        assert found is not None
        assert (found.rang_by, categories(store)) == (Tie.NOT_SPAM, [])

    def test_the_strongest_of_several_decisions_counts(self, store: Path) -> None:
        write(store, record_decisions, [make_record("d2", NOW + 1, action="reject"), make_record("d1", NOW)])
        write(store, record_outcome, make_outcome(), NOW + 10)
        found = read(store, outcome_of, "1767000000.1")
        assert found is not None
        assert (found.decision_id, found.action) == ("d1", "reject")

    def test_a_rejected_call_is_no_evidence_even_if_written_late(self, store: Path) -> None:
        over = make_outcome(disposition=Disposition.REJECTED, ring=0.0)
        assert write(store, record_outcome, over, NOW + 0.1) == Recorded(new=True)
        assert write(store, settle_outcomes, NOW + SETTLE_SECONDS - 1) == []
        write(store, record_decisions, [make_record(action="reject")])
        assert write(store, settle_outcomes, NOW + 1) == []
        assert read(store, signals_of, CALLER) == []
        found = read(store, outcome_of, over.linkedid)
        assert found is not None
        assert found.action == "reject"

    @pytest.mark.parametrize("complete", [True, False], ids=["seen-whole", "not-seen-whole"])
    def test_a_withheld_number_is_removed_when_its_decision_arrives(self, store: Path, complete: bool) -> None:
        over = make_outcome(rung=("201",), complete=complete)
        write(store, record_outcome, over, NOW + 0.1)
        write(store, record_decisions, [make_record(caller=None)])
        write(store, settle_outcomes, NOW + 1)
        found = read(store, outcome_of, over.linkedid)
        assert found is not None
        assert (found.caller, found.caller_kind) == (None, CallerKind.WITHHELD)
        assert read(store, last_caller_of, "201") == (None, NOW, over.linkedid)

    def test_an_unscreened_call_gives_its_signal_a_minute_late(self, store: Path) -> None:
        write(store, record_outcome, make_outcome(), NOW + 10)
        assert write(store, settle_outcomes, NOW + 10 + SETTLE_SECONDS - 0.1) == []
        signals = write(store, settle_outcomes, NOW + 10 + SETTLE_SECONDS)
        assert [signal.category for signal in signals] == [SignalCategory.UNANSWERED]
        assert write(store, settle_outcomes, NOW + 1e6) == []
        assert categories(store) == [(DID, "unanswered")]

    @pytest.mark.parametrize(
        ("outcome", "signals"),
        [
            pytest.param(make_outcome(caller=None, caller_kind=CallerKind.WITHHELD), 0, id="withheld"),
            pytest.param(make_outcome(by="201", talk=40.0, direction=OUTBOUND), 1, id="ours"),
        ],
    )
    def test_calls_never_screened_do_not_wait_for_a_decision(
        self, store: Path, outcome: OutcomeRecord, signals: int
    ) -> None:
        recorded = write(store, record_outcome, outcome, NOW + 10)
        assert int(recorded.signal is not None) == signals
        assert write(store, settle_outcomes, NOW + 1e6) == []

    @pytest.mark.parametrize(
        ("outcome", "told", "found"),
        [
            pytest.param(make_outcome(by="201", talk=40.0), ChallengeResult.PASSED, "passed", id="passed"),
            pytest.param(make_outcome(), ChallengeResult.SILENT, "silent", id="silent"),
            pytest.param(make_outcome(), ChallengeResult.WRONG, "wrong", id="wrong"),
            pytest.param(make_outcome(voicemail_left=True), ChallengeResult.SILENT, "silent", id="left-a-message"),
            pytest.param(make_outcome(ring=0.0), None, "abandoned", id="hung-up-while-asked"),
            pytest.param(make_outcome(ring=0.0, ended_by=EndedBy.SYSTEM), None, None, id="cut-off-while-asked"),
            pytest.param(make_outcome(rung=("201",)), None, None, id="said-a-name-and-rang"),
        ],
    )
    @pytest.mark.parametrize("late", [False, True], ids=["told-first", "told-late"])
    def test_the_result_of_a_challenge_is_recorded_once(
        self, store: Path, outcome: OutcomeRecord, told: ChallengeResult | None, found: str | None, late: bool
    ) -> None:
        write(store, record_decisions, [make_record(action="challenge")])
        if told and not late:
            write(store, record_challenge, outcome.linkedid, CALLER, AuthClass.UNKNOWN, told, NOW + 5)
        write(store, record_outcome, outcome._replace(challenge=told if late else None), NOW + 50)
        if told and late:
            write(store, record_challenge, outcome.linkedid, CALLER, AuthClass.UNKNOWN, told, NOW + 5)
        rows = read(store, lambda db: db.execute("SELECT did, result, at FROM challenge").fetchall())
        assert rows == ([(DID, found, NOW)] if found else [])


class TestTalks:
    def test_an_answering_person_is_kept_with_the_latest_time(self, store: Path) -> None:
        for at in (NOW + 5, NOW, NOW + 5):
            record(store, make_outcome(f"c{at}", at, by="201", talk=10.0))
        record(store, make_outcome("other", by="202", talk=1.0))
        assert read(store, answered_of, CALLER) == [
            Answered(CALLER, AuthClass.UNKNOWN, "201", NOW + 25),
            Answered(CALLER, AuthClass.UNKNOWN, "202", NOW + 11),
        ]

    @pytest.mark.parametrize("backwards", [False, True], ids=["in-order", "backwards"])
    @pytest.mark.parametrize(
        ("talks", "found"),
        [
            pytest.param([(0, 40)], [], id="one"),
            pytest.param([(0, 40), (6, 40)], [], id="two-on-one-day"),
            pytest.param([(0, 40), (24, 40)], ["second-talk"], id="two-days"),
            pytest.param([(0, 90), (24, 90), (48, 90)], ["second-talk"], id="a-second-talk-outweighs-long-ones"),
            pytest.param([(0, 40), (24, 29)], [], id="the-second-was-too-short"),
            pytest.param([(0, 90), (24, 20)], ["long-talk"], id="long-then-short"),
        ],
    )
    def test_a_second_talk_on_another_day_is_a_signal(
        self, store: Path, talks: list[tuple[int, int]], found: list[str], backwards: bool
    ) -> None:
        calls = [make_outcome(f"c{hour}", NOW + hour * 3600.0, by="201", talk=talk) for hour, talk in talks]
        record(store, *(reversed(calls) if backwards else calls), now=NOW + 3 * DAY)
        assert [category for _, category in categories(store)] == found
        if found == ["second-talk"]:
            assert read(store, signals_of, CALLER)[0].linkedid == calls[-1].linkedid

    def test_a_second_talk_needs_the_same_person_and_class(self, store: Path) -> None:
        record(
            store,
            make_outcome("a", by="201", talk=40.0),
            make_outcome("b", NOW + DAY, by="202", talk=40.0),
            make_outcome("c", NOW + DAY, by="201", talk=40.0, auth_class=AuthClass.UNAUTHENTICATED),
            now=NOW + 2 * DAY,
        )
        assert categories(store) == []

    def test_an_outgoing_talk_is_a_tie(self, store: Path) -> None:
        record(store, make_outcome("a", by="PJSIP/201", talk=30.0, direction=OUTBOUND))
        record(store, make_outcome("b", by="202", talk=29.0, direction=OUTBOUND))
        record(store, make_outcome("c", by="202", talk=300.0))
        tie = PersonalTie(Tie.TALKED, "201", "sales", "PJSIP/201", NOW + 40)
        assert facts(store).ties == (tie,)
        assert facts(store, make_query(now=NOW + 40 + 180 * DAY - 1)).ties == (tie,)
        assert facts(store, make_query(now=NOW + 40 + 180 * DAY)).ties == ()

    def test_a_premium_number_is_a_tie_but_no_signal(self, store: Path) -> None:
        premium = "+19002345678"
        record(store, make_outcome("a", by="201", talk=30.0, direction=OUTBOUND, dialled=premium))
        assert [tie.tie for tie in facts(store, make_query(premium)).ties] == [Tie.TALKED]
        assert categories(store, premium) == []

    @pytest.mark.parametrize("backwards", [False, True], ids=["in-order", "backwards"])
    @pytest.mark.parametrize(
        ("hours", "counts"),
        [
            pytest.param(-1, True, id="before-the-one-ring-call"),
            pytest.param(1, False, id="an-hour-after"),
            pytest.param(23, False, id="23-hours-after"),
            pytest.param(25, True, id="a-day-after"),
        ],
    )
    def test_a_call_back_after_a_one_ring_call_does_not_count(
        self, store: Path, hours: float, counts: bool, backwards: bool
    ) -> None:
        rings = make_outcome("ring", ring=3.0)
        later = make_outcome("ring-again", NOW + 2 * DAY, ring=3.0)
        back = make_outcome("back", NOW + hours * 3600.0, by="201", talk=60.0, direction=OUTBOUND)
        calls = [rings, back, later]
        record(store, *(reversed(calls) if backwards else calls), now=NOW + 4 * DAY)
        assert (("201", "called-back") in categories(store)) is counts
        ties = facts(store, make_query(now=NOW + 4 * DAY)).ties
        assert [tie.tie for tie in ties] == ([Tie.TALKED] if counts else [])

    def test_a_one_ring_call_is_a_fact_for_a_day_even_labelled(self, store: Path) -> None:
        write(store, record_decisions, [make_record(action="tag")])
        write(store, record_outcome, make_outcome(ring=3.0), NOW + 3)
        assert facts(store).one_ring_at == NOW + 3
        assert facts(store, make_query(now=NOW + 3 + DAY - 1)).one_ring_at == NOW + 3
        assert facts(store, make_query(now=NOW + 3 + DAY)).one_ring_at is None
        assert facts(store, make_query(OTHER)).one_ring_at is None


class TestReached:
    def test_the_last_caller_talked_to_or_rang_the_person(self, store: Path) -> None:
        assert read(store, last_caller_of, "201") is None
        record(
            store,
            make_outcome("missed", NOW, rung=("201", "202")),
            make_outcome("taken-by-202", NOW + 1, caller=OTHER, by="202", talk=5.0, rung=("201", "202")),
            make_outcome("ours", NOW + 2, by="201", talk=5.0, direction=OUTBOUND),
        )
        assert read(store, last_caller_of, "201") == (CALLER, NOW, "missed")
        assert read(store, last_caller_of, "202") == (OTHER, NOW + 1, "taken-by-202")
        record(store, make_outcome("withheld", NOW + 3, caller=None, rung=("201",), complete=False))
        assert read(store, last_caller_of, "201") == (None, NOW + 3, "withheld")

    @pytest.mark.parametrize("decided_first", [True, False])
    def test_a_voicemail_without_a_ring_reaches_its_callee(self, store: Path, decided_first: bool) -> None:
        decide = [make_record("d1", action="challenge", callee="201")]
        over = make_outcome(answered_by_pbx=True, voicemail_left=True)
        if decided_first:
            write(store, record_decisions, decide)
        write(store, record_outcome, over, NOW + 0.1)
        if not decided_first:
            write(store, record_decisions, decide)
            write(store, settle_outcomes, NOW + 1)
        assert read(store, last_caller_of, "201") == (CALLER, NOW, over.linkedid)

    def test_a_stopped_call_without_voicemail_reaches_no_person(self, store: Path) -> None:
        write(store, record_decisions, [make_record("d1", action="challenge", callee="201")])
        write(store, record_outcome, make_outcome(answered_by_pbx=True), NOW + 3)
        assert read(store, last_caller_of, "201") is None


# The same calls and marks in any order, and twice, leave the same rows.

EVIDENCE = ("outcome", "reached", "signal", "answered", "talk", "inbound_talk", "one_ring", "mark", "personal_entry")
numbers = st.sampled_from([CALLER, OTHER])


@st.composite
def calls(draw: st.DrawFn) -> list[OutcomeRecord]:
    """Up to ten calls within three days, some at the same instant."""
    found = []
    for index in range(draw(st.integers(0, 10))):
        direction = draw(st.sampled_from([Direction.INBOUND, Direction.INBOUND, OUTBOUND]))
        by = draw(st.sampled_from([None, "201", "202"]))
        about: dict[str, Any] = {"caller" if direction is Direction.INBOUND else "dialled": draw(numbers)}
        found.append(
            make_outcome(
                f"c{index}",
                NOW + 3600.0 * draw(st.sampled_from([0, 1, 13, 26, 27, 60])),
                by=by,
                talk=draw(st.sampled_from([0.0, 3.0, 40.0, 90.0])) if by else 0.0,
                ring=draw(st.sampled_from([0.0, 3.0, 20.0])),
                direction=direction,
                ended_by=draw(st.sampled_from([None, *EndedBy])),
                voicemail_left=draw(st.booleans()),
                challenge=draw(st.sampled_from([None, None, *ChallengeResult])),
                complete=draw(st.sampled_from([True, True, False])),
                auth_class=draw(st.sampled_from(AuthClass)),
                source="cdr",
                rung=("201", "202"),
                **about,
            )
        )
    return found


marks = st.lists(
    st.builds(
        make_mark,
        numbers,
        st.sampled_from(["201", "202"]),
        st.sampled_from(Verdict),
        st.sampled_from([NOW, NOW + 1]),
        st.sampled_from(AuthClass),
        st.sampled_from([None, "scam", "survey"]),
    ),
    max_size=6,
)


def rows_after(found: Iterable[OutcomeRecord | Any]) -> dict[str, list[tuple[Any, ...]]]:
    with closing(empty_store()) as db:
        for item in found:
            if isinstance(item, OutcomeRecord):
                record_outcome(db, item, NOW + 4 * DAY)
            else:
                add_mark(db, item)
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in EVIDENCE}


@settings(deadline=None)
@given(calls(), marks, st.randoms(use_true_random=False))
def test_order_and_repetition_of_calls_give_the_same_rows(
    found: list[OutcomeRecord], said: list[Any], random: Any
) -> None:
    once = rows_after([*found, *said])
    shuffled = [*found, *said, *found, *said]
    random.shuffle(shuffled)
    assert rows_after(shuffled) == once


@settings(deadline=None)
@given(calls())
def test_the_latest_signal_of_each_key_is_stored(found: list[OutcomeRecord]) -> None:
    rows = rows_after(found)["signal"]
    linkedids = [row[6] for row in rows]
    assert len(linkedids) == len(set(linkedids))
    expected = {
        (s.number, s.auth_class.value, s.callee, s.category.value, s.at, s.linkedid)
        for s in latest_by_key(filter(None, (lessons_of(item).signal for item in found)))
    }
    plain = {(n, c, who, category, at, call) for n, c, _, who, category, at, call in rows if category != "second-talk"}
    second = {(n, c, who) for n, c, _, who, category, *_ in rows if category == "second-talk"}
    assert plain == {item for item in expected if not (item[3] == "long-talk" and item[:3] in second)}


@pytest.mark.parametrize("order", [1, -1], ids=["first-the-mark", "first-the-retraction"])
def test_marks_at_equal_times_are_ordered_by_verdict_and_text(store: Path, order: int) -> None:
    for mark in [make_mark(), make_mark(verdict=Verdict.RETRACTED), make_mark(verdict=Verdict.OK)][::order]:
        write(store, add_mark, mark)
    assert [mark.verdict for mark in read(store, marks_of, CALLER)] == [Verdict.RETRACTED]
    for category in ["scam", "survey"][::order]:
        write(store, add_mark, make_mark(reporter="202", category=category))
    assert make_mark(reporter="202", category="survey") in read(store, marks_of, CALLER)


def test_an_entry_of_a_mark_becomes_the_persons_own(store: Path) -> None:
    entry = PersonalEntry("201", CALLER, ListName.BLOCK, NOW)
    write(
        store, lambda db: db.execute("INSERT INTO personal_entry VALUES (?, '201', 'block', ?, 'mark')", (CALLER, NOW))
    )
    write(store, set_personal_entry, entry)
    assert read(store, personal_entries, "201") == [entry]
    assert read(store, lambda db: db.execute("SELECT source FROM personal_entry").fetchall()) == [("person",)]


def test_a_withheld_caller_has_no_one_ring_call(store: Path) -> None:
    record(store, make_outcome(ring=3.0))
    assert read(store, facts_of, make_query(None)).one_ring_at is None
