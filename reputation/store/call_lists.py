"""What our own calls say of the numbers of a call list, and what the outbound guard did on a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from types import TracebackType
from typing import NamedTuple

from reputation.encoding import Instant
from reputation.own.outbound_types import OutboundRecord
from reputation.store.outbound import COLUMNS

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
    """A call of ours to a number: whether a person answered, whether the number was nobody's (Q.850 cause 1), and
    whether it came as far as the phone: a network that refuses us says nothing of who is called.
    """

    at: float
    answered: bool
    to_nobody: bool
    arrived: bool


class UnguardedCall(NamedTuple):
    """A call that went out and about which the guard was not asked."""

    linkedid: str
    at: Instant
    callee: str
    own_number: str | None
    trunk: str | None


def past_calls(db: sqlite3.Connection, number: str) -> list[CallAttempt]:
    """Our calls to the number, the latest first: a hundred at most."""
    return [CallAttempt(at, *map(bool, rest)) for at, *rest in db.execute(CALLS, (number,))]


def outbound_of_day(db: sqlite3.Connection, first: float, last: float) -> Iterator[OutboundRecord]:
    """What the guard decided from `first` until before `last`, one by one."""
    return (OutboundRecord(*row) for row in db.execute(OF_DAY, (first, last)))


def unguarded_of_day(db: sqlite3.Connection, first: float, last: float) -> Iterator[UnguardedCall]:
    """Calls that the guard was not asked about, one by one."""
    return (UnguardedCall(*row) for row in db.execute(UNGUARDED, {"first": first, "last": last}))


# A set of numbers that is as large as the disk: a table of its own in a temporary file, which goes with it.
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
    """Numbers that were seen. `with NumberSet() as seen: seen.add("+12015550123")`"""

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
        """Whether the number is new."""
        return self._db.execute(ADD, (int(e164[1:]),)).rowcount == 1
