"""`callsieve status`: whether calls are screened, with everything running and with each part broken."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callsieve.daemon.background import write_telemetry
from callsieve.doctor.routes import NO_CONTEXT, NO_NUMBER, NOT_CONNECTED
from callsieve.doctor.stored_findings import findings_of, store_findings
from callsieve.health import Check, CheckStatus
from callsieve.telemetry import FRESH_SECONDS, Listening, read_telemetry
from lab.daemon import Daemon
from reputation.encoding import instant_text
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.site import record_emergency
from reputation.wording import Wording
from tests.callsieve.daemon.test_telemetry import make_telemetry
from tests.callsieve.doctor.test_doctor_screening import add_call
from tests.callsieve.program import Program, Result, make_record
from tests.office import SETTINGS
from tests.waiting import wait_until

pytestmark = pytest.mark.slow  # each is a process of `callsieve status`, with whatever answers it

# Asterisk's console, with a database and the trunk's context in files beside it.
ASTERISK = """\
#!/bin/sh
front() { printf "[ Context 'callsieve-from-trunk' created by 'pbx_config' ]\\n"
printf "  '_X.' =>  1. Gosub(callsieve,s,1(x)) [x:1]\\n            2. Goto(from-trunk,1,1) [x:2]\\n"; }
other() { printf "[ Context '$1' created by 'pbx_config' ]\\n  '_X.' =>  1. Dial(PJSIP/201) [x:1]\\n"; }
case "$2" in
"core show version") echo "Asterisk 22.10.1 built by nobody" ;;
"pjsip show endpoint carrier") echo " context  : $(cat "$0.context" 2>/dev/null || echo callsieve-from-trunk)" ;;
"dialplan show") front; other from-trunk; other callsieve ;;
"dialplan show "*@callsieve-from-trunk) front ;;
"dialplan show "*@from-trunk) other from-trunk ;;
"database get callsieve off") cat "$0.off" 2>/dev/null || echo "Database entry not found." ;;
*) echo "Database entry not found." ;;
esac
"""
NO_ASTERISK = '#!/bin/sh\necho "Unable to connect to remote asterisk (does $0.ctl exist?)"\nexit 1\n'
KEYS = {
    *("version", "at", "screening", "screened", "well", "why", "since", "until", "confirmed_at", "policy"),
    *("last_call", "last_hour", "daemon", "listener", "trouble", "not_known", "settings"),
}


class StatusOffice(Program):
    """An office with an Asterisk that only answers its console; `daemon` is not started."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.asterisk = folder / "asterisk"
        self.settings = f'[asterisk]\ncommand = "{self.asterisk}"\n{settings}'
        self.daemon = Daemon(folder / "state", self.settings)
        super().__init__(folder, self.daemon.config.read_text())
        self.put_asterisk(ASTERISK)
        self.ok("db", "migrate")

    def put_asterisk(self, script: str) -> None:
        self.asterisk.write_text(script)
        self.asterisk.chmod(0o755)

    def status(self) -> tuple[int, Any]:
        """The exit code, and what is printed for scripts."""
        result = self("status", "--json")
        return result.code, result.json

    def add_call(self) -> None:
        """As if a call had been decided about a minute ago."""
        self.add_decisions(make_record("7KQ2M4XA", at=time.time() - 60, action="allow", would_be="allow"))

    def tell(self, **changed: Any) -> None:
        """As if a daemon had just said so."""
        now = time.time()
        told = make_telemetry(now)
        write_telemetry(self.state, msgspec.structs.replace(told, started_at=now - 900, **changed))


@pytest.fixture
def office(tmp_path: Path) -> StatusOffice:
    return StatusOffice(tmp_path)


@pytest.fixture
def running(office: StatusOffice) -> Iterator[StatusOffice]:
    """The same, and its daemon runs and has said how it is."""
    with office.daemon:
        wait_until(lambda: read_telemetry(office.state) is not None)
        yield office


def troubles(said: Any) -> dict[str, str]:
    return {check["name"]: check["status"] for check in said["trouble"]}


def test_status_while_calls_are_screened(running: StatusOffice) -> None:
    now = time.time()
    running.add_decisions(
        make_record("7KQ2M4XA", at=now - 30, action="tag", would_be="tag"),
        make_record("7KQ2M4XB", at=now - 90, action="allow", would_be="warn"),
        make_record("7KQ2M4XC", at=now - 120, action="tag", would_be="tag"),
        make_record("7KQ2M4XD", at=now - 5000, action="reject", would_be="reject"),
    )
    code, said = running.status()
    assert (code, said["screening"], said["screened"], said["well"]) == (0, "on", True, True)
    assert set(said) == KEYS
    assert said["policy"] == {"name": "cautious", "observing": False}
    assert (said["last_call"]["id"], said["last_call"]["action"]) == ("7KQ2M4XA", "tag")
    actions = {"allow": 0, "tag": 2, "warn": 1, "challenge": 0, "route": 0, "reject": 0}
    assert said["last_hour"] == {"calls": 3, "by_action": actions, "failed_open": 0}
    assert said["daemon"]["listen"] == f"127.0.0.1:{running.daemon.port}"
    assert said["since"] == said["daemon"]["started_at"]
    assert said["listener"] == {"configured": False, "connected": None, "trouble": ""}
    assert "fail" not in troubles(said).values()


@pytest.mark.parametrize("piped", [False, True])
def test_status_fits_one_screen(running: StatusOffice, monkeypatch: pytest.MonkeyPatch, piped: bool) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    now = time.time()
    running.add_decisions(
        *(make_record(f"7KQ2M4{n:02}", at=now - n, action="allow", would_be="allow") for n in range(60)),
        make_record("7KQ2M4XB", at=now - 90, action="tag", would_be="tag"),
    )
    said = running("status") if piped else running("status", typed="")
    printed = re.sub(r"\x1b\[[0-9;]*m", "", said.out).splitlines()
    assert len(printed) <= 24
    assert max(map(len, printed)) <= 80
    assert printed[0].startswith("screening")
    bars = {line.split()[0]: line.count("█") for line in printed if "█" in line}
    assert bars["allow"] > bars["tag"] > 0


def test_status_of_an_observing_policy(tmp_path: Path) -> None:
    office = StatusOffice(tmp_path, SETTINGS + '\n[policy]\nname = "observe"\n')
    with office.daemon:
        assert office.status()[1]["screening"] == "waiting"
        office.add_call()
        code, said = office.status()
    assert (code, said["screening"], said["screened"]) == (0, "observing", True)


def test_status_when_switched_off(running: StatusOffice) -> None:
    until = int(time.time()) + 7200
    (running.folder / "asterisk.off").write_text(f"Value: {until}\n")
    code, said = running.status()
    assert (code, said["screening"], said["screened"], said["until"]) == (1, "off", False, instant_text(until))
    (running.folder / "asterisk.off").write_text("Value: 9999999999\n")
    assert running.status()[1]["until"] is None


def test_status_in_the_emergency_window(running: StatusOffice) -> None:
    now = time.time()
    running.write(record_emergency, now - 60, "")
    code, said = running.status()
    assert (code, said["screening"], said["since"]) == (1, "emergency", instant_text(now - 60))
    assert said["until"] == instant_text(now - 60 + 7200)


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_status_without_a_daemon(office: StatusOffice, how: str) -> None:
    with office.daemon as daemon:
        wait_until(lambda: read_telemetry(office.state) is not None)
        daemon.freeze() if how == "frozen" else daemon.stop()
        code, said = office.status()
        if how == "frozen":
            daemon.thaw()
    told = read_telemetry(office.state)
    assert told is not None
    assert (code, said["screening"], said["screened"], troubles(said)["daemon"]) == (1, "down", False, "fail")
    assert said["since"] <= instant_text(told.at)
    assert said["policy"]["name"] == "cautious"


def test_status_without_asterisk(running: StatusOffice) -> None:
    running.put_asterisk(NO_ASTERISK)
    code, said = running.status()
    assert (code, said["screening"], troubles(said)["Asterisk"]) == (1, "down", "fail")


def test_asterisk_without_permission_is_unknown_not_trouble(running: StatusOffice) -> None:
    """What is not known is named; it is not taken for trouble."""
    running.put_asterisk("#!/bin/sh\necho 'sudo: a password is required'\nexit 1\n")
    running.add_call()
    _, said = running.status()
    assert "off switch" in [check["name"] for check in said["not_known"]]
    assert said["screening"] == "on"


@pytest.mark.parametrize(
    ("changed", "screening"),
    [
        pytest.param({"is_blind": True}, "failing", id="blind"),
        pytest.param(
            {"breaker_open": True, "trouble": "the store did not answer recent requests"}, "failing", id="store"
        ),
        pytest.param({"trouble": "AMI: connection refused"}, "on", id="ami"),
    ],
)
def test_status_follows_the_report_of_the_daemon(office: StatusOffice, changed: dict[str, Any], screening: str) -> None:
    office.add_call()
    with office.daemon:
        wait_until(lambda: read_telemetry(office.state) is not None)
        office.daemon.freeze()  # it says no more of itself
        office.tell(**changed)
        office.daemon.thaw()
        _, said = office.status()
    assert said["screening"] == screening


@pytest.mark.parametrize(
    ("age", "trouble", "connected"), [(0.01, "", None), (60.0, "", False), (0.01, "connection refused", False)]
)
def test_a_daemon_that_has_just_started_may_not_listen_yet(
    office: StatusOffice, age: float, trouble: str, connected: bool | None
) -> None:
    now = time.time()
    listening = Listening(False, trouble, 0, 0, 0, 0, 0.0, 0, 0, 0)
    told = msgspec.structs.replace(make_telemetry(now), started_at=now - age, listening=listening)
    write_telemetry(office.state, told)
    assert office.status()[1]["listener"]["connected"] is connected


def test_broken_settings_are_named_while_the_daemon_runs(running: StatusOffice) -> None:
    """The daemon goes on with the old ones, and the file, the line and the key are named."""
    running.config.write_text(running.daemon.config.read_text() + "\n[agi2]\nx = 1\n")
    running.tell()
    running.add_call()
    code, said = running.status()
    line = running.config.read_text().splitlines().index("[agi2]") + 1
    assert (code, said["screening"], troubles(said)["settings"]) == (1, "on", "fail")
    assert said["settings"]["error"].startswith(f"{running.config}: line {line}: agi2: unknown key")
    assert said["last_hour"]["calls"] == 1


def test_broken_settings_without_a_daemon(office: StatusOffice) -> None:
    office.config.write_text("[agi\n")
    write_telemetry(office.state, make_telemetry(time.time() - 2 * FRESH_SECONDS))
    result = office("status")
    assert result.code == 1
    assert str(office.config) in result.out


@pytest.mark.parametrize("damage", ["missing", "damaged", "older"])
def test_status_without_a_readable_store(office: StatusOffice, damage: str) -> None:
    if damage == "missing":
        office.store.unlink()
    elif damage == "damaged":
        office.store.write_bytes(b"no database" * 1000)
    else:
        with open_store(office.store, migrated=False) as db:
            db.execute("DROP TABLE migration")
    code, said = office.status()
    assert (code, said["last_hour"], said["last_call"]) == (1, None, None)
    assert "store" in troubles(said)


def test_status_when_calls_are_not_screened(running: StatusOffice) -> None:
    """The daemon is well and the listener hears calls, but no dialplan sends them here."""
    running.write(lambda db: add_call(db, time.time() - 600, decided=False))
    code, said = running.status()
    assert (code, said["well"], troubles(said)["screened calls"]) == (1, False, "fail")
    assert (said["screening"], said["screened"], said["last_call"]) == ("not_connected", False, None)
    assert said["why"] in " ".join(running("status").out.split())


def test_status_before_the_first_call(running: StatusOffice) -> None:
    code, said = running.status()
    assert (code, said["screening"], said["screened"], said["well"]) == (1, "waiting", None, False)
    running.add_call()
    assert running.status()[1]["screening"] == "on"


def test_unconnected_trunk_is_noticed_at_once(running: StatusOffice) -> None:
    """Whoever may ask Asterisk's console is not told what was so at the last call."""
    running.add_call()
    assert running.status()[1]["screening"] == "on"
    (running.folder / "asterisk.context").write_text("from-trunk\n")
    code, said = running.status()
    assert (code, said["screening"], said["screened"], said["confirmed_at"]) == (1, "not_connected", False, None)


class UnscreenedOffice(StatusOffice):
    """An office whose Asterisk our user may not ask, like the console's: root's doctor has asked it."""

    def __init__(self, folder: Path) -> None:
        etc = folder / "etc"
        etc.mkdir()
        super().__init__(folder, SETTINGS)
        self.config.write_text(self.config.read_text().replace("[asterisk]\n", f'[asterisk]\netc = "{etc}"\n'))
        self.put_asterisk("#!/bin/sh\necho 'sudo: a password is required'\nexit 1\n")
        self.trunks = etc / "pjsip.conf"

    def find(self, status: CheckStatus, detail: str | Wording, age: float) -> str:
        """As if root's doctor had made the check of the trunks so long ago; when that was."""
        at = time.time() - age
        checks = [Check("trunks", status, detail, "callsieve asterisk install", at)]
        store_findings(self.load().findings_path, findings_of(checks, at, at))
        return str(instant_text(at))


@pytest.fixture
def unscreened(tmp_path: Path) -> Iterator[UnscreenedOffice]:
    office = UnscreenedOffice(tmp_path)
    with office.daemon:
        wait_until(lambda: read_telemetry(office.state) is not None)
        yield office


@pytest.mark.root
@pytest.mark.parametrize(
    ("detail", "screening", "screened"),
    [
        *(
            (Wording(item, {"context": "callsieve"}), "not_connected", False)
            for item in sorted(NOT_CONNECTED - {NO_NUMBER})
        ),
        pytest.param(Wording(NO_NUMBER, {"numbers": "201"}), "not_connected", False, id="none"),
        pytest.param(
            Wording("calls to these numbers are NOT screened: {numbers}", {"numbers": "201"}), "on", None, id="some"
        ),
    ],
)
def test_status_of_trunks_that_are_not_screened(
    unscreened: UnscreenedOffice, detail: Wording, screening: str, screened: bool | None
) -> None:
    """A check that only warns counts as well: on FreePBX no call is screened until a trunk is connected."""
    unscreened.add_call()
    unscreened.find(CheckStatus.WARN if screening == "not_connected" else CheckStatus.FAIL, detail, age=0)
    code, said = unscreened.status()
    assert (code, said["screening"], said["screened"]) == (1, screening, screened)


@pytest.mark.root
def test_screened_call_overrides_an_older_finding(unscreened: UnscreenedOffice) -> None:
    unscreened.find(CheckStatus.FAIL, Wording(NO_CONTEXT), age=300)
    assert unscreened.status()[1]["screening"] == "not_connected"
    unscreened.add_call()  # a minute ago
    assert unscreened.status()[1]["screening"] == "on"


@pytest.mark.root
def test_a_good_finding_is_shown_with_its_age(unscreened: UnscreenedOffice) -> None:
    at = unscreened.find(CheckStatus.OK, "well", age=300)
    said = unscreened.status()[1]
    assert (said["screening"], said["confirmed_at"]) == ("waiting", at)


@pytest.mark.root
def test_a_change_of_the_trunks_ends_a_good_finding(unscreened: UnscreenedOffice) -> None:
    """Until the next call that comes through, or root's next look; a call that does not is the proof."""
    unscreened.add_call()
    unscreened.find(CheckStatus.OK, "well", age=300)
    assert unscreened.status()[1]["screening"] == "on"
    unscreened.trunks.write_text("[carrier]\ncontext = from-trunk\n")
    code, said = unscreened.status()
    assert (code, said["screening"], said["screened"]) == (1, "unknown", None)
    unscreened.write(lambda db: add_call(db, time.time(), decided=False))
    assert unscreened.status()[1]["screening"] == "not_connected"
    unscreened.find(CheckStatus.OK, "well", age=0)
    assert unscreened.status()[1]["screening"] == "on"


@pytest.mark.root
def test_screening_is_unknown_before_a_check_of_the_trunks(unscreened: UnscreenedOffice) -> None:
    assert unscreened.status()[1]["screening"] == "unknown"


@pytest.mark.root
def test_daemon_without_recent_report_is_down(office: StatusOffice) -> None:
    """For a user who may read its report and may not ask it, as the console's."""
    office.add_call()
    open_to_all(office)
    for age, screening in ((1.0, "on"), (FRESH_SECONDS + 1, "down")):
        write_telemetry(office.state, make_telemetry(time.time() - age))
        (office.state / "daemon.json").chmod(0o644)
        assert office.as_nobody("status", "--json").json["screening"] == screening


def test_calls_that_failed_open_are_counted(running: StatusOffice) -> None:
    late = make_record("7KQ2M4XA", at=time.time() - 60, action="allow", would_be="allow", rule="fail-open")
    running.write(record_decisions, [late])
    _, said = running.status()
    assert (said["last_hour"]["failed_open"], troubles(said)["fail-open"]) == (1, "warn")


@pytest.mark.root
def test_finding_of_root_counts_for_an_hour(unscreened: UnscreenedOffice) -> None:
    unscreened.add_call()
    for age, counts in ((60.0, True), (7200.0, False)):
        unscreened.find(CheckStatus.FAIL, "NOT screened: 201 from carrier", age)
        assert ("trunks" in troubles(unscreened.status()[1])) is counts
        assert ("check again with: callsieve doctor" in " ".join(unscreened("status").out.split())) is counts


def open_to_all(office: StatusOffice) -> None:
    office.config.chmod(0o644)
    office.state.chmod(0o755)
    for folder in (office.folder, *office.folder.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | 0o711)


@pytest.mark.root
def test_status_without_permission_says_so(running: StatusOffice) -> None:
    """And the daemon, which does not obey strangers, is not asked: it would count them as trouble."""
    open_to_all(running)
    running.state.chmod(0o700)
    result: Result = running.as_nobody("status", "--json")
    assert (result.code, result.json["screening"], result.json["screened"]) == (1, "unknown", None)
