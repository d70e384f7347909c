"""Where an entry of a list or an identity comes from: this site, or one that it follows; and whose it overrules.

origin_of_entry(db, entry, follow)       Origin("head-office"), or Origin("", ("head-office",)) where ours wins
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

from reputation.model import Identity, ListEntry
from reputation.store.hub.kinds import KINDS
from reputation.store.hub.rows import key_at, stored_row, to_json
from reputation.store.hub.statements import is_as_said, statements_about


class Origin(NamedTuple):
    """`site`: the other site that said it, empty: it was said here. `overrules`: followed sites that say otherwise."""

    site: str = ""
    overrules: tuple[str, ...] = ()


OURS = Origin()


def origin_of_entry(db: sqlite3.Connection, entry: ListEntry, follow: Collection[str]) -> Origin:
    """Of an entry that is in the store."""
    columns = {"list": entry.list_name.value, "kind": entry.kind.value, "last": entry.last or ""}
    return _origin(db, "list_entry", entry.first, columns, follow)


def origin_of_identity(db: sqlite3.Connection, identity: Identity, follow: Collection[str]) -> Origin:
    """Of an identity that is in the store."""
    return _origin(db, "identity", identity.number, {}, follow)


def _origin(db: sqlite3.Connection, name: str, number: str, columns: dict[str, str], follow: Collection[str]) -> Origin:
    if not follow:
        return OURS
    kind = KINDS[name]
    key = to_json(key_at(kind, columns))
    said = [one for one in statements_about(db, kind, number, key) if one.origin in follow and not one.deleted]
    if not said:
        return OURS
    stored = stored_row(db, kind, number, key)
    theirs = [one.origin for one in said if stored is not None and one.is_in_force and is_as_said(one, stored)]
    others = sorted({one.origin for one in said} - set(theirs))
    return Origin(theirs[0]) if theirs else Origin("", tuple(others))
