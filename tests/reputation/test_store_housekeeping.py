"""Housekeeping: each job does its work and reports it, and a dry run changes nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reputation.appeals import AppealStep
from reputation.model import AuthClass, Direction, EntryKind, Identity, ListEntry, ListName
from reputation.numbers import is_valid
from reputation.store.appeals import take_step
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.store.evidence_rows import marks_of, signals_of
from reputation.store.facts import standing
from reputation.store.housekeeping import HOUR, JOBS, Counts, in_words, is_held, jobs_due, main, reports, run_jobs
from reputation.store.identities import identities_due, set_identity
from reputation.store.journal import record_decisions
from reputation.store.lists import add_entry, expect_call, expected_call_of, list_entries
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.tables.table import DAY
from reputation.store.transaction import transaction
from tests.reputation.histories import assert_fresh, empty_store
from tests.reputation.store_builders import (
    CALLER,
    NOW,
    make_mark,
    make_outcome,
    make_record,
    pass_challenge,
    read,
    write,
)
from tests.reputation.test_store_appeals import file

ROOT = Path(__file__).resolve().parents[2]
NOBODYS = "+12010550123"  # as if it had been somebody's when its calls came
SOMEBODYS = "+12017421834"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


def run(db: sqlite3.Connection, now: float = NOW, *, dry_run: bool = False) -> dict[str, Counts]:
    return {report.job: report.did for report in run_jobs(db, JOBS, now, dry_run=dry_run)}


def call_of(db: sqlite3.Connection, number: str, linkedid: str) -> None:
    """Record a call that rang once: a signal and a one-ring call."""
    record_outcome(db, make_outcome(linkedid, caller=SOMEBODYS, ring=3.0, source="cdr"), NOW + HOUR)
    for table in ("signal", "one_ring"):
        db.execute(f"UPDATE {table} SET number = ? WHERE number = ?", (number, SOMEBODYS))


def test_expired_rows_are_deleted_and_counted(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("old", NOW - 91 * DAY), make_record("young", NOW - DAY)])
    add_mark(db, make_mark(at=NOW - 366 * DAY))
    gone = {"decision": 1, "mark": 1}
    assert run(db, dry_run=True)["retention"] == gone
    assert len(marks_of(db, CALLER)) == 1
    assert run(db)["retention"] == gone
    assert run(db)["retention"] == {}
    assert marks_of(db, CALLER) == []
    assert_fresh(db)


def test_unassigned_numbers_keep_only_marks(db: sqlite3.Connection) -> None:
    assert (is_valid(NOBODYS), is_valid(SOMEBODYS)) == (False, True)
    call_of(db, NOBODYS, "c1")
    call_of(db, SOMEBODYS, "c2")
    add_mark(db, make_mark(NOBODYS))
    pass_challenge(db, NOBODYS, AuthClass.UNKNOWN, NOW)
    gone = {"number": 1, "signal": 1, "one_ring": 1, "challenge": 1}
    assert run(db, dry_run=True)["invalid numbers"] == gone
    assert len(signals_of(db, NOBODYS)) == 1
    assert run(db)["invalid numbers"] == gone
    assert run(db)["invalid numbers"] == {}
    assert (signals_of(db, NOBODYS), len(signals_of(db, SOMEBODYS))) == ([], 1)
    found = standing(db, NOBODYS, AuthClass.UNKNOWN)
    assert found is not None
    assert (found.reporters, found.signals) == (1, ())
    assert_fresh(db)


def test_a_number_with_a_talk_counts_as_assigned(db: sqlite3.Connection) -> None:
    call_of(db, NOBODYS, "c1")
    talk = make_outcome("o1", dialled=SOMEBODYS, by="201", talk=40.0, direction=Direction.OUTBOUND, source="cdr")
    record_outcome(db, talk, NOW + HOUR)
    db.execute("UPDATE talk SET number = ?", (NOBODYS,))
    assert run(db)["invalid numbers"] == {}


def test_work_waiting_for_people_is_counted(db: sqlite3.Connection) -> None:
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


def test_jobs_run_at_their_intervals(db: sqlite3.Connection) -> None:
    def due(now: float) -> list[str]:
        return [job.name for job in jobs_due(db, now)]

    everything = [job.name for job in JOBS]
    assert due(NOW) == everything
    run(db, dry_run=True)
    assert (due(NOW), reports(db)) == (everything, [])
    run(db)
    assert [report.job for report in reports(db)] == everything
    assert due(NOW + 1) == []
    assert due(NOW + HOUR - 30) == ["retention", "sources"]
    assert due(NOW + DAY) == everything[:-1]
    assert due(NOW + 7 * DAY) == everything
    assert due(NOW - 5) == everything  # the clock went back


def test_a_report_is_put_in_words(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("old", NOW - 91 * DAY)])
    words = [in_words(report) for report in run_jobs(db, JOBS, NOW)]
    assert words[:2] == ["retention: 1 decision", "invalid numbers: nothing"]


def test_housekeeping_runs_in_its_own_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def age(path: Path, days: float) -> None:
    """Change the store to what a clock so many days ahead would see."""
    with open_store(path) as db, transaction(db):
        for table, column in (("housekeeping", "at"), ("migration", "at"), ("mark", "at"), ("identity", "expires_at")):
            db.execute(f"UPDATE {table} SET {column} = {column} - ?", (days * DAY,))
        db.execute(
            "UPDATE housekeeping SET did = json_set(did, '$.since', did ->> '$.since' - ?) WHERE job = 'clock'",
            (days * DAY,),
        )


def evidence(path: Path) -> tuple[int, ...]:
    """Return how many marks and identities there are."""
    with open_store(path) as db:
        return tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("mark", "identity"))


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A store with evidence in which housekeeping has run."""
    path = tmp_path / "callsieve.db"
    now = time.time()
    write(path, add_mark, make_mark(at=now - DAY))
    write(path, set_identity, Identity(CALLER, "Acme", 1, now + 100 * DAY), now - DAY)
    assert main([str(path)]) == 0
    return path


@pytest.mark.parametrize("ran", [True, False], ids=["it-ran-before", "it-never-ran"])
def test_a_clock_that_is_two_years_ahead_removes_nothing(known: Path, ran: bool) -> None:
    if not ran:
        write(known, lambda db: db.execute("DELETE FROM housekeeping"))
    age(known, 731)
    for _ in range(2):
        command = [sys.executable, "-m", "reputation.store.housekeeping", str(known)]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 1
        assert evidence(known) == (1, 1)
    assert read(known, is_held)
    age(known, -731)  # somebody has set it
    assert main([str(known)]) == 0
    assert (evidence(known), read(known, is_held)) == ((1, 1), False)


def test_a_clock_leap_is_accepted_after_a_week(known: Path) -> None:
    age(known, 400)
    for days in (0, 3, 3):
        age(known, days)
        assert main([str(known)]) == 1
    age(known, 1.1)
    assert main([str(known)]) == 0
    assert (evidence(known), read(known, is_held)) == ((0, 0), False)
    assert main([str(known)]) == 0


def test_a_second_clock_leap_restarts_the_week(known: Path) -> None:
    for days in (100, 100, 100):
        age(known, days)
        assert main([str(known)]) == 1
    assert evidence(known) == (1, 1)


def test_a_clock_that_was_behind_changes_nothing(known: Path) -> None:
    age(known, -2000)
    assert main([str(known)]) == 1
    assert evidence(known) == (1, 1)


def test_rows_written_by_a_clock_ahead_are_shortened(db: sqlite3.Connection) -> None:
    ahead = NOW + 731 * DAY
    expect_call(db, "201", ahead + 7200)
    set_identity(db, Identity(CALLER, "Acme", 1, ahead + 100 * DAY), ahead)
    add_entry(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, CALLER, None, "allow", "", ahead + DAY, ahead))
    add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, CALLER, None, "reject", "", None, ahead))
    assert run(db)["retention"] == {"set in the future": 4}
    assert run(db)["retention"] == {}
    assert expected_call_of(db, "201") == ("201", NOW + 7200)
    assert [identity.expires_at for identity in identities_due(db, ahead)] == [NOW + 100 * DAY]
    assert {entry.expires_at for entry in list_entries(db)} == {NOW + DAY, None}


def test_a_failed_dry_run_changes_nothing(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("old", NOW - 91 * DAY)])
    db.execute("DROP TABLE audit")
    with pytest.raises((StoreError, sqlite3.Error)):
        run(db, dry_run=True)
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM decision").fetchone() == (1,)
