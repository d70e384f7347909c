"""Determine whether calls are screened, since when, and what is wrong: for `callsieve status`, the API and FreePBX.

The answer must come quickly, whatever is broken. So only the store, the daemon's last report and the findings of root's
doctor are read, and the daemon and Asterisk are asked one short question each.
"""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from callsieve.calls.records import CallDecision, decision_shown
from callsieve.changes.describe import value_of_side
from callsieve.doctor.checks import OFF_SWITCH, TRUNKS, examine
from callsieve.doctor.daemon import daemon_answers, outdated
from callsieve.doctor.finding import (
    NOT_ASKED,
    RESTART,
    CheckContext,
    Finding,
    HealthCheck,
    fail,
    not_asked,
    read_store,
    unknown,
)
from callsieve.doctor.routes import NOT_CONNECTED
from callsieve.doctor.stored_findings import Findings, completed, recent_findings, trunks_changed_at
from callsieve.emergency_window import EmergencyWindow, window_of
from callsieve.health import Check, CheckStatus, ScreeningState, ScreeningStatus, troubles
from callsieve.pbx.cli_client import FOR_EVER, ConsoleError
from callsieve.settings import Loaded, SettingsError
from callsieve.system.privileges import accepted_users, as_root
from callsieve.telemetry import EVERY_SECONDS, Telemetry, is_fresh, is_outdated, read_telemetry
from callsieve.text.times import when
from callsieve.wiring import policies_of
from policies.decision import ACTION_BY_WORD, FAIL_OPEN_RULE
from policies.policy import PolicyError
from reputation.encoding import Instant, parse_plain
from reputation.store.activity import counts_over, decided_by
from reputation.store.audit import AuditRow, latest_of
from reputation.store.journal import decisions
from reputation.wording import Wording

HOUR_SECONDS = 3600.0
AHEAD_SECONDS = 60.0  # a decision's time may be slightly ahead of our clock
DAEMON = "daemon"
SCREENED_CALLS = "screened calls"
ACTIONS = tuple(ACTION_BY_WORD)
# Checks that fail if calls do not reach CallSieve: the daemon may be well, but nothing is screened.
OF_ROUTES = ("dialplan", TRUNKS.name, "DIDs", "asks at", SCREENED_CALLS)
SWITCHED_OFF = Wording("every call goes on unscreened")
NOT_ASKED_ABOUT = Wording("some incoming calls are not screened: see the listed problems")
NO_CALL_YET = Wording("no call has reached CallSieve yet")
NOT_CHECKED = Wording("nobody has checked yet whether the trunks send their calls to CallSieve")
CHECK = Wording("run callsieve doctor as root")
MAKE_A_CALL = Wording("call one of your numbers from outside, and look at: callsieve calls tail")


@dataclass(frozen=True, slots=True)
class JournalSummary:
    """A summary of the journal. `last_hour`: how many calls got each action, or would get it without observe mode."""

    last_call: CallDecision | None
    last_hour: Counter[str]
    failed_open: int
    window: EmergencyWindow
    switched: Mapping[str, AuditRow]


@dataclass(frozen=True, slots=True)
class Status:
    """Whether calls are screened, and everything else that `callsieve status` prints.

    `report`: the daemon's last report; None if it is not recent. `journal`: None if the store cannot be read.
    `not_known`: checks that this user may not run, or that got no answer.
    """

    screening: ScreeningStatus
    observing: bool | None
    listen: str | None
    report: Telemetry | None
    journal: JournalSummary | None
    trouble: tuple[Check, ...]
    not_known: tuple[Check, ...]
    loaded: Loaded
    settings_error: str

    @property
    def is_screened(self) -> bool | None:
        """Whether CallSieve decides about calls that arrive now. None if unknown or dependent on the trunk."""
        screened = self.screening.kind.is_screened
        return None if screened and self.screening.is_partial else screened

    @property
    def is_well(self) -> bool:
        """Whether calls are screened and nothing must be fixed."""
        return self.is_screened is True and all(check.status is not CheckStatus.FAIL for check in self.trouble)

    @property
    def is_listening(self) -> bool | None:
        """Whether the daemon is logged in to Asterisk's manager interface.

        None if the daemon did not report, has no manager user, or reported before its first login attempt.
        """
        if self.report is None or self.report.listening is None:
            return None
        listening = self.report.listening
        if (
            not listening.connected
            and not listening.trouble
            and self.report.at - self.report.started_at < EVERY_SECONDS
        ):
            return None
        return listening.connected


def status_of(context: CheckContext, loaded: Loaded, checks: Iterable[HealthCheck]) -> Status:
    """Return the current status, from the quick checks and a request to the daemon.

    `loaded`: the settings, or the readable part of a settings file with an error.
    """
    last_report = read_telemetry(loaded.state)
    report = last_report if is_fresh(last_report, context.now) else None
    daemon = _daemon(context, last_report, loaded)
    asterisk_at = None
    with suppress(ConsoleError):
        asterisk_at = context.emergency_at
    journal = read_store(loaded.store_path, lambda db: _journal(db, loaded, context.now, asterisk_at), None)
    made = [
        *examine((check for check in checks if check.is_quick), context),
        Check(DAEMON, daemon.status, daemon.detail, daemon.remedy, context.now),
    ]
    stored = recent_findings(loaded.findings_path, context.now)
    changed_at = trunks_changed_at(Path(loaded.settings.asterisk.etc))
    checks_made = completed(made, stored, context.now, changed_at)
    checks_made += _more(stored, {check.name for check in made})
    if journal is not None and journal.failed_open:
        checks_made.append(_deadline(journal.failed_open, context.now))
    by_name = {check.name: check for check in checks_made}
    screening = _trouble(context, daemon, last_report, journal, by_name)
    if screening is None:
        screening = _connection(journal, by_name, changed_at)
    if screening.state is ScreeningState.ON:
        screening = replace(screening, since=_since(last_report, journal))
    policy, observing = _policy(loaded, report, is_broken=isinstance(context.read, SettingsError))
    if screening.state is ScreeningState.ON and observing:
        screening = replace(screening, state=ScreeningState.OBSERVING)
    return Status(
        screening=replace(screening, at=screening.at or context.now, policy=policy),
        observing=observing,
        listen=None if isinstance(context.read, SettingsError) else loaded.settings.agi.listen,
        report=report,
        journal=journal,
        trouble=troubles(checks_made),
        not_known=tuple(check for check in checks_made if check.status is CheckStatus.UNKNOWN),
        loaded=loaded,
        settings_error=str(context.read) if isinstance(context.read, SettingsError) else "",
    )


def screening_now(load: Callable[[], Loaded], checks: Iterable[HealthCheck]) -> ScreeningStatus:
    """Return whether calls are screened, without using Asterisk's console."""
    loaded = load()
    return status_of(CheckContext(loaded, not_asked, time.time()), loaded, checks).screening


def _daemon(context: CheckContext, last_report: Telemetry | None, loaded: Loaded) -> Finding:
    with suppress(SettingsError):
        if _is_accepted_user(context.loaded):
            with as_root():
                return daemon_answers(context)
    listen = "FastAGI" if isinstance(context.read, SettingsError) else context.read.settings.agi.listen
    trouble = last_report.trouble if last_report is not None else ""
    if is_outdated(loaded.state, context.now):
        return outdated(listen, trouble)
    if last_report is None:
        return unknown(
            Wording("this user may not query the daemon, and the daemon has stored no report"),
            Wording("run the command as root"),
        )
    if not is_fresh(last_report, context.now):
        return fail(Wording("the daemon has not reported since {when}", {"when": when(last_report.at)}), RESTART)
    if trouble:
        return Finding(CheckStatus.WARN, Wording("the daemon answers, but: {why}", {"why": trouble}))
    return Finding(CheckStatus.OK, Wording("the daemon reports that all is well"))


def _is_accepted_user(loaded: Loaded) -> bool:
    """Return whether the daemon accepts requests of this user. The daemon runs as the state directory's owner."""
    with suppress(OSError):
        return os.getuid() in accepted_users(loaded.settings, loaded.state.stat().st_uid)
    return os.getuid() == 0


def _journal(db: sqlite3.Connection, loaded: Loaded, now: float, asterisk_at: float | None) -> JournalSummary:
    since, until = now - HOUR_SECONDS, now + AHEAD_SECONDS
    counted: Counter[str] = Counter()
    for count in counts_over(db, since, until, until - since):
        counted[count.action] += count.calls
    switched = {what: kept.row for what in ("off", "on") for kept in latest_of(db, (what,), 1)}
    return JournalSummary(
        last_call=next((decision_shown(db, decision) for decision in decisions(db, until=until, limit=1)), None),
        last_hour=counted,
        failed_open=decided_by(db, FAIL_OPEN_RULE, since, until),
        window=window_of(db, loaded.settings, now, asterisk_at),
        switched=switched,
    )


def _policy(loaded: Loaded, report: Telemetry | None, *, is_broken: bool) -> tuple[str | None, bool | None]:
    if report is not None:
        return report.policy, report.observing
    if is_broken:
        return None, None
    try:
        policy = policies_of(loaded).default
    except PolicyError:  # the check of the policy says why
        return None, None
    return policy.name, policy.observe


def _more(stored: Findings | Wording, made: Container[str]) -> list[Check]:
    if isinstance(stored, Wording):
        return []
    return [check for check in stored.checks if check.name not in made and _is_broken(check)]


def _is_broken(check: Check) -> bool:
    return check.status is CheckStatus.FAIL


def _deadline(calls: int, now: float) -> Check:
    about = Wording("calls that went on without a decision in the last hour: {calls:,}", {"calls": calls})
    return Check("fail-open", CheckStatus.WARN, about, "callsieve calls search --rule fail-open", now)


def _trouble(
    context: CheckContext,
    daemon: Finding,
    report: Telemetry | None,
    journal: JournalSummary | None,
    checks: Mapping[str, Check],
) -> ScreeningStatus | None:
    """Return the reason why calls are not screened although they reach CallSieve, or None.

    If there are several reasons, a deliberate action comes before a defect. `report`: the daemon's last report, however
    old. `checks`: the checks by name.
    """
    if (off := _switched_off(context, journal, checks[OFF_SWITCH.name])) is not None:
        return off
    if context.is_asterisk_down:
        asterisk = checks["Asterisk"]
        return ScreeningStatus(ScreeningState.DOWN, why=asterisk.detail, remedy=asterisk.remedy)
    if daemon.status is CheckStatus.FAIL:
        since = report.at if report is not None else None
        return ScreeningStatus(ScreeningState.DOWN, since=since, why=daemon.detail, remedy=daemon.remedy)
    if journal is not None and journal.window.is_open:
        window = journal.window
        return ScreeningStatus(ScreeningState.EMERGENCY, since=window.since, until=window.until, why=window.description)
    if daemon.status is CheckStatus.UNKNOWN:
        return ScreeningStatus(ScreeningState.UNKNOWN, why=daemon.detail, remedy=daemon.remedy)
    if report is not None and is_fresh(report, context.now) and (report.is_blind or report.breaker_open):
        return ScreeningStatus(ScreeningState.FAILING, why=report.trouble)
    return None


def _switched_off(context: CheckContext, journal: JournalSummary | None, switch: Check) -> ScreeningStatus | None:
    """Return when screening was switched off, and the user who did it. Return None if screening is on.

    If the check and the audit say different things, the later of the two counts.
    """
    rows = journal.switched if journal is not None else {}
    off, on = rows.get("off"), rows.get("on")
    done = value_of_side(off.after) if off is not None else None
    done = done if isinstance(done, dict) else {}
    until = parse_plain(done["until"], Instant) if done.get("until") else None
    is_off = switch.status is CheckStatus.WARN
    checked_at = 0.0 if switch.status is CheckStatus.UNKNOWN else switch.at
    if (at := max((row.at for row in rows.values()), default=0.0)) > checked_at:
        is_off = off is not None and (on is None or off.at > on.at) and (until is None or until > context.now)
    if not is_off:
        return None
    why: str | Wording = SWITCHED_OFF
    if at <= checked_at:
        why = switch.detail
        with suppress(ConsoleError):
            until = context.off_until
    return ScreeningStatus(
        ScreeningState.OFF,
        max(at, checked_at),
        since=off.at if off is not None else None,
        until=None if until == FOR_EVER else until,
        why=why,
        remedy="callsieve on",
        by=off.who if off is not None else "",
        reason=str(done.get("reason", "")),
    )


def _connection(
    journal: JournalSummary | None, checks: Mapping[str, Check], trunks_changed_at: float
) -> ScreeningStatus:
    """Return whether calls reach CallSieve. The later of the last decision and the check of the trunks decides."""
    trunks, calls = checks[TRUNKS.name], checks[SCREENED_CALLS]
    decided_at = journal.last_call.record.at if journal is not None and journal.last_call is not None else 0.0
    if isinstance(trunks.detail, Wording) and trunks.detail.template in NOT_CONNECTED and decided_at <= trunks.at:
        return ScreeningStatus(ScreeningState.NOT_CONNECTED, why=trunks.detail, remedy=trunks.remedy)
    is_unconfirmed = trunks.status is CheckStatus.UNKNOWN and trunks_changed_at > decided_at
    if _is_broken(calls) and (is_unconfirmed or not decided_at):
        return ScreeningStatus(ScreeningState.NOT_CONNECTED, why=calls.detail, remedy=calls.remedy)
    is_partial = any(_is_broken(checks[name]) for name in OF_ROUTES if name in checks)
    is_waiting = journal is not None and not decided_at and not is_partial
    if is_unconfirmed or (is_waiting and trunks.status is CheckStatus.UNKNOWN):
        why = NOT_CHECKED if trunks.detail == NOT_ASKED else trunks.detail
        return ScreeningStatus(ScreeningState.UNKNOWN, why=why, remedy=trunks.remedy or CHECK, is_daemon_up=True)
    if is_waiting:
        return ScreeningStatus(ScreeningState.WAITING, why=NO_CALL_YET, remedy=MAKE_A_CALL, confirmed_at=trunks.at)
    confirmed_at = max(decided_at, trunks.at if trunks.status is CheckStatus.OK else 0.0)
    return ScreeningStatus(
        ScreeningState.ON,
        why=NOT_ASKED_ABOUT if is_partial else "",
        is_partial=is_partial,
        confirmed_at=confirmed_at or None,
    )


def _since(report: Telemetry | None, journal: JournalSummary | None) -> float | None:
    instants = (
        report.started_at if report is not None else None,
        journal.switched["on"].at if journal is not None and "on" in journal.switched else None,
    )
    return max((at for at in instants if at is not None), default=None)
