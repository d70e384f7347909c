"""The audit: one row for every change that a person makes, written in the transaction of the change.

add_audit(db, Change("list add", number="+12015550123", after=entry), who="joe", at=now)

One row of any table, as the audit keeps it: read, put back and removed.

It is found by a unique key of the table whose columns the audit has all. For rows that nothing follows from: a table
with sums or other rows beside it has functions of its own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from reputation.columns import fields_of
from reputation.encoding import Instant, encode, parse_plain

ADD = "INSERT INTO audit (at, who, what, number, name, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)"
LAST = "SELECT max(at) FROM audit WHERE what = ?"
ROWS = """
SELECT at, who, what, number, name, before, after FROM audit
 WHERE :number IS NULL OR number = :number ORDER BY at DESC, id DESC LIMIT :limit
"""


@dataclass(slots=True)
class Change:
    """What a person does. `what` is the command; it is about one `number`, or about what `name` says.

    `before` and `after` are how it was and how it is now: records that `--json` and the API show, None where there is
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
    """A change as it is kept. `before` and `after` are JSON text.

    Attributes:
        at: When it was made.
        who: Who made it: `joe`, `token:crm`, `phone 201`.
        what: What was done: the command.
        number: The number that it is about, null for none.
        name: What else it is about; empty for nothing.
    """

    at: Instant
    who: str
    what: str
    number: str | None
    name: str
    before: str | None
    after: str | None


def add_audit(db: sqlite3.Connection, change: Change, who: str, at: float) -> None:
    """Writes the row. `who`: a login name, or `phone 201` for what was dialled on a phone."""
    row = (at, who, change.what, change.number, change.name, *map(_json, (change.before, change.after)))
    change.id = db.execute(ADD, row).lastrowid


def audit_rows(db: sqlite3.Connection, number: str | None = None, limit: int = 100) -> list[AuditRow]:
    """The changes, of one number or all, the latest first."""
    return [AuditRow(*row) for row in db.execute(ROWS, {"number": number, "limit": limit})]


def last_change(db: sqlite3.Connection, what: str) -> float | None:
    """When this was done last; None: not within two years."""
    (at,) = db.execute(LAST, (what,)).fetchone()
    return None if at is None else float(at)


def _json(value: object) -> str | None:
    return None if value is None else encode(value).decode()


def value_of(text: str) -> Any:
    """The value of JSON text of ours; the text itself when it is damaged."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


COLUMNS = "id, at, who, what, number, name, before, after"
SEARCH = f"""
SELECT {COLUMNS} FROM audit
 WHERE (:before IS NULL OR id < :before) AND (:who IS NULL OR who = :who) AND (:what IS NULL OR what = :what)
   AND (:about IS NULL OR number = :about OR name = :about)
 ORDER BY id DESC LIMIT :limit
"""
BY_ID = f"SELECT {COLUMNS} FROM audit WHERE id = ?"
LATEST_OF = f"SELECT {COLUMNS} FROM audit WHERE what IN ({{}}) AND (? IS NULL OR number = ?) ORDER BY id DESC LIMIT ?"
AT_ONCE = f"SELECT {COLUMNS} FROM audit WHERE at = ? AND who = ? AND what = ? ORDER BY id DESC"
# An undoing keeps the ids of the first and the last change that it took back: those of an import follow each other.
UNDONE_AT = """
SELECT max(at) FROM audit WHERE what = :what AND id > :id
   AND :id BETWEEN json_extract(before, '$.undone[0]') AND json_extract(before, '$.undone[1]')
"""
WORDS = "SELECT DISTINCT {} FROM audit ORDER BY 1 LIMIT 200"


class AuditFilter(NamedTuple):
    """What is looked for; None: any. `about`: a number or name; `before`: only older than the change of this id."""

    who: str | None = None
    what: str | None = None
    about: str | None = None
    before: int | None = None
    limit: int = 100


class KeptChange(NamedTuple):
    """A change and by what it is found again."""

    id: int
    row: AuditRow


def search_audit(db: sqlite3.Connection, wanted: AuditFilter) -> list[KeptChange]:
    """The changes, the latest first."""
    return [_kept(row) for row in db.execute(SEARCH, wanted._asdict())]


def change_of_id(db: sqlite3.Connection, change_id: int) -> KeptChange | None:
    """The change of this id."""
    return next((_kept(row) for row in db.execute(BY_ID, (change_id,))), None)


def latest_of(
    db: sqlite3.Connection, whats: tuple[str, ...], limit: int, number: str | None = None
) -> list[KeptChange]:
    """The latest changes of these kinds; all, or those of one number."""
    sql = LATEST_OF.format(", ".join("?" * len(whats)))
    return [_kept(row) for row in db.execute(sql, (*whats, number, number, limit))]


def changed_at_once(db: sqlite3.Connection, row: AuditRow) -> list[KeptChange]:
    """All that was changed together with this, itself too, the last first."""
    return [_kept(one) for one in db.execute(AT_ONCE, (row.at, row.who, row.what))]


def undone_at(db: sqlite3.Connection, change: KeptChange) -> float | None:
    """When the change was taken back; None: it was not, or before that was kept."""
    about = {"what": f"undo {change.row.what}", "id": change.id}
    found: float | None = db.execute(UNDONE_AT, about).fetchone()[0]
    return found


def who_changed(db: sqlite3.Connection) -> list[str]:
    """Everybody who has changed anything."""
    return [str(who) for (who,) in db.execute(WORDS.format("who"))]


def what_was_changed(db: sqlite3.Connection) -> list[str]:
    """Every kind of change."""
    return [str(what) for (what,) in db.execute(WORDS.format("what"))]


def _kept(row: tuple[Any, ...]) -> KeptChange:
    return KeptChange(row[0], AuditRow(*row[1:]))


KEYS = """
SELECT json_group_array(part.name) FROM pragma_index_list(?) AS key, pragma_index_info(key.name) AS part
 WHERE key."unique" GROUP BY key.name
"""


class StoredRow(NamedTuple):
    """A row of a table, as the record that the audit keeps, and the columns by which it is found."""

    table: str
    record: Any
    key: tuple[str, ...]

    @property
    def _values(self) -> dict[str, Any]:
        return {one.column: getattr(self.record, one.name) for one in fields_of(type(self.record))}

    @property
    def _where(self) -> str:
        return " AND ".join(f"{column} = :{column}" for column in self.key)

    def read(self, db: sqlite3.Connection) -> StoredRow | None:
        """Return the row as it is now; None: there is no such row."""
        values, kind = self._values, type(self.record)
        sql = f"SELECT {', '.join(values)} FROM {self.table} WHERE {self._where}"
        found = db.execute(sql, values).fetchone()
        return found and self._replace(record=msgspec.convert(found, kind, strict=False))

    def put(self, db: sqlite3.Connection) -> None:
        """Give the row these values, or add it. Other columns stay."""
        values = self._values
        changed = ", ".join(f"{column} = :{column}" for column in values)
        if db.execute(f"UPDATE {self.table} SET {changed} WHERE {self._where}", values).rowcount == 0:
            columns, places = ", ".join(values), ", ".join(f":{column}" for column in values)
            db.execute(f"INSERT INTO {self.table} ({columns}) VALUES ({places})", values)

    def remove(self, db: sqlite3.Connection) -> None:
        """Remove the row."""
        db.execute(f"DELETE FROM {self.table} WHERE {self._where}", self._values)


def stored_row(db: sqlite3.Connection, table: str, kind: type, kept: Mapping[str, Any]) -> StoredRow:
    """Return the row of a table of which the audit keeps a record of this type.

    Raises:
        KeyError: A field is missing.
        msgspec.ValidationError: A field does not fit.
    """
    columns = {one.column for one in fields_of(kind)}
    keys = (tuple(json.loads(key)) for (key,) in db.execute(KEYS, (table,)))
    return StoredRow(table, parse_plain(kept, kind), next(key for key in keys if columns >= set(key)))
