"""Who is who at other sites, and which sites do not count: read when a number is folded that other sites know."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

IGNORED = "SELECT site FROM ignored_site"
HUMANS = "SELECT person, human FROM same_person WHERE person IN (SELECT value FROM json_each(?))"


def ignored_sites(db: sqlite3.Connection) -> frozenset[str]:
    """The sites of which nothing counts."""
    return frozenset(site for (site,) in db.execute(IGNORED))


def humans_of(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, str]:
    """Of these people those who are known by several names, each with the human that it is."""
    return dict(db.execute(HUMANS, (json.dumps(sorted(names)),)).fetchall())
