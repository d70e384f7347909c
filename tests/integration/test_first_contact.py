"""The steps of docs/how-to/install.md on a stock Debian Asterisk with an office: every call is screened.

The machine is this one under an overlay, so nothing is installed here. A systemd boots in it and runs our units; see
tests/integration/first_contact/.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.first_contact.drive import DIDS, IAX_DID, IAX_TRUNK, UNKNOWN_DID, plain

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900.0
# Only root can mount the overlay.
pytestmark = [pytest.mark.root, pytest.mark.timeout(SECONDS + 60)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened, as first_contact/drive.py reports it."""
    alone = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
    drive = (sys.executable, "-m", "tests.integration.first_contact.drive", str(tmp_path_factory.mktemp("machine")))
    done = subprocess.run(
        (*alone, *drive),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_calls_are_answered_as_before_install(seen: dict[str, Any]) -> None:
    assert seen["before"] == {**dict.fromkeys(DIDS, 200), UNKNOWN_DID: 404}
    assert seen["after"] == seen["before"]


def test_every_call_is_screened(seen: dict[str, Any]) -> None:
    """One call to each DID by SIP and one by IAX2. A number that the office does not have is refused."""
    screened = {(plain(did), trunk) for did, trunk in seen["screened"]}
    assert screened == {*((plain(did), "PJSIP/carrier") for did in DIDS), (IAX_DID, IAX_TRUNK)}


def test_the_doctor_finds_no_fault(seen: dict[str, Any]) -> None:
    checks = seen["doctor"]
    assert {name: check for name, check in checks.items() if check["status"] in ("fail", "unknown")} == {}
    for name in ("Asterisk", "dialplan", "trunks", "DIDs", "asks at", "daemon", "manager login", "screened calls"):
        assert checks[name]["status"] == "ok", checks[name]


def test_people_and_dids_are_imported(seen: dict[str, Any]) -> None:
    said = seen["said"]["callsieve import people --from asterisk"]
    assert "Imported from asterisk: 2 people and 3 DIDs." in said
    assert "3 DIDs, 2 people" in seen["doctor"]["people"]["detail"]


def test_the_first_policy_is_observe(seen: dict[str, Any]) -> None:
    assert 'name = "observe"' in seen["settings"]
    assert "policy observe" in seen["log"]
    assert seen["findings"], "the timer's doctor stores what it finds"


def test_systemd_restarts_a_frozen_daemon(seen: dict[str, Any]) -> None:
    assert seen["restarts"] == 1


def test_enabled_units_run(seen: dict[str, Any]) -> None:
    running = {name for name, state in seen["running"].items() if state == "active"}
    assert {"callsieve.service", "callsieve-doctor.timer", "callsieve-events.service"} <= running
    assert {"callsieve-feeds.timer", "callsieve-watch.timer"} <= running


def test_uninstall_is_refused_while_trunks_use_it(seen: dict[str, Any]) -> None:
    assert "/etc/asterisk/pjsip.conf:" in seen["refused"]
    assert "/etc/asterisk/iax.conf:" in seen["refused"]
    assert 'asterisk -rx "module reload res_pjsip.so"' in seen["refused_by_asterisk"], "until Asterisk knows it too"


def test_uninstall_leaves_no_trace(seen: dict[str, Any]) -> None:
    assert seen["afterwards"] == seen["before"]
    assert seen["daemon_is_gone"]
    assert seen["units_left"] == {}
    assert seen["files_left"] == []
    assert "/var/lib/callsieve:" in seen["uninstalled"], "and says what stays"
