"""The event that another policy is in force, for all ways of putting one there and of undoing that."""

from __future__ import annotations

import sqlite3

from callsieve.changes.operation import Context
from reputation.events import EventKind, PolicyChanged
from reputation.store.outbox import add_event


def tell_in_force(db: sqlite3.Connection, context: Context, policy: str, before: str) -> None:
    """Another policy is in force than `before`, or another version of it. Call it in a transaction."""
    data = PolicyChanged(policy=policy, state="in-force", before=before, by=context.actor)
    add_event(db, EventKind.POLICY_CHANGED, "policy", context.at, data)
