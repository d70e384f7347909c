"""Feature codes: the answer that is spoken, and the rows that are written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.feature_codes import REQUESTS_A_DAY, apply_feature_code, mark_call, reporter_of
from reputation.marking import MarkStatus
from reputation.model import AuthClass, CallerKind, Direction, Disposition, EndedBy, Person, Verdict
from reputation.outcome import OutcomeRecord
from reputation.store.audit import audit_rows
from reputation.store.connection import open_store
from reputation.store.do_not_call import LAST_TALK, DoNotCallRequest, add_do_not_call, do_not_call_of
from reputation.store.evidence_rows import marks_of
from reputation.store.facts import facts_of
from reputation.store.journal import record_decisions
from reputation.store.lists import EXPECT_SECONDS, expected_call_of, personal_entries
from reputation.store.outcomes import record_outcome
from reputation.store.people import upsert_people
from tests.reputation.store_builders import CALLER, NOW, make_outcome, make_query, make_record

OWN = "+442071838750"

PHONE = "PJSIP/201"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        upsert_people(opened, [Person("201", PHONE)], "test")
        yield opened


def called_by(db: sqlite3.Connection, caller: str | None, at: float = NOW) -> None:
    kind = CallerKind.NUMBER if caller else CallerKind.WITHHELD
    outcome = OutcomeRecord(
        linkedid=f"c{at}",
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED,
        caller=caller,
        caller_kind=kind,
        answered_by=PHONE,
        talk_seconds=3.0,
        ended_by=EndedBy.CALLEE,
    )
    record_outcome(db, outcome, at + 5)


def test_the_spam_code_again_within_a_minute_retracts_the_mark(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    assert apply_feature_code(db, PHONE, "spam", NOW + 10) == "spam"
    assert [(m.reporter, m.verdict) for m in marks_of(db, CALLER)] == [("201", Verdict.SPAM)]
    assert apply_feature_code(db, PHONE, "spam", NOW + 40) == "retracted"
    assert [m.verdict for m in marks_of(db, CALLER)] == [Verdict.RETRACTED]


def test_the_spam_code_after_a_minute_renews_the_mark(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    assert [apply_feature_code(db, PHONE, "spam", NOW + seconds) for seconds in (10, 80)] == ["spam", "spam"]


def test_the_ok_code_marks_the_last_caller_as_not_spam(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    assert apply_feature_code(db, PHONE, "ok", NOW + 10) == "ok"


@pytest.mark.parametrize("caller", [None, "nobody called"])
def test_the_spam_code_without_a_last_caller_answers_nobody(db: sqlite3.Connection, caller: str | None) -> None:
    if caller is None:
        called_by(db, None)
    assert apply_feature_code(db, PHONE, "spam", NOW + 10) == "nobody"


def test_marking_an_own_number_is_refused(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO own_number (number, source) VALUES (?, 'test')", (CALLER,))
    called_by(db, CALLER)
    assert apply_feature_code(db, PHONE, "spam", NOW + 10) == "refused"


def test_the_expect_code_opens_and_closes_a_window(db: sqlite3.Connection) -> None:
    assert apply_feature_code(db, PHONE, "expect", NOW) == "expecting"
    assert expected_call_of(db, "201") == ("201", NOW + EXPECT_SECONDS)
    assert apply_feature_code(db, PHONE, "expect", NOW + EXPECT_SECONDS - 1) == "not-expecting"
    assert expected_call_of(db, "201") is None
    later = NOW + EXPECT_SECONDS
    assert apply_feature_code(db, PHONE, "expect", later) == "expecting"
    assert apply_feature_code(db, PHONE, "expect", later + EXPECT_SECONDS) == "expecting", "the window was over"
    said = [(row.what, row.name, row.who) for row in audit_rows(db)]
    assert said == [(what, "201", "phone 201") for what in ("expecting", "expecting", "not-expecting", "expecting")]


def own_list(db: sqlite3.Connection) -> dict[str, str]:
    return {entry.number: entry.verdict.value for entry in personal_entries(db, "201")}


@pytest.mark.parametrize(("code", "verdict", "word"), [("allow", "allow", "allowed"), ("block", "block", "blocked")])
def test_the_list_code_adds_and_removes_the_last_caller(
    db: sqlite3.Connection, code: str, verdict: str, word: str
) -> None:
    called_by(db, CALLER)
    assert apply_feature_code(db, PHONE, code, NOW + 10) == word
    assert own_list(db) == {CALLER: verdict}
    assert apply_feature_code(db, PHONE, code, NOW + 70) == "undone"
    assert own_list(db) == {}
    assert [(row.who, row.what) for row in audit_rows(db, CALLER)] == [
        ("phone 201", "list remove"),
        ("phone 201", "list add"),
    ]


def test_undoing_a_list_code_restores_the_earlier_entry(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    words = [
        apply_feature_code(db, PHONE, code, NOW + at) for code, at in [("allow", 10), ("block", 100), ("block", 120)]
    ]
    assert words == ["allowed", "blocked", "allowed"]
    assert own_list(db) == {CALLER: "allow"}


def test_the_list_code_after_a_minute_keeps_the_entry(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    assert [apply_feature_code(db, PHONE, "block", NOW + at) for at in (10, 71)] == ["blocked", "blocked"]
    assert own_list(db) == {CALLER: "block"}


def test_the_list_code_adds_again_after_an_undo(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    assert [apply_feature_code(db, PHONE, "block", NOW + at) for at in (10, 20, 30)] == ["blocked", "undone", "blocked"]


def test_the_block_code_does_not_retract_a_mark(db: sqlite3.Connection) -> None:
    called_by(db, CALLER)
    assert [apply_feature_code(db, PHONE, code, NOW + at) for code, at in [("spam", 10), ("block", 20)]] == [
        "spam",
        "blocked",
    ]
    assert own_list(db) == {CALLER: "block"}


@pytest.mark.parametrize("code", ["allow", "block"])
def test_the_list_code_without_a_last_caller_answers_nobody(db: sqlite3.Connection, code: str) -> None:
    assert apply_feature_code(db, PHONE, code, NOW) == "nobody"
    called_by(db, None)
    assert apply_feature_code(db, PHONE, code, NOW + 10) == "nobody"


def test_the_whisper_code_switches_whispers_off_and_on(db: sqlite3.Connection) -> None:
    def unwhispered() -> tuple[str, ...]:
        return facts_of(db, make_query()).unwhispered

    assert apply_feature_code(db, PHONE, "whispers", NOW) == "whispers-off"
    assert unwhispered() == (PHONE,)
    assert apply_feature_code(db, "PJSIP/lobby", "whispers", NOW) == "whispers-off"
    assert set(unwhispered()) == {PHONE, "PJSIP/lobby"}
    assert [apply_feature_code(db, who, "whispers", NOW + 999) for who in (PHONE, "PJSIP/lobby")] == ["whispers-on"] * 2
    assert unwhispered() == ()


def test_a_phone_without_a_person_reports_as_itself(db: sqlite3.Connection) -> None:
    assert (reporter_of(db, PHONE), reporter_of(db, "PJSIP/lobby")) == ("201", "PJSIP/lobby")


def test_a_key_during_the_call_marks_its_caller(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("D1", linkedid="c1", caller=CALLER)])
    result = mark_call(db, PHONE, "c1", NOW)
    assert result is not None
    assert result.status is MarkStatus.MARKED
    [written] = marks_of(db, CALLER)
    assert (written.reporter, written.auth_class, written.linkedid) == ("201", AuthClass.UNKNOWN, "c1")


def test_a_key_during_an_undecided_call_marks_no_caller(db: sqlite3.Connection) -> None:
    assert mark_call(db, PHONE, "c9", NOW) is None


def called(db: sqlite3.Connection, number: str, at: float, talk: float = 9.0) -> None:
    """Record a call by 201."""
    outcome = make_outcome(f"o{at}", at, by="201", talk=talk, direction=Direction.OUTBOUND)
    record_outcome(db, outcome._replace(dialled=number, own_number=OWN), outcome.ended_at + 1)


def test_the_dnc_code_adds_the_person_called_last(db: sqlite3.Connection) -> None:
    called_by(db, "+12015550199", NOW - 300)
    called(db, CALLER, NOW - 200)
    called(db, "+12015550198", NOW - 100, talk=0.0)  # unanswered, so no request was made
    assert apply_feature_code(db, PHONE, "dnc", NOW) == "do-not-call"
    assert do_not_call_of(db, CALLER) == DoNotCallRequest(CALLER, NOW, OWN, "201", is_of_called=True)
    assert apply_feature_code(db, PHONE, "dnc", NOW + 59) == "undone"
    assert do_not_call_of(db, CALLER) is None
    assert [(row.who, row.what) for row in audit_rows(db, CALLER)] == [
        ("phone 201", "own dnc remove"),
        ("phone 201", "own dnc add"),
    ]


def test_the_dnc_code_adds_the_last_caller(db: sqlite3.Connection) -> None:
    called(db, "+12015550199", NOW - 200)
    called_by(db, CALLER, NOW - 100)
    assert apply_feature_code(db, PHONE, "dnc", NOW) == "do-not-call"
    wish = do_not_call_of(db, CALLER)
    assert wish is not None
    assert not wish.is_of_called, "we had not called, so it counts against no number of ours"


def test_a_do_not_call_request_of_a_colleague_is_not_undone(db: sqlite3.Connection) -> None:
    called(db, CALLER, NOW - 100)
    add_do_not_call(db, DoNotCallRequest(CALLER, NOW - 30, OWN, "202"))
    assert [apply_feature_code(db, PHONE, "dnc", NOW + seconds) for seconds in (0, 10, 300)] == ["do-not-call"] * 3
    assert do_not_call_of(db, CALLER) == DoNotCallRequest(CALLER, NOW - 30, OWN, "202")


def test_do_not_call_requests_of_a_phone_are_limited_per_day(db: sqlite3.Connection) -> None:
    day = 86_400.0
    for n in range(REQUESTS_A_DAY):
        add_do_not_call(db, DoNotCallRequest(f"+120155502{n:02}", NOW - day + 10, OWN, "201"))
    called(db, CALLER, NOW - 100)
    assert apply_feature_code(db, PHONE, "dnc", NOW) == "refused"
    assert do_not_call_of(db, CALLER) is None
    assert apply_feature_code(db, PHONE, "dnc", NOW + 20) == "do-not-call", "the others are a day old now"
    assert apply_feature_code(db, PHONE, "dnc", NOW + 30) == "undone"


def test_the_dnc_code_ignores_calls_older_than_half_an_hour(db: sqlite3.Connection) -> None:
    called(db, CALLER, NOW - 1820)  # ten seconds of ringing, nine of talk
    assert apply_feature_code(db, PHONE, "dnc", NOW) == "nobody"


def test_the_dnc_code_prefers_a_long_talk_to_a_missed_call(db: sqlite3.Connection) -> None:
    called(db, CALLER, NOW - 2460, talk=2390.0)
    called_by(db, "+12015550199", NOW - 1260)
    assert apply_feature_code(db, PHONE, "dnc", NOW) == "do-not-call"
    assert do_not_call_of(db, CALLER) is not None
    assert do_not_call_of(db, "+12015550199") is None


def test_the_last_talk_is_found_by_an_index(db: sqlite3.Connection) -> None:
    plan = [step for *_, step in db.execute(f"EXPLAIN QUERY PLAN {LAST_TALK}", {"person": "201", "since": NOW})]
    searches = [step for step in plan if step.startswith("SEARCH")]
    assert [("caller=? AND at>?" in step, "person=? AND at>?" in step) for step in searches[:2]] == [
        (True, False),
        (False, True),
    ], plan


def test_quiet_hours_on_and_off_do_not_touch_the_whispers(db: sqlite3.Connection) -> None:
    upsert_people(db, [Person("202", "PJSIP/202", "sales")], "more")
    assert apply_feature_code(db, "PJSIP/202", "quiet", NOW) == "quiet-on"
    assert apply_feature_code(db, "PJSIP/lobby", "quiet", NOW) == "quiet-on"
    facts = facts_of(db, make_query())
    assert set(facts.quiet) == {Person("202", "PJSIP/202", "sales"), Person("PJSIP/lobby", "PJSIP/lobby", None)}
    assert facts.unwhispered == ()
    assert [apply_feature_code(db, who, "quiet", NOW + 999) for who in ("PJSIP/202", "PJSIP/lobby")] == [
        "quiet-off"
    ] * 2
    assert facts_of(db, make_query()).quiet == ()
    assert [row.what for row in audit_rows(db, None, 4)] == ["quiet-off", "quiet-off", "quiet-on", "quiet-on"]
