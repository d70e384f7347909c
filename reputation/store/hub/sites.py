"""The sites of the organisation, as the hub knows them: kept at a central site, so that its console asks nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site as the hub knows it. Instants are UTC seconds by the hub's clock, which says `now`.

    `most_rows`: the hub keeps no more of it than so many. `twin_at`: when two processes took part under its name.
    """

    name: str
    is_central: bool
    joined_at: float
    expelled_at: float | None
    seen_at: float | None
    pushed_at: float | None
    pulled_at: float | None
    outbox: int
    rows_pushed: int
    program: str
    offset_seconds: float
    now: float
    rows_kept: int = 0
    most_rows: int = 0
    twin_at: float | None = None


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
