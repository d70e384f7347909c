"""The doctor's checks with recorded output of Asterisk's console. A real Asterisk: tests/integration."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shlex
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agi.quoting import variables_in
from callsieve.changes.operation import Refused
from callsieve.doctor import asterisk, daemon, privacy
from callsieve.doctor import dialplan as doctor_dialplan
from callsieve.doctor.asterisk import ADVISORIES, NEEDED, WANTED
from callsieve.doctor.checks import checks_of, examine
from callsieve.doctor.cli.commands import show_checks
from callsieve.doctor.dialplan import has_hangup_option, pattern_takes
from callsieve.doctor.finding import FREEPBX_CONTEXT, CheckContext, Finding, HealthCheck
from callsieve.health import Check, CheckStatus
from callsieve.install.freepbx import OUTBOUND_HOOK, PHONE_HOOKS, TRUNK_CONTEXT
from callsieve.install.install import wrapper_text
from callsieve.install.plan import DIALPLAN_FILES, asked_for, packaged, packaged_dialplan
from callsieve.main.capabilities import ALL
from callsieve.maintenance import operations as store
from callsieve.pbx import cli_client
from callsieve.pbx.cli_client import (
    ConsoleError,
    NotRunning,
    console,
    database_del,
    database_get,
    database_put,
    off_until,
    until_words,
)
from callsieve.pbx.cli_output import (
    AsteriskVersion,
    DialplanStep,
    dialplan_in,
    endpoint_context_in,
    features_in,
    globals_in,
    modules_in,
    permissions_in,
    setting_in,
    version_in,
)
from callsieve.people import checks as people
from callsieve.policy.catalogue import policy_loads, takes_stopped_calls
from callsieve.settings import Loaded, Settings, parse_settings
from callsieve.switch.operations import seconds_of
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.backup import make_backup
from reputation.store.database import open_store
from reputation.store.hub.link import note_standing, set_link
from reputation.store.lists import add_entry
from reputation.store.transaction import transaction
from reputation.wording import Wording
from tests.office import CALLER

CHECKS = checks_of(ALL)
NOW = 1_790_000_000.0


# What Asterisk prints


@pytest.mark.parametrize(
    ("output", "version"),
    [
        (
            "Asterisk 22.10.1+dfsg+~cs6.17.60671434-1 built by nobody @ buildd on a unknown running Linux",
            AsteriskVersion("22.10.1", (22, 10, 1)),
        ),
        ("Asterisk 18.10.0~dfsg+~cs6.10.40431411-2 built by", AsteriskVersion("18.10.0", (18, 10, 0))),
        (
            "Asterisk certified/18.9-cert5 built by root @ x",
            AsteriskVersion("certified/18.9-cert5", (18, 9), certified=True),
        ),
        ("Asterisk certified-20.7-cert2 built by", AsteriskVersion("certified-20.7-cert2", (20, 7), certified=True)),
        ("Asterisk 20.7-cert2 built by", AsteriskVersion("20.7-cert2", (20, 7), certified=True)),
        ("Asterisk GIT-22-0a1b2c3M built by", AsteriskVersion("GIT-22", (22,))),
        ("No such command 'core show version'", None),
        ("", None),
    ],
)
def test_version_is_parsed(output: str, version: AsteriskVersion | None) -> None:
    assert version_in(output) == version


DIALPLAN = """\
[ Context 'from-carrier' created by 'pbx_config' ]
  '_[+0-9].' =>     1. Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})})) [extensions.conf:7]
                    2. Dial(PJSIP/201,30,${CALLSIEVE_DIAL})       [extensions.conf:8]
     [busy]         3. Busy()                                     [extensions.conf:9]
  'beep' (CID match '') =>  1. Answer()                                   [func_periodic_hook]

[ Context 'from-internal' created by 'pbx_config' ]
  '*37' =>          1. NoOp()                                     [extensions.conf:19]
  '201' =>          hint: PJSIP/201                               [extensions.conf:20]
  Include =>        'from-carrier'                                [pbx_config]
  Include =>        'office|9:00-17:00|mon-fri|*|*'               [pbx_config]

-= 6 extensions (6 priorities) in 2 contexts. =-
"""


def test_dialplan_is_parsed() -> None:
    dialplan = dialplan_in(DIALPLAN)
    assert dialplan.contexts == {"from-carrier", "from-internal"}
    assert dialplan.steps == (
        DialplanStep("from-carrier", "_[+0-9].", "Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))"),
        DialplanStep("from-carrier", "_[+0-9].", "Dial(PJSIP/201,30,${CALLSIEVE_DIAL})"),
        DialplanStep("from-carrier", "_[+0-9].", "Busy()"),
        DialplanStep("from-carrier", "beep", "Answer()"),
        DialplanStep("from-internal", "*37", "NoOp()"),
        DialplanStep("from-internal", "201", "PJSIP/201"),
    )
    assert dialplan.reached_from("from-internal") == {"from-internal", "from-carrier", "office"}


def test_mutual_includes_are_followed_once() -> None:
    dialplan = dialplan_in(
        "[ Context 'a' created by 'x' ]\n  Include => 'b' [x]\n[ Context 'b' created by 'x' ]\n  Include => 'a' [x]"
    )
    assert dialplan.reached_from("a") == {"a", "b"}


def test_missing_context_is_parsed() -> None:
    said = "There is no existence of 'callsieve' context\nCommand 'dialplan show callsieve' failed.\n"
    assert dialplan_in(said).contexts == frozenset()


def test_running_modules_are_parsed() -> None:
    said = (
        "Module                         Description                              Use Count  Status      Support Level\n"
        "acl                            Named ACL system                         2          Running              core\n"
        "app_read.so                    Read Variable Application                0          Running              core\n"
        "app_audiosocket.so             AudioSocket Application                  0          Not Running      extended\n"
        "3 modules loaded\n"
    )
    assert modules_in(said) == {"acl", "app_read"}


def test_feature_codes_are_parsed() -> None:
    said = (
        "Builtin Feature           Default Current\n"
        "---------------           ------- -------\n"
        "Pickup                    *8      *8     \n"
        "Attended Transfer                        \n"
        "Disconnect Call           *       *1     \n"
        "\nDynamic Feature           Default Current\n"
        "---------------           ------- -------\n"
        "mark                      no def  *37    \n"
    )
    assert features_in(said) == {"Pickup": "*8", "Disconnect Call": "*1", "mark": "*37"}


def test_other_console_outputs_are_parsed() -> None:
    settings = (
        "* Directories\n  AGI Scripts directory:       /usr/share/asterisk/agi bin\n  Cache directory:             \n"
    )
    assert setting_in(settings, "AGI Scripts directory") == "/usr/share/asterisk/agi bin"
    assert setting_in(settings, "Cache directory") is None
    assert globals_in("   A=b=c\n   D=\n\n    -- 2 variable(s)\n") == {"A": "b=c", "D": ""}
    assert (
        endpoint_context_in(" connected  : x\n context                            : from-carrier\n") == "from-carrier"
    )
    assert endpoint_context_in("Unable to find object carrier.\n") is None
    user = "          read perm: call,cdr,user\n         write perm: <none>\n"
    assert permissions_in(user) == (frozenset({"call", "cdr", "user"}), frozenset())
    assert permissions_in("There is no manager called x\n") is None


# The tables


@pytest.mark.parametrize(
    ("numbers", "concerned"),
    [
        ((18, 26, 2), ["CVE-2025-49832"]),
        ((18, 26, 3), []),
        ((18, 9), ["CVE-2025-49832", "CVE-2022-26498 and -26499"]),
        ((19, 8, 1), ["CVE-2025-49832"]),
        ((20, 15, 0), ["CVE-2025-49832"]),
        ((20, 15, 1), []),
        ((21, 10, 0), ["CVE-2025-49832"]),
        ((22, 5, 0), ["CVE-2025-49832"]),
        ((22, 5, 1), []),
        ((23, 0, 0), []),
    ],
)
def test_advisories_match_versions(numbers: tuple[int, ...], concerned: list[str]) -> None:
    version = AsteriskVersion(".".join(map(str, numbers)), numbers)
    assert [advisory.name for advisory in ADVISORIES if advisory.concerns(version)] == concerned


@pytest.mark.parametrize(
    ("pattern", "takes"),
    [
        ("_*3X", True),
        ("_*3[0-9]", True),
        ("_*.", True),
        ("_*3-7", True),
        ("_*37", True),
        ("_*4X", False),
        ("_X.", False),
        ("_*3", False),
        ("_.", False),
        ("_!", False),
        ("*37", False),
        ("_[9-0].", False),
    ],
)
def test_pattern_matches_a_feature_code(pattern: str, takes: bool) -> None:
    assert pattern_takes(pattern, "*37") is takes


@pytest.mark.parametrize(
    ("application", "hangs_up"),
    [
        ("Dial(PJSIP/201,30,hT)", True),
        ("Dial(PJSIP/201&PJSIP/202,,H)", True),
        ("Dial(PJSIP/201,30,tT)", False),
        ("Dial(PJSIP/201,30,b(hook^s^1)tU(h))", False),
        ("Dial(PJSIP/${FILTER(0-9,${EXTEN})},30,t)", False),
        ("Dial(PJSIP/201,30,${HIGH})", False),
        ("Dial(PJSIP/201)", False),
        ("Hangup()", False),
    ],
)
def test_hang_up_option_of_a_dial_is_found(application: str, hangs_up: bool) -> None:
    assert has_hangup_option(application) is hangs_up


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), (" 2H ", 7200), ("366d", 366 * 86400)],
)
def test_duration_is_parsed(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2x", "0s", "1.5h", "2h30m", "367d", "9999999d", "\uff12h"])
def test_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        seconds_of(text)
    assert (refused.value.code, refused.value.field) == ("bad-duration", "for")


def test_end_of_the_off_switch_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert str(until_words(1_790_000_000, NOW)) == "until 2026-09-21 14:13 UTC"
    assert "switched on" in str(until_words(9_999_999_999, NOW))
    monkeypatch.undo()
    time.tzset()


def test_variables_of_the_daemon_are_parsed() -> None:
    said = b'SET VARIABLE CALLSIEVE_RULE "status"\nSET VARIABLE CALLSIEVE_REASON "say \\"no\\" \\\\ \xff"\nSET VAR'
    assert variables_in(said) == {"CALLSIEVE_RULE": "status", "CALLSIEVE_REASON": 'say "no" \\ �'}


# Findings


ANSWERS = {
    "core show version": "Asterisk 22.10.1 built by nobody",
    "core show settings": "  Configuration directory:     {etc}\n  AGI Scripts directory:       {etc}/agi-bin\n"
    "  Run/Sockets directory:       {etc}/run\n",
    "module show": "\n".join(f"{name}.so  x  0  Running  core" for name in (*NEEDED, *WANTED)),
    "core show application PJSIPHangup": "  -= Info about application 'PJSIPHangup' =- \n",
    "database get callsieve off": "Database entry not found.\n",
    "database get callsieve emergency": "Database entry not found.\n",
    "dialplan show": "",
    "dialplan show globals": "",
    "features show": "",
    "pjsip show endpoints": "No objects found.\n",
    "pjsip show endpoint carrier": " context   : from-carrier\n",
    "voicemail show users": "",
    "manager show user callsieve": "  read perm: call,cdr,user,agent\n write perm: <none>\n",
}
OURS = "".join(
    f"[ Context '{name}' created by 'pbx_config' ]\n  's' =>  1. Return() [callsieve.conf:1]\n"
    for name in sorted({line[1:].split("]")[0] for line in packaged_dialplan().splitlines() if line[:1] == "["})
)
ASKING = (
    "[ Context 'callsieve' created by 'pbx_config' ]\n"
    "  's' =>  1. AGI(${CALLSIEVE_AGI}${IF($[${LEN(${CALLSIEVE_AGI})} > 0]?:agi://127.0.0.1:4578)}/screen,did=)"
    " [callsieve.conf:1]\n"
)
TRUNK = '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"\n'
SECOND = '[[trunk]]\nname = "second"\nchannels = "PJSIP/second-*"\n'
TWO_TRUNKS = {"pjsip show endpoints": "   Identify:  carrier/carrier\n   Identify:  second/second\n"}
DESK = '[[person]]\nextension = "203"\nendpoint = "PJSIP/second"\n'
ANN = '[[person]]\nextension = "201"\n'
MANAGER = '[ami]\nusername = "callsieve"\nsecret = "s"\n'


def make_check_context(
    tmp_path: Path, answers: Mapping[str, str] | None = None, settings: str = "", file: Path | None = None
) -> CheckContext:
    said = {**ANSWERS, **(answers or {})}

    def ask(command: str) -> str:
        return said[command].replace("{etc}", str(tmp_path / "etc"))

    loaded = Loaded(settings=parse_settings(settings, "test"), file=file, state=tmp_path / "state")
    return CheckContext(loaded, ask, NOW)


def dialplan_with(*steps: str, context: str = "from-carrier", more: str = "") -> dict[str, str]:
    lines = "\n".join(f"  '_X.' =>  1. {step} [extensions.conf:1]" for step in steps)
    return {"dialplan show": f"{OURS}[ Context '{context}' created by 'pbx_config' ]\n{lines}\n{more}"}


CODES_IN_USE = "[ Context 'from-internal' created by 'x' ]\n  Include => 'callsieve-codes' [x]\n"
GOSUB = "Gosub(callsieve,s,1(${FILTER(0-9,${EXTEN})}))"


def freepbx_dialplan(*contexts: str) -> str:
    """Return contexts that screen every dialled number, like ours for FreePBX's trunks."""
    step = f"  '_[0-9A-Za-z+*#].' => 1. {GOSUB} [x:1]\n"
    return "".join(f"[ Context '{context}' created by 'pbx_config' ]\n{step}" for context in contexts)


FREEPBX_SHOWN = {"dialplan show": freepbx_dialplan(FREEPBX_CONTEXT)}


def step_of(context: str, application: str) -> str:
    """A context with one step, as the console shows it."""
    return f"[ Context '{context}' created by 'x' ]\n  's' => 1. {application} [x:1]\n"


def freepbx_hooks(last: str = f"Gosub({PHONE_HOOKS[-1].asks},s,1)") -> str:
    """Return FreePBX's hooks before Dials to phones; `last` is the application of the last hook."""
    asking = [step_of(hook.context, f"Gosub({hook.asks},s,1)") for hook in PHONE_HOOKS[:-1]]
    return "".join([*asking, step_of(PHONE_HOOKS[-1].context, last)])


LabelCheck = Callable[[CheckContext], Finding]


@pytest.mark.parametrize(
    ("look", "answers", "settings", "status", "words"),
    [
        pytest.param(asterisk.is_reachable, {}, "", "ok", "22.10.1", id="22"),
        pytest.param(
            asterisk.is_reachable,
            {"core show version": "Asterisk 20.15.1 x"},
            "",
            "ok",
            "tested with",
            id="not-run",
        ),
        pytest.param(asterisk.is_reachable, {"core show version": "Asterisk 16.2 x"}, "", "fail", "too old", id="16"),
        pytest.param(asterisk.is_reachable, {"core show version": "eh?"}, "", "unknown", "version", id="no-version"),
        pytest.param(asterisk.is_safe, {}, "", "ok", "no known vulnerability", id="safe"),
        pytest.param(
            asterisk.is_safe,
            {"core show version": "Asterisk 22.5.0 x"},
            "",
            "warn",
            "not loaded",
            id="hole-closed",
        ),
        pytest.param(
            asterisk.is_safe,
            {"core show version": "Asterisk 22.5.0 x", "module show": "res_stir_shaken.so x 0 Running core"},
            "",
            "fail",
            "CVE-2025-49832",
            id="hole-open",
        ),
        pytest.param(
            asterisk.is_safe,
            {"core show version": "Asterisk 20.7-cert2 x"},
            "",
            "unknown",
            "fixes",
            id="certified",
        ),
        pytest.param(asterisk.has_modules, {}, "", "ok", "needs res_stir_shaken", id="modules"),
        pytest.param(
            asterisk.has_modules,
            {"module show": ANSWERS["module show"].replace("func_db.so", "x.so")},
            "",
            "fail",
            "func_db",
            id="module-missing",
        ),
        pytest.param(
            asterisk.has_modules,
            {"module show": ANSWERS["module show"].replace("app_read.so", "x.so")},
            "",
            "warn",
            "challenges",
            id="module-wanted",
        ),
        pytest.param(
            asterisk.has_modules,
            {"module show": ANSWERS["module show"].replace("app_voicemail.so", "app_voicemail_odbc.so")},
            "",
            "ok",
            "all",
            id="another-voicemail",
        ),
        pytest.param(asterisk.can_reject, {}, "", "ok", "PJSIPHangup", id="reject"),
        pytest.param(
            asterisk.can_reject,
            {
                "core show application PJSIPHangup": "Your application(s) is (are) not registered\n",
                "module show": "chan_pjsip.so x 0 Running core",
            },
            "",
            "warn",
            "403, 404 or 486",
            id="reject-otherwise",
        ),
        pytest.param(asterisk.is_on, {}, "", "ok", "on", id="on"),
        pytest.param(
            asterisk.is_on,
            {"database get callsieve off": "Value: 9999999999\n"},
            "",
            "warn",
            "off until",
            id="off",
        ),
        pytest.param(
            asterisk.is_on, {"database get callsieve off": "Value: 1789999999\n"}, "", "ok", "on", id="off-was"
        ),
        pytest.param(doctor_dialplan.is_loaded, {}, "", "fail", "not loaded", id="not-loaded"),
        pytest.param(
            doctor_dialplan.is_loaded,
            {"dialplan show": f"[ Context 'x' created by 'y' ]\n  's' => 1. {GOSUB} [z:1]"},
            "",
            "fail",
            "LOST: x",
            id="calls-are-lost",
        ),
        pytest.param(
            doctor_dialplan.is_loaded, dialplan_with(GOSUB), "", "warn", "no file contains them", id="loaded-once"
        ),
        pytest.param(
            doctor_dialplan.queries_this_daemon,
            {"dialplan show": ASKING},
            "",
            "ok",
            "agi://127.0.0.1:4578",
            id="asks-us",
        ),
        pytest.param(
            doctor_dialplan.queries_this_daemon,
            {"dialplan show": ASKING},
            '[agi]\nlisten = "127.0.0.1:4600"',
            "fail",
            "127.0.0.1:4600",
            id="asks-elsewhere",
        ),
        pytest.param(
            doctor_dialplan.queries_this_daemon,
            {"dialplan show": ASKING, "dialplan show globals": "   CALLSIEVE_AGI=agi://127.0.0.1:4600\n"},
            '[agi]\nlisten = "127.0.0.1:4600"',
            "ok",
            "4600",
            id="a-global-wins",
        ),
        pytest.param(
            doctor_dialplan.queries_this_daemon,
            {"dialplan show globals": "   CALLSIEVE_AGI=agi://127.0.0.1\n"},
            "",
            "fail",
            "agi://127.0.0.1",
            id="asterisks-own-port",
        ),
        pytest.param(
            doctor_dialplan.queries_this_daemon,
            {"dialplan show globals": "   CALLSIEVE_AGI=callsieve-agi\n"},
            "",
            "fail",
            "callsieve-agi/callee",
            id="no-classic-script",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            dialplan_with(GOSUB, "Dial(PJSIP/201,30,${CALLSIEVE_DIAL})"),
            "",
            "ok",
            "Dial",
            id="dial-options",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            dialplan_with(GOSUB, "Dial(PJSIP/201)"),
            "",
            "warn",
            "no Dial",
            id="bare-dial",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            {"dialplan show": freepbx_dialplan(TRUNK_CONTEXT) + freepbx_hooks()},
            "",
            "ok",
            "FreePBX asks CallSieve",
            id="freepbx",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            {"dialplan show": freepbx_dialplan(TRUNK_CONTEXT, "from-pstn-custom") + freepbx_hooks()},
            "",
            "ok",
            "FreePBX asks CallSieve",
            id="freepbx-and-an-own-line",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            {"dialplan show": freepbx_dialplan(TRUNK_CONTEXT) + freepbx_hooks(last="Return()")},
            "",
            "warn",
            "does not ask CallSieve in macro-dial-hunt-predial-hook",
            id="freepbx-with-an-empty-hook",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            {"dialplan show": freepbx_dialplan(TRUNK_CONTEXT) + freepbx_hooks(last="AGI(theirs.php)")},
            "",
            "warn",
            "uses macro-dial-hunt-predial-hook: ",
            id="freepbx-with-a-foreign-hook",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            {
                "dialplan show": freepbx_dialplan(TRUNK_CONTEXT)
                + step_of("outrt-1", "Macro(dialout-trunk,1,${EXTEN},,off)")
            },
            "",
            "warn",
            "uses Macro()",
            id="freepbx-16",
        ),
        pytest.param(
            doctor_dialplan.has_our_dial_options,
            {"dialplan show": freepbx_dialplan("func-apply-sipheaders", "from-pstn-custom")},
            "",
            "warn",
            "FreePBX",
            id="freepbx-with-the-plain-files",
        ),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {"dialplan show": CODES_IN_USE + freepbx_dialplan("from-trunk-callsieve")},
            "",
            "ok",
            "*37, *38, *39 are free",
            id="own-trunk-context-does-not-clash",
        ),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {
                "dialplan show": CODES_IN_USE
                + "[ Context 'trunk-dial-with-exten' created by 'x' ]\n  '_*X.' => 1. Dial(x) [x:1]\n"
            },
            "",
            "ok",
            "*37, *38, *39 are free",
            id="outbound-context-of-freepbx-does-not-clash",
        ),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {
                "dialplan show": CODES_IN_USE
                + "[ Context 'park-dial' created by 'x' ]\n  '_[0-9a-zA-Z*#].' => 1. NoOp() [x:1]\n"
            },
            "",
            "ok",
            "*37, *38, *39 are free",
            id="parking-context-of-freepbx-does-not-clash",
        ),
        pytest.param(
            doctor_dialplan.reports_emergencies,
            dialplan_with("Gosub(callsieve-emergency,s,1)"),
            "",
            "ok",
            "suspends screening",
            id="emergency",
        ),
        pytest.param(
            doctor_dialplan.reports_emergencies, {}, "", "warn", "does not report emergency", id="no-emergency"
        ),
        pytest.param(doctor_dialplan.has_free_codes, {}, "", "ok", "*37, *38, *39 are free", id="codes"),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {"features show": "record    *1      *37    \n", "dialplan show": CODES_IN_USE},
            "",
            "warn",
            "*37 is already used for record",
            id="builtin-feature-code",
        ),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {"features show": "record    *1      *37    \n"},
            "",
            "ok",
            "*37 is already used for record",
            id="code-not-reachable-from-phones",
        ),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {"dialplan show": CODES_IN_USE + "[ Context 'x' created by 'y' ]\n  '_*3X' => 1. NoOp() [z:1]"},
            "",
            "warn",
            "*33 is already used as _*3X in x",
            id="pattern-matches-a-code",
        ),
        pytest.param(
            doctor_dialplan.has_free_codes,
            {"features show": "Disconnect Call   *   *   \n", **dialplan_with("Dial(PJSIP/1,,H)")},
            "",
            "warn",
            "during a call Disconnect Call (*)",
            id="code-that-hangs-up",
        ),
        pytest.param(asterisk.has_user, {}, "", "warn", "no manager user", id="no-manager"),
        pytest.param(asterisk.has_user, {}, MANAGER, "ok", "may read events", id="manager"),
        pytest.param(
            asterisk.has_user,
            {"manager show user callsieve": "There is no manager called callsieve\n"},
            MANAGER,
            "fail",
            "manager user callsieve",
            id="manager-missing",
        ),
        pytest.param(
            asterisk.has_user,
            {"manager show user callsieve": " read perm: call\n write perm: <none>\n"},
            MANAGER,
            "fail",
            "agent, cdr, user",
            id="manager-deaf",
        ),
        pytest.param(
            asterisk.has_user,
            {"manager show user callsieve": " read perm: call,cdr,user,agent\n write perm: all,originate\n"},
            MANAGER,
            "warn",
            "as powerful as a shell",
            id="manager-mighty",
        ),
        pytest.param(
            asterisk.has_user,
            {"manager show user callsieve": " read perm: call,cdr,user,agent\n write perm: reporting\n"},
            MANAGER,
            "warn",
            "may write reporting",
            id="older-manager-file",
        ),
        pytest.param(policy_loads, {}, "", "ok", "cautious", id="policy"),
        pytest.param(policy_loads, {}, '[policy]\nname = "observe"', "ok", "changes no call", id="observing"),
        pytest.param(policy_loads, {}, '[policy]\nname = "mine"', "fail", "mine", id="no-policy"),
        pytest.param(store.store_opens, {}, "", "warn", "does not exist yet", id="no-store"),
        pytest.param(store.has_backup, {}, "", "warn", "no backup yet", id="no-backup"),
        pytest.param(people.knows_us, {}, "", "warn", "0 trunks", id="no-people"),
        pytest.param(people.knows_us, {}, MANAGER, "warn", "guessed", id="no-people-but-learning"),
        pytest.param(people.knows_us, {}, f"{MANAGER}{ANN}", "warn", "authenticated", id="people-alone"),
        pytest.param(
            people.knows_us, FREEPBX_SHOWN, f"{MANAGER}{ANN}", "ok", "1 person", id="freepbx-knows-its-trunks"
        ),
        pytest.param(people.knows_us, {}, TRUNK, "ok", "0 DIDs", id="a-trunk"),
        pytest.param(people.knows_us, TWO_TRUNKS, TRUNK, "warn", "PJSIP/second", id="another-trunk-is-not-described"),
        pytest.param(people.knows_us, TWO_TRUNKS, f"{TRUNK}{SECOND}", "ok", "2 trunks", id="both-trunks-are"),
        pytest.param(people.knows_us, TWO_TRUNKS, f"{TRUNK}{DESK}", "ok", "1 person", id="a-phone-by-its-address"),
    ],
)
def test_findings_follow_the_output_of_asterisk(
    tmp_path: Path, look: LabelCheck, answers: Mapping[str, str], settings: str, status: str, words: str
) -> None:
    finding = look(make_check_context(tmp_path, answers, settings))
    assert (finding.status, words in str(finding.detail)) == (status, True), finding
    if status in ("warn", "fail"):
        assert finding.remedy or look is asterisk.is_reachable


@pytest.mark.parametrize(
    ("is_central", "has_asterisk", "status"),
    [
        pytest.param(True, False, "ok", id="central-console"),
        pytest.param(True, True, "fail", id="central-pbx-is-down"),
        pytest.param(False, False, "fail", id="pbx-is-gone"),
    ],
)
def test_only_a_central_console_needs_no_asterisk(
    tmp_path: Path, is_central: bool, has_asterisk: bool, status: str
) -> None:
    def nobody(_command: str) -> str:
        raise NotRunning("/run/asterisk/asterisk.ctl")

    etc = tmp_path / "etc"
    etc.mkdir()
    if has_asterisk:
        (etc / "asterisk.conf").touch()
    context = make_check_context(tmp_path, settings=f'[asterisk]\netc = "{etc}"')
    context.console = nobody
    context.loaded.state.mkdir()
    with open_store(context.loaded.store_path) as db, transaction(db):
        set_link(db, "center", "main", "hub")
        note_standing(db, 0, has_twin=False, is_central=is_central)
    assert asterisk.is_reachable(context).status == status


def test_classic_scripts_are_checked(tmp_path: Path) -> None:
    context = make_check_context(tmp_path, {"dialplan show globals": "   CALLSIEVE_AGI=callsieve-agi\n"})
    directory = tmp_path / "etc" / "agi-bin" / "callsieve-agi"
    directory.mkdir(parents=True)
    scripts = [directory / name for name in asked_for(packaged_dialplan())]
    for script in scripts:
        script.write_text(wrapper_text(Path(sys.executable), Path("/relay.py"), context.loaded.socket_path))
        script.chmod(0o755)
    assert doctor_dialplan.queries_this_daemon(context).status is CheckStatus.OK
    scripts[0].write_text("#!/bin/sh\nexec python relay.py /elsewhere/agi.sock\n")
    assert "does not connect to" in str(doctor_dialplan.queries_this_daemon(context).detail)
    scripts[0].chmod(0o644)
    assert "may not run it" in str(doctor_dialplan.queries_this_daemon(context).detail)


def test_unix_socket_is_checked(tmp_path: Path) -> None:
    context = make_check_context(tmp_path)
    path = context.loaded.socket_path
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert "nothing answers" in str(daemon.socket_answers(context).detail)
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'SET VARIABLE CALLSIEVE_RULE "status"\n')
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        finding = daemon.socket_answers(context)
        thread.join()
    assert finding.status is CheckStatus.OK
    assert str(finding.detail).startswith(f"{path}, ")


def test_full_disk_and_old_damaged_store_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = make_check_context(tmp_path)
    with open_store(context.loaded.store_path):
        pass
    usage = shutil.disk_usage(tmp_path)
    for free, status in (
        (10 << 20, CheckStatus.FAIL),
        ((50 << 20) + 4096, CheckStatus.WARN),
        (1 << 30, CheckStatus.OK),
    ):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: usage._replace(free=free))
        assert store.store_opens(context).status is status
    (context.loaded.state / "callsieve.db.damaged-20260921T141320").touch()
    assert "damaged" in str(store.store_opens(context).detail)


def test_failed_check_is_unknown(tmp_path: Path) -> None:
    def refuse(_context: CheckContext) -> Finding:
        raise PermissionError(13, "Permission denied", "/etc/asterisk/x")

    (check,) = examine([HealthCheck(place=0, name="x", find=refuse)], make_check_context(tmp_path))
    assert (check.status, str(check.detail).split()[-1]) == (CheckStatus.UNKNOWN, "/etc/asterisk/x")


def test_output_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    settings = f'[agi]\nlisten = "127.0.0.1:{closed}"\n{MANAGER}port = {closed}\n'
    show_checks(list(examine(CHECKS, make_check_context(tmp_path, settings=settings))), show_all=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["fail", "trunks"] for line in lines)
    assert any(line.strip() == "→ callsieve asterisk install" for line in lines)
    assert lines[-1].startswith("4 to fix, ")


def test_remedy_is_one_line_off_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    command = f"chmod o-w /etc/{'callsieve/' * 12}callsieve.toml"
    show_checks([Check("settings", CheckStatus.FAIL, "others may change it", command)], show_all=False)
    assert capsys.readouterr().out.splitlines()[1].strip() == f"→ {command}"


def test_worst_finding_is_first_and_causes_are_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    checks = [
        Check("store", CheckStatus.OK, "fine"),
        Check("login", CheckStatus.WARN, "no manager user", "make one"),
        Check("daemon", CheckStatus.FAIL, "does not answer", "start it"),
        Check("user", CheckStatus.WARN, "no manager user", "make one"),
        Check("feeds", CheckStatus.OK, "none"),
    ]
    show_checks(checks, show_all=False)
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line[:4] in ("fail", "warn", "ok  ")] == [
        "fail",
        "warn",
        "ok",
    ]
    assert said.count("no manager user") == 1
    assert "store, feeds" in said
    show_checks(checks, show_all=True)
    assert "fine" in capsys.readouterr().out


def test_checks_without_asterisk_share_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def refuse(_command: str) -> str:
        raise ConsoleError("it is not there")

    show_checks(
        list(examine(CHECKS, CheckContext(Loaded(settings=Settings(), file=None, state=tmp_path), refuse, NOW))),
        show_all=True,
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split(maxsplit=2) == ["fail", "Asterisk", "it is not there"]
    assert any(line.startswith("unknown not asked") for line in lines)
    assert sum("not asked" in line for line in lines) == 1
    assert not any("could not be queried" in line for line in lines)


def test_dialplan_of_another_version_is_reported(tmp_path: Path) -> None:
    directory = tmp_path / "etc" / "callsieve.d"
    directory.mkdir(parents=True)
    for name in DIALPLAN_FILES:
        (directory / name).write_text(packaged(name).replace("127.0.0.1:4578", "127.0.0.1:4600"))
    context = make_check_context(tmp_path, dialplan_with(GOSUB))
    assert doctor_dialplan.is_loaded(context).status is CheckStatus.OK
    hook = directory / OUTBOUND_HOOK.file
    hook.write_text(packaged(hook.name) + "; of an older version\n")
    assert f"{hook} belongs to another" in str(doctor_dialplan.is_loaded(context).detail)
    with (directory / "callsieve.conf").open("a") as file:
        file.write("; edited\n")
    assert "callsieve.conf" in str(doctor_dialplan.is_loaded(context).detail)


NO_BOXES = {"voicemail show users": "No such command 'voicemail show users'"}
ANNS_BOX = {
    "voicemail show users": "Context    Mbox  User                      Zone       NewMsg\n"
    "default    201   Ann                                       0\nother      202   Bob       0\n"
}
ANNS_DID = '[[did]]\nnumber = "+442071838751"\ncallee = "201"\n'
SALES_DID = '[[did]]\nnumber = "+442071838750"\ngroup = "sales"\n'
FAX = '[[did]]\nnumber = "+442071838752"\nscreen = false\n'
ROUTED = '[actions]\nroute = "box,s,1"\n'
BOX = {
    "dialplan show s@box": "[ Context 'box' created by 'pbx_config' ]\n  's' =>  1. VoiceMail(1) [extensions.conf:1]\n"
}
NO_SUCH_BOX = {"dialplan show s@box": "There is no existence of 's@box' extension\n"}


@pytest.mark.parametrize(
    ("answers", "settings", "status", "words"),
    [
        pytest.param({}, '[policy]\nname = "observe"\n', "ok", "no active policy", id="observes"),
        pytest.param(NO_BOXES, "", "warn", "no [[did]]", id="no-did-is-known"),
        pytest.param(NO_BOXES, ANNS_DID, "warn", "+442071838751", id="no-voicemail"),
        pytest.param(ANNS_BOX, ANNS_DID + FAX, "ok", "each [[did]]", id="everybody-has-a-box"),
        pytest.param(ANNS_BOX, ANNS_DID + SALES_DID, "warn", "+442071838750", id="group-without-voicemail"),
        pytest.param(ANNS_BOX, ANNS_DID.replace("201", "202"), "warn", "+442071838751", id="a-box-elsewhere"),
        pytest.param(BOX, ROUTED, "ok", "box,s,1", id="a-route"),
        pytest.param(NO_SUCH_BOX, ROUTED, "warn", "box,s,1", id="missing-route"),
    ],
)
def test_destination_of_stopped_calls_is_checked(
    tmp_path: Path, answers: dict[str, str], settings: str, status: str, words: str
) -> None:
    finding = takes_stopped_calls(make_check_context(tmp_path, answers, settings))
    assert finding.status == status
    assert words in str(finding.detail)


@pytest.mark.parametrize(
    ("policy", "action", "expires_at", "status"),
    [
        pytest.param("lists", "route", None, "warn", id="routes"),
        pytest.param("lists", "challenge", NOW + 60, "warn", id="challenges"),
        pytest.param("lists", "route", NOW - 60, "ok", id="expired"),
        pytest.param("lists", None, None, "ok", id="rejects"),
        pytest.param("observe", "route", None, "ok", id="observes"),
    ],
)
def test_destination_of_blocklisted_calls_is_checked(
    tmp_path: Path, policy: str, action: str | None, expires_at: float | None, status: str
) -> None:
    context = make_check_context(tmp_path, NO_BOXES, f'[policy]\nname = "{policy}"\n')
    (tmp_path / "state" / "policies").mkdir(parents=True)
    (tmp_path / "state" / "policies" / "lists.toml").write_text('default = "allow"\n')
    with open_store(context.loaded.store_path) as db, transaction(db):
        add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, CALLER, action=action, expires_at=expires_at))
    assert takes_stopped_calls(context).status == status


@pytest.mark.parametrize("settings", [MANAGER, '[agi]\nkey = "0123456789abcdef"\n'])
@pytest.mark.parametrize(
    ("mode", "status"),
    [(0o640, CheckStatus.OK), (0o644, CheckStatus.FAIL), (0o642, CheckStatus.FAIL), (0o600, CheckStatus.OK)],
)
def test_secret_readable_by_others_fails(tmp_path: Path, mode: int, status: CheckStatus, settings: str) -> None:
    file = tmp_path / "callsieve.toml"
    file.write_text(settings)
    file.chmod(mode)
    finding = privacy.settings_are_private(make_check_context(tmp_path, settings=settings, file=file))
    assert finding.status is status
    assert "secret = " not in str(finding.detail)


def test_reference_to_a_secret_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "callsieve.toml"
    file.write_text('[[webhook]]\nname = "crm"\nurl = "https://crm.example.com"\nsecret = "env:CRM"\n')
    file.chmod(0o644)
    assert privacy.settings_are_private(make_check_context(tmp_path, file=file)).status is CheckStatus.OK


@pytest.mark.root
@pytest.mark.parametrize(
    ("group", "mode", "status"),
    [(0, 0o640, CheckStatus.FAIL), (1, 0o600, CheckStatus.FAIL), (1, 0o640, CheckStatus.OK)],
)
def test_settings_must_be_readable_by_the_service(tmp_path: Path, group: int, mode: int, status: CheckStatus) -> None:
    folder = tmp_path / "callsieve"
    folder.mkdir()
    file = folder / "callsieve.toml"
    file.write_text(MANAGER)
    os.chown(file, 0, group)
    file.chmod(mode)
    (tmp_path / "callsieve.service").write_text(
        f"[Service]\nUser={pwd.getpwuid(1).pw_name}\nGroup={grp.getgrgid(1).gr_name}\n"
    )
    context = make_check_context(tmp_path, settings=MANAGER, file=file)
    context.place = replace(context.place, units=tmp_path)
    finding = privacy.settings_are_private(context)
    assert finding.status is status
    assert (f"chgrp {grp.getgrgid(1).gr_name} {file}" in str(finding.remedy)) == (status is CheckStatus.FAIL)


@pytest.mark.root
@pytest.mark.parametrize(
    ("owner", "mode", "status"),
    [(0, 0o640, CheckStatus.OK), (0, 0o660, CheckStatus.FAIL), (1, 0o640, CheckStatus.FAIL)],
)
@pytest.mark.parametrize("changed", ["callsieve", "callsieve/callsieve.toml"])
def test_settings_must_not_be_writable_by_the_service(
    tmp_path: Path, owner: int, mode: int, status: CheckStatus, changed: str
) -> None:
    """Root runs `[asterisk] command`: whoever changes it is root within ten minutes, by the doctor's timer."""
    file = tmp_path / "callsieve" / "callsieve.toml"
    file.parent.mkdir()
    file.write_text(MANAGER)
    file.chmod(0o640)
    (tmp_path / changed).chmod(mode | 0o110 * (changed == "callsieve"))
    for path in (file, file.parent):
        os.chown(path, 0, 1)
    os.chown(tmp_path / changed, owner, 1)
    (tmp_path / "callsieve.service").write_text(
        f"[Service]\nUser={pwd.getpwuid(1).pw_name}\nGroup={grp.getgrgid(1).gr_name}\n"
    )
    context = make_check_context(tmp_path, settings=MANAGER, file=file)
    context.place = replace(context.place, units=tmp_path)
    finding = privacy.settings_are_private(context)
    assert finding.status is status
    assert (f"chown root {file.parent} {file}" in str(finding.remedy)) == (status is CheckStatus.FAIL)


def test_store_is_checked(tmp_path: Path) -> None:
    context = make_check_context(tmp_path)
    path = context.loaded.store_path
    with open_store(path):
        assert store.store_opens(context).status is CheckStatus.OK
    backup = make_backup(path, NOW)
    os.utime(backup, (NOW - 3600, NOW - 3600))
    assert str(store.has_backup(context).detail) == "backups: 1, the last 1 h old"
    os.utime(backup, (NOW - 5 * 86400, NOW - 5 * 86400))
    assert store.has_backup(context).status is CheckStatus.WARN
    with open_store(path, migrated=False) as db:
        db.execute("DROP TABLE migration")
    assert "older version" in str(store.store_opens(context).detail)
    path.write_bytes(b"no store at all, but a letter to my aunt" * 100)
    assert store.store_opens(context).status is CheckStatus.FAIL


# Bounds


@contextmanager
def answering_server(answer: bytes | None) -> Iterator[int]:
    """Serve `answer` on loopback and close; None: accept and send nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                if answer is None:
                    done.wait(10)
                else:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    done.wait(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param("ActiveState=activating\nSubState=auto-restart", daemon.STATUS, id="restart loop"),
        pytest.param("ActiveState=failed\nSubState=failed", daemon.STATUS, id="given up"),
        pytest.param("ActiveState=inactive\nSubState=dead", daemon.start_remedy(), id="stopped"),
    ],
)
def test_service_in_a_restart_loop_has_its_own_remedy(
    tmp_path: Path, state: str, says: str | Wording, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f"#!/bin/sh\necho '{state}'\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = daemon.daemon_answers(make_check_context(tmp_path, settings=f'[agi]\nlisten = "127.0.0.1:{port}"'))
    assert (found.status, found.remedy) == (CheckStatus.FAIL, says)


@pytest.mark.parametrize("shown", [pytest.param({}, id="asterisk"), pytest.param(FREEPBX_SHOWN, id="freepbx")])
def test_freepbx_advice_is_only_for_freepbx(tmp_path: Path, shown: dict[str, str]) -> None:
    answers = CODES_IN_USE + step_of("from-internal", "NoOp()").replace("'s'", "'*37'")
    context = make_check_context(tmp_path, {"dialplan show": answers + shown.get("dialplan show", "")})
    remedies = [str(doctor_dialplan.has_free_codes(context).remedy), context.take_over]
    assert ["Admin > Feature Codes" in remedies[0], "freepbx" in remedies[1]] == [bool(shown)] * 2


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        pytest.param(b'SET VARIABLE CALLSIEVE_RULE "status"\n', CheckStatus.OK, " ms", id="well"),
        pytest.param(
            b'SET VARIABLE CALLSIEVE_RULE "status"\nSET VARIABLE CALLSIEVE_REASON "no store"\n',
            CheckStatus.WARN,
            "no store",
            id="trouble",
        ),
        pytest.param(
            b'SET VARIABLE CALLSIEVE_RULE "fail-open"\nSET VARIABLE CALLSIEVE_REASON "too many calls"\n',
            CheckStatus.WARN,
            "too many calls",
            id="fail-open",
        ),
        pytest.param(b"220 mail.example ESMTP\r\n", CheckStatus.FAIL, "is not CallSieve", id="foreign-server"),
        pytest.param(b"", CheckStatus.FAIL, "is not CallSieve", id="no-answer"),
        pytest.param(None, CheckStatus.FAIL, "does not answer", id="frozen"),
    ],
)
def test_answers_of_the_daemon_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, status: CheckStatus, words: str
) -> None:
    monkeypatch.setattr(daemon, "STATUS_SECONDS", 0.3 if answer is None else 5.0)
    with answering_server(answer) as port:
        context = make_check_context(tmp_path, settings=f'[agi]\nlisten = "127.0.0.1:{port}"')
        finding = daemon.daemon_answers(context)
    assert (finding.status, words in str(finding.detail)) == (status, True), finding


def test_foreign_server_on_the_port_gets_no_complete_request(tmp_path: Path) -> None:
    """FreePBX's FastAGI server runs a script after a complete header block, and dies of an unknown one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    heard.append(data)

        thread = threading.Thread(target=listen)
        thread.start()
        context = make_check_context(tmp_path, settings=f'[agi]\nlisten = "127.0.0.1:{server.getsockname()[1]}"')
        finding = daemon.daemon_answers(context)
        thread.join(20)
    assert finding.status is CheckStatus.FAIL
    assert f"pid {os.getpid()}" in str(finding.detail)
    assert heard
    assert b"\n\n" not in b"".join(heard)


def test_missing_daemon_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    context = make_check_context(tmp_path, settings=f'[agi]\nlisten = "127.0.0.1:{port}"')
    assert "nothing answers" in str(daemon.daemon_answers(context).detail)
    assert "does not exist" in str(daemon.socket_answers(context).detail)


def test_remedy_before_the_installation_is_to_install(tmp_path: Path) -> None:
    assert "asterisk install" in str(daemon.start_remedy([tmp_path]))
    (tmp_path / "callsieve.service").write_text("")
    assert str(daemon.start_remedy([tmp_path])).startswith("systemctl start callsieve")


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: x\r\n\r\n", CheckStatus.OK, "as callsieve"),
        (b"Asterisk Call Manager/11.0.0\r\nResponse: Error\r\n\r\n", CheckStatus.FAIL, "refuses callsieve"),
        (b"220 mail.example ESMTP\r\n", CheckStatus.UNKNOWN, "not Asterisk"),
        (None, CheckStatus.FAIL, "does not answer"),
    ],
)
def test_manager_login_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, status: CheckStatus, words: str
) -> None:
    monkeypatch.setattr(asterisk, "LOGIN_SECONDS", 0.3 if answer is None else 5.0)
    with answering_server(answer) as port:
        finding = asterisk.can_log_in(make_check_context(tmp_path, settings=f"{MANAGER}port = {port}\n"))
    assert (finding.status, words in str(finding.detail)) == (status, True), finding


def test_unresponsive_asterisk_is_queried_once(tmp_path: Path) -> None:
    asked = []

    def ask(command: str) -> str:
        asked.append(command)
        raise ConsoleError("Asterisk did not answer within 5 s")

    context = CheckContext(Loaded(settings=Settings(), file=None, state=tmp_path), ask, NOW)
    checks = list(examine(CHECKS, context))
    assert len(asked) == 1
    assert [check.name for check in checks] == [check.name for check in CHECKS]
    assert (checks[0].status, str(checks[0].detail).endswith("5 s")) == (CheckStatus.FAIL, True)
    assert {check.status for check in checks[1:9]} == {CheckStatus.UNKNOWN}
    json.dumps([check.status for check in checks])


# The console


def settings_for(script: str, tmp_path: Path) -> Settings:
    """Settings whose Asterisk is a Python script."""
    path = tmp_path / "asterisk.py"
    path.write_text(script)
    command = shlex.join([sys.executable, "-I", "-S", str(path)])
    return parse_settings(f"[asterisk]\ncommand = {json.dumps(command)}\n", "test")


ASTDB = """\
import pathlib, sys
file = pathlib.Path(__file__).with_suffix(".db")
verb, family, key, *value = sys.argv[2].split()[1:]
assert family == "callsieve"
if verb == "put":
    file.write_text(value[0])
    print("Updated database successfully")
elif verb == "get":
    print(f"Value: {file.read_text()}" if file.exists() else "Database entry not found.")
elif file.exists():
    file.unlink()
    print("Database entry removed.")
else:
    print("Database entry could not be removed.")
"""


def test_astdb_keys_are_written_and_deleted(tmp_path: Path) -> None:
    settings = settings_for(ASTDB, tmp_path)
    assert database_get(settings, "off") is None
    assert database_del(settings, "off") is False
    database_put(settings, "off", "1790000000")
    assert (database_get(settings, "off"), off_until(settings)) == ("1790000000", 1790000000)
    assert database_del(settings, "off") is True
    assert off_until(settings) is None


def test_failed_astdb_write_is_an_error(tmp_path: Path) -> None:
    settings = settings_for("print('Value: something else')", tmp_path)
    with pytest.raises(ConsoleError, match="store callsieve/off"):
        database_put(settings, "off", "1")
    with pytest.raises(ConsoleError, match="delete callsieve/off"):
        database_del(settings, "off")


def test_console_output_is_plain_text(tmp_path: Path) -> None:
    script = r"import sys; sys.stdout.buffer.write(b'\x1b[1;32mgreen\x1b[0m \xff ' + sys.argv[2].encode() + b'\r\n')"
    assert console(settings_for(script, tmp_path), "core show x") == "green � core show x\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param(
            "print('Unable to connect to remote asterisk (does /run/x exist?)'); raise SystemExit(1)",
            "Asterisk is not running: nothing answers on /run/x: systemctl start asterisk",
            id="not-running",
        ),
        pytest.param("print('sudo: a password is required'); raise SystemExit(1)", "exit code 1: sudo: a", id="sudo"),
        pytest.param("raise SystemExit(3)", "exit code 3: no output", id="silent"),
        pytest.param("import time; time.sleep(60)", "did not answer within", id="frozen"),
        pytest.param("import os, time; os.close(1); os.close(2); time.sleep(60)", "did not answer within", id="mute"),
        pytest.param("while True: print('x' * 65536)", "longer than", id="endless"),
    ],
)
def test_failing_console_raises_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: str
) -> None:
    monkeypatch.setattr(cli_client, "CONSOLE_SECONDS", 0.5 if "sleep" in script else 5.0)
    monkeypatch.setattr(cli_client, "OUTPUT_LIMIT", 1 << 20)
    began = time.monotonic()
    with pytest.raises(ConsoleError, match=error) as caught:
        console(settings_for(script, tmp_path), "core show version")
    assert time.monotonic() - began < 50
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("/nonsense/asterisk", "not found"),
        ("asterisk 'x", "has an error"),
        ("", "is empty"),
        ("/etc/passwd", "Permission denied"),
    ],
)
def test_invalid_asterisk_command_is_an_error(command: str, error: str) -> None:
    settings = parse_settings(f"[asterisk]\ncommand = {json.dumps(command)}\n", "test")
    with pytest.raises(ConsoleError, match=error):
        console(settings, "core show version")


def test_console_commands_cannot_be_injected() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="one line"):
        console(settings, "core show version\ncore stop now")
    for key, value in (("off on", "1"), ("off", "1 2"), ("off", ""), ("", "1"), ("off", "1\n")):
        with pytest.raises(ValueError, match="AstDB"):
            database_put(settings, key, value)
