"""Events are emitted once, in the transaction that causes them, and only if a receiver wants them."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from reputation.appeals import AppealStep
from reputation.events import DATA, Event, EventKind
from reputation.model import CallerKind, Direction, Verdict, Voice
from reputation.own.grades import Grade, Graded, GradeReason
from reputation.store.appeals import AppealRuling, decide, open_appeal, put_back, take_step
from reputation.store.database import open_store
from reputation.store.housekeeping import JOBS, run_jobs
from reputation.store.journal import decision_of, record_decisions
from reputation.store.marks import add_mark, marks_between
from reputation.store.outbox import emitting, events_after, places, use_receivers
from reputation.store.outcomes import outcome_of, record_outcome, settle_outcomes
from reputation.store.own_health import record_grade
from reputation.store.site import close_window, emit_window_closed, latest_emergency, record_emergency
from reputation.store.standing import fold_next, refresh, use_weights
from reputation.store.transaction import rehearsal, transaction
from reputation.store.transcripts import Transcript, record_transcript
from reputation.weights import CountWeights, Thresholds, Weights
from tests.reputation.store_builders import CALLER, DAY, DID, NOW, make_appeal, make_mark, make_outcome, make_record


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        use_receivers(opened, {"crm": tuple(EventKind)})
        yield opened


def emitted_events(db: sqlite3.Connection, *kinds: EventKind) -> list[Event]:
    """Return the events of these kinds."""
    events = [event for event in events_after(db, 0, 1000) if event.kind in (kinds or tuple(EventKind))]
    for event in events:
        msgspec.convert(event.data, DATA[event.kind])
        assert set(event.data) == {field.name for field in msgspec.structs.fields(DATA[event.kind])}
    return events


def test_a_decision_written_twice_emits_one_event(db: sqlite3.Connection) -> None:
    first, second = make_record("d1"), make_record("d2", caller=None)
    record_decisions(db, [first, second])
    record_decisions(db, [first, second, make_record("d3")])
    events = emitted_events(db)
    assert [event.data["id"] for event in events] == ["d1", "d2", "d3"]
    assert [event.subject for event in events] == [CALLER, f"call/{second.linkedid}", CALLER]
    assert {event.at for event in events} == {NOW}


def test_a_transcript_emits_one_event(db: sqlite3.Connection) -> None:
    for _ in range(2):
        record_transcript(db, Transcript("d1", NOW, "1.1", CALLER, "It is Tom.", "en", Voice.UNCLEAR))
    (event,) = emitted_events(db)
    assert (event.kind, event.subject, event.data["text"]) == (EventKind.CALLER_HEARD, CALLER, "It is Tom.")


def test_call_ended_waits_for_the_decision(db: sqlite3.Connection) -> None:
    outcome = make_outcome(at=NOW, by="201", talk=31.0, waited_seconds=55.0)
    record_outcome(db, outcome, NOW + 96)
    assert emitted_events(db) == []
    record_decisions(db, [make_record("d1")])
    for _ in range(2):
        settle_outcomes(db, NOW + 97)
        record_outcome(db, outcome, NOW + 98)
    (ended,) = emitted_events(db, EventKind.CALL_ENDED)
    assert (ended.data["decision_id"], ended.data["answered_by"], ended.data["talk_seconds"]) == ("d1", "201", 31.0)
    assert (ended.subject, ended.at) == (CALLER, NOW + 10 + 55 + 31)


def test_call_ended_of_an_undecided_call_follows_a_minute_later(db: sqlite3.Connection) -> None:
    record_outcome(db, make_outcome(), NOW + 10)
    settle_outcomes(db, NOW + 80)
    (ended,) = emitted_events(db)
    assert (ended.data["decision_id"], ended.data["disposition"]) == (None, "no-answer")


def test_a_withheld_number_is_in_no_event(db: sqlite3.Connection) -> None:
    record_outcome(db, make_outcome(), NOW + 10)
    record_decisions(db, [make_record("d1", caller=None)._replace(caller_kind=CallerKind.WITHHELD)])
    settle_outcomes(db, NOW + 20)
    events = emitted_events(db)
    assert [(event.kind.value, event.data["caller"]) for event in events] == [
        ("decision.taken", None),
        ("call.ended", None),
    ]
    assert CALLER not in repr(events)


@pytest.mark.parametrize(
    ("source", "direction", "expected"),
    [
        pytest.param("ami", Direction.OUTBOUND, 1, id="outbound"),
        pytest.param("ami", Direction.INTERNAL, 0, id="internal"),
        pytest.param("cdr", Direction.OUTBOUND, 0, id="imported"),
    ],
)
def test_call_ended_depends_on_direction_and_source(
    db: sqlite3.Connection, source: str, direction: Direction, expected: int
) -> None:
    outcome = make_outcome(by="201", direction=Direction.OUTBOUND)._replace(source=source, direction=direction)
    record_outcome(db, outcome, NOW + 10)
    assert len(emitted_events(db, EventKind.CALL_ENDED)) == expected


def test_a_mark_emits_mark_and_level_events(db: sqlite3.Connection) -> None:
    now = time.time()
    for reporter in ("201", "202", "203", "204", "205", "206"):
        mark = make_mark(reporter=reporter, at=now, category="scam")
        add_mark(db, mark)
        add_mark(db, mark)
    events = emitted_events(db)
    assert [event.data["reporter"] for event in events if event.kind is EventKind.NUMBER_MARKED] == [
        "201", "202", "203", "204", "205", "206",
    ]  # fmt: skip
    levels = [event for event in events if event.kind is EventKind.LEVEL_CHANGED]
    assert levels
    assert levels[0].data["before"] == "none"
    assert [level.data["level"] for level in levels[:-1]] == [level.data["before"] for level in levels[1:]]
    assert {event_.subject for event_ in events} == {CALLER}


def test_a_retracted_mark_emits_mark_and_level_events(db: sqlite3.Connection) -> None:
    now = time.time()
    marks = [make_mark(reporter=f"{201 + place}", at=now - place * DAY) for place in range(6)]  # no burst
    for mark in marks:
        add_mark(db, mark)
    risen = emitted_events(db, EventKind.LEVEL_CHANGED)[-1].data["level"]
    for mark in marks:
        add_mark(db, replace(mark, verdict=Verdict.RETRACTED))
    fallen = emitted_events(db, EventKind.LEVEL_CHANGED)[-1].data
    assert (risen != "none", fallen["level"]) == (True, "none")


def test_level_events_use_the_thresholds_of_the_settings(db: sqlite3.Connection) -> None:
    use_receivers(
        db, {"crm": tuple(EventKind)}, Weights(levels=Thresholds(tag=50, warn=60, challenge=70, route=80, reject=90))
    )
    for reporter in ("201", "202", "203", "204", "205", "206"):
        add_mark(db, make_mark(reporter=reporter, at=time.time()))
    assert emitted_events(db, EventKind.LEVEL_CHANGED) == []


def test_changed_weights_emit_no_level_events(db: sqlite3.Connection) -> None:
    for reporter in ("201", "202", "203", "204", "205", "206"):
        add_mark(db, make_mark(reporter=reporter, at=time.time()))
    before = places(db)
    use_weights(db, Weights(counts=CountWeights(marks_half_life_days=1.0)))
    while fold_next(db, 10):
        pass
    refresh(db, CALLER)
    assert places(db) == before


def test_an_appeal_emits_opened_and_decided(db: sqlite3.Connection) -> None:
    filed = open_appeal(db, make_appeal())
    accepted = take_step(db, filed.reference, AppealStep.ACCEPT, NOW + 1)
    decide(db, filed.reference, AppealRuling(True, "they were right"), NOW + 2)
    put_back(db, accepted)
    opened, decided = emitted_events(db)
    assert (opened.kind, opened.subject, opened.at) == (EventKind.APPEAL_OPENED, CALLER, NOW)
    assert (decided.kind, decided.data["ruling"], decided.at) == (EventKind.APPEAL_DECIDED, "upheld", NOW + 2)
    assert "Carol" not in repr((opened, decided))


def test_only_a_changed_grade_emits_an_event(db: sqlite3.Connection) -> None:
    bad = GradeReason("listed", {"n": 1})
    grades = [(Grade.HEALTHY, ()), (Grade.HEALTHY, ()), (Grade.AT_RISK, (bad,)), (None, ())]
    for days, (grade, reasons) in enumerate(grades):
        record_grade(db, DID, Graded(NOW + days * DAY, grade, reasons))
    assert [(item.data["before"], item.data["grade"], item.data["reasons"]) for item in emitted_events(db)] == [
        (None, "healthy", []),
        ("healthy", "at_risk", ["listed"]),
        ("at_risk", None, []),
    ]


def test_the_emergency_window_emits_opened_and_closed(db: sqlite3.Connection) -> None:
    steps: list[Callable[[], None]] = [
        lambda: record_emergency(db, NOW),
        lambda: record_emergency(db, NOW + 1),
        lambda: emit_window_closed(db, NOW + 7200, "time"),
        lambda: emit_window_closed(db, NOW + 7201, "time"),
        lambda: record_emergency(db, NOW + 9000, who=""),
        lambda: close_window(db, NOW + 9001),
    ]
    for step in steps:
        step()
    assert [(item.kind.value, item.data["by"]) for item in emitted_events(db)] == [
        ("emergency.opened", "Asterisk"),
        ("emergency.closed", "time"),
        ("emergency.opened", "hand"),
        ("emergency.closed", "hand"),
    ]


def test_a_rollback_emits_no_event(db: sqlite3.Connection) -> None:
    with rehearsal(db):
        open_appeal(db, make_appeal())
        assert len(emitted_events(db)) == 1
    assert emitted_events(db) == []


def test_unwanted_events_are_not_written(db: sqlite3.Connection) -> None:
    use_receivers(db, {})
    record_decisions(db, [make_record("d1")])
    record_emergency(db, NOW)
    open_appeal(db, make_appeal())
    add_mark(db, make_mark())
    assert places(db) == (0, 0)


def test_housekeeping_drops_old_events(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("d1", at=NOW - 8 * DAY), make_record("d2", at=NOW)])
    (report,) = run_jobs(db, JOBS[:1], NOW)
    assert (report.did["event"], report.did["event not delivered"]) == (1, 1)
    assert [event.data["id"] for event in emitted_events(db)] == ["d2"]


BROKEN = {
    "refused": "CREATE TRIGGER broken BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'broken'); END",
    "no-deliveries": "DROP TABLE event_delivery",
    "no-receivers": "DROP TABLE event_wanted",
    "no-events": "DROP TABLE event",
    "no-weights": "INSERT OR REPLACE INTO event_weights VALUES (1, '{')",
}


@pytest.mark.parametrize("broken", [pytest.param(sql, id=name) for name, sql in BROKEN.items()])
def test_rows_are_kept_when_their_event_fails(db: sqlite3.Connection, broken: str) -> None:
    now = time.time()
    db.execute(broken)
    with transaction(db):
        record_decisions(db, [make_record("d1")])
    with transaction(db):
        record_outcome(db, make_outcome(at=NOW, by="201", talk=31.0), NOW + 41)
        record_emergency(db, now)
    with transaction(db):
        for reporter in ("201", "202", "203"):
            add_mark(db, make_mark(reporter=reporter, at=now, category="scam"))
    assert decision_of(db, "d1") is not None
    assert outcome_of(db, make_outcome(at=NOW).linkedid) is not None
    assert len(marks_between(db, 0, math.inf)) == 3
    assert latest_emergency(db) == now


def test_a_full_store_error_is_raised_not_swallowed(db: sqlite3.Connection) -> None:
    """The journal then keeps its decisions, with their events, until the store accepts them."""
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(sqlite3.OperationalError), emitting(db):
        raise full
