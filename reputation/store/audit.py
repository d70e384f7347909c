"""The audit: a row for every change by a user, a program or a phone, written in the transaction of the change."""

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
    """A change to be written to the audit. `what`: the command. `number` or `name`: the number or thing that changes.

    `before` and `after`: the changed thing before and after, as `--json` and the API show it; None if it did not exist.
    `id`: the id in the audit; None until the change is written. `is_nothing`: whether the command changed nothing.
    """

    what: str
    number: str | None = None
    name: str = ""
    before: object = None
    after: object = None
    id: int | None = None
    is_nothing: bool = False


class AuditRow(NamedTuple):
    """A change as stored in the audit. `before` and `after` are JSON text.

    Attributes:
        at: When the change was made.
        who: The user or program that made the change: `joe`, `token:crm`, `phone 201`.
        what: The command.
        number: The number that was changed; null if the change is about no number.
        name: The name of the changed thing, if it is not a number; otherwise empty.
    """

    at: Instant
    who: str
    what: str
    number: str | None
    name: str
    before: str | None
    after: str | None


def add_audit(db: sqlite3.Connection, change: Change, who: str, at: float) -> None:
    """Store a change and set its id. `who`: a login name, or `phone 201` for a feature code dialled at that phone."""
    row = (at, who, change.what, change.number, change.name, *map(_json, (change.before, change.after)))
    change.id = db.execute(ADD, row).lastrowid


def audit_rows(db: sqlite3.Connection, number: str | None = None, limit: int = 100) -> list[AuditRow]:
    """Return the latest `limit` changes, newest first. `number`: only changes of this number; None: all changes."""
    return [AuditRow(*row) for row in db.execute(ROWS, {"number": number, "limit": limit})]


def last_change(db: sqlite3.Connection, what: str) -> float | None:
    """Return when the command `what` last changed something; None if it did not in the last two years."""
    (at,) = db.execute(LAST, (what,)).fetchone()
    return None if at is None else float(at)


def _json(value: object) -> str | None:
    return None if value is None else encode(value).decode()


def value_of(text: str) -> Any:
    """Decode stored JSON text, or return the text itself if it is damaged."""
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
# An undo keeps the ids of the first and the last change that it undid. The ids of one import are consecutive.
UNDONE_AT = """
SELECT max(at) FROM audit WHERE what = :what AND id > :id
   AND :id BETWEEN json_extract(before, '$.undone[0]') AND json_extract(before, '$.undone[1]')
"""
WORDS = "SELECT DISTINCT {} FROM audit ORDER BY 1 LIMIT 200"


class AuditFilter(NamedTuple):
    """A search in the audit. None matches all. `about`: a number or name. `before`: only changes with lower ids."""

    who: str | None = None
    what: str | None = None
    about: str | None = None
    before: int | None = None
    limit: int = 100


class KeptChange(NamedTuple):
    """A stored change with its id."""

    id: int
    row: AuditRow


def search_audit(db: sqlite3.Connection, wanted: AuditFilter) -> list[KeptChange]:
    """Return the changes that match the filter, newest first."""
    return [_kept(row) for row in db.execute(SEARCH, wanted._asdict())]


def change_of_id(db: sqlite3.Connection, change_id: int) -> KeptChange | None:
    """Return the change with this id, or None."""
    return next((_kept(row) for row in db.execute(BY_ID, (change_id,))), None)


def latest_of(
    db: sqlite3.Connection, whats: tuple[str, ...], limit: int, number: str | None = None
) -> list[KeptChange]:
    """Return the latest `limit` changes by the commands `whats`, newest first. `number`: only this number's changes."""
    sql = LATEST_OF.format(", ".join("?" * len(whats)))
    return [_kept(row) for row in db.execute(sql, (*whats, number, number, limit))]


def changed_at_once(db: sqlite3.Connection, row: AuditRow) -> list[KeptChange]:
    """Return all changes that have the same user or program, command and time as the change `row`, newest first."""
    return [_kept(changed) for changed in db.execute(AT_ONCE, (row.at, row.who, row.what))]


def undone_at(db: sqlite3.Connection, change: KeptChange) -> float | None:
    """Return when the change was undone; None if it was not undone, or if the audit no longer has the undo."""
    about = {"what": f"undo {change.row.what}", "id": change.id}
    at: float | None = db.execute(UNDONE_AT, about).fetchone()[0]
    return at


def who_changed(db: sqlite3.Connection) -> list[str]:
    """Return all users, tokens and phones that made a change in the audit."""
    return [str(who) for (who,) in db.execute(WORDS.format("who"))]


def what_was_changed(db: sqlite3.Connection) -> list[str]:
    """Return all commands that made a change in the audit."""
    return [str(what) for (what,) in db.execute(WORDS.format("what"))]


def _kept(row: tuple[Any, ...]) -> KeptChange:
    return KeptChange(row[0], AuditRow(*row[1:]))


KEYS = """
SELECT json_group_array(part.name) FROM pragma_index_list(?) AS key, pragma_index_info(key.name) AS part
 WHERE key."unique" GROUP BY key.name
"""


class StoredRow(NamedTuple):
    """A table row that an audit record describes, used to undo a change. `key`: the columns that identify the row.

    Use it only for tables on which no standings or other rows depend. Other tables have undo functions of their own.
    """

    table: str
    record: Any
    key: tuple[str, ...]

    @property
    def _values(self) -> dict[str, Any]:
        return {field.column: getattr(self.record, field.name) for field in fields_of(type(self.record))}

    @property
    def _where(self) -> str:
        return " AND ".join(f"{column} = :{column}" for column in self.key)

    def read(self, db: sqlite3.Connection) -> StoredRow | None:
        """Return the row with its present values from the table; None if the row no longer exists."""
        values, kind = self._values, type(self.record)
        sql = f"SELECT {', '.join(values)} FROM {self.table} WHERE {self._where}"
        row = db.execute(sql, values).fetchone()
        return row and self._replace(record=msgspec.convert(row, kind, strict=False))

    def put(self, db: sqlite3.Connection) -> None:
        """Insert or update the row in its table. Only the columns that the audit record has are changed."""
        values = self._values
        changed = ", ".join(f"{column} = :{column}" for column in values)
        if db.execute(f"UPDATE {self.table} SET {changed} WHERE {self._where}", values).rowcount == 0:
            columns, places = ", ".join(values), ", ".join(f":{column}" for column in values)
            db.execute(f"INSERT INTO {self.table} ({columns}) VALUES ({places})", values)

    def remove(self, db: sqlite3.Connection) -> None:
        """Delete the row from its table."""
        db.execute(f"DELETE FROM {self.table} WHERE {self._where}", self._values)


def stored_row(db: sqlite3.Connection, table: str, kind: type, kept: Mapping[str, Any]) -> StoredRow:
    """Return the table row that the audit record `kept` describes.

    Raise KeyError or msgspec.ValidationError if `kept` does not fit the record type `kind`.
    """
    columns = {field.column for field in fields_of(kind)}
    keys = (tuple(json.loads(key)) for (key,) in db.execute(KEYS, (table,)))
    return StoredRow(table, parse_plain(kept, kind), next(key for key in keys if columns >= set(key)))
