"""Install into a real Asterisk, call, switch off, run the doctor, and uninstall."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.doctor.asterisk import ALTERNATIVES, NEEDED, OPTIONAL, WANTED
from callsieve.doctor.checks import checks_of
from callsieve.install.plan import DIALPLAN_FILES, FREEPBX_FILES, asterisk_conf
from callsieve.main.capabilities import ALL
from callsieve.pbx.config_files import lines_of
from callsieve.settings import load_settings
from callsieve.status.views import screening_now
from lab import CallSpec, Carrier, Phone
from lab.asterisk import COMPLAINT
from reputation.store.database import open_store
from reputation.store.outcomes import outcomes
from tests.integration.bare import Office, bare_office
from tests.waiting import wait_until

BARE = """\
[from-carrier]
exten => _[+0-9].,1,Dial(PJSIP/201,20)

[from-internal]
exten => 112,1,Hangup()
"""
SCREENED = """\
[from-carrier]
exten => _[+0-9].,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})

[from-internal]
exten => 112,1,Gosub(callsieve-emergency,s,1)
 same => n,Hangup()
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with bare_office(BARE, tmp_path / "state") as office:
        yield office


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="fastagi"),
        pytest.param(["--classic"], id="classic"),
        pytest.param(["--freepbx"], id="freepbx"),
        pytest.param(["--no-ami", "--systemd"], id="systemd"),
    ],
)
def test_asterisk_loads_the_installed_files_without_warnings(office: Office, options: list[str]) -> None:
    if "--freepbx" in options:
        (office.etc / "extensions_custom.conf").write_text("")
        with (office.etc / "extensions.conf").open("a") as file:
            file.write("#include extensions_custom.conf\n")
        with (office.etc / "manager.conf").open("a") as file:
            file.write("#tryinclude manager_custom.conf\n")
    before = office.files()
    seen = len(office.asterisk.log_lines())

    said = office.install("--reload", *options)
    assert "has reloaded its dialplan" in said
    assert "nothing to change" in office.install(*options)
    complaints = [line for line in office.asterisk.log_lines()[seen:] if COMPLAINT.search(line)]
    assert complaints == []
    names = FREEPBX_FILES if "--freepbx" in options else DIALPLAN_FILES
    for name in names:
        for line in lines_of(Path(name), (asterisk_conf() / name).read_text()):
            if line.section not in (None, "globals"):
                assert f"Context '{line.section}'" in office.asterisk.cli(f"dialplan show {line.section}")
    user = office.asterisk.cli("manager show user callsieve")
    assert ("no manager" in user) if "--no-ami" in options else ("write perm: <none>" in user)

    office.uninstall("--reload")
    assert office.files() == before
    assert "no existence" in office.asterisk.cli("dialplan show callsieve")
    assert "no manager" in office.asterisk.cli("manager show user callsieve")


@pytest.mark.parametrize("options", [pytest.param([], id="fastagi"), pytest.param(["--classic"], id="classic")])
def test_calls_are_screened_once_the_trunk_uses_our_context(office: Office, options: list[str]) -> None:
    office.install("--reload", *options)
    office.write_dialplan(SCREENED)
    office.daemon.start()
    carrier = Carrier(office.asterisk)
    with Phone(office.asterisk, "201"):
        assert carrier.call(CallSpec(caller="+12015550100", did="+442071838750")).code == 200
    office.daemon.wait_for_log("call ")

    checks = office.doctor(code=0)
    assert {name: check for name, check in checks.items() if check["status"] not in ("ok", "warn")} == {}
    for name in ("dialplan", "trunks", "asks at", "phones", "emergency calls", "daemon", "classic socket", "store"):
        assert checks[name]["status"] == "ok", checks[name]
    assert checks["manager login"]["status"] == "ok", checks["manager login"]
    assert office.asterisk.warnings() == []

    said = office.uninstall("--reload", code=2)
    assert "would be lost" in said
    assert f"{office.etc}/extensions.conf:4" in said
    office.write_dialplan(BARE)
    office.uninstall("--reload")


@pytest.mark.timeout(300)  # a dozen commands, one after the other
def test_status_shows_whether_the_trunk_uses_our_context(office: Office) -> None:
    """At once for a user who may ask Asterisk. The console may not, so it does not show "on" until root has checked."""
    pjsip = office.etc / "pjsip.conf"

    def arrive_in(context: str) -> None:
        pjsip.write_text(re.sub(r"context = (callsieve-)?from-carrier", f"context = {context}", pjsip.read_text()))
        time_of_change = time.time()
        wait_until(lambda: time.time() > time_of_change + 3, "Asterisk counts whole seconds, and may answer late")
        office.asterisk.cli("module reload res_pjsip.so")
        shown = "pjsip show endpoint carrier"
        wait_until(lambda: f": {context}\n" in office.asterisk.cli(shown), "the reload")

    def states() -> tuple[str, str]:
        """Return the state for root and for the console."""
        as_root = json.loads(office.run("status", "--json", code=1))
        loaded = load_settings(office.daemon.config, environment=office.daemon.environment)
        return as_root["screening"], screening_now(lambda: loaded, checks_of(ALL)).state

    office.install("--reload", "--inbound", "from-carrier")
    trunks = office.doctor(code=1)["trunks"]
    assert "callsieve-from-carrier" in trunks["detail"]  # it is loaded; no trunk arrives there
    office.daemon.start()
    assert states() == ("not_connected", "not_connected")
    arrive_in("callsieve-from-carrier")
    assert states()[0] == "waiting"
    office.doctor(code=0)
    assert states() == ("waiting", "waiting")
    arrive_in("from-carrier")
    assert states() == ("not_connected", "unknown")
    office.doctor(code=1)
    assert states() == ("not_connected", "not_connected")


def test_the_off_switch_is_in_asterisks_database(office: Office) -> None:
    began = int(time.time())
    assert "Screening is off until " in office.run("off", "--for", "2h")
    found = re.search(r"Value: (\d+)", office.asterisk.cli("database get callsieve off"))
    assert found
    assert began + 7200 <= int(found[1]) <= time.time() + 7200
    office.run("off")
    assert "Value: 9999999999" in office.asterisk.cli("database get callsieve off")
    assert office.doctor(code=1)["off switch"]["status"] == "warn"
    assert "on again" in office.run("on")
    assert "not found" in office.asterisk.cli("database get callsieve off")
    assert "was on already" in office.run("on")
    assert "write it as 90s, 30m, 2h or 1d" in office.run("off", "--for", "soon", code=2)


def test_switching_screening_off_and_on_is_audited(office: Office) -> None:
    assert office.daemon.callsieve("db", "migrate").returncode == 0
    office.run("off", "--for", "2h")
    office.run("on")
    rows = json.loads(office.daemon.callsieve("audit", "--json").stdout)
    assert [(row["what"], row["name"]) for row in rows] == [("on", ""), ("off", "for 2h")]


def test_calls_ring_while_screening_is_off(office: Office) -> None:
    office.install("--reload", "--no-ami")
    office.write_dialplan(SCREENED)
    office.daemon.start()
    office.run("off")
    with Phone(office.asterisk, "201"):
        assert Carrier(office.asterisk).call(CallSpec(caller="+12015550100", did="+442071838750")).code == 200
        assert "from +" not in office.daemon.log.read_text()
        office.run("on")
        assert Carrier(office.asterisk).call(CallSpec(caller="+12015550100", did="+442071838750")).code == 200
    office.daemon.wait_for_log("call ")


def test_calls_during_off_are_not_reported_as_unscreened(office: Office) -> None:
    office.install("--reload")
    office.write_dialplan(SCREENED)
    office.daemon.start()
    office.daemon.wait_for_log("listening to Asterisk")
    spec = CallSpec(caller="+12015550100", did="+442071838750")
    with Phone(office.asterisk, "201"):
        for command in ("off", "on"):
            assert Carrier(office.asterisk).call(spec).code == 200
            office.run(command)
    with open_store(office.daemon.store) as db:
        wait_until(lambda: len(outcomes(db, number=spec.caller)) == 2, "the outcomes")
        db.execute("UPDATE outcome SET waits_since = NULL")  # as a minute later: no decision is on its way
        db.commit()
    assert office.doctor(code=0)["screened calls"]["status"] == "ok"


def test_switching_on_twice_is_not_audited(office: Office) -> None:
    assert office.daemon.callsieve("db", "migrate").returncode == 0
    office.run("on")
    assert json.loads(office.daemon.callsieve("audit", "--json").stdout) == []


def test_the_doctor_reports_only_a_missing_daemon(office: Office) -> None:
    office.install("--reload")
    office.write_dialplan(SCREENED)
    checks = office.doctor(code=1)
    assert [name for name, check in checks.items() if check["status"] == "fail"] == ["daemon"]
    assert "nothing answers" in checks["daemon"]["detail"]


def test_the_doctor_on_a_bare_asterisk_names_the_remedies(office: Office) -> None:
    checks = office.doctor(code=1)
    dialplan = [checks["dialplan"][key] for key in ("status", "detail", "remedy")]
    assert dialplan == ["fail", "not loaded", "callsieve asterisk install"]
    assert checks["control socket"]["status"] == "ok"
    assert checks["trunks"]["status"] == "fail"
    assert checks["manager user"]["remedy"] == "callsieve asterisk install"


def test_the_doctor_names_calls_that_would_be_lost(office: Office) -> None:
    office.write_dialplan(SCREENED)
    assert "LOST: from-carrier" in office.doctor(code=1)["dialplan"]["detail"]


def test_a_frozen_asterisk_and_daemon_do_not_hang_commands(office: Office) -> None:
    office.daemon.start()
    office.daemon.freeze()
    os.kill(office.asterisk.pid, signal.SIGSTOP)
    try:
        checks = office.doctor(code=1)
        said = office.run("off", code=2)
    finally:
        os.kill(office.asterisk.pid, signal.SIGCONT)
        office.daemon.thaw()
    assert "did not answer within 5 s" in checks["Asterisk"]["detail"]
    assert checks["modules"]["status"] == "unknown"
    assert "does not answer" in checks["daemon"]["detail"]
    [line] = said.splitlines()
    assert "not answer within 5 s" in line


def test_a_stopped_asterisk_gives_a_one_line_error(office: Office) -> None:
    office.asterisk.terminate()
    for command in (["off"], ["on"], ["off", "--for", "1h"]):
        (line,) = office.run(*command, code=2).splitlines()
        assert line.startswith("callsieve: Asterisk is not running")
        assert "systemctl start asterisk" in line


def test_the_doctor_reports_only_asterisk_while_it_is_down(office: Office) -> None:
    office.install("--reload")
    office.write_dialplan(SCREENED)
    office.daemon.start()
    office.daemon.wait_for_log("listening to Asterisk")
    office.asterisk.terminate()
    checks = office.doctor(code=1)
    assert [name for name, check in checks.items() if check["status"] == "fail"] == ["Asterisk"]
    assert "systemctl start asterisk" in checks["Asterisk"]["remedy"]
    assert [checks[name]["status"] for name in ("daemon", "manager login")] == ["ok", "unknown"], checks["daemon"]
    assert [check for check in checks.values() if "manager.conf" in f"{check['detail']}{check['remedy']}"] == []


def test_install_without_a_terminal_writes_nothing(office: Office) -> None:
    before = office.files()
    said = office.run("asterisk", "install", "--etc", str(office.etc), code=2)
    assert "callsieve: cannot ask: this is not a terminal" in said
    said = office.run("asterisk", "install", "--etc", str(office.etc), "--dry-run")
    assert '#include "callsieve.d/*.conf"' in said
    assert "nothing was written" in said
    assert office.files() == before


def test_install_and_uninstall_print_no_secret(office: Office) -> None:
    said = office.install()
    settings = office.daemon.config.read_text()
    found = re.search(r'secret = "([^"]+)"', settings)
    assert found
    assert len(found[1]) >= 32
    assert found[1] not in said
    assert found[1] not in office.uninstall()


def test_the_doctor_knows_every_module_that_our_dialplan_needs(office: Office) -> None:
    text = "\n".join(
        line.text for path in asterisk_conf().glob("*.conf") for line in lines_of(path, path.read_text("utf-8"))
    )
    functions = set(re.findall(r"(?:\$\{|Set\()([A-Z_]+)\(", text))
    functions |= set(re.findall(r",([A-Z_]+)\(\w+\)=", text)) | set(re.findall(r"\?([A-Z_]+)\([^?:]*:nothing", text))
    applications = set(re.findall(r"(?:,|[?(])([A-Z][A-Za-z]+)\((?!\w+\)=)", text)) - functions
    known = {*NEEDED, *WANTED, *OPTIONAL, *(name for names in ALTERNATIVES.values() for name in names)}
    missing = {}
    for kind, names in (("function", functions), ("application", applications)):
        for name in names:
            found = re.search(r"\[Provided By\]\s*\n(\S+)", office.asterisk.cli(f"core show {kind} {name}"))
            provider = found[1] if found else "unknown"
            if provider not in known and provider not in ("builtin", "chan_pjsip"):
                missing[name] = provider
    assert missing == {}
