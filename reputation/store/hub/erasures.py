"""Numbers that other sites had erased: what goes here at once, and what waits for an administrator's yes.

forget_evidence(db, link, number, site)     at once: what sites share, and the rows of the site that asked
request_erasure(db, request)                the rest waits
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from reputation.store.hub.incoming import take_out
from reputation.store.hub.kinds import KINDS, SharedWith
from reputation.store.hub.link import Link, writing_for_hub
from reputation.store.hub.statements import settle
from reputation.store.standing import refresh_all
from reputation.weights import DAY_SECONDS

KEPT_DAYS: Final = 30.0  # a no counts for so long, as long as the hub knows of the erasure
ADD = "INSERT INTO erasure_request (number, site, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
WAITING = "SELECT number, site, at FROM erasure_request WHERE kept_at IS NULL ORDER BY at, number"
EVIDENCE: Final = tuple(kind for kind in KINDS.values() if kind.is_evidence)


class ErasureRequest(NamedTuple):
    """A site had the number erased at that time, UTC seconds."""

    number: str
    site: str
    at: float


def forget_evidence(db: sqlite3.Connection, link: Link, number: str, site: str, follow: frozenset[str]) -> None:
    """Remove the evidence that sites share about a number, and all rows of the site that asked for it.

    The hub has removed the same. Call it in a transaction.
    """
    with writing_for_hub(db):
        told = db.execute("SELECT kind, key FROM hub_row WHERE number = ? AND origin = ?", (number, site)).fetchall()
        for name, key in told:
            kind = KINDS.get(name)
            if kind is not None:
                take_out(db, kind, link.site, site, number, key)
        db.execute("DELETE FROM hub_row WHERE number = ? AND origin = ?", (number, site))
        for name, key in told:
            if name in KINDS and KINDS[name].scope is SharedWith.STATEMENT:
                settle(db, KINDS[name], number, key, link.site, follow - {site})
        for kind in EVIDENCE:
            db.execute(f"DELETE FROM {kind.name} WHERE {kind.number} = ?", (number,))
            for table in ("hub_row", "hub_outbox"):
                db.execute(f"DELETE FROM {table} WHERE number = ? AND kind = ?", (number, kind.name))
        refresh_all(db, {number})


def request_erasure(db: sqlite3.Connection, request: ErasureRequest) -> None:
    """Let the number wait for a yes, unless it waits already or was kept lately. Call it in a transaction."""
    db.execute("DELETE FROM erasure_request WHERE kept_at < ?", (request.at - KEPT_DAYS * DAY_SECONDS,))
    db.execute(ADD, request)


def waiting_erasures(db: sqlite3.Connection) -> list[ErasureRequest]:
    """Return what waits for a yes, the oldest first."""
    return [ErasureRequest(*row) for row in db.execute(WAITING)]


def waits_for_yes(db: sqlite3.Connection, number: str) -> bool:
    """Return whether the number waits for a yes."""
    sql = "SELECT 1 FROM erasure_request WHERE number = ? AND kept_at IS NULL"
    return db.execute(sql, (number,)).fetchone() is not None


def keep_number(db: sqlite3.Connection, number: str, at: float) -> None:
    """Note a no. Call it in a transaction."""
    db.execute("UPDATE erasure_request SET kept_at = ? WHERE number = ?", (at, number))
