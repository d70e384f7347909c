"""What this site has to tell the hub, and what the hub has got of it.

next_batch(db, link, clock_us, ...)    reads; nothing is locked while it is sent
acknowledge(db, link, batch, ...)      writes, in one short transaction, once the hub has it
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from reputation.store.hub.kinds import KINDS, SharedWith
from reputation.store.hub.link import Link, note_pushed, writing_for_hub
from reputation.store.hub.rows import MICROSECONDS, SharedRow, Unusable, check_row, digest_of, set_date, stored_row
from reputation.store.hub.statements import is_in_force_from, note_ours
from reputation.store.standing import refresh_all

logger = logging.getLogger(__name__)

NEXT = "SELECT seq, kind, number, key FROM hub_outbox WHERE seq > ? ORDER BY seq LIMIT ?"
KNOWN = """
SELECT at_us, deleted, digest FROM hub_row WHERE number = ? AND kind = ? AND origin = ? AND key = ?
"""
KNOW = """
INSERT INTO hub_row (number, kind, origin, key, version, at_us, deleted, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, kind, origin, key) DO UPDATE
SET version = excluded.version, at_us = excluded.at_us, deleted = excluded.deleted, digest = excluded.digest
WHERE excluded.version > version
"""
DONE = "DELETE FROM hub_outbox WHERE seq = ?"
DAY_US = 86_400 * MICROSECONDS
ERASED = "SELECT number FROM hub_erasure ORDER BY number LIMIT 100"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row that the outbox names. `row` None: there is nothing to tell. `stored_at_us`: its date as it is here."""

    seq: int
    kind: str
    number: str
    key: str
    row: SharedRow | None
    stored_at_us: int = 0
    is_private: bool = False


def next_batch(
    db: sqlite3.Connection, link: Link, clock_us: int, offset_us: int, limit: int, after: int = 0
) -> list[Outgoing]:
    """The next rows to be sent, as they are now, each with a version of its own, from `clock_us` + 1 on.

    `offset_us`: how far our clock is ahead of the hub's. What was dated by it since is put on the hub's. `after`: up to
    that `seq` they wait for room in the hub.
    """
    found = []
    for seq, name, number, key in db.execute(NEXT, (after, limit)).fetchall():
        clock_us += 1
        found.append(_outgoing(db, link, seq, name, number, key, clock_us, offset_us))
    return found


def acknowledge(
    db: sqlite3.Connection,
    link: Link,
    batch: list[Outgoing],
    dates: Mapping[int, int],
    follow: frozenset[str],
    at: float,
) -> None:
    """The hub has these rows. `dates`: of those that it has dated otherwise, by `seq`. Call it in a transaction."""
    clock_us, moved = link.clock_us, set()
    with writing_for_hub(db):
        for one in batch:
            if one.row is not None:
                _know(db, one.row, dates.get(one.seq, one.row.at_us))
                clock_us = max(clock_us, one.row.version)
                # As long as the row is as it was sent: it leaves the outbox now.
                at_us = dates.get(one.seq, one.row.at_us)
                is_dated = KINDS[one.kind].is_dated
                if is_dated and at_us != one.stored_at_us and not one.row.deleted and _is_waiting(db, one.seq):
                    set_date(db, KINDS[one.kind], one.number, one.key, at_us)
                    moved.add(one.number if KINDS[one.kind].is_folded else "")
            if one.kind in KINDS and KINDS[one.kind].scope is SharedWith.STATEMENT:
                note_ours(db, KINDS[one.kind], one.number, one.key, link.site, follow)
            db.execute(DONE, (one.seq,))
        refresh_all(db, moved - {""})
    note_pushed(db, at, clock_us)


def numbers_to_erase(db: sqlite3.Connection) -> list[str]:
    """Numbers that were erased here, of which the hub does not know yet."""
    return [number for (number,) in db.execute(ERASED)]


def erasures_told(db: sqlite3.Connection, numbers: list[str]) -> None:
    """The hub knows."""
    db.executemany("DELETE FROM hub_erasure WHERE number = ?", [(number,) for number in numbers])


def _outgoing(
    db: sqlite3.Connection, link: Link, seq: int, name: str, number: str, key: str, version: int, offset_us: int
) -> Outgoing:
    kind = KINDS.get(name)
    nothing = Outgoing(seq, name, number, key, None)
    if kind is None:
        return nothing
    stored = stored_row(db, kind, number, key)
    known = db.execute(KNOWN, (number, name, link.site, key)).fetchone()
    if stored is not None and kind.scope is SharedWith.STATEMENT and is_in_force_from(db, kind, number, key, stored):
        stored = None  # what another site said is not ours to tell
    if stored is None:
        is_too_old = known is not None and known[0] < version - int((kind.days - 1) * DAY_US)
        if known is None or known[1] or is_too_old:  # what is past its time goes everywhere by itself
            return nothing
        row = SharedRow(name, link.site, number, key, "", "", known[0], version, True)
        return Outgoing(seq, name, number, key, row, known[0], kind.is_private)
    if stored.at_us is not None:
        at_us = stored.at_us
    else:  # it has no date: that of the version that was told, or now
        at_us = known[0] if known is not None and not known[1] else version + offset_us
    if known is not None and known[0] == at_us:
        if not known[1] and not kind.own and known[2] == digest_of(name, link.site, number, key, stored.payload, at_us):
            return nothing
    else:
        at_us -= offset_us
    row = SharedRow(name, link.site, number, key, stored.payload, stored.own, max(0, at_us), version, False)
    try:
        check_row(kind, row)
    except Unusable as error:  # the hub would refuse it, and all that are sent with it
        logger.warning("a row of %s cannot be told to other sites: %s", name, error)
        return nothing
    return Outgoing(seq, name, number, key, row, at_us if stored.at_us is None else stored.at_us, kind.is_private)


def _know(db: sqlite3.Connection, row: SharedRow, at_us: int) -> None:
    digest = digest_of(row.kind, row.origin, row.number, row.key, row.payload, at_us)
    db.execute(KNOW, (row.number, row.kind, row.origin, row.key, row.version, at_us, row.deleted, digest))


def _is_waiting(db: sqlite3.Connection, seq: int) -> bool:
    """Whether nobody has written the row since it was read: then the outbox would name it anew."""
    return db.execute("SELECT 1 FROM hub_outbox WHERE seq = ?", (seq,)).fetchone() is not None
