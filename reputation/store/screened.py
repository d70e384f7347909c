"""Which inbound calls a decision was asked for: outcomes beside the journal, by the number that was dialled."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

# Reading a call takes about 2 us, also of the kinds that are not counted: this bounds it where a week has millions.
MOST_CALLS = 100_000

_LATEST = "SELECT * FROM outcome WHERE at >= :since AND at < :until ORDER BY at DESC LIMIT :limit"
# Left out: calls whose decision may still be on its way (`waits_since`), that were not seen whole, that began before
# the first decision (where there is one), and those to numbers that are not to be screened, or that nobody has (Q.850
# cause 1): the front context refuses such a call before it asks.
BY_NUMBER = f"""
WITH inbound AS (
    SELECT at, did,
           decision_id IS NULL AND NOT EXISTS (SELECT 1 FROM decision WHERE linkedid = latest.linkedid) AS missed
      FROM ({_LATEST}) AS latest
     WHERE direction = 'inbound' AND source = 'ami' AND complete = 1 AND waits_since IS NULL
       AND at >= coalesce((SELECT min(at) FROM decision), :since)
       AND NOT (disposition = 'failed' AND cause = 1)
       AND NOT EXISTS (SELECT 1 FROM did WHERE number = latest.did AND screen = 0))
SELECT did, count(*), sum(missed), max(at), max(CASE WHEN missed THEN at END)
  FROM inbound GROUP BY did ORDER BY sum(missed) DESC, did
"""
DIALLED = f"""
SELECT DISTINCT did FROM ({_LATEST}) WHERE direction = 'inbound' AND source = 'ami' AND did IS NOT NULL ORDER BY did
"""
# Who withholds a number shows nothing that could be read.
READ = """
SELECT count(*), coalesce(sum(caller_kind = 'invalid'), 0)
  FROM (SELECT caller_kind FROM decision WHERE at >= :since AND caller_kind IN ('number', 'service', 'invalid')
         ORDER BY at DESC LIMIT :limit)
"""
# Left out: calls that were passed on, where whoever they were passed to rang as well.
RANG = f"""
WITH alike AS (
    SELECT did, rung, count(*) AS calls FROM ({_LATEST})
     WHERE direction = 'inbound' AND source = 'ami' AND complete = 1 AND transferred = 0 AND did IS NOT NULL
       AND rung <> '[]'
     GROUP BY did, rung)
SELECT did, value, sum(calls), (SELECT sum(calls) FROM alike AS every WHERE every.did = alike.did)
  FROM alike, json_each(rung)
 GROUP BY did, value ORDER BY did, sum(calls) DESC, value
"""
FIRST = "SELECT min(at), count(*) FROM (SELECT at FROM decision ORDER BY at LIMIT :limit)"


class Screened(NamedTuple):
    """The calls to one number. `missed_at`: the start of the latest that nothing was decided about."""

    did: str | None
    calls: int
    missed: int
    last_at: float
    missed_at: float | None

    @property
    def is_missed_now(self) -> bool:
        """Whether the latest call is one of those."""
        return self.missed_at == self.last_at


class Rang(NamedTuple):
    """How many calls to a number rang at one of ours, of all that rang anybody. `who`: an extension, or an endpoint."""

    did: str
    who: str
    times: int
    calls: int


def rang_by_number(db: sqlite3.Connection, since: float, until: float) -> list[Rang]:
    """Whose phones inbound calls rang, among the latest MOST_CALLS of that time; by number, the most often first."""
    return [Rang(*row) for row in db.execute(RANG, _span(since, until))]


def screened_by_number(db: sqlite3.Connection, since: float, until: float) -> list[Screened]:
    """The inbound calls among the latest MOST_CALLS from `since` until before `until`; most missed first."""
    return [Screened(*row) for row in db.execute(BY_NUMBER, _span(since, until))]


def dialled_numbers(db: sqlite3.Connection, since: float, until: float) -> list[str]:
    """The numbers of ours that were called from outside in that time, screened or not."""
    return [did for (did,) in db.execute(DIALLED, _span(since, until))]


def unreadable_callers(db: sqlite3.Connection, since: float, most: int) -> tuple[int, int]:
    """Of the latest decisions since then, `most` at most: how many callers showed something, and how many no number."""
    shown, unreadable = db.execute(READ, {"since": since, "limit": most}).fetchone()
    return shown, unreadable


def first_decision(db: sqlite3.Connection, most: int) -> tuple[float | None, int]:
    """When the first decision was, and how many there are, counted up to `most`."""
    first, count = db.execute(FIRST, {"limit": most}).fetchone()
    return first, count


def _span(since: float, until: float) -> dict[str, float]:
    return {"since": since, "until": until, "limit": MOST_CALLS}
