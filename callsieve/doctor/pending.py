"""The doctor's checks of what waits for somebody here: an open window, appeals, bursts of marks, identities."""

from __future__ import annotations

import sqlite3

from agi.parsing import instant_of
from callsieve.call_lists.registers import copy_ages
from callsieve.doctor.finding import NONE, CheckContext, CheckStatus, Finding, and_more, fail, ok, warn
from callsieve.doctor.service import check_of_store, told_by_store
from callsieve.emergency_window import EmergencyWindow, window_of
from callsieve.pbx.cli_client import EMERGENCY_KEY, FAMILY, ConsoleError, value_in
from callsieve.reporting.operations import PHONEBLOCK, reported, reporting_to
from callsieve.text.times import ago
from reputation.appeals import AppealState, is_overdue
from reputation.own.register import NumberState
from reputation.store.appeals import appeals_to_decide
from reputation.store.audit import last_change
from reputation.store.clock import is_held
from reputation.store.housekeeping import JOBS, reports
from reputation.store.identities import identities_due
from reputation.store.own_labels import latest_looks, looks_due
from reputation.store.own_register import register_of
from reputation.store.reports import service_state
from reputation.store.reviews import numbers_to_review
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

# An identity that ends within so long is to be proven again.
DUE_SECONDS = 14 * 86_400.0
# How long after its time a job is late: a PBX may be off for the night.
REPORTING_LATE_SECONDS = 3600.0  # the timer looks every five minutes
REPORTS_TIMER = Wording("systemctl enable --now callsieve-reports.timer, or callsieve report send by cron")
LATE_SECONDS = 2 * 86_400.0
ASKED = "own watch ask"
ASKED_LATE_SECONDS = 3 * 86_400.0  # the timer asks every morning
WATCH_TIMER = Wording("systemctl enable --now callsieve-watch.timer, or callsieve own watch ask by cron")


def screens_now(ground: CheckContext) -> Finding:
    """The window after an emergency call is closed, by the store and by Asterisk's database."""

    def judged(asterisk_at: float | None) -> Finding:
        return told_by_store(ground, lambda db, now: _judged_window(window_of(db, settings, now, asterisk_at)))

    settings = ground.loaded.settings
    try:
        said = ground.ask(f"database get {FAMILY} {EMERGENCY_KEY}")
    except ConsoleError:
        if (found := judged(None)).status is CheckStatus.OK:
            raise
        return found
    return judged(instant_of(value_in(said) or ""))


def _judged_window(window: EmergencyWindow) -> Finding:
    if window.is_open:
        return warn(Wording("no call is screened: {window}", {"window": window.said}), "callsieve emergency close")
    return ok(window.said)


@check_of_store
def has_no_appeal_overdue(db: sqlite3.Connection, now: float) -> Finding:
    """Who appeals gets a decision within three working days."""
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


@check_of_store
def has_no_marks_to_review(db: sqlite3.Connection, now: float) -> Finding:
    """Bursts of marks weigh nothing until somebody has looked."""
    bursts = numbers_to_review(db)
    if bursts:
        return warn(
            Wording("bursts of marks wait for a look: {count}", {"count": len(bursts)}), "callsieve review list"
        )
    return ok(Wording("no marks wait for one"))


@check_of_store
def has_fresh_registers(db: sqlite3.Connection, now: float) -> Finding:
    """Copies of national do-not-call registers are as new as the law wants them."""
    ages = copy_ages(db, now)
    old = [one for one in ages if one.is_too_old]
    if old:
        first = old[0]
        most = first.law.max_days if first.law else 0
        about: Places = {"name": first.copy.name, "days": first.age_days, "law": first.cite, "most": most}
        words = Wording("the copy of {name} is {days} days old, and {law} allows {most}", about)
        return warn(and_more(words, len(old) - 1), f"callsieve own registers import FILE --register {first.copy.name}")
    numbers = sum(one.copy.numbers for one in ages)
    return ok(Wording("{count}, with {numbers} numbers", {"count": len(ages), "numbers": numbers}) if ages else NONE)


def watches_our_numbers(ground: CheckContext) -> Finding:
    """Somebody looks what others show of our own numbers when it is time, and where others can be asked, they are."""
    can_ask = bool(ground.loaded.settings.lookup)
    return told_by_store(ground, lambda db, now: _watch_found(db, now, can_ask))


def _watch_found(db: sqlite3.Connection, now: float, can_ask: bool) -> Finding:
    ours = [one for one in register_of(db) if one.state is not NumberState.RETIRED]
    asked = last_change(db, ASKED)
    if ours and can_ask and (asked is None or now - asked > ASKED_LATE_SECONDS):
        return warn(Wording("nobody asks what others show of our numbers: the timer does not run"), WATCH_TIMER)
    late = looks_due(latest_looks(db), now - ASKED_LATE_SECONDS)
    if late:
        return warn(
            Wording("platforms to be looked at again for days: {count}", {"count": len(late)}),
            "callsieve own watch due",
        )
    return ok(Wording("numbers watched: {count}", {"count": len(ours)}) if ours else NONE)


@check_of_store
def has_no_identity_due(db: sqlite3.Connection, now: float) -> Finding:
    """Identities are proven again before they end."""
    due = identities_due(db, now + DUE_SECONDS)
    if due:
        return warn(
            Wording("to be proven again within 14 days: {count}", {"count": len(due)}), "callsieve identity due"
        )
    return ok(Wording("none is to be proven again"))


@check_of_store
def keeps_house(db: sqlite3.Connection, now: float) -> Finding:
    """What is past its time goes: the daemon sees to it every hour."""
    found = {report.job: report for report in reports(db)}
    late = [
        job.name for job in JOBS if job.name in found and now - found[job.name].at > job.every_seconds + LATE_SECONDS
    ]
    if not found:
        return ok(Wording("not yet: the daemon begins a minute after its start"))
    if is_held(db):
        way_out = Wording("set the clock; if it is right: callsieve housekeeping run")
        return warn(Wording("nothing is removed: the clock is not where it was at the last run"), way_out)
    if unsound := next((report for report in found.values() if report.job == "integrity" and report.did), None):
        when = ago(unsound.at, now)
        return fail(
            Wording("the store was found damaged, or a list changed, {when}", {"when": when}), "callsieve db check"
        )
    if late:
        about: Places = {"jobs": ", ".join(late), "when": ago(found[late[0]].at, now)}
        way_out = Wording("callsieve housekeeping run; does the daemon run?")
        return warn(Wording("late: {jobs}, last {when}", about), way_out)
    latest = max(found.values(), key=lambda report: report.at)
    removed = sum(found[JOBS[0].name].did.values()) if JOBS[0].name in found else 0
    return ok(Wording("{when}; past their time: {removed:,}", {"when": ago(latest.at, now), "removed": removed}))


def reports_what_is_marked(ground: CheckContext) -> Finding:
    """Where marks are to be reported to PhoneBlock, they are."""
    told = reporting_to(ground.loaded)
    if not told.enabled:
        return ok(Wording("nobody is told of marks"))
    return told_by_store(ground, _reporting_found)


def _reporting_found(db: sqlite3.Connection, now: float) -> Finding:
    state = service_state(db, PHONEBLOCK)
    if state is None or now - (state.looked_at or state.since) > REPORTING_LATE_SECONDS:
        return warn(Wording("nobody reports marks: the timer does not run"), REPORTS_TIMER)
    if state.failure is not None and state.failed_at is not None:
        failed: Places = {"when": ago(state.failed_at, now), "failure": state.failure}
        return warn(Wording("{when}, {failure}", failed), "callsieve report list")
    return ok(Wording("PhoneBlock was told of {count} numbers", {"count": len(reported(db))}))
