"""Which call is meant when a person asks for an explanation of the last one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.feature_codes import LAST_CALL_SECONDS, last_call_of
from reputation.model import CallerKind, DecisionRecord, Direction, Disposition, ListName, Person
from reputation.outcome import OutcomeRecord
from reputation.store.connection import open_store
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, PersonalEntry, add_contacts, set_personal_entry
from reputation.store.outcomes import record_outcome
from reputation.store.people import upsert_people
from tests.reputation.store_builders import CALLER, NOW, make_record

PHONE, OTHER = "PJSIP/201", "+12015550177"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        upsert_people(opened, [Person("201", PHONE), Person("202", "PJSIP/202")], "test")
        yield opened


def record_call(db: sqlite3.Connection, caller: str | None, at: float, endpoint: str = PHONE) -> None:
    record_outcome(
        db,
        OutcomeRecord(
            linkedid=f"c{at}",
            at=at,
            direction=Direction.INBOUND,
            disposition=Disposition.ANSWERED,
            caller=caller,
            caller_kind=CallerKind.NUMBER if caller else CallerKind.WITHHELD,
            answered_by=endpoint,
        ),
        at + 5,
    )


def record_decision(db: sqlite3.Connection, at: float, **fields: object) -> DecisionRecord:
    record = make_record(f"D{at}")._replace(at=at, linkedid=f"c{at}", callee=None, **fields)  # type: ignore[arg-type]
    record_decisions(db, [record])
    return record


def test_no_last_call_without_calls(db: sqlite3.Connection) -> None:
    assert last_call_of(db, PHONE, NOW) is None
    record_call(db, CALLER, NOW, "PJSIP/202")
    assert last_call_of(db, PHONE, NOW + 10) is None


def test_last_call_is_the_latest_with_its_decision(db: sqlite3.Connection) -> None:
    record_decision(db, NOW, action="warn", would_be="warn")
    record = record_decision(db, NOW + 100, action="tag", would_be="tag")
    record_call(db, CALLER, NOW)
    record_call(db, CALLER, NOW + 100)
    last = last_call_of(db, PHONE, NOW + 200)
    assert last is not None
    assert (last.number, last.decision) == (CALLER, record)


def test_an_unscreened_last_call_has_no_decision(db: sqlite3.Connection) -> None:
    record_call(db, OTHER, NOW)
    last = last_call_of(db, PHONE, NOW + 10)
    assert last is not None
    assert (last.number, last.decision) == (OTHER, None)


def test_a_rejected_call_can_be_the_last_call(db: sqlite3.Connection) -> None:
    record_decision(db, NOW)
    record_call(db, CALLER, NOW)
    away = make_record("AWAY")._replace(at=NOW + 50, linkedid="c-away", callee="201", caller=OTHER, action="reject")
    record_decisions(db, [away, away._replace(id="B", linkedid="b", callee="202", at=NOW + 60)])
    last = last_call_of(db, PHONE, NOW + 70)
    assert last is not None
    assert last.decision == away
    record_call(db, CALLER, NOW + 80)
    later = last_call_of(db, PHONE, NOW + 90)
    assert later is not None
    assert later.number == CALLER


def test_an_old_rejected_call_is_not_the_last_call(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("AWAY")._replace(at=NOW, linkedid="c-away", callee="201")])
    assert last_call_of(db, PHONE, NOW + LAST_CALL_SECONDS - 1) is not None
    assert last_call_of(db, PHONE, NOW + LAST_CALL_SECONDS + 1) is None


@pytest.mark.parametrize(
    ("listed_at", "person", "action", "rule"),
    [
        pytest.param(NOW - 1, "201", "allow", "callee-allowlist", id="allowed-before"),
        pytest.param(NOW + 1, "201", "warn", "level-warn", id="allowed-after-it"),
        pytest.param(NOW - 1, "202", "warn", "level-warn", id="by-somebody-else"),
    ],
)
def test_a_person_who_allowed_the_caller_was_rung_without_label(
    db: sqlite3.Connection, listed_at: float, person: str, action: str, rule: str
) -> None:
    record_decision(db, NOW, action="warn", would_be="warn", rule="level-warn")
    record_call(db, CALLER, NOW)
    set_personal_entry(db, PersonalEntry(person, CALLER, ListName.ALLOW, listed_at))
    last = last_call_of(db, PHONE, NOW + 10)
    assert last is not None
    assert last.decision is not None
    assert (last.decision.action, last.decision.rule) == (action, rule)


def test_a_contact_rang_without_label_unless_rejected(db: sqlite3.Connection) -> None:
    add_contacts(db, "test", [Contact(CALLER)])
    record_decision(db, NOW, action="tag", would_be="tag")
    record_call(db, CALLER, NOW)
    last = last_call_of(db, PHONE, NOW + 10)
    assert last is not None
    assert last.decision is not None
    assert (last.decision.action, last.decision.rule) == ("allow", "contact")
    record_decision(db, NOW + 50, action="reject", would_be="reject")
    record_call(db, CALLER, NOW + 50)
    last = last_call_of(db, PHONE, NOW + 60)
    assert last is not None
    assert last.decision is not None
    assert last.decision.action == "reject"
