"""Housekeeping: what is to be done about the store again and again, and what each job did when it ran last.

    run_jobs(db, now)                          what is due; `callsieve housekeeping run` runs all
    python -m reputation.store.housekeeping FILE    the same in a process of its own, as the daemon does it every hour

Jobs write in short transactions, so that nobody waits, and may be cut off at any time: the next run goes on. They keep
counts and no numbers. Nothing runs while the clock is not to be believed (`look_at_clock`).

Removing what is past its time, as each table says (docs/operations.md, "Personal data").

Whether the clock can be believed: a clock that is two years ahead makes all evidence look too old to keep.

What is compared is the last run of the housekeeping, not the newest row: a daemon with a wrong clock writes new rows at
once. A clock that is a week or more off is believed when it has said so for another week, run after run: the PBX was
off for that long.
"""

from __future__ import annotations

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
LOOKED = "SELECT at, did FROM housekeeping WHERE job = 'clock'"
LOOK = "INSERT OR REPLACE INTO housekeeping (job, at, seconds, did) VALUES ('clock', ?, 0, ?)"
BELIEVE = "DELETE FROM housekeeping WHERE job = 'clock' OR at > ?"

# What was written with a clock that was ahead would be in force for years.
CLAMP = (
    "UPDATE expected_call SET until = :now + :expect WHERE until > :now + :expect",
    "UPDATE identity SET expires_at = expires_at - added_at + :now, added_at = :now WHERE added_at > :now + :ahead",
    "UPDATE list_entry SET expires_at = expires_at - added_at + :now, added_at = :now WHERE added_at > :now + :ahead",
    "UPDATE challenge SET at = :now WHERE at > :now + :ahead",
    "UPDATE lookup_result SET expires_at = expires_at - at + :now, at = :now WHERE at > :now + :ahead",
)


def leap_of(db: sqlite3.Connection, now: float) -> float:
    """How many seconds the clock is past the last run of the housekeeping, if that is implausible; negative when it is
    before it. Else 0.
    """
    leap = now - float(db.execute(LAST_RUN).fetchone()[0])
    return leap if abs(leap) > LEAP_SECONDS else 0.0


def is_held(db: sqlite3.Connection) -> bool:
    """Whether nothing is removed at the moment, because of the clock."""
    return db.execute(LOOKED).fetchone() is not None


def look_at_clock(db: sqlite3.Connection, now: float) -> bool:
    """Whether the clock is believed. Notes since when it says what it says. Call it in a transaction."""
    since = _since(db, now)
    if leap_of(db, now) and now - since < HOLD_SECONDS:
        db.execute(LOOK, (now, json.dumps({"since": since})))
        return False
    believe(db, now)
    return True


def believe(db: sqlite3.Connection, now: float) -> None:
    """The clock is right: a job that ran later than that did not. One statement."""
    db.execute(BELIEVE, (now + AHEAD_SECONDS,))


def clamp(db: sqlite3.Connection, now: float) -> int:
    """Shortens what a clock that was ahead has left in force for too long: how many rows. Call it in a transaction."""
    about = {"now": now, "expect": EXPECT_SECONDS, "ahead": AHEAD_SECONDS}
    return sum(db.execute(sql, about).rowcount for sql in CLAMP)


def _since(db: sqlite3.Connection, now: float) -> float:
    found = db.execute(LOOKED).fetchone()
    if found is None or not 0 <= now - found[0] < LEAP_SECONDS:  # never, or the clock has leapt once more
        return now
    return float(json.loads(found[1])["since"])


EXPIRING = tuple(table for table in TABLES if table.kept is not None)


def expire(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Delete what is past its time and return how many rows went, by table. Call it in a transaction."""
    return {table.name: expire_table(db, table, now) for table in EXPIRING}


def expire_table(db: sqlite3.Connection, table: Table, now: float) -> int:
    """Delete what is past its time in one table and return how many rows went. Call it in a transaction."""
    assert table.kept is not None
    cursor = db.execute(table.expire_sql, (now - table.kept.days * DAY,))
    refresh_all(db, {number for (number,) in cursor})
    return cursor.rowcount


HOUR = 3600.0
REMEDY = "Set the clock; if it is right, `callsieve housekeeping run` removes now, or the daemon in a week"
IDENTITY_DUE_DAYS = 30
# Jobs are started once an hour: a little early is not another hour late.
EARLY_SECONDS = 60.0
NUMBERS_AT_ONCE = 500

RECORD = """
INSERT INTO housekeeping (job, at, seconds, did) VALUES (?, ?, ?, ?)
ON CONFLICT (job) DO UPDATE SET at = excluded.at, seconds = excluded.seconds, did = excluded.did
WHERE excluded.at >= housekeeping.at
"""
REPORTS = "SELECT job, at, seconds, did FROM housekeeping"

# Numbers that calls have shown something about, in their order.
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
    """What a job did when it ran last: counts, those of 0 left out."""

    job: str
    at: float
    seconds: float
    did: Counts


class Job(NamedTuple):
    """`run(db, now, begin)` writes in blocks of `with begin(db):`, which in a dry run come to nothing."""

    name: str
    every_seconds: float
    run: Callable[[sqlite3.Connection, float, Begin], Counts]


def _retention(db: sqlite3.Connection, now: float, begin: Begin) -> Counts:
    """Deletes what is past its time, by table, when what a clock that was ahead has written is dated again."""
    counts = {}
    with begin(db):
        counts["set in the future"] = clamp(db, now)
    for table in EXPIRING:
        with begin(db):
            counts[table.name] = expire_table(db, table, now)
    with begin(db):
        return counts | expire_events(db, now)


def _invalid_numbers(db: sqlite3.Connection, _now: float, begin: Begin) -> Counts:
    """Forgets what calls showed about numbers that no country has allocated any more: they are nobody's, so nothing is
    learnt from their calls, and whoever shows one has borrowed it. What people said stays; and so does a number that
    one of us called and talked with: then it is the country's plan that we have wrong.
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
    """Counts who is to prove again who they are."""
    due = identities_due(db, now + IDENTITY_DUE_DAYS * DAY)
    ended = sum(identity.expires_at <= now for identity in due)
    return {"ended": ended, "to be proven again": len(due) - ended}


def _appeals(db: sqlite3.Connection, now: float, _begin: Begin) -> Counts:
    """Counts what is to be decided, and what should have been."""
    appeals = appeals_to_decide(db)
    in_force = [appeal for appeal in appeals if appeal.state is AppealState.IN_FORCE]
    overdue = sum(is_overdue(appeal, now) for appeal in in_force)
    return {"overdue": overdue, "to be decided": len(in_force) - overdue, "only filed": len(appeals) - len(in_force)}


def _reviews(db: sqlite3.Connection, _now: float, _begin: Begin) -> Counts:
    """Counts the bursts of marks that wait for a look."""
    return {"to be looked at": len(numbers_to_review(db))}


def _people(db: sqlite3.Connection, _now: float, begin: Begin) -> Counts:
    """How many work here: so many witnesses it takes."""
    with begin(db):
        return {"people": count_people(db)}


def _sources(db: sqlite3.Connection, now: float, begin: Begin) -> Counts:
    """Counts what sources were right about."""
    with begin(db):
        return {"sources": count_proofs(db, now)}


def _integrity(db: sqlite3.Connection, _now: float, _begin: Begin) -> Counts:
    """Reads all of the store: counts what is damaged, and lists with an entry that is not as it was written."""
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
    """What each job did when it ran last, in their order."""
    found = {
        job: HousekeepingReport(job, at, seconds, json.loads(did)) for job, at, seconds, did in db.execute(REPORTS)
    }
    return [found[job.name] for job in JOBS if job.name in found]


def jobs_due(db: sqlite3.Connection, now: float) -> list[Job]:
    """Those that did not run for their time, or never."""
    ran_at = {report.job: report.at for report in reports(db)}
    return [job for job in JOBS if not 0 <= now - ran_at.get(job.name, -DAY) < job.every_seconds - EARLY_SECONDS]


def run_jobs(
    db: sqlite3.Connection, jobs: Iterable[Job], now: float, *, dry_run: bool = False
) -> Iterator[HousekeepingReport]:
    """Runs each and says what it did. In a dry run it is done and undone again, and nothing is recorded.

    It makes its own transactions: run it on a connection of `open_store`.
    """
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
        truncate_wal(db)  # where it cannot be emptied now, the next run does


def in_words(report: HousekeepingReport) -> str:
    """`retention: 12 decision, 3 outcome`, for the log."""
    return f"{report.job}: {', '.join(f'{count} {what}' for what, count in report.did.items()) or 'nothing'}"


def _learnt_about(db: sqlite3.Connection) -> Iterator[str]:
    after = ""
    while found := db.execute(LEARNT_ABOUT, {"after": after, "limit": NUMBERS_AT_ONCE}).fetchall():
        for (number,) in found:
            yield number
        after = found[-1][0]


def main(arguments: list[str]) -> int:
    """What is due, of the store in that file, if there is one. 1 when the clock is not believed."""
    path = Path(arguments[0])
    try:
        if path.exists():
            with open_store(path) as db:
                now = time.time()
                with transaction(db):
                    leap, believed = leap_of(db, now), look_at_clock(db, now)
                if not believed:
                    sys.stderr.write(
                        f"nothing is removed: the clock is {leap / DAY:+.0f} days from the last run. {REMEDY}"
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
