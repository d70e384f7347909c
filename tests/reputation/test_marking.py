"""Marks: what is refused, and that unmarking leaves nothing behind."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reputation.marking import (
    MARKS_A_DAY,
    UNDO_SECONDS,
    MarkRefusal,
    MarkResult,
    MarkStatement,
    MarkStatus,
    mark,
    mark_last_caller,
    unmark,
)
from reputation.model import AuthClass, Did, Identity, ListName, Mark, MarkChannel, Person, Tie, Verdict
from reputation.store.evidence_rows import marks_of, signals_of
from reputation.store.identities import set_identity
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, PersonalEntry, add_contacts, personal_entries, set_personal_entry
from reputation.store.marks import marks_between
from reputation.store.outcomes import record_outcome
from reputation.store.people import replace_settings_dids, replace_settings_own_numbers, replace_settings_people
from tests.reputation.store_builders import CALLER, DAY, DID, NOW, facts, make_outcome, make_record, read, write

OTHER, OURS = "+12015550999", "+442071838751"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that knows 201 of sales, 202, a DID and an own number."""
    path = tmp_path / "callsieve.db"
    write(path, replace_settings_people, [Person("201", "PJSIP/201", "sales"), Person("202"), Person("7654321")])
    write(path, replace_settings_dids, [Did(DID)])
    write(path, replace_settings_own_numbers, [OURS])
    return path


def mark_number(store: Path, number: str = CALLER, verdict: Verdict = Verdict.SPAM, **about: Any) -> MarkResult:
    """Mark a number as 201 on the command line, in the US."""
    values: dict[str, Any] = {"reporter": "201", "at": NOW, "channel": MarkChannel.CLI, "region": "US"} | about
    return write(store, mark, MarkStatement(number=number, verdict=verdict, **values))


def retract(store: Path, at: float = NOW + 1, number: str = CALLER) -> MarkResult:
    return mark_number(store, number, Verdict.RETRACTED, at=at)


def blocked(store: Path) -> list[tuple[Tie, str | None]]:
    return [(tie.tie, tie.person) for tie in facts(store).ties if tie.tie is not Tie.NOT_SPAM]


class TestSpam:
    def test_a_mark_blocks_the_number_for_that_person_alone(self, store: Path) -> None:
        result = mark_number(store, "(201) 555-0123", category=" Scam ", reason="said he was the\n bank")
        written = Mark(
            CALLER,
            AuthClass.UNKNOWN,
            "201",
            Verdict.SPAM,
            NOW,
            MarkChannel.CLI,
            "sales",
            "scam",
            "said he was the bank",
        )
        assert result == MarkResult(MarkStatus.MARKED, CALLER, written)
        assert read(store, marks_of, CALLER) == [written]
        assert blocked(store) == [(Tie.BLOCK, "201")]

    def test_a_thousand_marks_count_once(self, store: Path) -> None:
        for at in range(30):
            assert mark_number(store, at=NOW + at).status is MarkStatus.MARKED
        assert [item.at for item in read(store, marks_of, CALLER)] == [NOW + 29]

    def test_a_reporter_without_a_group_marks_without_one(self, store: Path) -> None:
        for reporter in ("202", "999"):
            result = mark_number(store, reporter=reporter)
            assert result.mark is not None
            assert result.mark.group is None

    @pytest.mark.parametrize(
        ("number", "refusal"),
        [
            pytest.param("911", "emergency-number", id="emergency"),
            pytest.param("201", "internal-extension", id="extension"),
            pytest.param("355", "internal-extension", id="short-digits"),
            pytest.param(" 7654321", "internal-extension", id="long-extension"),
            pytest.param("anonymous", "withheld", id="withheld"),
            pytest.param("+1911", "emergency-number", id="emergency-number-with-its-country"),
            pytest.param("1&PJSIP/x", "no-number", id="no-number"),
            pytest.param(DID, "own-number", id="did"),
            pytest.param(OURS, "own-number", id="own-number"),
        ],
    )
    @pytest.mark.parametrize("verdict", [Verdict.SPAM, Verdict.OK])
    def test_an_unmarkable_number_is_refused(self, store: Path, number: str, refusal: str, verdict: Verdict) -> None:
        result = mark_number(store, number, verdict)
        assert (result.status, result.refusal) == (MarkStatus.REFUSED, refusal)
        assert read(store, marks_between, 0.0, math.inf) == []

    @pytest.mark.parametrize("person", [None, "201", "202"])
    def test_a_contact_cannot_be_marked_as_spam(self, store: Path, person: str | None) -> None:
        write(store, add_contacts, "crm", [Contact(CALLER, "Carol", person)])
        result = mark_number(store)
        assert (result.status, result.refusal, result.mark) == (MarkStatus.REFUSED, MarkRefusal.CONTACT, None)
        assert mark_number(store, verdict=Verdict.OK).status is MarkStatus.MARKED

    @pytest.mark.parametrize(
        ("level", "expires_at", "about", "status"),
        [
            pytest.param(2, NOW + 1, {}, MarkStatus.REFUSED, id="verified"),
            pytest.param(2, NOW + 1, {"category": "scam"}, MarkStatus.REFUSED, id="verified-and-no-reason"),
            pytest.param(2, NOW + 1, {"reason": "he lied"}, MarkStatus.REFUSED, id="verified-and-no-category"),
            pytest.param(2, NOW + 1, {"category": "scam", "reason": " "}, MarkStatus.REFUSED, id="an-empty-reason"),
            pytest.param(2, NOW + 1, {"category": "scam", "reason": "he lied"}, MarkStatus.MARKED, id="both-given"),
            pytest.param(2, NOW, {}, MarkStatus.MARKED, id="expired"),
            pytest.param(1, NOW + 1, {}, MarkStatus.MARKED, id="level-1"),
        ],
    )
    def test_a_verified_business_cannot_be_marked_as_spam(
        self, store: Path, level: int, expires_at: float, about: dict[str, Any], status: MarkStatus
    ) -> None:
        write(store, set_identity, Identity(CALLER, "First Bank", level, expires_at), NOW)
        result = mark_number(store, **about)
        assert result.status is status
        assert result.refusal is (MarkRefusal.VERIFIED if status is MarkStatus.REFUSED else None)

    def test_the_21st_number_of_a_day_is_refused(self, store: Path) -> None:
        for index in range(MARKS_A_DAY):
            assert mark_number(store, f"+120155501{index:02}").status is MarkStatus.MARKED
        result = mark_number(store, OTHER)
        assert (result.status, result.refusal) == (MarkStatus.REFUSED, MarkRefusal.TOO_MANY)
        assert mark_number(store, "+12015550100", at=NOW + 5).status is MarkStatus.MARKED
        assert retract(store, number="+12015550101").status is MarkStatus.RETRACTED
        assert mark_number(store, OTHER, at=NOW + 6).status is MarkStatus.REFUSED
        assert mark_number(store, OTHER, reporter="202").status is MarkStatus.MARKED
        assert mark_number(store, OTHER, at=NOW + DAY + 2).status is MarkStatus.MARKED


class TestAuthClass:
    def test_a_mark_takes_the_class_of_the_last_call(self, store: Path) -> None:
        def class_of(reporter: str, linkedid: str | None = None) -> AuthClass:
            result = mark_number(store, reporter=reporter, linkedid=linkedid)
            assert result.mark is not None
            return result.mark.auth_class

        assert class_of("201") is AuthClass.UNKNOWN
        signed = make_record("d1", NOW - 30, auth_class=AuthClass.AUTHENTICATED, linkedid="c1")
        spoofed = make_record("d2", NOW - 20, auth_class=AuthClass.UNAUTHENTICATED, linkedid="c2")
        write(store, record_decisions, [signed, spoofed])
        assert class_of("201") is AuthClass.UNAUTHENTICATED
        assert class_of("201", "c1") is AuthClass.AUTHENTICATED
        write(store, record_outcome, make_outcome("c1", NOW - 30, by="201", talk=5.0), NOW)
        assert class_of("201") is AuthClass.AUTHENTICATED
        assert class_of("202") is AuthClass.UNAUTHENTICATED
        for_202 = make_record("d3", NOW - 25, auth_class=AuthClass.UNKNOWN, linkedid="c3", callee="202")
        write(store, record_decisions, [for_202])
        assert class_of("202") is AuthClass.UNKNOWN


class TestUnmark:
    def test_unmark_after_mark_is_never_marked(self, store: Path) -> None:
        before = facts(store)
        mark_number(store)
        assert retract(store).status is MarkStatus.RETRACTED
        assert [item.verdict for item in read(store, marks_of, CALLER)] == [Verdict.RETRACTED]
        assert facts(store) == before
        assert read(store, personal_entries, "201") == []

    def test_unmark_before_the_mark_by_the_clock_retracts(self, store: Path) -> None:
        mark_number(store)
        assert retract(store, NOW - 5).status is MarkStatus.RETRACTED
        assert [item.verdict for item in read(store, marks_of, CALLER)] == [Verdict.RETRACTED]

    @pytest.mark.parametrize("number", [CALLER, "anonymous"])
    def test_unmark_without_a_mark_changes_nothing(self, store: Path, number: str) -> None:
        statement = MarkStatement(number=number, reporter="201", verdict=Verdict.SPAM, at=NOW, channel=MarkChannel.CLI)
        assert write(store, unmark, statement).status is MarkStatus.NOTHING

    def test_unmark_retracts_the_marks_of_every_class(self, store: Path) -> None:
        mark_number(store)
        write(store, record_decisions, [make_record("d1", auth_class=AuthClass.AUTHENTICATED)])
        mark_number(store, at=NOW + 1)
        assert len(read(store, marks_of, CALLER)) == 2
        retract(store, NOW + 2)
        assert {item.verdict for item in read(store, marks_of, CALLER)} == {Verdict.RETRACTED}

    def test_unmark_keeps_the_marks_of_others(self, store: Path) -> None:
        mark_number(store)
        mark_number(store, reporter="202")
        retract(store)
        assert blocked(store) == [(Tie.BLOCK, "202")]


class TestNotSpam:
    def test_not_spam_replaces_the_mark_and_counts_as_a_call_back(self, store: Path) -> None:
        said = mark_number(store)
        result = mark_number(store, verdict=Verdict.OK, at=NOW + 1)
        assert (result.status, result.before) == (MarkStatus.MARKED, said.mark)
        assert blocked(store) == []
        assert [(item.callee, item.category.value, item.at) for item in read(store, signals_of, CALLER)] == [
            ("201", "not-spam", NOW + 1)
        ]
        retract(store, NOW + 2)
        assert read(store, signals_of, CALLER) == []

    def test_not_spam_retracts_the_marks_of_other_classes(self, store: Path) -> None:
        mark_number(store)
        write(store, record_decisions, [make_record("d1", auth_class=AuthClass.AUTHENTICATED)])
        mark_number(store, verdict=Verdict.OK, at=NOW + 1)
        assert {(item.auth_class.value, item.verdict.value) for item in read(store, marks_of, CALLER)} == {
            ("unknown", "retracted"),
            ("authenticated", "ok"),
        }


class TestPersonalList:
    def test_an_entry_that_the_person_made_outlives_the_mark(self, store: Path) -> None:
        own = PersonalEntry("201", CALLER, ListName.BLOCK, NOW - 1)
        write(store, set_personal_entry, own)
        mark_number(store)
        retract(store)
        assert read(store, personal_entries, "201") == [own]

    @pytest.mark.parametrize("verdict", [Verdict.RETRACTED, Verdict.OK])
    def test_an_allowlist_entry_is_restored_after_the_mark(self, store: Path, verdict: Verdict) -> None:
        write(store, set_personal_entry, PersonalEntry("201", CALLER, ListName.ALLOW, NOW - 1))
        mark_number(store)
        mark_number(store, at=NOW + 1)
        assert blocked(store) == [(Tie.BLOCK, "201")]
        mark_number(store, verdict=verdict, at=NOW + 2)
        assert read(store, personal_entries, "201") == [PersonalEntry("201", CALLER, ListName.ALLOW, NOW + 2)]

    def test_a_later_list_entry_of_the_person_stays(self, store: Path) -> None:
        later = PersonalEntry("201", CALLER, ListName.ALLOW, NOW + 10)
        write(store, set_personal_entry, later)
        mark_number(store)
        assert read(store, personal_entries, "201") == [later]


class TestLastCaller:
    def dial(self, store: Path, verdict: Verdict = Verdict.SPAM, at: float = NOW) -> MarkResult:
        return write(store, mark_last_caller, "201", verdict, at)

    def test_the_code_without_a_last_caller_is_refused(self, store: Path) -> None:
        assert self.dial(store).refusal is MarkRefusal.NOBODY_CALLED

    def test_a_withheld_last_caller_is_refused(self, store: Path) -> None:
        write(store, record_outcome, make_outcome(caller=None, rung=("201",)), NOW)
        result = self.dial(store)
        assert (result.refusal, result.number) == (MarkRefusal.WITHHELD, None)

    def test_the_code_again_within_a_minute_retracts_the_mark(self, store: Path) -> None:
        write(store, record_outcome, make_outcome("c7", NOW - 60, by="PJSIP/201", talk=5.0), NOW)
        result = self.dial(store)
        assert result.mark is not None
        assert (result.mark.number, result.mark.linkedid, result.mark.channel) == (CALLER, "c7", MarkChannel.EXTENSION)
        assert self.dial(store, at=NOW + UNDO_SECONDS).status is MarkStatus.RETRACTED
        assert self.dial(store, at=NOW + UNDO_SECONDS + 1).status is MarkStatus.MARKED
        assert self.dial(store, at=NOW + 2 * UNDO_SECONDS + 2).status is MarkStatus.MARKED

    def test_the_ok_code_replaces_a_spam_mark(self, store: Path) -> None:
        write(store, record_outcome, make_outcome(by="201", talk=5.0), NOW)
        self.dial(store)
        result = self.dial(store, Verdict.OK, NOW + 5)
        assert result.mark is not None
        assert (result.status, result.mark.verdict) == (MarkStatus.MARKED, Verdict.OK)
        assert blocked(store) == []


def test_a_refused_mark_changes_no_row(store: Path) -> None:
    def dump(db: sqlite3.Connection) -> list[str]:
        return list(db.iterdump())

    write(store, add_contacts, "crm", [Contact(CALLER)])
    before = read(store, dump)
    assert mark_number(store).status is MarkStatus.REFUSED
    assert read(store, dump) == before


def test_a_mark_is_stored_with_all_its_fields(store: Path) -> None:
    write(store, record_decisions, [make_record("d9", linkedid="c9", auth_class=AuthClass.AUTHENTICATED)])
    result = mark_number(store, category="debt", reason="x" * 300, linkedid="c9", channel=MarkChannel.WEB)
    assert result.mark is not None
    assert result.mark == read(store, marks_of, CALLER)[0]
    assert (result.mark.reason, result.mark.auth_class) == ("x" * 200, AuthClass.AUTHENTICATED)
