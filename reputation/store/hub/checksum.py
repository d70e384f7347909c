"""Whether two stores have the same evidence: a count and a sum of digests by kind, which the hub makes alike.

noted_checksums(db)      of what was exchanged, without reading it
stored_checksums(db)     of the rows as they stand in the store
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.store.hub.kinds import KINDS, SharedWith
from reputation.store.hub.rows import digest_of, rows_in_table

NOTED = """
SELECT kind, count(*), sum(digest) FROM hub_row WHERE deleted = 0 AND (:origin = '' OR origin = :origin) GROUP BY kind
"""


class Checksum(NamedTuple):
    """How many rows, and the sum of their digests."""

    rows: int
    digest: int


def noted_checksums(db: sqlite3.Connection, origin: str = "") -> dict[str, Checksum]:
    """Of every kind that there are rows of, of all sites or one."""
    return {kind: Checksum(rows, digest) for kind, rows, digest in db.execute(NOTED, {"origin": origin})}


def stored_checksums(db: sqlite3.Connection, site: str) -> dict[str, Checksum]:
    """The same of the evidence as it stands in the store: of the kinds that all sites share."""
    found = {}
    for kind in KINDS.values():
        if kind.scope is not SharedWith.SHARED:
            continue
        rows = digest = 0
        for origin, number, key, stored in rows_in_table(db, kind, site):
            rows += 1
            digest += digest_of(kind.name, origin, number, key, stored.payload, stored.at_us or 0)
        if rows:
            found[kind.name] = Checksum(rows, digest)
    return found
