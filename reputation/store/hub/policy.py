"""The policy by which the first PBX of a site decides, as it tells its standby."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


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
