"""The doctor's checks of what waits for somebody here: appeals to be decided."""

from __future__ import annotations

import sqlite3

from callsieve.doctor_ourselves import told_by_store
from callsieve.examining import Finding, Ground, ok, warn
from reputation.appeals import AppealState, is_overdue
from reputation.store.appeals import appeals_to_decide


def has_no_appeal_overdue(ground: Ground) -> Finding:
    """Who appeals gets a decision within three working days."""
    return told_by_store(ground, _judged_appeals)


def _judged_appeals(db: sqlite3.Connection, now: float) -> Finding:
    appeals = appeals_to_decide(db)
    overdue = [appeal for appeal in appeals if is_overdue(appeal, now)]
    if overdue:
        more = f", and {len(overdue) - 1} more" if overdue[1:] else ""
        return warn(f"{overdue[0].reference} should be decided by now{more}", "callsieve appeal list")
    in_force = sum(appeal.state is AppealState.IN_FORCE for appeal in appeals)
    return ok(f"{in_force} to be decided, {len(appeals) - in_force} only filed" if appeals else "none")
