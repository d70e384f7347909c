"""Tombstones: spam marks that were found wrong, and never count again, whoever sends them once more.

A tombstone is a row of its own, and the marks stay as they are: the fold passes over them (reputation/store/rows). So
it does not matter which came first, a mark that arrives late is covered by its date, and taking the stone away again
leaves everything as it was.
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, NamedTuple

from reputation.columns import NAMED, ORIGIN, Key, column_list, insert_sql
from reputation.store.standing import refresh, refresh_all


class Tombstone(NamedTuple):
    """Spam marks of `number` dated `until` or before do not count: those of `reporter`, or of everybody ('').

    `case_id`: the appeal's reference, or what else has found them wrong.
    """

    number: str
    reporter: Annotated[str, Key(1), NAMED]
    case_id: Annotated[str, Key(2), ORIGIN]
    until: float

    def covers(self, reporter: str, at: float) -> bool:
        """Whether a spam mark of the number by this reporter, so dated, does not count."""
        site = reporter[: reporter.find(":") + 1]  # one of another site: `berlin:`
        return self.reporter in ("", reporter, site) and at <= self.until


ADD = f"""
{insert_sql("tombstone", Tombstone)}
ON CONFLICT (number, reporter, case_id) DO UPDATE SET until = max(until, excluded.until)
"""
REMOVE = "DELETE FROM tombstone WHERE case_id = ? RETURNING number"
OF = f"SELECT {column_list(Tombstone)} FROM tombstone WHERE number = ? ORDER BY until DESC, case_id, reporter"


def add_tombstone(db: sqlite3.Connection, stone: Tombstone) -> None:
    """The marks do not count from now on. Twice is once."""
    db.execute(ADD, stone)
    refresh(db, stone.number)


def remove_tombstones(db: sqlite3.Connection, case_id: str) -> None:
    """What the case had found wrong counts again."""
    refresh_all(db, [number for (number,) in db.execute(REMOVE, (case_id,)).fetchall()])


def tombstones_of(db: sqlite3.Connection, number: str) -> list[Tombstone]:
    """Those of the number, the latest first."""
    return [Tombstone(*row) for row in db.execute(OF, (number,))]
