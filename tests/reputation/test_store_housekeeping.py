"""Housekeeping: each job does its work, says what it did, and in a dry run does nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reputation.appeals import AppealStep
from reputation.model import AuthClass, Direction, Identity
from reputation.numbers import is_valid
from reputation.store.appeals import take_step
from reputation.store.errors import StoreError
from reputation.store.housekeeping import DAY, HOUR, JOBS, Counts, in_words, jobs_due, main, reports, run_jobs
from reputation.store.identities import set_identity
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.rows import marks_of, signals_of
from reputation.store.standing import standing
from tests.reputation.histories import assert_fresh, empty_store
from tests.reputation.store_builders import CALLER, NOW, make_mark, make_outcome, make_record, read, write
from tests.reputation.test_store_appeals import file

NOBODYS = "+12010550123"  # as if it had been somebody's when its calls came
SOMEBODYS = "+12017421834"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


def run(db: sqlite3.Connection, now: float = NOW, *, dry_run: bool = False) -> dict[str, Counts]:
    return {report.job: report.did for report in run_jobs(db, JOBS, now, dry_run=dry_run)}


def call_of(db: sqlite3.Connection, number: str, linkedid: str) -> None:
    """It rang once: a signal and a one-ring call."""
    record_outcome(db, make_outcome(linkedid, caller=SOMEBODYS, ring=3.0, source="cdr"), NOW + HOUR)
    for table in ("signal", "one_ring"):
        db.execute(f"UPDATE {table} SET number = ? WHERE number = ?", (number, SOMEBODYS))


def test_what_is_past_its_time_goes_and_is_counted(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("old", NOW - 91 * DAY), make_record("young", NOW - DAY)])
    add_mark(db, make_mark(at=NOW - 366 * DAY))
    gone = {"decision": 1, "mark": 1}
    assert run(db, dry_run=True)["retention"] == gone
    assert len(marks_of(db, CALLER)) == 1
    assert run(db)["retention"] == gone
    assert run(db)["retention"] == {}
    assert marks_of(db, CALLER) == []
    assert_fresh(db)


def test_of_numbers_that_became_nobodys_only_what_people_said_stays(db: sqlite3.Connection) -> None:
    assert (is_valid(NOBODYS), is_valid(SOMEBODYS)) == (False, True)
    call_of(db, NOBODYS, "c1")
    call_of(db, SOMEBODYS, "c2")
    add_mark(db, make_mark(NOBODYS))
    gone = {"number": 1, "signal": 1, "one_ring": 1}
    assert run(db, dry_run=True)["invalid numbers"] == gone
    assert len(signals_of(db, NOBODYS)) == 1
    assert run(db)["invalid numbers"] == gone
    assert run(db)["invalid numbers"] == {}
    assert (signals_of(db, NOBODYS), len(signals_of(db, SOMEBODYS))) == ([], 1)
    found = standing(db, NOBODYS, AuthClass.UNKNOWN)
    assert found is not None
    assert (found.reporters, found.signals) == (1, ())
    assert_fresh(db)


def test_a_number_that_we_talked_with_is_somebodys_whatever_its_plan_says(db: sqlite3.Connection) -> None:
    call_of(db, NOBODYS, "c1")
    talk = make_outcome("o1", dialled=SOMEBODYS, by="201", talk=40.0, direction=Direction.OUTBOUND, source="cdr")
    record_outcome(db, talk, NOW + HOUR)
    db.execute("UPDATE talk SET number = ?", (NOBODYS,))
    assert run(db)["invalid numbers"] == {}


def test_what_waits_for_somebody_is_counted(db: sqlite3.Connection) -> None:
    for number, days in ((SOMEBODYS, -1), ("+12017421835", 10), ("+12017421836", 31)):
        set_identity(db, Identity(number, "Acme", 1, NOW + days * DAY), NOW - 9 * DAY)
    for n, days_ago in enumerate((9.0, 0.0, None)):
        file(db, f"+1201742183{n}", NOW - 9 * DAY, f"AP00000{n}")
        if days_ago is not None:
            take_step(db, f"AP00000{n}", AppealStep.ACCEPT, NOW - days_ago * DAY)
    for n in range(5):
        add_mark(db, make_mark(reporter=str(201 + n), at=NOW - n))
    did = run(db, dry_run=True)
    assert did["identities"] == {"ended": 1, "to be proven again": 1}
    assert did["appeals"] == {"overdue": 1, "to be decided": 1, "only filed": 1}
    assert did["reviews"] == {"to be looked at": 1}


def test_jobs_run_when_it_is_their_time(db: sqlite3.Connection) -> None:
    def due(now: float) -> list[str]:
        return [job.name for job in jobs_due(db, now)]

    everything = [job.name for job in JOBS]
    assert due(NOW) == everything
    run(db, dry_run=True)
    assert (due(NOW), reports(db)) == (everything, [])
    run(db)
    assert [report.job for report in reports(db)] == everything
    assert due(NOW + 1) == []
    assert due(NOW + HOUR - 30) == ["retention"]
    assert due(NOW + DAY) == everything
    assert due(NOW - 5) == everything  # the clock went back


def test_a_report_in_words(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("old", NOW - 91 * DAY)])
    words = [in_words(report) for report in run_jobs(db, JOBS, NOW)]
    assert words[:2] == ["retention: 1 decision", "invalid numbers: nothing"]


def test_in_a_process_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "callsieve.db"
    assert main([str(path)]) == 0
    assert not path.exists()
    write(path, record_decisions, [make_record("old", time.time() - 91 * DAY)])
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.startswith("retention: 1 decision; ")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == "nothing is due"
    assert len(read(path, reports)) == len(JOBS)
    path.write_bytes(b"no store" * 1000)
    assert main([str(path)]) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_job_that_fails_changes_nothing_in_a_dry_run_either(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("old", NOW - 91 * DAY)])
    db.execute("DROP TABLE audit")
    with pytest.raises((StoreError, sqlite3.Error)):
        run(db, dry_run=True)
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM decision").fetchone() == (1,)
