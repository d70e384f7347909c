"""The do-not-call list (people who asked us not to call them), and complaints of called people about own numbers."""

import sqlite3
from typing import Annotated, Any, NamedTuple

from reputation.columns import Column, column_list, insert_sql
from reputation.encoding import Instant
from reputation.numbers import stored_number
from reputation.own.hours import AS_INSTALLED, local_date_number
from reputation.store.own_days import PEOPLE_DAYS


class DoNotCallRequest(NamedTuple):
    """A request by somebody outside that we do not call their number.

    Attributes:
        number: The number, E.164.
        at: When the number was put on the list.
        own_number: The own number that had called; empty if unknown.
        person: The person here who took the request; empty if unknown.
        note: A note, one line.
        is_of_called: Whether the own number had called this number in the 28 days before `at`.
    """

    number: str
    at: Instant
    own_number: str = ""
    person: str = ""
    note: str = ""
    is_of_called: Annotated[bool, Column("of_called")] = False


class Complaint(NamedTuple):
    """A complaint about an own number. `number`: the number of whoever complains; empty if unknown.

    `is_of_called`: whether the own number had called `number` in the 28 days before. Other complaints do not count.
    """

    own_number: str
    number: str
    at: Instant
    note: str = ""
    is_of_called: Annotated[bool, Column("of_called")] = False


class Talk(NamedTuple):
    """A conversation of a person here with `number`. `own_number`: our own number in this call; empty if unknown."""

    number: str
    own_number: str


# A talk that ended since then. It began at most a day before, which bounds the search in the indexes.
LAST_TALK = """
SELECT number, own FROM (
    SELECT dialled AS number, own_number AS own, at + ring_seconds + talk_seconds + waited_seconds AS ended_at
      FROM outcome
     WHERE caller = :person AND at > :since - 86400 AND direction = 'outbound' AND disposition = 'answered'
    UNION ALL
    SELECT caller, did, outcome.at + ring_seconds + talk_seconds + waited_seconds
      FROM reached JOIN outcome USING (linkedid)
     WHERE person = :person AND reached.at > :since - 86400 AND direction = 'inbound' AND disposition = 'answered')
 WHERE number LIKE '+%' AND ended_at > :since ORDER BY ended_at DESC LIMIT 1
"""
ADD = insert_sql("do_not_call", DoNotCallRequest) + " ON CONFLICT (number) DO NOTHING"
SELECT = f"SELECT {column_list(DoNotCallRequest)} FROM do_not_call"
ONE = f"{SELECT} WHERE number = ?"
ALL = f"{SELECT} ORDER BY at DESC, number LIMIT ?"
REQUESTED_SINCE = "SELECT count(*) FROM do_not_call WHERE person = ? AND at > ?"
COUNT = "SELECT count(*) FROM do_not_call"
HAS_TEXT = """
WHERE number = :number OR instr(lower(number || ' ' || own_number || ' ' || person || ' ' || note), lower(:text))
"""
FIND = f"{SELECT} {HAS_TEXT} ORDER BY at DESC, number LIMIT :limit"
COUNT_FOUND = f"SELECT count(*) FROM do_not_call {HAS_TEXT}"
OF_OWN = f"{SELECT} WHERE own_number = ? AND at > ? ORDER BY at"
REMOVE = "DELETE FROM do_not_call WHERE number = ?"
ADD_COMPLAINT = insert_sql("own_complaint", Complaint) + " ON CONFLICT DO NOTHING"
REMOVE_COMPLAINT = f"""
DELETE FROM own_complaint WHERE (own_number, number, at) IN (
    SELECT own_number, number, at FROM own_complaint
     WHERE own_number = :own AND (:number IS NULL OR number = :number) AND (:at IS NULL OR at = :at)
     ORDER BY at DESC LIMIT 1)
RETURNING {column_list(Complaint)}
"""
COMPLAINT = f"SELECT {column_list(Complaint)} FROM own_complaint"
ONE_COMPLAINT = f"{COMPLAINT} WHERE own_number = ? AND number = ? AND at = ?"
COMPLAINTS = f"{COMPLAINT} WHERE own_number = ? AND at > ? ORDER BY at"
WAS_CALLED = "SELECT EXISTS (SELECT 1 FROM own_called WHERE number = ? AND callee = ? AND day BETWEEN ? AND ?)"


def was_called(db: sqlite3.Connection, own_number: str, number: str, at: float) -> bool:
    """Return whether the own number called `number` on the day of `at` or in the 28 days before that day."""
    if not own_number or not number:
        return False
    day = local_date_number(AS_INSTALLED.place_of(stored_number(number), at), at)
    return bool(db.execute(WAS_CALLED, (own_number, number, day - PEOPLE_DAYS, day)).fetchone()[0])


def add_do_not_call(db: sqlite3.Connection, request: DoNotCallRequest) -> bool:
    """Add a request. Return False, and keep the first request, if the number is already on the list."""
    return db.execute(ADD, request).rowcount > 0


def do_not_call_of(db: sqlite3.Connection, number: str) -> DoNotCallRequest | None:
    """Return the do-not-call request of the number; None if the number is not on the list."""
    return next((_request(row) for row in db.execute(ONE, (number,))), None)


def all_do_not_call(db: sqlite3.Connection, limit: int = 1000) -> list[DoNotCallRequest]:
    """Return the do-not-call list, newest first."""
    return [_request(row) for row in db.execute(ALL, (limit,))]


def count_do_not_call(db: sqlite3.Connection) -> int:
    """Return how many numbers the do-not-call list has."""
    return int(db.execute(COUNT).fetchone()[0])


def count_requests_since(db: sqlite3.Connection, person: str, since: float) -> int:
    """Return how many requests a person here has recorded since `since`."""
    return int(db.execute(REQUESTED_SINCE, (person, since)).fetchone()[0])


def find_do_not_call(
    db: sqlite3.Connection, text: str, number: str | None, limit: int
) -> tuple[list[DoNotCallRequest], int]:
    """Return requests about `number` or with `text` in any field, newest first, and the count of all matching requests.

    At most `limit` requests are returned.
    """
    wanted = {"text": text, "number": number, "limit": limit}
    rows = db.execute(FIND, wanted)
    return [_request(row) for row in rows], int(db.execute(COUNT_FOUND, wanted).fetchone()[0])


def requests_after(db: sqlite3.Connection, own_number: str, since: float) -> list[DoNotCallRequest]:
    """Return the requests made since `since` after calls from this own number, oldest first."""
    return [_request(row) for row in db.execute(OF_OWN, (own_number, since))]


def remove_do_not_call(db: sqlite3.Connection, number: str) -> DoNotCallRequest | None:
    """Remove the number from the do-not-call list. Return its request, or None if the number was not on the list."""
    request = do_not_call_of(db, number)
    db.execute(REMOVE, (number,))
    return request


def last_talk_of(db: sqlite3.Connection, person: str, since: float) -> Talk | None:
    """Return the last conversation of a person here that ended after `since`, or None.

    It can be incoming or outgoing. Conversations with withheld numbers are skipped.
    """
    rows = db.execute(LAST_TALK, {"person": person, "since": since}).fetchall()
    return next((Talk(number, own or "") for number, own in rows), None)


def add_complaint(db: sqlite3.Connection, complaint: Complaint) -> bool:
    """Add a complaint about an own number. Return False if the same complaint is already stored."""
    return db.execute(ADD_COMPLAINT, complaint).rowcount > 0


def remove_complaint(
    db: sqlite3.Connection, own_number: str, number: str | None, at: float | None = None
) -> Complaint | None:
    """Remove and return the latest complaint about the own number, or None.

    `number`: only complaints by this number. `at`: only the complaint made at this time.
    """
    rows = db.execute(REMOVE_COMPLAINT, {"own": own_number, "number": number, "at": at}).fetchall()
    return next((_complaint(row) for row in rows), None)


def complaint_of(db: sqlite3.Connection, own_number: str, number: str, at: float) -> Complaint | None:
    """Return the complaint that `number` made about the own number at `at`, or None."""
    return next((_complaint(row) for row in db.execute(ONE_COMPLAINT, (own_number, number, at))), None)


def complaints_about(db: sqlite3.Connection, own_number: str, since: float) -> list[Complaint]:
    """Return complaints about the own number since `since`, oldest first."""
    return [_complaint(row) for row in db.execute(COMPLAINTS, (own_number, since))]


def _request(row: tuple[Any, ...]) -> DoNotCallRequest:
    return DoNotCallRequest(*row)._replace(is_of_called=bool(row[-1]))


def _complaint(row: tuple[Any, ...]) -> Complaint:
    return Complaint(*row)._replace(is_of_called=bool(row[-1]))
