"""The table of all checks of `callsieve doctor`. Start here to read the code of the doctor.

A check is a function from a CheckContext to a Finding. A check changes nothing and has a time limit: 5 s for Asterisk's
console, 2 s for sockets and the store. After the console has failed once, no check queries it again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from callsieve.capability import Capabilities
from callsieve.doctor import asterisk, daemon, dialplan, finding, privacy, routes, screening
from callsieve.doctor.stored_findings import completed, read_findings, trunks_changed_at
from callsieve.health import Check, SystemHealth
from callsieve.pbx.cli_client import ConsoleError
from callsieve.settings import Loaded, SettingsError
from callsieve.system.privileges import as_root
from callsieve.wiring import dids_of
from policies.policy import PolicyError
from reputation.store.people import trap_dids
from reputation.wording import Wording


def _names_what_is_off(context: finding.CheckContext) -> finding.Finding:
    off = context.loaded.settings.capabilities.off
    return finding.ok(
        Wording("switched off in the settings: {names}", {"names": ", ".join(off)}) if off else finding.NONE
    )


def _has_no_removed_settings(context: finding.CheckContext) -> finding.Finding:
    removed = context.loaded.removed
    if not removed:
        return finding.ok(finding.NONE)
    first = finding.and_more(Wording(removed[0].words), len(removed) - 1)
    return finding.warn(first, Wording("remove this key from the settings"))


def _are_traps(context: finding.CheckContext) -> finding.Finding:
    """Check that the trap numbers in the settings work as traps. No person may answer a trap number."""
    wanted = {did.number for did in dids_of(context.loaded.settings) if did.trap}
    if not wanted:
        return finding.ok(finding.NONE)
    return context.judge_store(lambda db, _now: _judged_traps(wanted, trap_dids(db)))


def _judged_traps(wanted: set[str], traps: list[str]) -> finding.Finding:
    answered = sorted(wanted.difference(traps))
    if not answered:
        return finding.ok(Wording("{count} numbers", {"count": len(wanted)}))
    first = Wording("{number} is answered, so the number is not a trap", {"number": answered[0]})
    return finding.warn(
        finding.and_more(first, len(answered) - 1), Wording("remove `trap = true` from the [[did]] of this number")
    )


OFF_SWITCH = finding.HealthCheck(place=60, name="off switch", find=asterisk.is_on, as_root=True, is_quick=True)
TRUNKS = finding.HealthCheck(place=80, name="trunks", find=routes.are_screened, as_root=True, is_quick=True)
CHECKS = (
    finding.HealthCheck(place=10, name="Asterisk", find=asterisk.is_reachable, as_root=True, is_quick=True),
    finding.HealthCheck(place=20, name="advisories", find=asterisk.is_safe, as_root=True),
    finding.HealthCheck(place=30, name="control socket", find=privacy.is_closed, as_root=True),
    finding.HealthCheck(place=40, name="modules", find=asterisk.has_modules, as_root=True),
    finding.HealthCheck(place=50, name="reject codes", find=asterisk.can_reject, as_root=True),
    OFF_SWITCH,
    finding.HealthCheck(place=70, name="dialplan", find=dialplan.is_loaded, as_root=True),
    TRUNKS,
    finding.HealthCheck(place=90, name="DIDs", find=routes.are_known),
    finding.HealthCheck(place=100, name="asks at", find=dialplan.queries_this_daemon, as_root=True),
    finding.HealthCheck(place=110, name="phones", find=dialplan.are_labelled, as_root=True),
    finding.HealthCheck(place=120, name="emergency calls", find=dialplan.reports_emergencies, as_root=True),
    finding.HealthCheck(place=150, name="feature codes", find=dialplan.has_free_codes, as_root=True),
    finding.HealthCheck(place=180, name="daemon", find=daemon.daemon_answers, as_root=True),
    finding.HealthCheck(place=190, name="classic socket", find=daemon.socket_answers),
    finding.HealthCheck(place=200, name="local users", find=daemon.has_only_known_users, is_quick=True),
    finding.HealthCheck(place=210, name="manager user", find=asterisk.has_user, as_root=True),
    finding.HealthCheck(place=220, name="manager login", find=asterisk.can_log_in, as_root=True),
    finding.HealthCheck(place=230, name="settings", find=privacy.settings_are_private, as_root=True, is_quick=True),
    finding.HealthCheck(place=240, name="secrets", find=privacy.has_private_secrets),
    finding.HealthCheck(place=245, name="capabilities", find=_names_what_is_off, is_quick=True),
    finding.HealthCheck(place=95, name="traps", find=_are_traps),
    finding.HealthCheck(place=246, name="removed settings", find=_has_no_removed_settings, is_quick=True),
    finding.HealthCheck(place=290, name="screened calls", find=screening.are_decided, is_quick=True),
    finding.HealthCheck(place=300, name="callers", find=screening.can_read_callers),
    finding.HealthCheck(place=310, name="verstat", find=screening.receives_verstat),
)


def checks_of(capabilities: Capabilities) -> list[finding.HealthCheck]:
    """Return the checks that these capabilities declare, ordered by the path of a call through the system."""
    checks: list[finding.HealthCheck] = [check for table in capabilities.load("checks") for check in table]
    return sorted(checks, key=lambda check: check.place)


def examine(checks: Iterable[finding.HealthCheck], context: finding.CheckContext) -> Iterator[Check]:
    """Run the checks one after the other and yield their results."""
    for check in checks:
        try:
            with as_root() if check.as_root else nullcontext():
                result = check.find(context)
        except ConsoleError:
            result = finding.unknown(finding.NOT_ASKED)
        except SettingsError:
            result = finding.unknown(finding.NO_SETTINGS)
        except PolicyError:
            result = finding.unknown(finding.POLICY_UNUSABLE)
        except PermissionError as error:
            result = finding.unknown(
                Wording("this user cannot read {file}", {"file": str(error.filename)}),
                Wording("run the command as root"),
            )
        except OSError as error:
            result = finding.unknown(f"{error.filename or 'a file'}: {error.strerror}")
        yield Check(check.name, result.status, result.detail, result.remedy, context.now)


def system_health(load: Callable[[], Loaded], checks: Sequence[finding.HealthCheck]) -> SystemHealth:
    """Run all checks without commands to Asterisk's console. Checks that need them show what root's doctor found."""
    loaded = load()
    now = time.time()
    stored = read_findings(loaded.findings_path)
    context = finding.CheckContext(loaded, finding.not_asked, now)
    changed_at = trunks_changed_at(Path(loaded.settings.asterisk.etc))
    results = tuple(finding.gathered(completed(examine(checks, context), stored, now, changed_at)))
    return SystemHealth(now, results, bool(context.central_organisation))
