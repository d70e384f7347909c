"""The health check of appeals: each is decided in time."""

from __future__ import annotations

import sqlite3

from callsieve.doctor.finding import NONE, Finding, HealthCheck, ScheduledCheck, and_more, check_of_store, ok, warn
from callsieve.settings import Settings
from reputation.appeals import AppealState, due_at, is_overdue
from reputation.events import AppealDue, EventKind
from reputation.store.appeals import appeals_to_decide
from reputation.store.outbox import forget_state, states_of, tell_change
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

APPEAL = "appeal/"


@check_of_store
def has_no_appeal_overdue(db: sqlite3.Connection, now: float) -> Finding:
    """Warn about appeals that wait longer than three working days."""
    appeals = appeals_to_decide(db)
    overdue = [appeal for appeal in appeals if is_overdue(appeal, now)]
    if overdue:
        first = Wording("{reference} should be decided by now", {"reference": overdue[0].reference})
        return warn(and_more(first, len(overdue) - 1), "callsieve appeal list")
    due = [appeal for appeal in appeals if is_overdue(appeal, now + DAY_SECONDS)]
    if due:
        first = Wording("{reference} is to be decided within a day", {"reference": due[0].reference})
        return warn(and_more(first, len(due) - 1), "callsieve appeal list")
    in_force = sum(appeal.state is AppealState.IN_FORCE for appeal in appeals)
    counts: Places = {"open": in_force, "filed": len(appeals) - in_force}
    return ok(Wording("{open} to be decided, {filed} only filed", counts) if appeals else NONE)


def _tell_due(db: sqlite3.Connection, _settings: Settings, now: float) -> None:
    """Tell of each twice: a day before its decision is due, and when it was not made in time."""
    due = {}
    for appeal in appeals_to_decide(db):
        at = due_at(appeal)
        if at is not None and now >= at - DAY_SECONDS:
            data = AppealDue(reference=appeal.reference, number=appeal.number, due_at=at, overdue=now >= at)
            due[f"{APPEAL}{appeal.reference}"] = data
    for key, data in due.items():
        state = f"{data.due_at}{' overdue' * data.overdue}"
        tell_change(db, key, state, EventKind.APPEAL_DUE, data.number, now, data)
    for key in states_of(db, APPEAL):
        if key not in due:
            forget_state(db, key)


CHECKS = (HealthCheck(place=420, name="appeals", find=has_no_appeal_overdue, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.APPEAL_DUE,), _tell_due),)
