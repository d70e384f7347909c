"""The facts of the outbound guard: calls in flight and ended ones, and state, grade and age of the number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reputation.model import Direction, Person
from reputation.own.grades import Grade
from reputation.own.outbound_types import OutboundFacts, OutboundQuery, OutboundRecord
from reputation.own.register import NumberState, OwnNumber
from reputation.store.database import open_store
from reputation.store.do_not_call import DoNotCallRequest, add_do_not_call
from reputation.store.journal import record_all
from reputation.store.outbound import (
    FIRST_OF_FULL_HOUR,
    LET_OUT_ON_DAY,
    LET_OUT_TO_PERSON,
    LET_OUT_WITHIN,
    outbound_decisions,
    outbound_facts,
    record_outbound,
)
from reputation.store.outcomes import record_outcomes
from reputation.store.own_health import grade_all
from reputation.store.own_register import put_own
from reputation.store.people import upsert_people
from reputation.store.registers import Consent, put_consent
from tests.reputation.own_campaigns import CARELESS, OWN, campaign, run
from tests.reputation.store_builders import DAY, NOW, make_outcome, make_record

CALLEE = "+442071838799"
TODAY = int(NOW // DAY)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        yield opened


def make_let_out(number: int, at: float = NOW, **others: object) -> OutboundRecord:
    record = OutboundRecord(
        f"D{number}", at, f"1.{number}", CALLEE, TODAY, OWN, "PJSIP/201", "allow", "allow", "default", "", None, 0.5
    )
    return record._replace(**others)  # type: ignore[arg-type]


def ask(
    db: sqlite3.Connection,
    now: float = NOW,
    own: str | None = OWN,
    linkedid: str = "",
    hour_limit: int = 0,
    waiting: Sequence[OutboundRecord] = (),
) -> OutboundFacts:
    return outbound_facts(db, OutboundQuery(CALLEE, own, TODAY, now, linkedid, hour_limit), waiting)


def test_an_unknown_callee_and_own_number_give_empty_facts(db: sqlite3.Connection) -> None:
    assert ask(db) == OutboundFacts()
    assert ask(db, own=None) == OutboundFacts()


def test_calls_in_flight_count_and_held_calls_do_not(db: sqlite3.Connection) -> None:
    let_out = [make_let_out(n, NOW - 1800 * n) for n in range(1, 4)]
    held = [make_let_out(8, NOW - 60, action="hold"), make_let_out(9, NOW - DAY, day=TODAY - 1)]
    record_outbound(db, [*let_out, *held, let_out[0]])
    facts = ask(db, hour_limit=1)
    assert (facts.calls_of_person, facts.calls_of_day) == (3, 3)
    assert (facts.calls_of_hour, facts.hour_frees_at) == (1, NOW - 1800 + 3600)


def test_later_calls_do_not_count(db: sqlite3.Connection) -> None:
    record_outbound(db, [make_let_out(n, NOW - 1800 * n) for n in range(4)])
    facts = ask(db, NOW - 3600, hour_limit=2)
    assert (facts.calls_of_person, facts.calls_of_day, facts.calls_of_hour) == (2, 2, 2)
    assert facts.hour_frees_at == NOW - 5400 + 3600
    assert ask(db).calls_of_person == 4, "a call of this very instant counts"


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (LET_OUT_TO_PERSON, "outbound_decision_callee (callee=? AND day=?)"),
        (LET_OUT_ON_DAY, "outbound_decision_own (own_number=? AND at>? AND at<?)"),
        (LET_OUT_WITHIN, "outbound_decision_own (own_number=? AND at>? AND at<?)"),
        (FIRST_OF_FULL_HOUR, "outbound_decision_own (own_number=? AND at>? AND at<?)"),
    ],
)
def test_outbound_decisions_are_found_by_an_index(db: sqlite3.Connection, sql: str, index: str) -> None:
    query = dict.fromkeys(("callee", "own", "day", "hour_ago", "two_days_ago", "now", "same", "limit", "waiting"))
    plan = [step for *_, step in db.execute(f"EXPLAIN QUERY PLAN {sql}", query)]
    assert f"SEARCH outbound_decision USING INDEX {index}" in plan


def test_a_call_tried_over_several_trunks_counts_once(db: sqlite3.Connection) -> None:
    tries = [make_let_out(n, NOW - 60 + n, linkedid="1.7") for n in range(1, 4)]
    record_outbound(db, [*tries, make_let_out(9, NOW - 30)])
    facts = ask(db)
    assert (facts.calls_of_person, facts.calls_of_day, facts.calls_of_hour) == (2, 2, 2)
    facts = ask(db, linkedid="1.7", hour_limit=1)
    assert (facts.calls_of_person, facts.calls_of_day, facts.calls_of_hour) == (1, 1, 1), "its own tries do not count"
    assert facts.hour_frees_at == NOW - 30 + 3600


def test_unwritten_decisions_count_once(db: sqlite3.Connection) -> None:
    stored, waiting = (
        [make_let_out(1), make_let_out(2)],
        [make_let_out(2), make_let_out(3), make_let_out(4, linkedid="1.1")],
    )
    others = [
        make_let_out(5, action="hold"),
        make_let_out(6, callee=None, day=None, own_number=None),
        make_let_out(7, callee="+442071838700", own_number="+442071838701"),
    ]
    record_outbound(db, stored)
    facts = ask(db, waiting=[*waiting, *others])
    assert (facts.calls_of_person, facts.calls_of_day, facts.calls_of_hour) == (3, 3, 3)
    assert ask(db, linkedid="1.3", waiting=waiting).calls_of_person == 2


def test_a_full_hour_has_room_once_enough_calls_are_old(
    db: sqlite3.Connection,
) -> None:
    record_outbound(db, [make_let_out(n, NOW - 300 * n) for n in range(1, 11)])
    assert ask(db, hour_limit=11).hour_frees_at is None
    assert ask(db, hour_limit=10).hour_frees_at == NOW - 3000 + 3600
    frees_at = ask(db, hour_limit=3).hour_frees_at
    assert frees_at == NOW - 900 + 3600
    assert ask(db, frees_at - 1, hour_limit=3).calls_of_hour == 3
    assert ask(db, frees_at, hour_limit=3).calls_of_hour == 2


def test_calls_that_skipped_the_guard_count_once_they_end(db: sqlite3.Connection) -> None:
    calls = [
        make_outcome(f"c{n}", NOW - 60, by="201", direction=Direction.OUTBOUND, dialled=CALLEE, own_number=number)
        for n, number in enumerate([OWN, OWN, "+442071838759"])
    ]
    record_outcomes(db, calls, NOW)
    record_outbound(db, [make_let_out(1)])
    facts = ask(db)
    assert facts.calls_of_person == 3, "to a person it does not matter which of our numbers calls"
    assert facts.calls_of_day == 2
    assert ask(db, own=None).calls_of_person == 3


def test_facts_have_number_state_and_do_not_call_request(db: sqlite3.Connection) -> None:
    put_own(db, OwnNumber(number=OWN, state=NumberState.RESTING, since=NOW - DAY))
    add_do_not_call(db, DoNotCallRequest(CALLEE, NOW - 5))
    facts = ask(db)
    assert (facts.state, facts.rests_until, facts.unwanted_at) == (NumberState.RESTING, NOW + 44 * DAY, NOW - 5)


def test_the_latest_grade_of_the_own_number_is_used(db: sqlite3.Connection) -> None:
    now = run(db, campaign(CARELESS, range(5)))
    assert ask(db, now).grade is None
    grade_all(db, now)
    assert ask(db, now).grade is Grade.AT_RISK
    assert ask(db, now).grade_reasons
    assert ask(db, now + DAY).grade is None, "nobody has graded for a day"


def test_a_number_first_seen_after_counting_began_is_young(db: sqlite3.Connection) -> None:
    def call(days_ago: int, number: str) -> None:
        at = NOW - days_ago * DAY
        outcome = make_outcome(f"{number}{at}", at, by="201", direction=Direction.OUTBOUND, own_number=number)
        record_outcomes(db, [outcome], at + 60)

    assert not ask(db).is_young
    call(29, "+442071838759")
    assert not ask(db).is_young, "after an installation nobody knows"
    call(40, "+442071838758")
    assert ask(db).is_young, "it has never called"
    call(31, OWN)
    assert not ask(db).is_young


def test_decisions_are_kept_beside_those_about_inbound_calls(db: sqlite3.Connection) -> None:
    upsert_people(db, [Person("201", "PJSIP/201")], "settings")
    held = make_let_out(
        2, NOW + 1, action="allow", would_be="hold", rule="hours", until=NOW + 60, callee="+12015550123"
    )
    record_all(db, [make_record(), make_let_out(1), held])
    record_all(db, [make_let_out(1)])
    assert [(decision.id, decision.person) for decision in outbound_decisions(db)] == [("D2", "201"), ("D1", "201")]
    assert [decision.id for decision in outbound_decisions(db, callee=CALLEE)] == ["D1"]
    assert [decision.id for decision in outbound_decisions(db, own_number="+442071838759")] == []
    assert outbound_decisions(db, held=True) == [held._replace(person="201")]
    assert db.execute("SELECT count(*) FROM decision").fetchone() == (1,)


def ask_by_law(db: sqlite3.Connection, calls: int, days: int, waiting: Sequence[OutboundRecord] = ()) -> OutboundFacts:
    return outbound_facts(db, OutboundQuery(CALLEE, OWN, TODAY, NOW, law_calls=calls, law_days=days), waiting)


def test_a_legal_limit_counts_calls_and_gives_the_next_time(db: sqlite3.Connection) -> None:
    record_outbound(db, [make_let_out(n, NOW - n * DAY, day=TODAY - n) for n in (1, 5, 29, 31)])
    facts = ask_by_law(db, 4, 30, [make_let_out(9, NOW - 60)])
    assert (facts.calls_by_law, facts.law_frees_at) == (4, NOW - 29 * DAY + 30 * DAY)
    assert (ask_by_law(db, 4, 30).calls_by_law, ask_by_law(db, 4, 30).law_frees_at) == (3, None)
    assert ask_by_law(db, 3, 1).calls_by_law == 0, "a day of 24 hours"
    assert ask_by_law(db, 0, 0).calls_by_law == 0


def test_an_expired_consent_does_not_count(db: sqlite3.Connection) -> None:
    put_consent(db, Consent(CALLEE, NOW - DAY, NOW + 1, "form 1"))
    assert ask(db).consent_at == NOW - DAY
    assert ask(db, NOW + 1).consent_at is None
