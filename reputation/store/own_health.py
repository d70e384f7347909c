"""The health of own numbers, computed from their calls: grades, and suspicions that a network labels a number's calls.

A suspicion arises if fewer calls to a network are answered than before, or more are refused. It is computed daily.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from reputation.encoding import FLAT, Instant
from reputation.events import EventKind, GradeChanged, NumberSuspected
from reputation.own import daily_counts
from reputation.own.grades import REASON_WORDS, Due, Grade, Graded, GradeReason, view_of
from reputation.own.health import WATCH_SAMPLE, NumberHealth, health_of
from reputation.own.suspicion import BEFORE_DAYS, LATELY_DAYS, Network, Suspicion, place_of, suspicions_of
from reputation.store import own_days
from reputation.store.database import open_store
from reputation.store.do_not_call import complaints_about, requests_after
from reputation.store.errors import StoreError
from reputation.store.outbox import add_event
from reputation.store.outcomes import outcomes_of_own
from reputation.store.own_labels import labels_of, latest_label_checks
from reputation.store.transaction import transaction
from reputation.weights import DAY_SECONDS, DEFAULT, Weights
from reputation.wording import Places, Wording

COLUMNS = "number, country, network, by, since, at, before, lately, calls_before, calls_lately, confidence"
PUT = f"INSERT INTO own_suspicion ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
CLEAR = "DELETE FROM own_suspicion WHERE number = ?"
OF_NUMBER = f"SELECT {COLUMNS} FROM own_suspicion WHERE number = ? ORDER BY confidence DESC, country, network, by"
ALL = f"SELECT {COLUMNS} FROM own_suspicion ORDER BY since, number, country, network, by"
BEGUN = f"""
SELECT {COLUMNS} FROM own_suspicion WHERE since >= ? AND since < ? ORDER BY since, number, country, network, by
"""


class Suspected(NamedTuple):
    """A suspicion about an own number, with the times when the suspicion was first and last confirmed.

    Attributes:
        number: The own number, E.164.
        since: When the suspicion first arose.
        at: When the suspicion was last confirmed.
    """

    number: str
    since: Instant
    at: Instant
    suspicion: Annotated[Suspicion, FLAT]


def find_suspicions(
    db: sqlite3.Connection, number: str, now: float, networks: daily_counts.Networks = daily_counts.NO_NETWORKS
) -> list[Suspicion]:
    """Compute the suspicions about an own number from its calls of the last 28 days. 100,000 calls take about 3 s."""
    lately_since = now - LATELY_DAYS * DAY_SECONDS
    before_since = lately_since - BEFORE_DAYS * DAY_SECONDS
    return suspicions_of(
        own_days.network_calls(db, number, before_since, lately_since, networks),
        own_days.network_calls(db, number, lately_since, now, networks),
    )


def record_suspicions(db: sqlite3.Connection, number: str, suspicions: Sequence[Suspicion], now: float) -> None:
    """Replace the stored suspicions about an own number, and emit events for new ones. Call it in a transaction."""
    known = {
        (suspicion.suspicion.network, suspicion.suspicion.by): suspicion.since
        for suspicion in suspicions_about(db, number)
    }
    db.execute(CLEAR, (number,))
    for suspicion in suspicions:
        since = known.get((suspicion.network, suspicion.by), now)
        shares = (
            suspicion.before,
            suspicion.lately,
            suspicion.calls_before,
            suspicion.calls_lately,
            suspicion.confidence,
        )
        db.execute(PUT, (number, *suspicion.network, suspicion.by, since, now, *shares))
        if (suspicion.network, suspicion.by) not in known:
            data = NumberSuspected(
                number=number,
                country=suspicion.network.country,
                network=suspicion.network.name,
                by=suspicion.by,
                before=suspicion.before,
                lately=suspicion.lately,
                confidence=suspicion.confidence,
            )
            add_event(db, EventKind.SUSPECTED, number, now, data)


def suspicions_about(db: sqlite3.Connection, number: str) -> list[Suspected]:
    """Return the stored suspicions about an own number, the most certain first."""
    return [_suspected(row) for row in db.execute(OF_NUMBER, (number,))]


def begun_suspicions(db: sqlite3.Connection, since: float, until: float) -> list[Suspected]:
    """Return suspicions that first arose between `since` and `until` (exclusive) and still exist, oldest first."""
    return [_suspected(row) for row in db.execute(BEGUN, (since, until))]


def checks_for_suspicions(db: sqlite3.Connection) -> list[Due]:
    """Return a task for each suspicion: to check on a phone in the network what it shows when the number calls."""
    checks = []
    for row in map(_suspected, db.execute(ALL)):
        about: Places = {"where": place_of(row.suspicion.network)}
        checks.append(
            Due(
                row.number, row.since, Wording(("check on a phone in {where}: the number may be labelled there"), about)
            )
        )
    return checks


def _suspected(row: tuple[str, str, str, str, float, float, float, float, int, int, float]) -> Suspected:
    number, country, network, by, since, at, *shares = row
    before, lately, calls_before, calls_lately, confidence = shares
    place = Network(country, network)
    counts = (before, lately, int(calls_before), int(calls_lately), confidence)
    return Suspected(number, since, at, Suspicion(place, by, *counts))


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
    """A change of an own number's grade. `at`: when it changed. `reasons`: the reasons for the new grade."""

    number: str
    at: Instant
    before: Grade
    grade: Grade
    reasons: tuple[GradeReason, ...]


def record_grade(db: sqlite3.Connection, number: str, graded: Graded) -> None:
    """Store the grade of an own number, or delete the stored grade if `graded.grade` is None."""
    row = db.execute(GRADE, (number,)).fetchone()
    before, grade = row and row[1], graded.grade and graded.grade.value
    if before != grade:
        data = GradeChanged(
            number=number, before=before, grade=grade, reasons=tuple(reason.code for reason in graded.reasons)
        )
        add_event(db, EventKind.GRADE_CHANGED, number, graded.graded_at, data)
    if graded.grade is None:
        db.execute(FORGET, (number,))
    else:
        reasons = [{"code": reason.code, **reason.figures} for reason in graded.reasons]
        db.execute(SET_GRADE, (number, graded.graded_at, graded.grade.value, json.dumps(reasons)))


def grade_of(db: sqlite3.Connection, number: str) -> Graded | None:
    """Return the stored grade of the number, or None. Reasons unknown to this version of CallSieve are left out."""
    row = db.execute(GRADE, (number,)).fetchone()
    return None if row is None else Graded(row[0], Grade(row[1]), _reasons(row[2]))


def changed_grades(db: sqlite3.Connection, since: float, until: float) -> list[GradeChange]:
    """Return the latest grade change of each number if it was between `since` and `until` (exclusive), oldest first."""
    return [
        GradeChange(number, at, Grade(before), Grade(grade), _reasons(reasons))
        for number, at, before, grade, reasons in db.execute(CHANGED, (since, until))
    ]


def unwell_numbers(db: sqlite3.Connection) -> list[str]:
    """Return the own numbers whose stored grade is not healthy."""
    return [number for (number,) in db.execute(UNWELL)]


def _reasons(text: str) -> tuple[GradeReason, ...]:
    kept = [reason for reason in json.loads(text) if isinstance(reason, dict) and reason.get("code") in REASON_WORDS]
    return tuple(GradeReason(reason.pop("code"), reason) for reason in kept)


HISTORY_DAYS = 2 * daily_counts.MONTH + daily_counts.WEEK  # what the baseline of four weeks ago needs
# The callee's view is computed from so many of the latest calls. The model is bounded, so more would change little.
VIEWED_CALLS = 10_000
RECENT_SECONDS = 7200.0  # the daemon grades every hour

LISTED = """
SELECT count(*) FROM imported JOIN import_source ON id = source WHERE number = ? AND verdict = 'spam' AND live = 1
"""


def own_health(db: sqlite3.Connection, number: str, now: float, weights: Weights = DEFAULT) -> NumberHealth:
    """Compute the health of an own number: its grade, and the reasons and figures behind the grade."""
    yesterday = int(now // DAY_SECONDS) - 1
    since_day = yesterday - HISTORY_DAYS
    days = tuple(own_days.days_of(db, number, since_day))
    # The called people's days may be ahead of UTC's or behind it.
    today = max([yesterday, *(day.day for day in days)])
    first_day, counted_since = own_days.first_days(db, number)
    month_ago = now - daily_counts.MONTH * DAY_SECONDS
    complaints = complaints_about(db, number, month_ago)
    unhappy = [
        (request.number, request.at) for request in requests_after(db, number, month_ago) if request.is_of_called
    ]
    unhappy += [(complaint.number, complaint.at) for complaint in complaints if complaint.is_of_called]
    # With fewer calls nothing is judged. A line that is only called may have thousands of calls to convert.
    is_judged = sum(day.attempts for day in days if day.day > today - daily_counts.MONTH) >= WATCH_SAMPLE
    calls = outcomes_of_own(db, number, now - daily_counts.MONTH * DAY_SECONDS, VIEWED_CALLS) if is_judged else []
    hang_ups = daily_counts.machine_hang_ups(calls)
    machines = frozenset[str]().union(*(hang_up.linkedids for hang_up in hang_ups))
    of_people = [call for call in calls if call.linkedid not in machines]
    days = daily_counts.days_without(days, (call for call in calls if call.linkedid in machines))
    (listed,) = db.execute(LISTED, (number,)).fetchone()
    return health_of(
        daily_counts.HealthFacts(
            number=number,
            today=today,
            days=days,
            people={span: own_days.people_of(db, number, span, today) for span in daily_counts.WINDOWS},
            unwanted={
                span: len({who for who, at in unhappy if at > now - span * DAY_SECONDS})
                for span in (daily_counts.WEEK, daily_counts.MONTH)
            },
            view=view_of(number, of_people, unhappy, weights, now) if is_judged else None,
            last_before=own_days.last_day_before(db, number, since_day),
            first_day=first_day,
            counted_since=counted_since,
            listed=listed,
            strangers=sum(not complaint.is_of_called for complaint in complaints),
            blocked=own_days.blocked_of(db, number, today - daily_counts.MONTH),
            labels=labels_of(db, number),
            hang_ups=tuple((hang_up.seconds, len(hang_up.linkedids)) for hang_up in hang_ups),
        )
    )


def grade_all(
    db: sqlite3.Connection,
    now: float,
    weights: Weights = DEFAULT,
    networks: daily_counts.Networks = daily_counts.NO_NETWORKS,
) -> int:
    """Grade each own number with recent calls, a bad grade or a label. Return how many. Find suspicions once a day."""
    calling = own_days.calling_numbers(db, int(now // DAY_SECONDS) - daily_counts.MONTH)
    labelled = (check.number for check in latest_label_checks(db) if check.label)
    numbers = dict.fromkeys((*calling, *unwell_numbers(db), *labelled))
    for number in numbers:
        health, before = own_health(db, number, now, weights), grade_of(db, number)
        is_first = before is None or before.graded_at // DAY_SECONDS < now // DAY_SECONDS
        suspicions = find_suspicions(db, number, now, networks) if is_first else None
        with transaction(db):
            record_grade(db, number, _graded(health, now))
            if suspicions is not None:
                record_suspicions(db, number, suspicions, now)
    return len(numbers)


def recent_grade(db: sqlite3.Connection, number: str, now: float, weights: Weights = DEFAULT) -> Graded:
    """Return the stored grade of an own number if it is at most two hours old. Otherwise compute the grade."""
    graded = grade_of(db, number)
    if graded is not None and graded.graded_at > now - RECENT_SECONDS:
        return graded
    return _graded(own_health(db, number, now, weights), now)


def _graded(health: NumberHealth, now: float) -> Graded:
    return Graded(now, health.grade, tuple(judged.reason for judged in health.reasons))


def main(arguments: list[str]) -> int:
    """Grade all own numbers in a separate process: `python -m reputation.store.own_health FILE WEIGHTS [NETWORKS]`.

    FILE is the store. WEIGHTS is JSON. NETWORKS is a file with names of networks by prefix. The process prints how many
    numbers were graded. If the networks file cannot be used, it prints the reason on a second line.
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


def _networks(paths: list[str]) -> tuple[daily_counts.Networks, str]:
    try:
        return (daily_counts.networks_in(Path(paths[0])) if paths else daily_counts.NO_NETWORKS), ""
    except (daily_counts.NetworkFileError, OSError) as error:
        return daily_counts.NO_NETWORKS, str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
