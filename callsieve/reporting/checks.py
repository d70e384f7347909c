"""The health check of reports: PhoneBlock is told what our people marked, where the settings want it."""

from __future__ import annotations

import sqlite3

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, warn
from callsieve.reporting.operations import PHONEBLOCK, reported, reporting_to
from callsieve.text.times import ago
from reputation.store.reports import service_state
from reputation.wording import Places, Wording

REPORTING_LATE_SECONDS = 3600.0  # the timer looks every five minutes
REPORTS_TIMER = Wording("systemctl enable --now callsieve-reports.timer, or callsieve report send by cron")


def reports_what_is_marked(context: CheckContext) -> Finding:
    """Where marks are to be reported to PhoneBlock, they are."""
    told = reporting_to(context.loaded)
    if not told.enabled:
        return ok(Wording("nobody is told of marks"))
    return context.judge_store(_reporting_found)


def _reporting_found(db: sqlite3.Connection, now: float) -> Finding:
    state = service_state(db, PHONEBLOCK)
    if state is None or now - (state.looked_at or state.since) > REPORTING_LATE_SECONDS:
        return warn(Wording("nobody reports marks: the timer does not run"), REPORTS_TIMER)
    if state.failure is not None and state.failed_at is not None:
        failed: Places = {"when": ago(state.failed_at, now), "failure": state.failure}
        return warn(Wording("{when}, {failure}", failed), "callsieve report list")
    return ok(Wording("PhoneBlock was told of {count} numbers", {"count": len(reported(db))}))


CHECKS = (HealthCheck(place=460, name="reports", find=reports_what_is_marked),)
