"""The doctor's checks of Asterisk: version, modules, and CallSieve's login to the manager interface."""

import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from callsieve.doctor.daemon import answer_on
from callsieve.doctor.finding import NOT_ASKED, CheckContext, Finding, differs, fail, ok, unknown, warn
from callsieve.pbx.cli_client import START_ASTERISK, ConsoleError, NotAllowed, NotRunning, until_words
from callsieve.pbx.cli_output import AsteriskVersion, permissions_in
from reputation.wording import Places, Wording, listed

OLDEST = 18
# Releases on which CallSieve's own tests make calls. Others should work, but are not tested.
RUN_BRANCHES = (22,)


@dataclass(frozen=True, slots=True)
class Advisory:
    """A known vulnerability in an Asterisk module. `fixed`: the first safe release of each branch that has one."""

    name: str
    what: Wording
    module: str
    fixed: tuple[tuple[int, ...], ...]

    def concerns(self, version: AsteriskVersion) -> bool:
        """Return whether this release is vulnerable. Only for standard releases: certified ones are numbered apart."""
        fix = next((fix for fix in self.fixed if fix[0] == version.branch), None)
        if fix is None:
            return version.branch < max(branch for branch, *_ in self.fixed)  # newer branches began with the fix
        return version.numbers < fix


ADVISORIES = (
    # GHSA-mrq5-74j5-f5cr
    Advisory(
        "CVE-2025-49832",
        Wording("a forged Identity header can crash Asterisk, or worse"),
        "res_stir_shaken",
        ((18, 26, 3), (20, 15, 1), (21, 10, 1), (22, 5, 1)),
    ),
    # AST-2022-001, AST-2022-002
    Advisory(
        "CVE-2022-26498 and -26499",
        Wording("a caller can make Asterisk fetch any file from any address"),
        "res_stir_shaken",
        ((16, 25, 2), (18, 11, 2), (19, 3, 2)),
    ),
)

# Modules by the effect of their absence: no call is screened, or an action is impossible. Asterisk 22 reports the
# module of each function (`core show function FILTER`); tests/integration/test_install.py checks it.
NEEDED: Mapping[str, str | Wording] = {
    "app_exec": "ExecIf, TryExec",
    "app_stack": "Gosub",
    "func_callerid": Wording("caller IDs"),
    "func_channel": "CHANNEL",
    "func_cut": "CUT",
    "func_db": Wording("the off switch"),
    "func_dialplan": "DIALPLAN_EXISTS",
    "func_env": "STAT",
    "func_logic": "IF",
    "func_module": "IFMODULE",
    "func_rand": "RAND",
    "func_strings": "FILTER",
    "func_timeout": Wording("TIMEOUT, which limits how long CallSieve may take"),
    "res_agi": "AGI",
}
WANTED: Mapping[str, str | Wording] = {
    "app_read": Wording("challenges: challenged calls are routed instead"),
    "app_playback": Wording("the answers to feature codes"),
    "app_record": Wording("asking callers for their name: callers are asked for a digit instead"),
    "func_hangupcause": Wording("distinguishing networks and machines from people on outbound calls"),
    "func_global": "GLOBAL",
    "func_groupcount": Wording("a limit on how many callers at once hear how to appeal"),
    "app_userevent": Wording("marking during a call"),
    "app_voicemail": Wording("routing to voicemail"),
    "res_pjsip_header_funcs": Wording("distinctive rings"),
}
OPTIONAL: Mapping[str, str | Wording] = {
    "app_mixmonitor": Wording("distinguishing robots from people by their voice"),
    "res_stir_shaken": Wording("attestation"),
}
# Voicemail is one of three modules, by where it keeps its messages.
ALTERNATIVES = {"app_voicemail": ("app_voicemail", "app_voicemail_imap", "app_voicemail_odbc")}

READS = frozenset({"call", "cdr", "user", "agent"})
SHELL = frozenset({"originate", "system", "command", "config", "all"})
LOGIN_SECONDS = 2.0

INSTALL = "callsieve asterisk install"
NO_LISTENER = Wording("the settings name no manager user: CallSieve cannot learn from how calls end")
ANOTHER = Wording("choose another `username` and `secret` in [ami]")
NO_WRITE = Wording("remove the `write =` line of the manager user: {command}", {"command": INSTALL})


def is_reachable(context: CheckContext) -> Finding:
    """Check that Asterisk answers and that its version is supported. Central consoles need no Asterisk."""
    try:
        version = context.version
    except NotAllowed:
        raise
    except ConsoleError as error:
        has_asterisk = (Path(context.loaded.settings.asterisk.etc) / "asterisk.conf").exists()
        if not has_asterisk and (organisation := context.central_organisation):
            return ok(
                Wording(
                    "Asterisk is not needed: this is the central console of {organisation}",
                    {"organisation": organisation},
                )
            )
        if not isinstance(error, NotRunning):
            return fail(str(error))
        remedy = Wording("{start}; if Asterisk ends again, read Asterisk's log", {"start": START_ASTERISK})
        return fail(Wording("Asterisk is not running: nothing answers on {file}", {"file": error.control}), remedy)
    if version is None:
        return unknown(Wording("Asterisk answers, but its version cannot be read"))
    if version.branch < OLDEST:
        return fail(
            Wording("{version} is too old", {"version": version.text}),
            Wording("update to {oldest} or later; 20 and 22 have long-term support", {"oldest": OLDEST}),
        )
    if version.branch not in RUN_BRANCHES:
        branches = ", ".join(map(str, RUN_BRANCHES))
        about: Places = {"version": version.text, "branches": branches}
        return ok(Wording("{version} (tested with {branches} only)", about))
    return ok(version.text)


def is_safe(context: CheckContext) -> Finding:
    """Check that the Asterisk modules that CallSieve uses have no known vulnerability."""
    version = context.version
    if version is None or version.certified:
        return unknown(
            Wording("CallSieve does not know which fixes this release has"),
            Wording("see Asterisk's security advisories"),
        )
    for advisory in ADVISORIES:
        if advisory.concerns(version):
            about: Places = {"name": advisory.name, "what": advisory.what, "module": advisory.module}
            remedy = Wording("update Asterisk, or write `noload = {module}.so` in modules.conf", about)
            if advisory.module in context.modules:
                return fail(Wording("{name}: {what}", about), remedy)
            return warn(Wording("{name}: {what}; {module} is not loaded", about), remedy)
    return ok(Wording("no known vulnerability in the modules that CallSieve uses"))


def has_modules(context: CheckContext) -> Finding:
    """Check that Asterisk has loaded the modules that CallSieve's dialplan needs."""
    loaded = context.modules
    for missing, judge in ((_missing(NEEDED, loaded), fail), (_missing(WANTED, loaded), warn)):
        if missing:
            named = [Wording("{name} ({purpose})", {"name": name, "purpose": what}) for name, what in missing.items()]
            load = Wording(
                'asterisk -rx "module load {module}.so"; if this fails, check modules.conf',
                {"module": next(iter(missing))},
            )
            return judge(Wording("missing: {modules}", {"modules": listed(named, "{some}, {more}")}), load)
    without = [
        Wording("{purpose} needs {name}, which is not loaded", {"name": name, "purpose": what})
        for name, what in _missing(OPTIONAL, loaded).items()
    ]
    needed = Wording("all {count} needed modules are loaded", {"count": len(NEEDED) + len(WANTED)})
    return ok(listed([needed, *without], "{some}; {more}"))


def _missing(wanted: Mapping[str, str | Wording], loaded: frozenset[str]) -> dict[str, str | Wording]:
    return {name: text for name, text in wanted.items() if not loaded & set(ALTERNATIVES.get(name, (name,)))}


def can_reject(context: CheckContext) -> Finding:
    """Check that Asterisk can reject calls with the SIP code that the settings of a trunk name."""
    if "info about application" in context.ask("core show application PJSIPHangup").lower():
        return ok(Wording("PJSIPHangup is available"))
    if "chan_pjsip" not in context.modules:
        return warn(Wording("chan_pjsip is not loaded: rejected calls get the nearest code that Hangup can send"))
    return warn(
        Wording(
            "Asterisk has no application PJSIPHangup: rejected calls get 403, 404 or 486, not the code that is "
            "set for the trunk"
        ),
        Wording("update to Asterisk 18.21, 20.6, 21.1 or later"),
    )


def is_on(context: CheckContext) -> Finding:
    """Check that nobody has switched screening off."""
    until = context.off_until
    if until is not None and until > context.now:
        return warn(Wording("screening is off {until}", {"until": until_words(until, context.now)}), "callsieve on")
    return ok(Wording("screening is on"))


def has_user(context: CheckContext) -> Finding:
    """Check that the manager user has exactly the needed rights, and that the file with its secret is private."""
    name = context.loaded.settings.ami.username
    if not name:
        return warn(NO_LISTENER, INSTALL)
    if not name.isprintable() or " " in name:
        return fail(Wording("`username` in [ami] contains spaces or control characters"), ANOTHER)
    permissions = permissions_in(context.ask(f"manager show user {name}"))
    if permissions is None:
        return fail(
            Wording("Asterisk has no manager user {user}", {"user": name}), f'{INSTALL}; asterisk -rx "manager reload"'
        )
    read, write = permissions
    if missing := READS - read:
        may_not: Places = {"user": name, "what": ", ".join(sorted(missing))}
        return fail(Wording("{user} may not read {what}", may_not), differs(INSTALL))
    path = context.place.manager
    if path.exists() and path.stat().st_mode & 0o007:
        return fail(Wording("other users may read the secret in {file}", {"file": str(path)}), f"chmod o= {path}")
    may: Places = {"user": name, "what": ", ".join(sorted(write))}
    if write & SHELL:
        return warn(Wording("{user} may write {what}: this permission is as powerful as a shell", may), NO_WRITE)
    if write:
        return warn(Wording("{user} may write {what}, which CallSieve does not need", may), NO_WRITE)
    return ok(Wording("{user} may read events, and has no write permission", {"user": name}))


def can_log_in(context: CheckContext) -> Finding:
    """Check that Asterisk accepts the manager user and secret in the settings."""
    ami = context.loaded.settings.ami
    if not ami.username:
        return warn(NO_LISTENER, INSTALL)
    if not (ami.username + ami.secret).isprintable():
        return fail(Wording("`username` or `secret` in [ami] contains control characters"), ANOTHER)
    where = f"{ami.host}:{ami.port}"
    login = f"Action: Login\r\nUsername: {ami.username}\r\nSecret: {ami.secret}\r\nEvents: off\r\n\r\n"
    began = time.monotonic()
    try:
        with closing(socket.create_connection((ami.host, ami.port), LOGIN_SECONDS)) as connection:
            connection.sendall(login.encode())
            answer = answer_on(connection, began + LOGIN_SECONDS, b"\r\n\r\n")
            connection.sendall(b"Action: Logoff\r\n\r\n")
    except TimeoutError:
        return fail(
            Wording("{where} does not answer within {seconds:.0f} s", {"where": where, "seconds": LOGIN_SECONDS}),
            Wording("check whether Asterisk is frozen"),
        )
    except OSError as error:
        if context.is_asterisk_down:
            return unknown(NOT_ASKED)
        remedy = Wording("if Asterisk is running: set `enabled = yes` and `port` in [general] of manager.conf")
        return fail(f"{where}: {error.strerror}", remedy)
    milliseconds = 1000 * (time.monotonic() - began)
    if b"Response: Success" in answer:
        return ok(
            Wording(
                "connected as {user} to {where} in {ms:.0f} ms",
                {"user": ami.username, "where": where, "ms": milliseconds},
            )
        )
    if b"Response: Error" in answer:
        remedy = Wording(
            "the secret in manager.d/callsieve.conf must be equal to the secret in [ami]: run {command}",
            {"command": INSTALL},
        )
        return fail(Wording("Asterisk refuses {user}", {"user": ami.username}), remedy)
    return unknown(Wording("the server on {where} is not Asterisk's manager interface", {"where": where}))
