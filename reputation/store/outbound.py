"""The facts from which the outbound guard decides whether an outgoing call may be made now, and its stored decisions.

A call counts from the moment that the guard allows it. Otherwise each of ten simultaneous calls would count as the
first. So calls are counted by decisions (stored, or still in memory) and by outcomes, and the larger count is used.
Requests with one linkedid, such as one for each trunk that is tried, count as one call.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple

from reputation.columns import column_list, insert_sql
from reputation.encoding import Instant
from reputation.own.grades import YOUNG_DAYS
from reputation.own.outbound_types import OutboundFacts, OutboundQuery, OutboundRecord
from reputation.store.do_not_call import do_not_call_of
from reputation.store.own_days import first_days
from reputation.store.own_health import grade_of
from reputation.store.own_register import own_of
from reputation.store.people import person_of_endpoint
from reputation.store.registers import consent_of, copies_in_force, registers_with

HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
# The daemon grades every hour. If that has stopped, a number must not be refused for what it did long ago.
GRADE_HOLDS_SECONDS = 86_400.0

COLUMNS = column_list(OutboundRecord)
RECORD = insert_sql("outbound_decision", OutboundRecord) + " ON CONFLICT (id) DO NOTHING"


def _let_out(which: str) -> str:
    """Return SQL for allowed calls, except the call that is being decided. `which`: an SQL condition for the calls."""
    return f"""
(SELECT linkedid, at FROM outbound_decision
  WHERE {which} AND at <= :now AND action = 'allow' AND linkedid <> :same
 UNION ALL
 SELECT linkedid, at FROM
   (SELECT json_extract(value, '$[0]') AS linkedid, json_extract(value, '$[1]') AS at,
           json_extract(value, '$[2]') AS callee, json_extract(value, '$[3]') AS day,
           json_extract(value, '$[4]') AS own_number FROM json_each(:waiting))
  WHERE {which} AND linkedid <> :same)
"""


LET_OUT_TO_PERSON = f"SELECT count(DISTINCT linkedid) FROM {_let_out('callee = :callee AND day = :day')}"
LET_OUT_ON_DAY = (
    f"SELECT count(DISTINCT linkedid) FROM {_let_out('own_number = :own AND at > :two_days_ago AND day = :day')}"
)
_OF_HOUR = _let_out("own_number = :own AND at > :hour_ago")
LET_OUT_WITHIN = f"SELECT count(DISTINCT linkedid) FROM {_OF_HOUR}"
# The first of the calls that fill the hour: when it is an hour old, one more is allowed.
FIRST_OF_FULL_HOUR = f"SELECT min(at) FROM {_OF_HOUR} GROUP BY linkedid ORDER BY 1 DESC LIMIT 1 OFFSET :limit - 1"
CALLS_TO_PERSON = "SELECT coalesce(sum(calls), 0) FROM own_called WHERE callee = :callee AND day = :day"
CALLS_ON_DAY = "SELECT coalesce(sum(attempts), 0) FROM own_day WHERE number = :own AND day = :day"
_BY_LAW = _let_out("callee = :callee AND at > :law_since")
LET_OUT_BY_LAW = f"SELECT count(DISTINCT linkedid) FROM {_BY_LAW}"
FIRST_OF_LAW = f"SELECT min(at) FROM {_BY_LAW} GROUP BY linkedid ORDER BY 1 DESC LIMIT 1 OFFSET :law_calls - 1"
CALLS_BY_LAW = "SELECT coalesce(sum(calls), 0) FROM own_called WHERE callee = :callee AND day > :day - :law_days"
SHOWN = f"""
SELECT {COLUMNS} FROM outbound_decision
 WHERE (:callee IS NULL OR callee = :callee) AND (:own_number IS NULL OR own_number = :own_number)
   AND (NOT :held OR would_be <> 'allow')
 ORDER BY at DESC LIMIT :limit
"""
BY_ID = f"SELECT {COLUMNS} FROM outbound_decision WHERE id = ?"
# A day is over everywhere two days after it began anywhere.
LONGEST_DAY_SECONDS = 2 * 86_400.0


def outbound_facts(
    db: sqlite3.Connection, query: OutboundQuery, waiting: Sequence[OutboundRecord] = ()
) -> OutboundFacts:
    """Return all facts about an outgoing call. `waiting`: earlier decisions that are not stored yet."""
    own, now = query.own_number, query.now
    on_their_way = [
        (record.linkedid, record.at, record.callee, record.day, record.own_number)
        for record in waiting
        if record.action == "allow"
    ]
    about = {
        "callee": query.callee,
        "own": own,
        "day": query.day,
        "now": now,
        "hour_ago": now - HOUR_SECONDS,
        "two_days_ago": now - LONGEST_DAY_SECONDS,
        "limit": query.hour_limit,
        "same": query.linkedid,
        "waiting": json.dumps(on_their_way),
        "law_since": now - query.law_days * DAY_SECONDS,
        "law_days": query.law_days,
        "law_calls": query.law_calls,
    }
    unwanted = do_not_call_of(db, query.callee)
    to_person = max(_count(db, LET_OUT_TO_PERSON, about), _count(db, CALLS_TO_PERSON, about))
    consent, (by_law, law_frees_at) = consent_of(db, query.callee), _calls_by_law(db, query, about)
    copies = copies_in_force(db)
    of_person = OutboundFacts(
        unwanted_at=unwanted.at if unwanted else None,
        calls_of_person=to_person,
        consent_at=consent.at if consent and not consent.is_over(now) else None,
        listed=registers_with(db, query.callee) if copies else (),
        copies=copies,
        calls_by_law=by_law,
        law_frees_at=law_frees_at,
    )
    if own is None:
        return of_person
    entry, graded = own_of(db, own), grade_of(db, own)
    if graded is not None and graded.graded_at <= now - GRADE_HOLDS_SECONDS:
        graded = None
    of_hour = _count(db, LET_OUT_WITHIN, about)
    is_full = 0 < query.hour_limit <= of_hour
    return replace(
        of_person,
        state=entry.state if entry else None,
        rests_until=entry.rests_until if entry else None,
        grade=graded.grade if graded else None,
        graded_at=graded.graded_at if graded else None,
        grade_reasons=graded.reasons if graded else (),
        is_young=_is_young(db, own, query.day),
        calls_of_day=max(_count(db, LET_OUT_ON_DAY, about), _count(db, CALLS_ON_DAY, about)),
        calls_of_hour=of_hour,
        hour_frees_at=db.execute(FIRST_OF_FULL_HOUR, about).fetchone()[0] + HOUR_SECONDS if is_full else None,
    )


def _calls_by_law(
    db: sqlite3.Connection, query: OutboundQuery, about: Mapping[str, object]
) -> tuple[int, float | None]:
    """Return how many calls to the callee count for the legal limit, and when the next call is allowed (None: now)."""
    if not query.law_calls:
        return 0, None
    let_out = _count(db, LET_OUT_BY_LAW, about)
    calls = max(let_out, _count(db, CALLS_BY_LAW, about))
    if let_out < query.law_calls:
        return calls, None
    return calls, float(db.execute(FIRST_OF_LAW, about).fetchone()[0]) + query.law_days * DAY_SECONDS


def record_outbound(db: sqlite3.Connection, records: Iterable[OutboundRecord]) -> None:
    """Store decisions, each with the person instead of the person's phone. An id that is already stored is skipped."""
    db.executemany(RECORD, (record._replace(person=_person(db, record.person)) for record in records))


def outbound_decisions(
    db: sqlite3.Connection,
    *,
    callee: str | None = None,
    own_number: str | None = None,
    held: bool = False,
    limit: int = 100,
) -> list[OutboundRecord]:
    """Return decisions about outgoing calls, newest first.

    `callee`, `own_number`: only calls to this callee or from this own number. `held`: only held or refused calls.
    """
    wanted = {"callee": callee, "own_number": own_number, "held": held, "limit": limit}
    return [OutboundRecord(*row) for row in db.execute(SHOWN, wanted)]


def outbound_decision_of(db: sqlite3.Connection, decision_id: str) -> OutboundRecord | None:
    """Return the decision about an outgoing call with this id, or None."""
    return next((OutboundRecord(*row) for row in db.execute(BY_ID, (decision_id,))), None)


def _count(db: sqlite3.Connection, sql: str, about: Mapping[str, object]) -> int:
    return int(db.execute(sql, about).fetchone()[0])


def _is_young(db: sqlite3.Connection, number: str, day: int) -> bool:
    first, since = first_days(db, number)
    if since is None or day - since < YOUNG_DAYS:
        return False
    return first is None or day - first < YOUNG_DAYS


def _person(db: sqlite3.Connection, endpoint: str | None) -> str | None:
    person = person_of_endpoint(db, endpoint) if endpoint else None
    return person.extension if person is not None else endpoint


# As long as outcomes are kept; the latest first.
CALLS = """
SELECT at, disposition = 'answered' AND NOT machine, disposition = 'failed' AND cause = 1,
       disposition <> 'failed' AND NOT blocked
  FROM outcome
 WHERE dialled = ? AND direction = 'outbound' AND complete ORDER BY at DESC LIMIT 100
"""
OF_DAY = f"SELECT {COLUMNS} FROM outbound_decision WHERE at >= ? AND at < ? ORDER BY at, id"
UNGUARDED = """
SELECT linkedid, at, dialled, own_number, trunk FROM outcome
 WHERE at >= :first AND at < :last AND direction = 'outbound' AND dialled IS NOT NULL
   AND linkedid NOT IN (SELECT linkedid FROM outbound_decision WHERE at >= :first - 3600 AND at < :last + 3600)
 ORDER BY at, linkedid
"""


class CallAttempt(NamedTuple):
    """An outgoing call to a number.

    `to_nobody`: whether the number does not exist (Q.850 cause 1). `arrived`: whether the call reached the phone.
    """

    at: float
    answered: bool
    to_nobody: bool
    arrived: bool


class UnguardedCall(NamedTuple):
    """An outgoing call that the PBX made without asking CallSieve first.

    Attributes:
        linkedid: Asterisk's linkedid of the call.
        at: When the call began.
        callee: The number that was dialled.
        own_number: The own number that the call showed as its caller.
        trunk: The trunk that the call went out on.
    """

    linkedid: str
    at: Instant
    callee: str
    own_number: str | None
    trunk: str | None


def past_calls(db: sqlite3.Connection, number: str) -> list[CallAttempt]:
    """Return the last hundred outgoing calls to the number, newest first."""
    return [CallAttempt(at, *map(bool, rest)) for at, *rest in db.execute(CALLS, (number,))]


def outbound_of_day(db: sqlite3.Connection, first: float, last: float) -> Iterator[OutboundRecord]:
    """Yield the decisions about outgoing calls made between `first` and `last` (exclusive), in time order."""
    return (OutboundRecord(*row) for row in db.execute(OF_DAY, (first, last)))


def unguarded_of_day(db: sqlite3.Connection, first: float, last: float) -> Iterator[UnguardedCall]:
    """Yield calls that went out between `first` and `last` (exclusive) without a decision by the guard."""
    return (UnguardedCall(*row) for row in db.execute(UNGUARDED, {"first": first, "last": last}))


# A set of numbers that may be as large as the disk: a table in a temporary file, which is deleted at the end.
#
# SQLite keeps `CACHE_KIB` of it in memory, however many there are. A Python set takes 60 to 100 bytes for each.

CACHE_KIB = 32 * 1024
# Nothing is kept: no journal, and nobody waits for the disk.
PREPARE = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = FILE;
CREATE TABLE seen (number INTEGER PRIMARY KEY) STRICT;
"""
ADD = "INSERT INTO seen (number) VALUES (?) ON CONFLICT DO NOTHING"


class NumberSet:
    """A set of phone numbers that may exceed the memory: `with NumberSet() as seen: seen.add("+12015550123")`."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a file that has no name
        self._db.executescript(PREPARE)
        self._db.execute("BEGIN")

    def __enter__(self) -> NumberSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with closing(self._db):
            self._db.execute("ROLLBACK")

    def add(self, e164: str) -> bool:
        """Add a number. Return False if it was already in the set."""
        return self._db.execute(ADD, (int(e164[1:]),)).rowcount == 1
