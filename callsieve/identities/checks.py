"""The health check of identities: they are proven again before they end."""

from __future__ import annotations

import sqlite3

from callsieve.doctor.finding import Finding, HealthCheck, check_of_store, ok, warn
from reputation.store.identities import identities_due
from reputation.wording import Wording

# An identity that ends within so long is to be proven again.
DUE_SECONDS = 14 * 86_400.0


@check_of_store
def has_no_identity_due(db: sqlite3.Connection, now: float) -> Finding:
    """Identities are proven again before they end."""
    due = identities_due(db, now + DUE_SECONDS)
    if due:
        return warn(
            Wording("to be proven again within 14 days: {count}", {"count": len(due)}), "callsieve identity due"
        )
    return ok(Wording("none is to be proven again"))


CHECKS = (HealthCheck(place=470, name="identities", find=has_no_identity_due, is_quick=True),)
