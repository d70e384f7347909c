"""Write rows of other sites to this store. They come from the hub (the sites' common database), in any order.

The same row may come more than once. When another site erases a number, the evidence about it that all sites share is
removed here at once. Other rows about it stay until an administrator confirms the erasure.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from reputation.site_names import all_of, of_site
from reputation.store.hub.link import Link, note_refused, writing_for_hub
from reputation.store.hub.rows import (
    KINDS,
    MICROSECONDS,
    Checked,
    Kind,
    SharedRow,
    SharedWith,
    Unfit,
    Unusable,
    check_names,
    check_row,
    delete_row,
    digest_of,
    has_unknown_columns,
    is_of_another,
    key_at,
    lacks_new_columns,
    missing_columns,
    stored_row,
    to_json,
    values_of,
    write_row,
)
from reputation.store.hub.statements import replaces, settle
from reputation.store.other_sites import refresh_people, refresh_site
from reputation.store.site import count_people
from reputation.store.standing import refresh_all, refresh_reporters
from reputation.weights import DAY_SECONDS

AT_ONCE: Final = 16  # rows between two checks of the clock
DAY: Final = 86_400.0
MARKER_DAYS: Final = 30.0  # how long the hub keeps the note of a deletion (callsieve/hub/schema, `expire`)
MARGIN_DAYS: Final = 5.0
VERSION = "SELECT version, deleted FROM hub_row WHERE number = ? AND kind = ? AND origin = ? AND key = ?"
KNOW = """
INSERT INTO hub_row (number, kind, origin, key, version, at_us, deleted, digest, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, kind, origin, key) DO UPDATE
SET version = excluded.version, at_us = excluded.at_us, deleted = excluded.deleted, digest = excluded.digest,
    payload = excluded.payload, state = 0
"""
DATE = "SELECT at_us FROM hub_row WHERE number = ? AND kind = ? AND origin = ? AND key = ?"
WAITS_NO_MORE = "DELETE FROM hub_outbox WHERE number = ? AND kind = ? AND key = ?"
QUEUE = "INSERT INTO hub_outbox (kind, number, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
WAITS = "SELECT 1 FROM hub_outbox WHERE number = ? AND kind = ? AND key = ?"
OF_SITE = "SELECT number, kind, key FROM hub_row WHERE origin = ? AND number > ? ORDER BY number LIMIT ?"
SITES = "SELECT DISTINCT origin FROM hub_row WHERE origin <> ?"


def apply_rows(
    db: sqlite3.Connection, link: Link, rows: Sequence[SharedRow], follow: frozenset[str], seconds: float
) -> tuple[int, int]:
    """Write rows until about `seconds` have passed. Return how many were handled, and how many of these were unusable.

    `follow`: the sites whose administrators' entries apply here. Call it in a transaction. Other writers wait until
    the transaction ends.
    """
    give_up_at, done, refused = time.monotonic() + seconds, 0, Counter[tuple[str, Unfit]]()
    changed: dict[str, list[SharedRow]] = {}
    with writing_for_hub(db):
        while done < len(rows) and (not done or time.monotonic() < give_up_at):
            numbers = set()
            for row in rows[done : done + AT_ONCE]:
                db.execute("SAVEPOINT hub_row")
                try:
                    if apply_row(db, link.site, row, follow):
                        numbers |= {row.number} if KINDS[row.kind].is_folded else set()
                        changed.setdefault(row.kind, []).append(row)
                except (ValueError, TypeError, sqlite3.IntegrityError) as error:  # a number for a text, too
                    db.execute("ROLLBACK TO hub_row")
                    refused[row.origin, error.unfit if isinstance(error, Unusable) else Unfit.ODD] += 1
                db.execute("RELEASE hub_row")
                done += 1
            # At the first pull the levels are no news.
            refresh_all(db, numbers, emit=link.pulled_at is not None)
        _refresh_after(db, changed)
        if refused:
            note_refused(db, refused)
    return done, refused.total()


def _refresh_after(db: sqlite3.Connection, changed: Mapping[str, Sequence[SharedRow]]) -> None:
    by_key = ("settled", "same_person", "ignored_site")
    keys = {kind: [str(json.loads(row.key)[0]) for row in changed.get(kind, ())] for kind in by_key}
    if "person" in changed:
        count_people(db)
    refresh_reporters(db, set(keys["settled"]))
    refresh_people(db, tuple(sorted(set(keys["same_person"]))))
    for site in set(keys["ignored_site"]):
        refresh_site(db, site)


def apply_row(db: sqlite3.Connection, site: str, row: SharedRow, follow: frozenset[str]) -> bool:
    """Write a row, unless a later version of it is stored. Return whether anything was written.

    Raise ValueError or sqlite3.IntegrityError if the row is unusable.
    """
    kind = KINDS.get(row.kind)
    if kind is None:
        raise Unusable("kind", Unfit.NEWER)
    if kind.scope is SharedWith.STANDBY and row.origin != site:
        return False  # a central console does not use it
    checked = check_row(kind, row)
    known = db.execute(VERSION, (row.number, row.kind, row.origin, row.key)).fetchone()
    if known is not None and (row.version, row.deleted) <= (known[0], bool(known[1])):
        is_here = not row.deleted and row.version == known[0] and kind.scope is not SharedWith.STATEMENT
        return is_here and _complete(db, kind, site, row, checked)
    is_statement = kind.scope is SharedWith.STATEMENT and row.origin != site
    if row.origin == site and db.execute(WAITS, (row.number, row.kind, row.key)).fetchone():
        if not _is_later(db, kind, row):
            return False  # our row is later
        db.execute(WAITS_NO_MORE, (row.number, row.kind, row.key))  # it has waited in a restored backup
    if is_statement:
        if not row.deleted:
            _try_to_write(db, kind, site, row, checked)
        replaces(db, kind, row, site)
    elif kind.scope is SharedWith.PRIVATE and is_of_another(db, kind, row, site):
        raise Unusable("key")
    else:
        _write(db, kind, site, row, checked, row.origin in follow)
    payload = row.payload
    if row.origin == site and not row.deleted and has_unknown_columns(kind, row):
        # What is told of it from here would lack them: it is told only when it changes.
        payload = getattr(stored_row(db, kind, row.number, row.key), "payload", payload)
    digest = digest_of(row.kind, row.origin, row.number, row.key, payload, row.at_us)
    statement = row.payload if is_statement else None
    db.execute(
        KNOW,
        (row.number, row.kind, row.origin, row.key, row.version, row.at_us, row.deleted, digest, statement),
    )
    if is_statement:
        settle(db, kind, row.number, row.key, site, follow)
    return True


def expel_some(db: sqlite3.Connection, link: Link, origin: str, follow: frozenset[str], limit: int) -> bool:
    """Remove at most `limit` rows of the site `origin`. Return False if it had none left. Call it in a transaction."""
    known = db.execute(OF_SITE, (origin, "", limit)).fetchall()
    with writing_for_hub(db):
        numbers = set()
        for number, name, key in known:
            kind = KINDS.get(name)
            if kind is not None:
                take_out(db, kind, link.site, origin, number, key)
                numbers |= {number} if kind.is_folded else set()
            where = (number, name, origin, key)
            db.execute("DELETE FROM hub_row WHERE number = ? AND kind = ? AND origin = ? AND key = ?", where)
            if kind is not None and kind.scope is SharedWith.STATEMENT:
                settle(db, kind, number, key, link.site, follow - {origin})
        refresh_all(db, numbers)
    return bool(known)


def other_sites(db: sqlite3.Connection, site: str) -> list[str]:
    """Return the names of all sites except `site` that have rows in this store."""
    return sorted(origin for (origin,) in db.execute(SITES, (site,)))


def notes_past_their_time(db: sqlite3.Connection, now: float, limit: int) -> list[tuple[str, str, str, str]]:
    """Return the keys of at most `limit` records in the table `hub_row` that are no longer needed.

    The row that a record is about has expired, or was deleted so long ago that every site must know of the deletion.
    """
    ages = " ".join(f"WHEN '{kind.name}' THEN {kind.days + MARGIN_DAYS}" for kind in KINDS.values())
    sql = f"""
    SELECT number, kind, origin, key FROM hub_row
     WHERE at_us < (? - CASE kind {ages} ELSE 36500 END * {DAY}) * {MICROSECONDS}
        OR deleted = 1 AND version < (? - {MARKER_DAYS + MARGIN_DAYS} * {DAY}) * {MICROSECONDS} LIMIT ?
    """
    return db.execute(sql, (now, now, limit)).fetchall()


def forget_notes(db: sqlite3.Connection, notes: Sequence[tuple[str, str, str, str]]) -> None:
    """Delete the records of `hub_row` with these keys. Call it in a transaction."""
    db.executemany("DELETE FROM hub_row WHERE number = ? AND kind = ? AND origin = ? AND key = ?", notes)


def _write(db: sqlite3.Connection, kind: Kind, site: str, row: SharedRow, checked: Checked, is_followed: bool) -> None:
    if row.deleted:
        if row.origin != site:
            check_names(kind, dict(zip(kind.key, json.loads(row.key), strict=True)))
        take_out(db, kind, site, row.origin, row.number, row.key)
        return
    values = values_of(kind, row, checked, site, tombstones_cover_all=is_followed)
    if missing := missing_columns(kind, row):  # an older CallSieve wrote it: these stay as they are here
        stored = stored_row(db, kind, row.number, to_json(key_at(kind, values)))
        kept = {column: json.loads(stored.payload)[column] for column in missing} if stored else {}
        values |= kept
        is_more = any(value != kind.defaults[column] for column, value in kept.items())
        if row.origin == site and is_more and not has_unknown_columns(kind, row):
            db.execute(QUEUE, (row.kind, row.number, row.key))
    write_row(db, kind, values)


def _complete(db: sqlite3.Connection, kind: Kind, site: str, row: SharedRow, checked: Checked) -> bool:
    """Add columns that an earlier CallSieve could not read when it stored the row. Return whether any were missing."""
    if db.execute(WAITS, (row.number, row.kind, row.key)).fetchone():
        return False
    values = values_of(kind, row, checked, site, tombstones_cover_all=False)
    stored = stored_row(db, kind, row.number, to_json(key_at(kind, values)))
    if stored is None or not lacks_new_columns(kind, json.loads(stored.payload or "{}"), values):
        return False
    write_row(db, kind, values)
    return True


def _try_to_write(db: sqlite3.Connection, kind: Kind, site: str, row: SharedRow, checked: Checked) -> None:
    """Test whether the row can be written, and roll back. Raise ValueError or sqlite3.IntegrityError if it cannot."""
    db.execute("SAVEPOINT hub_try")
    try:
        write_row(db, kind, values_of(kind, row, checked, site, tombstones_cover_all=True))
    finally:
        db.execute("ROLLBACK TO hub_try")
        db.execute("RELEASE hub_try")


def _is_later(db: sqlite3.Connection, kind: Kind, row: SharedRow) -> bool:
    stored = stored_row(db, kind, row.number, row.key)
    if stored is not None:
        return (row.at_us, row.deleted) > (stored.at_us, False)
    known = db.execute(DATE, (row.number, row.kind, row.origin, row.key)).fetchone()
    return known is not None and not row.deleted and row.at_us > known[0]


def take_out(db: sqlite3.Connection, kind: Kind, site: str, origin: str, number: str, key: str) -> None:
    """Remove a row of the site `origin` from its table. Call it in a transaction, inside `writing_for_hub`."""
    columns = dict(zip(kind.key, json.loads(key), strict=True))
    if kind.scope is SharedWith.STATEMENT and origin != site:
        deletion = SharedRow(kind.name, origin, number, key, "", "", 0, 0, True)
        replaces(db, kind, deletion, site)
        return
    if origin != site:
        columns |= {column: of_site(origin, columns[column]) for column in kind.named if column in columns}
    delete_row(db, kind, number, key_at(kind, columns))
    if kind.name == "tombstone" and origin != site and not columns["reporter"]:
        delete_row(
            db, kind, number, key_at(kind, columns | {"reporter": all_of(origin)})
        )  # if its site is not followed


KEPT_DAYS: Final = 30.0  # a refusal counts as long as the hub knows of the erasure
ADD = "INSERT INTO erasure_request (number, site, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
WAITING = "SELECT number, site, at FROM erasure_request WHERE kept_at IS NULL ORDER BY at, number"
EVIDENCE: Final = tuple(kind for kind in KINDS.values() if kind.is_evidence)


class ErasureRequest(NamedTuple):
    """A notice that the site `site` has erased the number at `at` (UTC seconds)."""

    number: str
    site: str
    at: float


def forget_evidence(db: sqlite3.Connection, link: Link, number: str, site: str, follow: frozenset[str]) -> None:
    """Remove shared evidence about a number that `site` erased, and all rows of `site` about it. Use a transaction."""
    with writing_for_hub(db):
        sent = db.execute("SELECT kind, key FROM hub_row WHERE number = ? AND origin = ?", (number, site)).fetchall()
        for name, key in sent:
            kind = KINDS.get(name)
            if kind is not None:
                take_out(db, kind, link.site, site, number, key)
        db.execute("DELETE FROM hub_row WHERE number = ? AND origin = ?", (number, site))
        for name, key in sent:
            if name in KINDS and KINDS[name].scope is SharedWith.STATEMENT:
                settle(db, KINDS[name], number, key, link.site, follow - {site})
        for kind in EVIDENCE:
            db.execute(f"DELETE FROM {kind.name} WHERE {kind.number} = ?", (number,))
            for table in ("hub_row", "hub_outbox"):
                db.execute(f"DELETE FROM {table} WHERE number = ? AND kind = ?", (number, kind.name))
        refresh_all(db, {number})


def request_erasure(db: sqlite3.Connection, request: ErasureRequest) -> None:
    """Record an erasure that needs confirmation, unless it already waits or was recently refused. Use a transaction."""
    db.execute("DELETE FROM erasure_request WHERE kept_at < ?", (request.at - KEPT_DAYS * DAY_SECONDS,))
    db.execute(ADD, request)


def waiting_erasures(db: sqlite3.Connection) -> list[ErasureRequest]:
    """Return the erasures that wait for confirmation, oldest first."""
    return [ErasureRequest(*row) for row in db.execute(WAITING)]


def awaits_confirmation(db: sqlite3.Connection, number: str) -> bool:
    """Return whether an erasure of the number waits for an administrator's confirmation."""
    sql = "SELECT 1 FROM erasure_request WHERE number = ? AND kept_at IS NULL"
    return db.execute(sql, (number,)).fetchone() is not None


def keep_number(db: sqlite3.Connection, number: str, at: float) -> None:
    """Record that the administrator refused to erase the number. Call it in a transaction."""
    db.execute("UPDATE erasure_request SET kept_at = ? WHERE number = ?", (at, number))
