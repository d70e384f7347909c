"""Finding changes in the audit: by who, what and about what, page by page; and all that was changed at one stroke."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from reputation.store.audit import AuditRow

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
