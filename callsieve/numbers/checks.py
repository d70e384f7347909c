"""The health check of reviews: somebody looks at bursts of marks."""

from __future__ import annotations

import sqlite3

from callsieve.doctor.finding import Finding, HealthCheck, check_of_store, ok, warn
from reputation.store.marks import numbers_to_review
from reputation.wording import Wording


@check_of_store
def has_no_marks_to_review(db: sqlite3.Connection, now: float) -> Finding:
    """Bursts of marks weigh nothing until somebody has looked."""
    bursts = numbers_to_review(db)
    if bursts:
        return warn(
            Wording("bursts of marks wait for a look: {count}", {"count": len(bursts)}), "callsieve review list"
        )
    return ok(Wording("no marks wait for one"))


CHECKS = (HealthCheck(place=430, name="reviews", find=has_no_marks_to_review, is_quick=True),)
