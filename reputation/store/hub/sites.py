"""The sites of the organisation, as the hub knows them: kept at a central site, so that its console asks nobody.

Where an entry of a list or an identity comes from: this site, or one that it follows; and whose it overrules.

    origin_of_entry(db, entry, follow)       Origin("head-office"), or Origin("", ("head-office",)) where ours wins
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, fields
from typing import Annotated, NamedTuple

from reputation.encoding import HIDDEN, Instant
from reputation.model import Identity, ListEntry
from reputation.store.hub.rows import KINDS, key_at, stored_row, to_json
from reputation.store.hub.statements import is_as_said, statements_about


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site as the hub knows it. Instants are by the hub's clock, which says `now`.

    `most_rows`: the hub keeps no more of it than so many. `twin_at`: when two processes took part under its name.
    """

    name: str
    is_central: bool
    joined_at: Instant
    expelled_at: Instant | None
    seen_at: Instant | None
    pushed_at: Instant | None
    pulled_at: Instant | None
    outbox: int
    rows_pushed: int
    program: str
    offset_seconds: float
    now: Annotated[float, HIDDEN]
    rows_kept: int = 0
    most_rows: int = 0
    twin_at: Instant | None = None


COLUMNS = ", ".join(field.name for field in fields(SiteState))
NOTE = f"INSERT INTO hub_site ({COLUMNS}) VALUES ({', '.join('?' * len(fields(SiteState)))})"
NOTED = f"SELECT {COLUMNS} FROM hub_site ORDER BY name"


def note_sites(db: sqlite3.Connection, sites: Iterable[SiteState]) -> None:
    """These are all that there are. Call it in a transaction."""
    db.execute("DELETE FROM hub_site")
    db.executemany(NOTE, map(astuple, sites))


def noted_sites(db: sqlite3.Connection) -> list[SiteState]:
    """As they were noted last, by name; none where this is no central site."""
    return [SiteState(*row) for row in db.execute(NOTED)]


class PolicyInForce(NamedTuple):
    """The name of the policy of the whole PBX, and a digest of its rules and of the scopes."""

    name: str
    digest: str


def note_policy(db: sqlite3.Connection, policy: PolicyInForce, at: float) -> None:
    """Write what is in force here. Call it in a transaction."""
    db.execute("INSERT OR REPLACE INTO policy_in_force (only_row, name, digest, at) VALUES (1, ?, ?, ?)", (*policy, at))


def told_policy(db: sqlite3.Connection) -> PolicyInForce | None:
    """Return what the first has told; None: nothing yet."""
    row = db.execute("SELECT name, digest FROM policy_in_force").fetchone()
    return row and PolicyInForce(*row)


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
    theirs = [one.origin for one in said if stored is not None and one.is_in_force and is_as_said(kind, one, stored)]
    others = sorted({one.origin for one in said} - set(theirs))
    return Origin(theirs[0]) if theirs else Origin("", tuple(others))
