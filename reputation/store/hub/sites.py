"""The sites of the organisation, as the hub reports them to a central console, and the sites that entries come from."""

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, fields
from typing import Annotated, NamedTuple

from reputation.encoding import HIDDEN, Instant
from reputation.model import Identity, ListEntry
from reputation.store.hub.rows import KINDS, key_at, stored_row, to_json
from reputation.store.hub.statements import equals_statement, statements_about


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site as the hub reports it. Instants are by the hub's clock; `now` is when the hub made the report.

    `most_rows`: how many rows of the site the hub allows. `twin_at`: when two PBXs last used the site's name at once.
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
    """Replace the stored list of sites. Call it in a transaction."""
    db.execute("DELETE FROM hub_site")
    db.executemany(NOTE, map(astuple, sites))


def noted_sites(db: sqlite3.Connection) -> list[SiteState]:
    """Return the stored sites, ordered by name. Only a central console has this list."""
    return [SiteState(*row) for row in db.execute(NOTED)]


class PolicyInForce(NamedTuple):
    """The policy for the whole PBX, and a digest of its rules and of the policies for DIDs, trunks and groups."""

    name: str
    digest: str


def note_policy(db: sqlite3.Connection, policy: PolicyInForce, at: float) -> None:
    """Record the policy in force here. Call it in a transaction."""
    db.execute("INSERT OR REPLACE INTO policy_in_force (only_row, name, digest, at) VALUES (1, ?, ?, ?)", (*policy, at))


def recorded_policy(db: sqlite3.Connection) -> PolicyInForce | None:
    """Return the policy in force, as recorded by the first PBX of this site (not a standby); None without a record."""
    row = db.execute("SELECT name, digest FROM policy_in_force").fetchone()
    return row and PolicyInForce(*row)


class Origin(NamedTuple):
    """The site that an entry comes from. `site`: the name of another site, empty for this site.

    `overrules`: followed sites that have a different entry, which does not apply because of this entry.
    """

    site: str = ""
    overrules: tuple[str, ...] = ()


OURS = Origin()


def origin_of_entry(db: sqlite3.Connection, entry: ListEntry, follow: Collection[str]) -> Origin:
    """Return which site a list entry in the store comes from. `follow`: the sites whose entries apply here."""
    columns = {"list": entry.list_name.value, "kind": entry.kind.value, "last": entry.last or ""}
    return _origin(db, "list_entry", entry.first, columns, follow)


def origin_of_identity(db: sqlite3.Connection, identity: Identity, follow: Collection[str]) -> Origin:
    """Return which site an identity in the store comes from. `follow`: the sites whose identities apply here."""
    return _origin(db, "identity", identity.number, {}, follow)


def _origin(db: sqlite3.Connection, name: str, number: str, columns: dict[str, str], follow: Collection[str]) -> Origin:
    if not follow:
        return OURS
    kind = KINDS[name]
    key = to_json(key_at(kind, columns))
    statements = [
        statement
        for statement in statements_about(db, kind, number, key)
        if statement.origin in follow and not statement.deleted
    ]
    if not statements:
        return OURS
    stored = stored_row(db, kind, number, key)
    in_force = [
        statement.origin
        for statement in statements
        if stored is not None and statement.is_in_force and equals_statement(kind, statement, stored)
    ]
    others = sorted({statement.origin for statement in statements} - set(in_force))
    return Origin(in_force[0]) if in_force else Origin("", tuple(others))
