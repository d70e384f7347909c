"""Daily counts of calls from each own number, and of calls back to it. A call is counted when its outcome is stored.

`count_call` is called once per new outcome (by linkedid), so a repeated outcome adds nothing. Calls older than the
retention of outcomes are not counted, because they may have been counted before. A day is the local date of the called
person, counted from 1970-01-01.
"""

import sqlite3
from typing import NamedTuple

from reputation.columns import column_list
from reputation.model import Direction
from reputation.numbers import country_of, network_name_of, stored_number
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import MACHINE_SECONDS, MANY_CALLS, NO_NETWORKS, Networks, OwnDay, tally_of
from reputation.own.hours import AS_INSTALLED, CallingHours, local_date_number
from reputation.own.suspicion import Network, NetworkCalls

PEOPLE_DAYS = 28  # distinct people are counted exactly over so many days, and their numbers kept no longer

COLUMNS = column_list(OwnDay)
ADD_CALLED = """
INSERT INTO own_called (number, callee, day, calls) VALUES (?, ?, ?, 1)
ON CONFLICT (number, callee, day) DO UPDATE SET calls = calls + 1 RETURNING calls
"""
ADD_DAY = f"""
INSERT INTO own_day ({COLUMNS})
VALUES (:number, :day, 1, :answered, :short, :unanswered, :failed, :abandoned, :outside, :people, :repeated, :most, 0,
        :talk_seconds, :blocked, :machine)
ON CONFLICT (number, day) DO UPDATE SET attempts = attempts + 1, answered = answered + :answered,
    short = short + :short, unanswered = unanswered + :unanswered, failed = failed + :failed,
    abandoned = abandoned + :abandoned, outside = outside + :outside, people = people + :people,
    repeated = repeated + :repeated, most = max(most, :most), talk_seconds = talk_seconds + :talk_seconds,
    blocked = blocked + :blocked, machine = machine + :machine
"""
ADD_BLOCKED = """
INSERT INTO own_blocked (number, day, country, calls) VALUES (?, ?, ?, 1)
ON CONFLICT (number, day, country) DO UPDATE SET calls = calls + 1
"""
BLOCKED = """
SELECT country, sum(calls) FROM own_blocked WHERE number = ? AND day > ? GROUP BY country ORDER BY 2 DESC, 1 LIMIT 5
"""
ADD_CALL_BACK = """
INSERT INTO own_day (number, day, called_back)
SELECT :number, :day, 1
 WHERE EXISTS (SELECT 1 FROM own_called WHERE number = :number AND callee = :callee AND day BETWEEN :since AND :day)
ON CONFLICT (number, day) DO UPDATE SET called_back = called_back + 1
"""
IS_CALLED = "SELECT 1 FROM own_called WHERE number = ? AND callee = ?"
DAYS = f"SELECT {COLUMNS} FROM own_day WHERE number = ? AND day >= ? ORDER BY day"
PEOPLE = "SELECT count(DISTINCT callee) FROM own_called WHERE number = ? AND day > ?"
FIRST_DAY = "SELECT min(day) FROM own_day WHERE number = ? AND attempts > 0"
LAST_BEFORE = "SELECT max(day) FROM own_day WHERE number = ? AND day < ? AND attempts > 0"
FIRST_DAY_OF_ALL = "SELECT min(day) FROM own_day"
# Each day on which a person was called, with the six days before it. One such week with three calls is enough.
WEEKLY = """
WITH of_day AS (SELECT callee, day, sum(calls) AS calls FROM own_called WHERE day > :since GROUP BY callee, day),
     often AS (SELECT DISTINCT callee FROM
               (SELECT callee, sum(calls) OVER
                       (PARTITION BY callee ORDER BY day RANGE BETWEEN 6 PRECEDING AND CURRENT ROW)
                       AS within_week FROM of_day) WHERE within_week >= :many)
SELECT (SELECT count(*) FROM often), (SELECT count(DISTINCT callee) FROM of_day)
"""
# Answered by a person: see reputation.own.daily_counts.is_machine.
# By blocks of 1000: all of one are in one network.
NETWORK_CALLS = """
SELECT max(dialled), count(*), sum(blocked),
       sum(disposition = 'answered' AND NOT machine AND NOT (ring_seconds > 0 AND ring_seconds <= ?))
  FROM outcome
 WHERE own_number = ? AND at >= ? AND at < ? AND direction = 'outbound' AND complete AND dialled LIKE '+%'
 GROUP BY substr(dialled, 1, length(dialled) - 3), length(dialled)
"""
CALLING = "SELECT number FROM own_day WHERE day > ? GROUP BY number ORDER BY sum(attempts) DESC, number LIMIT ?"


class WeeklyRepeats(NamedTuple):
    """How many people were called three times or more within seven days, and how many were called within 28 days."""

    often: int
    people: int


NO_REPEATS = WeeklyRepeats(0, 0)


def weekly_repeats(db: sqlite3.Connection, day: int) -> WeeklyRepeats:
    """Count how many people our own numbers called, and called often, in the 28 days up to and including `day`."""
    often, people = db.execute(WEEKLY, {"since": day - PEOPLE_DAYS, "many": MANY_CALLS}).fetchone()
    return WeeklyRepeats(int(often), int(people))


def count_call(db: sqlite3.Connection, outcome: OutcomeRecord, hours: CallingHours = AS_INSTALLED) -> None:
    """Add a new call to the daily counts, in the transaction that stores it. `hours`: when people may be called."""
    if outcome.direction is Direction.INBOUND:
        _count_call_back(db, outcome, hours)
        return
    tally = tally_of(outcome, hours)
    if tally is None:
        return
    ((calls,),) = db.execute(ADD_CALLED, (tally.number, tally.callee, tally.day)).fetchall()
    first_and_third = {"people": int(calls == 1), "repeated": int(calls == MANY_CALLS), "most": calls}
    db.execute(ADD_DAY, tally._asdict() | first_and_third)
    if tally.blocked:
        db.execute(ADD_BLOCKED, (tally.number, tally.day, tally.country))


def days_of(db: sqlite3.Connection, number: str, since_day: int) -> list[OwnDay]:
    """Return the daily counts of the own number, from `since_day` on."""
    return [OwnDay(*row) for row in db.execute(DAYS, (number, since_day))]


def people_of(db: sqlite3.Connection, number: str, days: int, today: int) -> int:
    """Return how many people the own number called in the last `days` days (at most 28), including `today`."""
    (count,) = db.execute(PEOPLE, (number, today - days)).fetchone()
    return int(count)


def blocked_of(db: sqlite3.Connection, number: str, after_day: int) -> tuple[tuple[str, int], ...]:
    """Return the five countries whose networks refused the most calls of the own number after that day, with counts."""
    return tuple(db.execute(BLOCKED, (number, after_day)))


def first_days(db: sqlite3.Connection, number: str) -> tuple[int | None, int | None]:
    """Return the first day on which this own number called, and the first on which any did, or None for each."""
    (first,), (of_all,) = db.execute(FIRST_DAY, (number,)).fetchone(), db.execute(FIRST_DAY_OF_ALL).fetchone()
    return first, of_all


def last_day_before(db: sqlite3.Connection, number: str, day: int) -> int | None:
    """Return the last day before `day` on which the own number made calls; None if there is no such day."""
    (last,) = db.execute(LAST_BEFORE, (number, day)).fetchone()
    return None if last is None else int(last)


def network_calls(
    db: sqlite3.Connection, number: str, since: float, until: float, networks: Networks = NO_NETWORKS
) -> list[NetworkCalls]:
    """Count the own number's calls from `since` to `until` by the callee's network. `networks`: names of networks."""
    counts: dict[Network, list[int]] = {}
    for dialled, calls, blocked, answered in db.execute(NETWORK_CALLS, (MACHINE_SECONDS, number, since, until)):
        country = country_of(dialled)
        if country is not None:
            name = networks.name_of(dialled)
            network = Network(country, network_name_of(dialled) if name is None else name)
            totals = counts.setdefault(network, [0, 0, 0])
            for place, count in enumerate((calls, answered, blocked)):
                totals[place] += count
    return [NetworkCalls(network, *totals) for network, totals in sorted(counts.items())]


def calling_numbers(db: sqlite3.Connection, after_day: int, limit: int = 1000) -> list[str]:
    """Return the own numbers that made calls after that day, the busiest first."""
    return [number for (number,) in db.execute(CALLING, (after_day, limit))]


def _count_call_back(db: sqlite3.Connection, outcome: OutcomeRecord, hours: CallingHours) -> None:
    caller = outcome.number
    if caller is None or outcome.did is None or not outcome.complete:
        return
    if db.execute(IS_CALLED, (outcome.did, caller)).fetchone() is None:
        return  # for nearly all calls; finding the day at the caller's place is most of the work
    day = local_date_number(hours.place_of(stored_number(caller), outcome.at), outcome.at)
    db.execute(ADD_CALL_BACK, {"number": outcome.did, "callee": caller, "day": day, "since": day - PEOPLE_DAYS})
