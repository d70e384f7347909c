"""The health check of the reports to PhoneBlock about marked numbers."""

import sqlite3

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, warn
from callsieve.reporting.operations import PHONEBLOCK, reported, reporting_to
from callsieve.text.times import ago
from reputation.store.reports import service_state
from reputation.wording import Places, Wording

REPORTING_LATE_SECONDS = 3600.0  # the timer runs every five minutes
REPORTS_TIMER = Wording("systemctl enable --now callsieve-reports.timer, or run `callsieve report send` by cron")


def reports_what_is_marked(context: CheckContext) -> Finding:
    """Check that marks are reported to PhoneBlock, if the settings switch these reports on."""
    if not reporting_to(context.loaded).enabled:
        return ok(Wording("marks are not reported to anybody"))
    return context.judge_store(_check_reporting)


def _check_reporting(db: sqlite3.Connection, now: float) -> Finding:
    state = service_state(db, PHONEBLOCK)
    if state is None or now - (state.looked_at or state.since) > REPORTING_LATE_SECONDS:
        return warn(Wording("marks are not reported: the timer is not running"), REPORTS_TIMER)
    if state.failure is not None and state.failed_at is not None:
        failed: Places = {"when": ago(state.failed_at, now), "failure": state.failure}
        return warn(Wording("{when}, {failure}", failed), "callsieve report list")
    return ok(Wording("{count} numbers reported to PhoneBlock", {"count": len(reported(db))}))


CHECKS = (HealthCheck(place=460, name="reports", find=reports_what_is_marked),)
