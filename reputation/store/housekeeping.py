"""Housekeeping: jobs that keep the store in order, and the last result of each job.

Jobs write in short transactions, so that other writers need not wait. A job may be interrupted at any time: its next
run continues. `python -m reputation.store.housekeeping FILE` runs the jobs that are due, as the daemon does every hour.

No job runs while the clock is implausible (`check_clock`): if it were two years ahead, all evidence would look too old
to keep. The clock is compared with the last housekeeping run, and not with the newest row, because a daemon with a
wrong clock writes new rows at once. A clock that differs by a week or more is accepted after another week, because the
PBX may simply have been switched off.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from reputation.appeals import AppealState, is_overdue
from reputation.numbers import is_valid
from reputation.store.appeals import appeals_to_decide
from reputation.store.backup import problem_of
from reputation.store.database import changed_lists, open_store, truncate_wal
from reputation.store.errors import StoreError
from reputation.store.identities import identities_due
from reputation.store.lists import EXPECT_SECONDS
from reputation.store.outbox import expire_events
from reputation.store.site import count_people
from reputation.store.standing import count_proofs, numbers_to_review, refresh, refresh_all
from reputation.store.tables.every import TABLES
from reputation.store.tables.table import DAY, Table
from reputation.store.transaction import rehearsal, transaction

LEAP_SECONDS = 7 * DAY
HOLD_SECONDS = 7 * DAY
# A row from later than this was written with a clock that was ahead.
AHEAD_SECONDS = DAY

# The newest run of a job; where none ever ran, when the store was made.
LAST_RUN = """
SELECT coalesce((SELECT max(at) FROM housekeeping WHERE job <> 'clock'), (SELECT min(at) FROM migration))
"""
CLOCK_CHECKED = "SELECT at, did FROM housekeeping WHERE job = 'clock'"
SET_CLOCK_CHECK = "INSERT OR REPLACE INTO housekeeping (job, at, seconds, did) VALUES ('clock', ?, 0, ?)"
BELIEVE = "DELETE FROM housekeeping WHERE job = 'clock' OR at > ?"

# Rows written by a fast clock would be in force for years.
CLAMP = (
    "UPDATE expected_call SET until = :now + :expect WHERE until > :now + :expect",
    "UPDATE identity SET expires_at = expires_at - added_at + :now, added_at = :now WHERE added_at > :now + :ahead",
    "UPDATE list_entry SET expires_at = expires_at - added_at + :now, added_at = :now WHERE added_at > :now + :ahead",
    "UPDATE challenge SET at = :now WHERE at > :now + :ahead",
    "UPDATE lookup_result SET expires_at = expires_at - at + :now, at = :now WHERE at > :now + :ahead",
)


def leap_of(db: sqlite3.Connection, now: float) -> float:
    """Return by how many seconds the clock differs from the last run (negative: it is behind); 0 if it is plausible."""
    leap = now - float(db.execute(LAST_RUN).fetchone()[0])
    return leap if abs(leap) > LEAP_SECONDS else 0.0


def is_held(db: sqlite3.Connection) -> bool:
    """Return whether deletions are suspended because the clock is implausible."""
    return db.execute(CLOCK_CHECKED).fetchone() is not None


def check_clock(db: sqlite3.Connection, now: float) -> bool:
    """Return whether the clock is plausible. If not, record since when it is implausible. Call it in a transaction."""
    since = _since(db, now)
    if leap_of(db, now) and now - since < HOLD_SECONDS:
        db.execute(SET_CLOCK_CHECK, (now, json.dumps({"since": since})))
        return False
    believe(db, now)
    return True


def believe(db: sqlite3.Connection, now: float) -> None:
    """Accept the clock as right: delete the records of jobs that, by this clock, ran in the future."""
    db.execute(BELIEVE, (now + AHEAD_SECONDS,))


def clamp(db: sqlite3.Connection, now: float) -> int:
    """Shorten the expiry of rows that a fast clock dated too late, and return their count. Use a transaction."""
    about = {"now": now, "expect": EXPECT_SECONDS, "ahead": AHEAD_SECONDS}
    return sum(db.execute(sql, about).rowcount for sql in CLAMP)


def _since(db: sqlite3.Connection, now: float) -> float:
    checked = db.execute(CLOCK_CHECKED).fetchone()
    if checked is None or not 0 <= now - checked[0] < LEAP_SECONDS:  # never, or the clock has jumped again
        return now
    return float(json.loads(checked[1])["since"])


EXPIRING = tuple(table for table in TABLES if table.kept is not None)


def expire(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Delete expired rows, and return the count of deleted rows by table. Call it in a transaction."""
    return {table.name: expire_table(db, table, now) for table in EXPIRING}


def expire_table(db: sqlite3.Connection, table: Table, now: float) -> int:
    """Delete the expired rows of this table, and return how many there were. Call it in a transaction."""
    assert table.kept is not None
    cursor = db.execute(table.expire_sql, (now - table.kept.days * DAY,))
    refresh_all(db, {number for (number,) in cursor})
    return cursor.rowcount


HOUR = 3600.0
REMEDY = (
    "If the clock is wrong, set it. If it is right, run `callsieve housekeeping run`; otherwise the daemon removes "
    "old data again after a week"
)
IDENTITY_DUE_DAYS = 30
# Jobs are started once an hour: a job that is due in a minute runs now, and not an hour late.
EARLY_SECONDS = 60.0
NUMBERS_AT_ONCE = 500

RECORD = """
INSERT INTO housekeeping (job, at, seconds, did) VALUES (?, ?, ?, ?)
ON CONFLICT (job) DO UPDATE SET at = excluded.at, seconds = excluded.seconds, did = excluded.did
WHERE excluded.at >= housekeeping.at
"""
REPORTS = "SELECT job, at, seconds, did FROM housekeeping"

# Numbers with evidence from calls, in order.
LEARNT_ABOUT = """
SELECT number FROM signal WHERE number > :after UNION SELECT number FROM answered WHERE number > :after
UNION SELECT number FROM inbound_talk WHERE number > :after UNION SELECT number FROM one_ring WHERE number > :after
UNION SELECT number FROM challenge WHERE number > :after
 ORDER BY number LIMIT :limit
"""
TALKED_WITH = "SELECT EXISTS (SELECT 1 FROM talk WHERE number = ?)"
FORGET = {
    "signal": "DELETE FROM signal WHERE number = ?",
    "answered": "DELETE FROM answered WHERE number = ?",
    "inbound_talk": "DELETE FROM inbound_talk WHERE number = ?",
    "one_ring": "DELETE FROM one_ring WHERE number = ?",
    "challenge": "DELETE FROM challenge WHERE number = ?",
}

Begin = Callable[[sqlite3.Connection], AbstractContextManager[None]]
Counts = dict[str, int]


class HousekeepingReport(NamedTuple):
    """The result of a job's last run. `did`: how many rows the job changed or found, by kind; without zeros."""

    job: str
    at: float
    seconds: float
    did: Counts


class Job(NamedTuple):
    """A housekeeping job. `run(db, now, begin)` writes inside `with begin(db):` blocks, which a dry run rolls back."""

    name: str
    every_seconds: float
    run: Callable[[sqlite3.Connection, float, Begin], Counts]


def _retention(db: sqlite3.Connection, now: float, begin: Begin) -> Counts:
    counts = {}
    with begin(db):
        counts["set in the future"] = clamp(db, now)
    for table in EXPIRING:
        with begin(db):
            counts[table.name] = expire_table(db, table, now)
    with begin(db):
        return counts | expire_events(db, now)


def _invalid_numbers(db: sqlite3.Connection, _now: float, begin: Begin) -> Counts:
    """Delete evidence from calls of numbers that no country allocates (any longer): their callers forged the number.

    Marks stay. If somebody here has called the number and talked, all its evidence stays, because then our numbering
    plan must be wrong.
    """
    counts = dict.fromkeys(("number", *FORGET), 0)
    for number in _learnt_about(db):
        if is_valid(number) or db.execute(TALKED_WITH, (number,)).fetchone()[0]:
            continue
        counts["number"] += 1
        with begin(db):
            for table, sql in FORGET.items():
                counts[table] += db.execute(sql, (number,)).rowcount
            refresh(db, number)
    return counts


def _identities(db: sqlite3.Connection, now: float, _begin: Begin) -> Counts:
    due = identities_due(db, now + IDENTITY_DUE_DAYS * DAY)
    ended = sum(identity.expires_at <= now for identity in due)
    return {"ended": ended, "to be proven again": len(due) - ended}


def _appeals(db: sqlite3.Connection, now: float, _begin: Begin) -> Counts:
    appeals = appeals_to_decide(db)
    in_force = [appeal for appeal in appeals if appeal.state is AppealState.IN_FORCE]
    overdue = sum(is_overdue(appeal, now) for appeal in in_force)
    return {"overdue": overdue, "to be decided": len(in_force) - overdue, "only filed": len(appeals) - len(in_force)}


def _reviews(db: sqlite3.Connection, _now: float, _begin: Begin) -> Counts:
    return {"to be looked at": len(numbers_to_review(db))}


def _people(db: sqlite3.Connection, _now: float, begin: Begin) -> Counts:
    with begin(db):
        return {"people": count_people(db)}


def _sources(db: sqlite3.Connection, now: float, begin: Begin) -> Counts:
    with begin(db):
        return {"sources": count_proofs(db, now)}


def _integrity(db: sqlite3.Connection, _now: float, _begin: Begin) -> Counts:
    return {"damaged": int(problem_of(db) is not None), "changed list": len(changed_lists(db))}


JOBS = (
    Job("retention", HOUR, _retention),
    Job("invalid numbers", DAY, _invalid_numbers),
    Job("identities", DAY, _identities),
    Job("appeals", DAY, _appeals),
    Job("reviews", DAY, _reviews),
    Job("people", DAY, _people),
    Job("sources", HOUR, _sources),
    Job("integrity", 7 * DAY, _integrity),
)


def reports(db: sqlite3.Connection) -> list[HousekeepingReport]:
    """Return the last result of each job, in the order of JOBS."""
    by_job = {
        job: HousekeepingReport(job, at, seconds, json.loads(did)) for job, at, seconds, did in db.execute(REPORTS)
    }
    return [by_job[job.name] for job in JOBS if job.name in by_job]


def jobs_due(db: sqlite3.Connection, now: float) -> list[Job]:
    """Return the jobs that are due or have never run."""
    ran_at = {report.job: report.at for report in reports(db)}
    return [job for job in JOBS if not 0 <= now - ran_at.get(job.name, -DAY) < job.every_seconds - EARLY_SECONDS]


def run_jobs(
    db: sqlite3.Connection, jobs: Iterable[Job], now: float, *, dry_run: bool = False
) -> Iterator[HousekeepingReport]:
    """Run each job in its own transactions, and yield the result of each. A dry run is rolled back."""
    for job in jobs:
        began = time.monotonic()
        counts = job.run(db, now, rehearsal if dry_run else transaction)
        did = {what: count for what, count in counts.items() if count}
        report = HousekeepingReport(job.name, now, round(time.monotonic() - began, 3), did)
        if not dry_run:
            with transaction(db):
                db.execute(RECORD, (report.job, report.at, report.seconds, json.dumps(did)))
        yield report
    if not dry_run:
        truncate_wal(db)  # if it cannot be emptied now, the next run tries again


def in_words(report: HousekeepingReport) -> str:
    """Format a result as a line for the log, such as `retention: 12 decision, 3 outcome`."""
    return f"{report.job}: {', '.join(f'{count} {what}' for what, count in report.did.items()) or 'nothing'}"


def _learnt_about(db: sqlite3.Connection) -> Iterator[str]:
    after = ""
    while rows := db.execute(LEARNT_ABOUT, {"after": after, "limit": NUMBERS_AT_ONCE}).fetchall():
        for (number,) in rows:
            yield number
        after = rows[-1][0]


def main(arguments: list[str]) -> int:
    """Run the due jobs for the store `arguments[0]`, if it exists. Return 1 if the clock is implausible, 2 on error."""
    path = Path(arguments[0])
    try:
        if path.exists():
            with open_store(path) as db:
                now = time.time()
                with transaction(db):
                    leap, believed = leap_of(db, now), check_clock(db, now)
                if not believed:
                    sys.stderr.write(
                        f"nothing removed: the clock is implausible, {leap / DAY:+.0f} days from the last run. {REMEDY}"
                    )
                    return 1
                done = [in_words(report) for report in run_jobs(db, jobs_due(db, now), now)]
                sys.stdout.write("; ".join(done) or "nothing is due")
    except StoreError as error:
        sys.stderr.write(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
