"""The outbox: rows of this site that the hub (the sites' common database) lacks. A row leaves it when the hub has it.

Triggers in the store's file record the keys of changed rows, whichever program writes. They ignore rows of other sites.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reputation import site_names
from reputation.store.hub.link import Link, note_pushed, writing_for_hub
from reputation.store.hub.rows import (
    KINDS,
    MICROSECONDS,
    Kind,
    SharedRow,
    SharedWith,
    Unusable,
    check_row,
    digest_of,
    key_columns,
    number_column,
    set_date,
    stored_row,
)
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
    """An entry of the outbox. `row`: None if nothing is to be sent. `stored_at_us`: its date here, in microseconds."""

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
    """Return the next rows to send, as they are now. Their versions are `clock_us` + 1 and following.

    `offset_us`: how far our clock is ahead of the hub's clock. Dates that the hub does not have yet are converted to
    the hub's clock. `after`: rows up to this `seq` are left out, because the hub has no space for them yet.
    """
    batch = []
    for seq, name, number, key in db.execute(NEXT, (after, limit)).fetchall():
        clock_us += 1
        batch.append(_outgoing(db, link, seq, name, number, key, clock_us, offset_us))
    return batch


def acknowledge(
    db: sqlite3.Connection,
    link: Link,
    batch: list[Outgoing],
    dates: Mapping[int, int],
    follow: frozenset[str],
    at: float,
) -> None:
    """Record that the hub has these rows. `dates`: dates that the hub changed, by `seq`. Call it in a transaction."""
    clock_us, moved = link.clock_us, set()
    with writing_for_hub(db):
        for sent in batch:
            if sent.row is not None:
                _know(db, sent.row, dates.get(sent.seq, sent.row.at_us))
                clock_us = max(clock_us, sent.row.version)
                # Only if the row is still as it was sent. It leaves the outbox now.
                at_us = dates.get(sent.seq, sent.row.at_us)
                is_dated = KINDS[sent.kind].is_dated
                if is_dated and at_us != sent.stored_at_us and not sent.row.deleted and _is_waiting(db, sent.seq):
                    set_date(db, KINDS[sent.kind], sent.number, sent.key, at_us)
                    moved.add(sent.number if KINDS[sent.kind].is_folded else "")
            if sent.kind in KINDS and KINDS[sent.kind].scope is SharedWith.STATEMENT:
                note_ours(db, KINDS[sent.kind], sent.number, sent.key, link.site, follow)
            db.execute(DONE, (sent.seq,))
        refresh_all(db, moved - {""})
    note_pushed(db, at, clock_us)


def numbers_to_erase(db: sqlite3.Connection) -> list[str]:
    """Return the numbers that were erased here but not yet in the hub."""
    return [number for (number,) in db.execute(ERASED)]


def record_erasures_sent(db: sqlite3.Connection, numbers: list[str]) -> None:
    """Record that the hub has erased these numbers."""
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
        stored = None  # another site sends its own statements
    if stored is None:
        is_too_old = known is not None and known[0] < version - int((kind.days - 1) * DAY_US)
        if known is None or known[1] or is_too_old:  # expired rows are deleted everywhere without a message
            return nothing
        row = SharedRow(name, link.site, number, key, "", "", known[0], version, True)
        return Outgoing(seq, name, number, key, row, known[0], kind.is_private)
    if stored.at_us is not None:
        at_us = stored.at_us
    else:  # it has no date: take that of the version sent before, or now
        at_us = known[0] if known is not None and not known[1] else version + offset_us
    if known is not None and known[0] == at_us:
        if not known[1] and not kind.own and known[2] == digest_of(name, link.site, number, key, stored.payload, at_us):
            return nothing
    else:
        at_us -= offset_us
    row = SharedRow(name, link.site, number, key, stored.payload, stored.own, max(0, at_us), version, False)
    try:
        check_row(kind, row)
    except Unusable as error:  # the hub would refuse it and all rows of the batch
        logger.warning("hub: row not sent, table=%s error=%s", name, error)
        return nothing
    return Outgoing(seq, name, number, key, row, at_us if stored.at_us is None else stored.at_us, kind.is_private)


def _know(db: sqlite3.Connection, row: SharedRow, at_us: int) -> None:
    digest = digest_of(row.kind, row.origin, row.number, row.key, row.payload, at_us)
    db.execute(KNOW, (row.number, row.kind, row.origin, row.key, row.version, at_us, row.deleted, digest))


def _is_waiting(db: sqlite3.Connection, seq: int) -> bool:
    """Return whether the row is unchanged since it was read. A change would have given the row a new outbox entry."""
    return db.execute("SELECT 1 FROM hub_outbox WHERE seq = ?", (seq,)).fetchone() is not None


Key = tuple[str, str, str]  # number, kind and key of a row
PREFIX = "hub_"
TRIGGERS = f"SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '{PREFIX}%'"
IS_ON = "(SELECT applying FROM hub_link) = 0"
NOTE = """
DELETE FROM hub_outbox WHERE number = {number} AND kind = '{kind}' AND key = {key};
INSERT INTO hub_outbox (kind, number, key) VALUES ('{kind}', {number}, {key});
"""
# Which signals count depends on these tables too. The entry of a deleted signal goes on waiting.
OF_SIGNALS = ("one_ring", "talk")
NOTE_SIGNALS = """
DELETE FROM hub_outbox WHERE number = {row}.number AND kind = 'signal'
   AND key IN (SELECT {key} FROM signal WHERE number = {row}.number AND {is_ours});
INSERT INTO hub_outbox (kind, number, key)
SELECT 'signal', number, {key} FROM signal WHERE number = {row}.number AND {is_ours};
"""
SIZE = "SELECT count(*), (SELECT count(*) FROM hub_fill) FROM hub_outbox"
HAS = """
SELECT EXISTS (SELECT 1 FROM hub_outbox) OR EXISTS (SELECT 1 FROM hub_fill) OR EXISTS (SELECT 1 FROM hub_erasure)
"""
# In the order of the key of hub_row, of which this site is one part: a row is read once.
SENT_AFTER = """
SELECT number, kind, key FROM hub_row
 WHERE origin = ? AND version > ? AND (number, kind, key) > (?, ?, ?) ORDER BY number, kind, key LIMIT ?
"""
# As if something else had been sent: so also a deletion is sent again.
SEND_AGAIN = """
UPDATE hub_row SET digest = -1, deleted = 0 WHERE number = ? AND kind = ? AND origin = ? AND key = ?
"""
FILL = "INSERT INTO hub_fill (kind, after) VALUES (?, '') ON CONFLICT (kind) DO UPDATE SET after = ''"
NEXT_FILL = "SELECT kind, after FROM hub_fill ORDER BY kind LIMIT 1"
UP_TO = "SELECT {number} FROM {table} WHERE {number} > ? ORDER BY {number} LIMIT 1 OFFSET ?"
FILL_ROWS = """
INSERT INTO hub_outbox (kind, number, key)
SELECT '{kind}', {number}, {key} FROM {table} WHERE {number} > ? AND ({number} <= ? OR ? IS NULL) AND {is_ours}
ON CONFLICT DO NOTHING
"""


def captured_kinds(*, private: bool) -> list[Kind]:
    """Return the kinds of row to send. `private`: include kinds that only a standby or a central console gets."""
    return [kind for kind in KINDS.values() if private or not kind.is_private]


def start_capture(db: sqlite3.Connection, *, private: bool = False) -> bool:
    """Create the triggers that record changed rows. Queue all rows of tables with a new trigger.

    Triggers that are no longer wanted are dropped. Return False if no trigger changed. Call it in a transaction.
    """
    wanted = {name: sql for kind in captured_kinds(private=private) for name, sql in _triggers(kind)}
    present: dict[str, str] = dict(db.execute(TRIGGERS))
    changed = {name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name)}
    for name in changed & present.keys():
        db.execute(f"DROP TRIGGER {name}")
    for name in sorted(changed & wanted.keys()):
        db.execute(wanted[name])
    for kind in captured_kinds(private=private):
        if any(name in changed for name, _ in _triggers(kind)):
            db.execute(FILL, (kind.name,))
    if not private:  # remove rows queued while private rows were sent
        private_kinds = [(kind.name,) for kind in KINDS.values() if kind.is_private]
        for table in ("hub_outbox", "hub_fill"):
            db.executemany(f"DELETE FROM {table} WHERE kind = ?", private_kinds)
    return bool(changed)


def stop_capture(db: sqlite3.Connection) -> None:
    """Remove the triggers that record changed rows, and empty the outbox. Call it in a transaction."""
    for name, _ in db.execute(TRIGGERS).fetchall():
        db.execute(f"DROP TRIGGER {name}")
    for table in ("hub_outbox", "hub_fill", "hub_erasure"):
        db.execute(f"DELETE FROM {table}")


def send_all_again(db: sqlite3.Connection, *, private: bool = False) -> None:
    """Queue all rows of this site for a new hub. Call it in a transaction."""
    for kind in captured_kinds(private=private):
        db.execute(FILL, (kind.name,))


def rows_sent_after(db: sqlite3.Connection, site: str, version: int, after: Sequence[str], limit: int) -> list[Key]:
    """Return the next `limit` keys after the key `after`: our rows that the hub has with versions above `version`."""
    return db.execute(SENT_AFTER, (site, version, *after, limit)).fetchall()


def send_rows_again(db: sqlite3.Connection, site: str, keys: Sequence[Key], *, private: bool) -> None:
    """Queue the rows with these keys, or their deletions, because the hub may have lost them. Use a transaction."""
    kinds = {kind.name for kind in captured_kinds(private=private)}
    wanted = [(number, kind, site, key) for number, kind, key in keys if kind in kinds]
    db.executemany(SEND_AGAIN, wanted)
    db.executemany(
        "INSERT INTO hub_outbox (number, kind, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(number, kind, key) for number, kind, _, key in wanted],
    )


def fill_next(db: sqlite3.Connection, limit: int) -> bool:
    """Queue rows from before sharing began, of the next `limit` numbers. Return False if none. Use a transaction."""
    fill = db.execute(NEXT_FILL).fetchone()
    if fill is None:
        return False
    name, after = fill
    kind = KINDS[name]
    words = {
        "kind": name,
        "table": name,
        "number": number_to_fill(kind),
        "key": key_of(kind, ""),
        "is_ours": is_ours(kind, ""),
    }
    row = db.execute(UP_TO.format_map(words), (after, limit - 1)).fetchone()
    up_to = row and row[0]
    db.execute(FILL_ROWS.format_map(words), (after, up_to, up_to))
    if up_to is None:
        db.execute("DELETE FROM hub_fill WHERE kind = ?", (name,))
    else:
        db.execute("UPDATE hub_fill SET after = ? WHERE kind = ?", (up_to, name))
    return True


def outbox_size(db: sqlite3.Connection) -> tuple[int, bool]:
    """Return how many rows wait to be sent, and whether rows from before sharing began still have to be queued."""
    waiting, kinds = db.execute(SIZE).fetchone()
    return int(waiting), bool(kinds)


def is_filling(db: sqlite3.Connection) -> bool:
    """Return whether rows from before sharing began still have to be queued."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM hub_fill)").fetchone()[0])


def has_outgoing(db: sqlite3.Connection) -> bool:
    """Return whether any row or erasure waits to be sent."""
    return bool(db.execute(HAS).fetchone()[0])


def key_of(kind: Kind, row: str) -> str:
    """Return SQL for a JSON array of the row's key columns without the number. `row`: `NEW.`, `OLD.` or empty."""
    return f"json_array({', '.join(key_columns(kind, row))})"


def number_to_fill(kind: Kind) -> str:
    """Return SQL for the indexed number column of a kind. It is NULL in rows that are only sent when they change."""
    return kind.number or number_column(kind, "")


def is_ours(kind: Kind, row: str) -> str:
    """Return an SQL condition that is true if the row is from this site, according to the names in the row."""
    return site_names.is_ours(f"{row}{kind.named[0]}") if kind.named else "1"


def _triggers(kind: Kind) -> Iterator[tuple[str, str]]:
    for event, rows in {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}.items():
        body = "".join(_note(kind, row) for row in rows)
        # New columns make another trigger, so that all rows are sent again.
        body = f"/* {' '.join(kind.shared)} */{body}"
        yield _trigger(f"{PREFIX}{kind.name}_{event.lower()}", event, kind.name, is_ours(kind, f"{rows[-1]}."), body)
    if kind.name == "signal":
        words = {"key": key_of(kind, ""), "is_ours": is_ours(kind, "")}
        for table in OF_SIGNALS:
            for event, row in {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}.items():
                body = NOTE_SIGNALS.format(row=row, **words)
                yield _trigger(f"{PREFIX}signal_by_{table}_{event.lower()}", event, table, "1", body)


def _trigger(name: str, event: str, table: str, when: str, body: str) -> tuple[str, str]:
    return name, f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {IS_ON} AND {when} BEGIN {body} END"


def _note(kind: Kind, row: str) -> str:
    return NOTE.format(kind=kind.name, number=number_column(kind, f"{row}."), key=key_of(kind, f"{row}."))
