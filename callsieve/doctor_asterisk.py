"""The doctor's checks of Asterisk itself: that it answers, and that it has and is what we need."""

from __future__ import annotations

from dataclasses import dataclass

from callsieve.asterisk_output import Version
from callsieve.console import ConsoleError, parse_off, until_words
from callsieve.examining import Finding, Ground, fail, ok, unknown, warn

OLDEST = 18
# Releases that CallSieve's own tests have made calls through. The others should do; nobody has seen them do it.
RUN_BRANCHES = (22,)


@dataclass(frozen=True, slots=True)
class Advisory:
    """A known hole in a module that we tell administrators to use. `fixed`: the first safe release of each branch.

    A branch without one is safe when it is newer than all of them, and stays as it is when it is not.
    """

    name: str
    what: str
    module: str
    fixed: tuple[tuple[int, ...], ...]

    def concerns(self, version: Version) -> bool:
        """Whether this release has the hole. Certified releases are not in the table: do not ask."""
        fix = next((fix for fix in self.fixed if fix[0] == version.branch), None)
        if fix is None:
            return version.branch < max(branch for branch, *_ in self.fixed)
        return version.numbers < fix


ADVISORIES = (
    # GHSA-mrq5-74j5-f5cr
    Advisory(
        "CVE-2025-49832",
        "a forged Identity header crashes Asterisk, or worse",
        "res_stir_shaken",
        ((18, 26, 3), (20, 15, 1), (21, 10, 1), (22, 5, 1)),
    ),
    # AST-2022-001, AST-2022-002
    Advisory(
        "CVE-2022-26498 and -26499",
        "a caller makes Asterisk fetch any file from any address",
        "res_stir_shaken",
        ((16, 25, 2), (18, 11, 2), (19, 3, 2)),
    ),
)

# Modules by what their absence means: no call is screened, or one action cannot be done. Which module provides what
# was asked of Asterisk 22 (`core show function FILTER`); tests/integration/test_install.py asks again.
NEEDED = {
    "app_exec": "ExecIf, TryExec",
    "app_stack": "Gosub",
    "func_callerid": "caller IDs",
    "func_channel": "CHANNEL",
    "func_cut": "CUT",
    "func_db": "the off switch",
    "func_dialplan": "DIALPLAN_EXISTS",
    "func_env": "STAT",
    "func_logic": "IF",
    "func_module": "IFMODULE",
    "func_rand": "RAND",
    "func_strings": "FILTER",
    "func_timeout": "TIMEOUT, which bounds us",
    "res_agi": "AGI",
}
WANTED = {
    "app_read": "challenges (they are routed instead)",
    "app_playback": "what feature codes say",
    "app_record": "asking callers for a name (a digit is asked for)",
    "func_groupcount": "a bound on how many callers hear how to appeal at once",
    "app_userevent": "marking during a call",
    "app_voicemail": "routing to voicemail",
    "res_pjsip_header_funcs": "distinctive rings",
}
OPTIONAL = {"res_stir_shaken": "attestation"}
# Voicemail is one of three modules, by where it keeps its messages.
ALTERNATIVES = {"app_voicemail": ("app_voicemail", "app_voicemail_imap", "app_voicemail_odbc")}


def is_reachable(ground: Ground) -> Finding:
    """Asterisk answers, and is a release that we know."""
    try:
        version = ground.version
    except ConsoleError as error:
        return fail(str(error))
    if version is None:
        return unknown("it answers, but not with a version")
    if version.branch < OLDEST:
        return fail(f"{version.text} is too old", f"update to {OLDEST} or later; 20 and 22 are supported for long")
    if version.branch not in RUN_BRANCHES:
        return ok(f"{version.text} (our own tests run {', '.join(map(str, RUN_BRANCHES))} only)")
    return ok(version.text)


def is_safe(ground: Ground) -> Finding:
    """No known hole in what we use."""
    version = ground.version
    if version is None or version.certified:
        return unknown("which fixes this release has is not known here", "see Asterisk's security advisories")
    for advisory in ADVISORIES:
        if advisory.concerns(version):
            way_out = f"update Asterisk, or `noload = {advisory.module}.so` in modules.conf"
            detail = f"{advisory.name}: {advisory.what}"
            loaded = advisory.module in ground.modules
            return fail(detail, way_out) if loaded else warn(f"{detail}; {advisory.module} is not loaded", way_out)
    return ok("none that concerns what we use")


def has_modules(ground: Ground) -> Finding:
    """The modules that our dialplan needs are there."""
    loaded = ground.modules
    for missing, judge in ((_missing(NEEDED, loaded), fail), (_missing(WANTED, loaded), warn)):
        if missing:
            what = ", ".join(f"{name} ({purpose})" for name, purpose in missing.items())
            return judge(f"missing: {what}", f'asterisk -rx "module load {next(iter(missing))}.so", see modules.conf')
    without = "".join(f"; without {name} there is no {purpose}" for name, purpose in _missing(OPTIONAL, loaded).items())
    return ok(f"all {len(NEEDED) + len(WANTED)} are there{without}")


def _missing(wanted: dict[str, str], loaded: frozenset[str]) -> dict[str, str]:
    return {name: text for name, text in wanted.items() if not loaded & set(ALTERNATIVES.get(name, (name,)))}


def can_reject(ground: Ground) -> Finding:
    """Rejected calls get the SIP code that the trunk is set to."""
    if "info about application" in ground.ask("core show application PJSIPHangup").lower():
        return ok("PJSIPHangup is there")
    if "chan_pjsip" not in ground.modules:
        return warn("there is no chan_pjsip: rejected calls get the nearest code that Hangup has")
    return warn(
        "no PJSIPHangup: rejected calls get 403, 404 or 486, not the trunk's own code",
        "it came with Asterisk 18.21, 20.6 and 21.1",
    )


def is_on(ground: Ground) -> Finding:
    """Screening is not switched off."""
    until = parse_off(ground.ask("database get callsieve off"))
    if until is not None and until > ground.now:
        return warn(f"screening is off {until_words(until, ground.now)}", "callsieve on")
    return ok("screening is on")
