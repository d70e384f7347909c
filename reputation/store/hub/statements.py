"""Entries by administrators of other sites. They apply here if we follow the site and have no entry of our own.

An entry is on a list, or it is an identity or a change of owner. The table `hub_row` keeps each site's entry, called
its statement. The row in the store's own table is ours, or the statement that applies. Ours wins. If we deleted a row
of another site, it stays deleted until this site sends a new version.
"""

import json
import sqlite3
from typing import Any, NamedTuple

from reputation.site_names import all_of, is_ours, site_of
from reputation.store.hub import rows

NOTHING, IN_FORCE, OVERRULED = 0, 1, 2
COLUMNS = "origin, version, at_us, deleted, state, payload"
STATEMENTS = (
    f"SELECT {COLUMNS} FROM hub_row WHERE number = ? AND kind = ? AND key = ? AND origin <> ? AND payload IS NOT NULL"
)
SET_STATE = "UPDATE hub_row SET state = ? WHERE number = ? AND kind = ? AND origin = ? AND key = ?"
ALL = "SELECT DISTINCT number, kind, key FROM hub_row WHERE payload IS NOT NULL AND origin <> ?"
ALL_IN_FORCE = "SELECT origin, number, kind, key FROM hub_row WHERE payload IS NOT NULL AND state = ?"
WAITS = "SELECT 1 FROM hub_outbox WHERE number = ? AND kind = ? AND key = ?"
FOREIGN_TOMBSTONES = f"SELECT number, reporter, case_id, until FROM tombstone WHERE NOT {is_ours('case_id')}"


class SiteStatement(NamedTuple):
    """The latest statement of a site about a row: an entry as the site wrote it, or the entry's deletion."""

    origin: str
    version: int
    at_us: int
    deleted: bool
    state: int
    payload: str

    @property
    def is_in_force(self) -> bool:
        """Whether the statement applied when its `state` was stored. Somebody here may have changed the row since."""
        return self.state == IN_FORCE


def is_in_force_from(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, stored: rows.Stored) -> bool:
    """Return whether the row in the table is a statement of another site that nobody here has changed."""
    return any(
        statement.state == IN_FORCE and equals_statement(kind, statement, stored)
        for statement in _statements(db, kind, number, key, "")
    )


def statements_about(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str) -> list[SiteStatement]:
    """Return the statements of other sites about a row, at most one per site."""
    return _statements(db, kind, number, key, "")


def note_ours(
    db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, site: str, follow: frozenset[str]
) -> None:
    """Record that somebody here wrote or removed the row. Call it in a transaction, inside `writing_for_hub`."""
    stored = rows.stored_row(db, kind, number, key)
    for statement in _statements(db, kind, number, key, site):
        if statement.state == IN_FORCE and not (stored is not None and equals_statement(kind, statement, stored)):
            db.execute(SET_STATE, (OVERRULED, number, kind.name, statement.origin, key))
    settle(db, kind, number, key, site, follow)


def settle(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, site: str, follow: frozenset[str]) -> bool:
    """Write the latest statement of followed sites about a row to the row's table, unless the row there is ours.

    If the followed sites have no statement left, delete the row. Return whether the table has changed.
    """
    statements, stored = _statements(db, kind, number, key, site), rows.stored_row(db, kind, number, key)
    before = next((statement for statement in statements if statement.state == IN_FORCE), None)
    if stored is not None and (before is None or not equals_statement(kind, before, stored)):
        return False  # ours
    eligible = [
        statement
        for statement in statements
        if statement.origin in follow and not statement.deleted and statement.state != OVERRULED
    ]
    best = max(eligible, key=lambda statement: (statement.at_us, statement.version, statement.origin), default=None)
    if best is None and before is None:
        return False
    if before is not None and before != best:
        db.execute(SET_STATE, (NOTHING, number, kind.name, before.origin, key))
    if best is None:
        rows.delete_row(db, kind, number, json.loads(key))
        return True
    if best == before and stored is not None:
        return False
    row = rows.SharedRow(kind.name, best.origin, number, key, best.payload, "", best.at_us, best.version, False)
    rows.write_row(db, kind, rows.values_of(kind, row, rows.check_row(kind, row), site, tombstones_cover_all=True))
    db.execute(SET_STATE, (IN_FORCE, number, kind.name, best.origin, key))
    return True


def replaces(db: sqlite3.Connection, kind: rows.Kind, row: rows.SharedRow, site: str) -> None:
    """Stop applying the old version of a site's statement before a new one is written. A row changed by us stays."""
    for statement in _statements(db, kind, row.number, row.key, site):
        if statement.origin == row.origin and statement.state == IN_FORCE:
            stored = rows.stored_row(db, kind, row.number, row.key)
            if stored is not None and equals_statement(kind, statement, stored):
                rows.delete_row(db, kind, row.number, json.loads(row.key))
            db.execute(SET_STATE, (NOTHING, row.number, kind.name, row.origin, row.key))


def complete_all(db: sqlite3.Connection) -> set[str]:
    """Fill in columns of other sites' rows that an older CallSieve could not read. Return the numbers to refresh."""
    changed = set()
    for origin, number, name, key in db.execute(ALL_IN_FORCE, (IN_FORCE,)).fetchall():
        kind = rows.KINDS.get(name)
        stored = None if kind is None else rows.stored_row(db, kind, number, key)
        if kind is None or stored is None or db.execute(WAITS, (number, name, key)).fetchone():
            continue
        statement = next(
            candidate for candidate in _statements(db, kind, number, key, "") if candidate.origin == origin
        )
        if statement.at_us == stored.at_us and rows.lacks_new_columns(
            kind, _columns(kind, stored.payload), _columns(kind, statement.payload)
        ):
            row = rows.SharedRow(
                name, origin, number, key, statement.payload, "", statement.at_us, statement.version, False
            )
            rows.write_row(
                db, kind, rows.values_of(kind, row, rows.check_row(kind, row), "", tombstones_cover_all=True)
            )
            changed |= {number} if kind.is_folded else set()
    return changed


def settle_all(db: sqlite3.Connection, site: str, follow: frozenset[str]) -> set[str]:
    """Apply all statements again, after a change of the followed sites. Return the phone numbers to refresh."""
    changed = set()
    for number, name, key in db.execute(ALL, (site,)).fetchall():
        kind = rows.KINDS.get(name)
        if kind is not None and kind.scope is rows.SharedWith.STATEMENT and settle(db, kind, number, key, site, follow):
            changed |= {number} if kind.is_folded else set()
    for number, reporter, case_id, until in db.execute(FOREIGN_TOMBSTONES).fetchall():
        origin = site_of(case_id)
        wanted = "" if origin in follow else all_of(origin)
        if reporter in ("", all_of(origin)) and reporter != wanted:
            db.execute(
                "DELETE FROM tombstone WHERE (number, reporter, case_id) = (?, ?, ?)", (number, reporter, case_id)
            )
            add = "INSERT OR REPLACE INTO tombstone (number, reporter, case_id, until) VALUES (?, ?, ?, ?)"
            db.execute(add, (number, wanted, case_id, until))
            changed.add(number)
    return changed


def _statements(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, site: str) -> list[SiteStatement]:
    return [SiteStatement(*row) for row in db.execute(STATEMENTS, (number, kind.name, key, site))]


def equals_statement(kind: rows.Kind, statement: SiteStatement, stored: rows.Stored) -> bool:
    """Return whether the row in the table has the content and date of the site's statement."""
    return statement.at_us == stored.at_us and _columns(kind, statement.payload) == _columns(kind, stored.payload)


def _columns(kind: rows.Kind, payload: str) -> dict[str, Any]:
    return rows.shared_columns(kind, json.loads(payload) if payload else {})
