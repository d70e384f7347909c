"""Who agreed to be called by us, since when, by which proof, and until when."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.columns import column_list, insert_sql
from reputation.encoding import Instant


class Consent(NamedTuple):
    """Who agreed to be called. `proof`: a text, or where the document is kept; `until`: when it ends, null for never;
    `person`: who noted it.
    """

    number: str
    at: Instant
    until: Instant | None = None
    proof: str = ""
    person: str = ""
    note: str = ""

    def is_over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.until is not None and self.until <= now


COLUMNS = column_list(Consent)
PUT = insert_sql("consent", Consent, "INSERT OR REPLACE")
ONE = f"SELECT {COLUMNS} FROM consent WHERE number = ?"
REMOVE = f"DELETE FROM consent WHERE number = ? RETURNING {COLUMNS}"
HAS_TEXT = (
    "WHERE number = :number OR instr(lower(number || ' ' || proof || ' ' || person || ' ' || note), lower(:text))"
)
FIND = f"SELECT {COLUMNS} FROM consent {HAS_TEXT} ORDER BY at DESC, number LIMIT :limit"
COUNT_FOUND = f"SELECT count(*) FROM consent {HAS_TEXT}"


def put_consent(db: sqlite3.Connection, consent: Consent) -> None:
    """The number's consent; what was noted before goes."""
    db.execute(PUT, consent)


def consent_of(db: sqlite3.Connection, number: str) -> Consent | None:
    """The number's consent, also one that has ended."""
    return next((Consent(*row) for row in db.execute(ONE, (number,))), None)


def remove_consent(db: sqlite3.Connection, number: str) -> Consent | None:
    """The number agrees no more; returns what was noted."""
    return next((Consent(*row) for row in db.execute(REMOVE, (number,)).fetchall()), None)


def find_consents(
    db: sqlite3.Connection, text: str = "", number: str | None = None, limit: int = 1000
) -> tuple[list[Consent], int]:
    """Those of this number, or with the text in any field, the latest first; and how many there are of them."""
    wanted = {"text": text, "number": number, "limit": limit}
    rows = [Consent(*row) for row in db.execute(FIND, wanted)]
    return rows, int(db.execute(COUNT_FOUND, wanted).fetchone()[0])
