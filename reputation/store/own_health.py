"""The health of our own numbers, read from their days and calls; and the grade that the outbound guard goes by."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from reputation.events import EventKind, GradeChanged
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import days_without, machine_hang_ups
from reputation.own.figures import MONTH, WEEK, WINDOWS, HealthFacts
from reputation.own.grades import REASON_WORDS, Grade, Graded, GradeReason
from reputation.own.health import WATCH_SAMPLE, NumberHealth, health_of
from reputation.own.labellers import NO_NETWORKS, NetworkFileError, Networks, networks_in
from reputation.own.self_assessment import view_of
from reputation.store.database import open_store
from reputation.store.do_not_call import complaints_about, wishes_after
from reputation.store.errors import StoreError
from reputation.store.outbox import add_event
from reputation.store.outcomes import outcomes_of_own
from reputation.store.own_days import blocked_of, calling_numbers, days_of, first_days, last_day_before, people_of
from reputation.store.own_labels import labels_of, latest_looks
from reputation.store.own_suspicions import find_suspicions, record_suspicions
from reputation.store.transaction import transaction
from reputation.weights import DAY_SECONDS, DEFAULT, Weights

# On the right of SET the columns are those of the grade before.
SET_GRADE = """
INSERT INTO own_grade (number, at, grade, reasons) VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE
SET before = iif(grade <> excluded.grade, grade, before),
    changed_at = iif(grade <> excluded.grade, excluded.at, changed_at),
    at = excluded.at, grade = excluded.grade, reasons = excluded.reasons
"""
UNWELL = "SELECT number FROM own_grade WHERE grade <> 'healthy' ORDER BY number"
GRADE = "SELECT at, grade, reasons FROM own_grade WHERE number = ?"
CHANGED = """
SELECT number, changed_at, before, grade, reasons FROM own_grade
 WHERE changed_at >= ? AND changed_at < ? ORDER BY changed_at, number
"""
FORGET = "DELETE FROM own_grade WHERE number = ?"


class GradeChange(NamedTuple):
    """A number whose grade is another one since `at`. `reasons`: those of now."""

    number: str
    at: float
    before: Grade
    grade: Grade
    reasons: tuple[GradeReason, ...]


def record_grade(db: sqlite3.Connection, number: str, graded: Graded) -> None:
    """Keeps the grade for the outbound guard; of a number that has none, nothing."""
    row = db.execute(GRADE, (number,)).fetchone()
    before, grade = row and row[1], graded.grade and graded.grade.value
    if before != grade:
        data = GradeChanged(
            number=number, before=before, grade=grade, reasons=tuple(one.code for one in graded.reasons)
        )
        add_event(db, EventKind.GRADE_CHANGED, number, graded.graded_at, data)
    if graded.grade is None:
        db.execute(FORGET, (number,))
    else:
        reasons = [{"code": one.code, **one.figures} for one in graded.reasons]
        db.execute(SET_GRADE, (number, graded.graded_at, graded.grade.value, json.dumps(reasons)))


def grade_of(db: sqlite3.Connection, number: str) -> Graded | None:
    """How the number was graded last. Reasons that another version kept are left out: they are found again hourly."""
    row = db.execute(GRADE, (number,)).fetchone()
    return None if row is None else Graded(row[0], Grade(row[1]), _reasons(row[2]))


def changed_grades(db: sqlite3.Connection, since: float, until: float) -> list[GradeChange]:
    """The numbers whose grade changed last from `since` until before `until`, in that order."""
    return [
        GradeChange(number, at, Grade(before), Grade(grade), _reasons(reasons))
        for number, at, before, grade, reasons in db.execute(CHANGED, (since, until))
    ]


def unwell_numbers(db: sqlite3.Connection) -> list[str]:
    """The numbers that were not healthy when they were graded last."""
    return [number for (number,) in db.execute(UNWELL)]


def _reasons(text: str) -> tuple[GradeReason, ...]:
    kept = [one for one in json.loads(text) if isinstance(one, dict) and one.get("code") in REASON_WORDS]
    return tuple(GradeReason(one.pop("code"), one) for one in kept)


HISTORY_DAYS = 2 * MONTH + WEEK  # what the baseline of four weeks ago needs
# So many of the latest calls say how the called people see a number: the model is bounded, more would change little.
VIEWED_CALLS = 10_000
RECENT_SECONDS = 7200.0  # the daemon grades every hour

LISTED = """
SELECT count(*) FROM imported JOIN import_source ON id = source WHERE number = ? AND verdict = 'spam' AND live = 1
"""


def own_health(db: sqlite3.Connection, number: str, now: float, weights: Weights = DEFAULT) -> NumberHealth:
    """How the number is doing."""
    yesterday = int(now // DAY_SECONDS) - 1
    since_day = yesterday - HISTORY_DAYS
    days = tuple(days_of(db, number, since_day))
    # The called people's days may be ahead of UTC's or behind it.
    today = max([yesterday, *(day.day for day in days)])
    first_day, counted_since = first_days(db, number)
    month_ago = now - MONTH * DAY_SECONDS
    complaints = complaints_about(db, number, month_ago)
    unhappy = [(one.number, one.at) for one in wishes_after(db, number, month_ago) if one.is_of_called]
    unhappy += [(one.number, one.at) for one in complaints if one.is_of_called]
    # Below so many calls nothing is judged; and a line that is only called may have thousands to be turned round.
    is_judged = sum(day.attempts for day in days if day.day > today - MONTH) >= WATCH_SAMPLE
    calls = _calls(db, number, now) if is_judged else []
    hang_ups = machine_hang_ups(calls)
    machines = frozenset[str]().union(*(one.linkedids for one in hang_ups))
    of_people = [call for call in calls if call.linkedid not in machines]
    days = days_without(days, (call for call in calls if call.linkedid in machines))
    (listed,) = db.execute(LISTED, (number,)).fetchone()
    return health_of(
        HealthFacts(
            number=number,
            today=today,
            days=days,
            people={span: people_of(db, number, span, today) for span in WINDOWS},
            unwanted={
                span: len({who for who, at in unhappy if at > now - span * DAY_SECONDS}) for span in (WEEK, MONTH)
            },
            view=view_of(number, of_people, unhappy, weights, now) if is_judged else None,
            last_before=last_day_before(db, number, since_day),
            first_day=first_day,
            counted_since=counted_since,
            listed=listed,
            strangers=sum(not one.is_of_called for one in complaints),
            blocked=blocked_of(db, number, today - MONTH),
            labels=labels_of(db, number),
            hang_ups=tuple((one.seconds, len(one.linkedids)) for one in hang_ups),
        )
    )


def grade_all(db: sqlite3.Connection, now: float, weights: Weights = DEFAULT, networks: Networks = NO_NETWORKS) -> int:
    """Grades every number that called within 28 days, was not healthy when it was graded last, or has a label.

    Each in a transaction of its own; returns how many. The first time of a day it is looked, too, where a number may
    be marked.
    """
    calling = calling_numbers(db, int(now // DAY_SECONDS) - MONTH)
    labelled = (look.number for look in latest_looks(db) if look.label)
    numbers = dict.fromkeys((*calling, *unwell_numbers(db), *labelled))
    for number in numbers:
        health, before = own_health(db, number, now, weights), grade_of(db, number)
        is_first = before is None or before.graded_at // DAY_SECONDS < now // DAY_SECONDS
        found = find_suspicions(db, number, now, networks) if is_first else None
        with transaction(db):
            record_grade(db, number, _graded(health, now))
            if found is not None:
                record_suspicions(db, number, found, now)
    return len(numbers)


def recent_grade(db: sqlite3.Connection, number: str, now: float, weights: Weights = DEFAULT) -> Graded:
    """How the number was graded within two hours; else how it is graded now."""
    graded = grade_of(db, number)
    if graded is not None and graded.graded_at > now - RECENT_SECONDS:
        return graded
    return _graded(own_health(db, number, now, weights), now)


def _graded(health: NumberHealth, now: float) -> Graded:
    return Graded(now, health.grade, tuple(one.reason for one in health.reasons))


def _calls(db: sqlite3.Connection, number: str, now: float) -> list[OutcomeRecord]:
    return outcomes_of_own(db, number, now - MONTH * DAY_SECONDS, VIEWED_CALLS)


def main(arguments: list[str]) -> int:
    """`python -m reputation.store.own_health FILE WEIGHTS [NETWORKS]`: in a process of its own: no call waits for it.

    Says how many were graded, and in a second line why the file of networks is not used.
    """
    try:
        networks, problem = _networks(arguments[2:])
        with open_store(Path(arguments[0])) as db:
            weights = msgspec.json.decode(arguments[1], type=Weights)
            sys.stdout.write(f"{grade_all(db, time.time(), weights, networks)}\n{problem}")
    except StoreError as error:
        sys.stderr.write(str(error))
        return 2
    return 0


def _networks(paths: list[str]) -> tuple[Networks, str]:
    """Without a file that cannot be used numbers are graded all the same."""
    try:
        return (networks_in(Path(paths[0])) if paths else NO_NETWORKS), ""
    except (NetworkFileError, OSError) as error:
        return NO_NETWORKS, str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
