"""The state of this site's connection to the hub (the database through which sites share rows), stored as one row.

Without this row, the site shares nothing.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from reputation.encoding import HIDDEN, Instant
from reputation.site_names import SITE
from reputation.store.hub.rows import KINDS, SharedWith, Unfit, digest_of, rows_in_table

COLUMNS = """
site, organisation, hub, row_xid, row_id, notice_xid, notice_id, clock_us, program, pushed_at, pulled_at, failed_at,
failure, history, full_at, has_twin, is_central
"""
READ = f"SELECT {COLUMNS} FROM hub_link"
JOIN = "INSERT OR REPLACE INTO hub_link (only_row, site, organisation, hub) VALUES (1, ?, ?, ?)"
AGAIN = "UPDATE hub_link SET row_xid = 0, row_id = 0"
REFUSED = """
INSERT INTO hub_refused (site, unfit, rows) VALUES (?, ?, ?)
ON CONFLICT (site, unfit) DO UPDATE SET rows = rows + excluded.rows
"""
PUSHED = "UPDATE hub_link SET pushed_at = ?, clock_us = max(clock_us, ?)"
ROWS_TO = "UPDATE hub_link SET row_xid = ?, row_id = ?"
NOTICES_TO = "UPDATE hub_link SET notice_xid = ?, notice_id = ?"


@dataclass(frozen=True, slots=True)
class Link:
    """The state of the connection to the hub. Instants are UTC seconds.

    Attributes:
        rows_to: The position up to which the rows in the hub are stored here.
        notices_to: The position up to which the notices in the hub, for instance of erasures, were applied here.
        clock_us: The latest version of this site's rows that the hub has.
        program: The version of CallSieve that pulled last.
        history: An id that changes when the hub moves to another database server.
        full_at: The hub's limit for rows of this site if the limit is reached; otherwise 0.
        has_twin: Whether another PBX uses this site's name.
        is_central: Whether this site is the central console.
    """

    site: str
    organisation: str
    hub: str
    rows_to: Annotated[tuple[int, int], HIDDEN]
    notices_to: Annotated[tuple[int, int], HIDDEN]
    clock_us: Annotated[int, HIDDEN]
    program: str
    pushed_at: Instant | None
    pulled_at: Instant | None
    failed_at: Instant | None
    failure: str
    history: Annotated[str | None, HIDDEN] = None
    full_at: int = 0
    has_twin: bool = False
    is_central: bool = False


def link_of(db: sqlite3.Connection) -> Link | None:
    """Return the state of the connection; None if this site shares nothing."""
    row = db.execute(READ).fetchone()
    if row is None:
        return None
    site, organisation, hub, row_xid, row_id, notice_xid, notice_id, *others = row
    return Link(site, organisation, hub, (row_xid, row_id), (notice_xid, notice_id), *others)


def set_link(db: sqlite3.Connection, site: str, organisation: str, hub: str) -> None:
    """Store the names of this site, its organisation and its hub. Afterwards all rows in the hub are pulled."""
    db.execute(JOIN, (site, organisation, hub))
    db.execute("DELETE FROM hub_refused")
    db.execute("DELETE FROM hub_first_try")


def remove_link(db: sqlite3.Connection) -> None:
    """Delete the state of the connection, so that this site no longer shares anything."""
    db.execute("DELETE FROM hub_link")
    db.execute("DELETE FROM hub_refused")
    db.execute("DELETE FROM hub_first_try")


def pull_again(db: sqlite3.Connection) -> None:
    """Make the next pull read all rows of the hub again; known rows change nothing. Reset counts of unusable rows."""
    db.execute(AGAIN)
    db.execute("DELETE FROM hub_refused")


def note_program(db: sqlite3.Connection, program: str) -> None:
    """Record which version of CallSieve pulls rows from the hub from now on."""
    db.execute("UPDATE hub_link SET program = ?", (program,))


def note_pushed(db: sqlite3.Connection, at: float, clock_us: int) -> None:
    """Record that the hub has all rows of this site up to the version `clock_us`."""
    db.execute(PUSHED, (at, clock_us))


def note_rows_to(db: sqlite3.Connection, place: tuple[int, int]) -> None:
    """Record that all rows of the hub up to the position `place` are stored here."""
    db.execute(ROWS_TO, place)


def note_notices_to(db: sqlite3.Connection, place: tuple[int, int]) -> None:
    """Record that all notices of the hub up to the position `place` were applied here."""
    db.execute(NOTICES_TO, place)


def note_pulled(db: sqlite3.Connection, at: float) -> None:
    """Record that all rows that the hub had at `at` are stored here."""
    db.execute("UPDATE hub_link SET pulled_at = ?, failure = '', failed_at = NULL", (at,))


def note_failure(db: sqlite3.Connection, at: float, words: str) -> None:
    """Record why the hub was not reached. `at` is recorded only for the first failure after a success."""
    db.execute("UPDATE hub_link SET failed_at = coalesce(failed_at, ?), failure = ?", (at, words))
    note_first_try(db, at)
    db.execute("UPDATE hub_first_try SET failure = ?", (words,))


class FirstTry(NamedTuple):
    """The time of the first failed attempt to reach a new hub (UTC seconds), and the error of the latest attempt."""

    at: float
    failure: str


def first_try(db: sqlite3.Connection) -> FirstTry | None:
    """Return the first failed attempt to reach the hub; None if the hub was ever reached or no attempt was made."""
    row = db.execute("SELECT at, failure FROM hub_first_try").fetchone()
    return row and FirstTry(*row)


def note_first_try(db: sqlite3.Connection, at: float) -> None:
    """Record the first attempt to reach the hub, unless an earlier attempt is recorded or the hub was reached."""
    sql = "INSERT OR IGNORE INTO hub_first_try (only_row, at) SELECT 1, ? WHERE NOT EXISTS (SELECT 1 FROM hub_link)"
    db.execute(sql, (at,))


def forget_first_try(db: sqlite3.Connection) -> None:
    """Delete the record of the first attempt to reach the hub, because no hub is configured."""
    db.execute("DELETE FROM hub_first_try")


def note_history(db: sqlite3.Connection, history: str) -> None:
    """Record the present `history` of the hub (see `Link`)."""
    db.execute("UPDATE hub_link SET history = ?", (history,))


def note_standing(db: sqlite3.Connection, full_at: int, has_twin: bool, is_central: bool) -> None:
    """Record what the hub reports about this site: `full_at`, `has_twin` and `is_central` of the `Link`."""
    db.execute("UPDATE hub_link SET full_at = ?, has_twin = ?, is_central = ?", (full_at, has_twin, is_central))


class RefusedRows(NamedTuple):
    """How many rows of a site were unusable here, and why. `site` is empty if the site's name is invalid."""

    site: str
    unfit: Unfit
    rows: int


def note_refused(db: sqlite3.Connection, refused: Mapping[tuple[str, Unfit], int]) -> None:
    """Add to the stored counts of unusable rows, by site and reason. Call it in a transaction."""
    counted = [(site if SITE.fullmatch(site) else "", unfit, rows) for (site, unfit), rows in refused.items()]
    db.executemany(REFUSED, counted)


def refused_rows(db: sqlite3.Connection) -> list[RefusedRows]:
    """Return how many rows were unusable since all rows were last pulled from the beginning, by site and reason."""
    counts = db.execute("SELECT site, unfit, rows FROM hub_refused ORDER BY site, unfit").fetchall()
    return [RefusedRows(site, Unfit(unfit), rows) for site, unfit, rows in counts]


@contextmanager
def writing_for_hub(db: sqlite3.Connection) -> Iterator[None]:
    """Keep rows that are written inside the block out of the outbox, because the hub has them. Use a transaction."""
    db.execute("UPDATE hub_link SET applying = 1")
    yield  # an exception rolls the transaction back, and this with it
    db.execute("UPDATE hub_link SET applying = 0")


NOTED = """
SELECT kind, count(*), sum(digest) FROM hub_row WHERE deleted = 0 AND (:origin = '' OR origin = :origin) GROUP BY kind
"""


class Checksum(NamedTuple):
    """A checksum of rows of one kind: how many rows there are, and the sum of their digests."""

    rows: int
    digest: int


def noted_checksums(db: sqlite3.Connection, origin: str = "") -> dict[str, Checksum]:
    """Return checksums of the rows that `hub_row` records, by kind of row. `origin`: only of this site; empty: all."""
    return {kind: Checksum(rows, digest) for kind, rows, digest in db.execute(NOTED, {"origin": origin})}


def stored_checksums(db: sqlite3.Connection, site: str) -> dict[str, Checksum]:
    """Compute checksums of the evidence that all sites share, by kind of row. `site`: the name of this site."""
    checksums = {}
    for kind in KINDS.values():
        if kind.scope is not SharedWith.SHARED:
            continue
        rows = digest = 0
        for origin, number, key, stored in rows_in_table(db, kind, site):
            rows += 1
            digest += digest_of(kind.name, origin, number, key, stored.payload, stored.at_us or 0)
        if rows:
            checksums[kind.name] = Checksum(rows, digest)
    return checksums
