"""The audit: one row for every change that a person makes, written in the transaction of the change.

add_audit(db, Change("list add", number="+12015550123", after=entry), who="joe", at=now)
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

ADD = "INSERT INTO audit (at, who, what, number, name, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)"
LAST = "SELECT max(at) FROM audit WHERE what = ?"
ROWS = """
SELECT at, who, what, number, name, before, after FROM audit
 WHERE :number IS NULL OR number = :number ORDER BY at DESC, id DESC LIMIT :limit
"""


@dataclass(slots=True)
class Change:
    """What a person does. `what` is the command; it is about one `number`, or about what `name` says.

    `before` and `after` are how it was and how it is now: anything that msgspec writes as JSON, None where there is
    nothing. `id`: by what it is found again, once it is written. `is_nothing`: it was so already.
    """

    what: str
    number: str | None = None
    name: str = ""
    before: object = None
    after: object = None
    id: int | None = None
    is_nothing: bool = False


class AuditRow(NamedTuple):
    """A change as it is kept. `before` and `after` are JSON text."""

    at: float
    who: str
    what: str
    number: str | None
    name: str
    before: str | None
    after: str | None


def add_audit(db: sqlite3.Connection, change: Change, who: str, at: float) -> None:
    """Writes the row. `who`: a login name, or `extension 201` for what was dialled on a phone."""
    row = (at, who, change.what, change.number, change.name, _json(change.before), _json(change.after))
    change.id = db.execute(ADD, row).lastrowid


def audit_rows(db: sqlite3.Connection, number: str | None = None, limit: int = 100) -> list[AuditRow]:
    """The changes, of one number or all, the latest first."""
    return [AuditRow(*row) for row in db.execute(ROWS, {"number": number, "limit": limit})]


def last_change(db: sqlite3.Connection, what: str) -> float | None:
    """When this was done last; None: not within two years."""
    (at,) = db.execute(LAST, (what,)).fetchone()
    return None if at is None else float(at)


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def value_of(text: str) -> Any:
    """The value of JSON text of ours; the text itself when it is damaged."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
