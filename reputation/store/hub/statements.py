"""What administrators of other sites have said: in force here for the sites that are followed, unless we say otherwise.

What each said is kept in `hub_row`; the row in the store's own table is ours, or the one in force. What ours says wins,
also when it took a row of another away: that stays away until its site says it anew.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple

from reputation.site_names import all_of, is_ours, site_of
from reputation.store.hub import rows

NOTHING, IN_FORCE, OVERRULED = 0, 1, 2
COLUMNS = "origin, version, at_us, deleted, state, payload"
SAID = (
    f"SELECT {COLUMNS} FROM hub_row WHERE number = ? AND kind = ? AND key = ? AND origin <> ? AND payload IS NOT NULL"
)
SET_STATE = "UPDATE hub_row SET state = ? WHERE number = ? AND kind = ? AND origin = ? AND key = ?"
ALL = "SELECT DISTINCT number, kind, key FROM hub_row WHERE payload IS NOT NULL AND origin <> ?"
ALL_IN_FORCE = "SELECT origin, number, kind, key FROM hub_row WHERE payload IS NOT NULL AND state = ?"
WAITS = "SELECT 1 FROM hub_outbox WHERE number = ? AND kind = ? AND key = ?"
STONES = f"SELECT number, reporter, case_id, until FROM tombstone WHERE NOT {is_ours('case_id')}"


class SiteStatement(NamedTuple):
    """The latest that a site has said of a row."""

    origin: str
    version: int
    at_us: int
    deleted: bool
    state: int
    payload: str

    @property
    def is_in_force(self) -> bool:
        """As far as was noted: somebody here may have changed the row since."""
        return self.state == IN_FORCE


def is_in_force_from(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, stored: rows.Stored) -> bool:
    """Whether the row in the table is what another site has said, and nobody here has changed it."""
    return any(said.state == IN_FORCE and is_as_said(kind, said, stored) for said in _said(db, kind, number, key, ""))


def statements_about(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str) -> list[SiteStatement]:
    """What other sites have said of a row, one each."""
    return _said(db, kind, number, key, "")


def note_ours(
    db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, site: str, follow: frozenset[str]
) -> None:
    """Somebody here has written or removed the row. Call it in a transaction, inside `writing_for_hub`."""
    stored = rows.stored_row(db, kind, number, key)
    for said in _said(db, kind, number, key, site):
        if said.state == IN_FORCE and not (stored is not None and is_as_said(kind, said, stored)):
            db.execute(SET_STATE, (OVERRULED, number, kind.name, said.origin, key))
    settle(db, kind, number, key, site, follow)


def settle(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, site: str, follow: frozenset[str]) -> bool:
    """Puts in force what is to be. Returns whether the table has changed."""
    said, stored = _said(db, kind, number, key, site), rows.stored_row(db, kind, number, key)
    before = next((one for one in said if one.state == IN_FORCE), None)
    if stored is not None and (before is None or not is_as_said(kind, before, stored)):
        return False  # ours
    eligible = [one for one in said if one.origin in follow and not one.deleted and one.state != OVERRULED]
    best = max(eligible, key=lambda one: (one.at_us, one.version, one.origin), default=None)
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
    """Before another version of what a site said is noted: what is in force of it makes room.

    What somebody here took away meanwhile is not in the table, and is overruled until this version.
    """
    for said in _said(db, kind, row.number, row.key, site):
        if said.origin == row.origin and said.state == IN_FORCE:
            stored = rows.stored_row(db, kind, row.number, row.key)
            if stored is not None and is_as_said(kind, said, stored):
                rows.delete_row(db, kind, row.number, json.loads(row.key))
            db.execute(SET_STATE, (NOTHING, row.number, kind.name, row.origin, row.key))


def complete_all(db: sqlite3.Connection) -> set[str]:
    """Write the columns of what other sites said that an older CallSieve did not know here.

    Return the numbers that are to be folded again. Call it in a transaction, inside `writing_for_hub`.
    """
    changed = set()
    for origin, number, name, key in db.execute(ALL_IN_FORCE, (IN_FORCE,)).fetchall():
        kind = rows.KINDS.get(name)
        stored = None if kind is None else rows.stored_row(db, kind, number, key)
        if kind is None or stored is None or db.execute(WAITS, (number, name, key)).fetchone():
            continue
        said = next(one for one in _said(db, kind, number, key, "") if one.origin == origin)
        if said.at_us == stored.at_us and rows.lacks_new_columns(
            kind, _columns(kind, stored.payload), _columns(kind, said.payload)
        ):
            row = rows.SharedRow(name, origin, number, key, said.payload, "", said.at_us, said.version, False)
            rows.write_row(
                db, kind, rows.values_of(kind, row, rows.check_row(kind, row), "", tombstones_cover_all=True)
            )
            changed |= {number} if kind.is_folded else set()
    return changed


def settle_all(db: sqlite3.Connection, site: str, follow: frozenset[str]) -> set[str]:
    """Other sites are followed than before. Returns the numbers that are to be folded again."""
    changed = set()
    for number, name, key in db.execute(ALL, (site,)).fetchall():
        kind = rows.KINDS.get(name)
        if kind is not None and kind.scope is rows.SharedWith.STATEMENT and settle(db, kind, number, key, site, follow):
            changed |= {number} if kind.is_folded else set()
    for number, reporter, case_id, until in db.execute(STONES).fetchall():
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


def _said(db: sqlite3.Connection, kind: rows.Kind, number: str, key: str, site: str) -> list[SiteStatement]:
    return [SiteStatement(*row) for row in db.execute(SAID, (number, kind.name, key, site))]


def is_as_said(kind: rows.Kind, said: SiteStatement, stored: rows.Stored) -> bool:
    """Whether the row in the table is what the site said."""
    return said.at_us == stored.at_us and _columns(kind, said.payload) == _columns(kind, stored.payload)


def _columns(kind: rows.Kind, payload: str) -> dict[str, Any]:
    return rows.columns_said(kind, json.loads(payload) if payload else {})
