"""The block of 1000 that a number is in: which of its numbers are bad ones, and which have called lately."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.numbers import block_of

# A standing of the index may be a bad one; whether it is now is asked of the fold (families/block.py).
STANDINGS = """
SELECT DISTINCT number FROM standing
 WHERE substr(number, 1, length(number) - 3) = :block AND may_be_bad = 1 AND number <> :number
   AND length(number) = length(:number) ORDER BY number LIMIT :limit
"""
CALLERS = """
SELECT caller, count(*), max(at), max(log_odds) FROM decision
 WHERE caller BETWEEN :block || '000' AND :block || '999' AND length(caller) = length(:number) AND caller <> :number
   AND caller IS NOT NULL AND at >= :since
 GROUP BY caller ORDER BY max(at) DESC LIMIT :limit
"""


class Neighbour(NamedTuple):
    """Another number of the block that called: how often since then, when last, and its log-odds at most."""

    number: str
    calls: int
    last_at: float
    log_odds: float


def bad_numbers_near(db: sqlite3.Connection, number: str, limit: int = 20) -> list[str]:
    """Numbers of the block whose evidence may count them as bad."""
    about = {"number": number, "block": block_of(number), "limit": limit}
    return [found for (found,) in db.execute(STANDINGS, about)]


def callers_near(db: sqlite3.Connection, number: str, since: float, limit: int = 20) -> list[Neighbour]:
    """Numbers of the block that called since then, the latest first."""
    about = {"number": number, "block": block_of(number), "since": since, "limit": limit}
    return [Neighbour(*row) for row in db.execute(CALLERS, about)]
