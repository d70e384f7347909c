"""Users, units and confinement under real systemd: an older installation is upgraded, and its public page attacked.

The machine is that of test_first_contact.py; tests/integration/first_contact/trust.py says what is done in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.first_contact.trust import BACKEND, DAEMON, HELPER, PAGE, SEEN

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900.0
# Only root can mount the overlay.
pytestmark = [pytest.mark.root, pytest.mark.timeout(SECONDS + 60)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened, as first_contact/trust.py reports it."""
    alone = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
    drive = (sys.executable, "-m", "tests.integration.first_contact.trust", str(tmp_path_factory.mktemp("machine")))
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


def test_an_older_installation_is_upgraded(seen: dict[str, Any]) -> None:
    moved = seen["moved"]
    assert moved["old_is_red"] == "fail"
    assert moved["answers"]
    assert moved["users"] == {DAEMON: "callsieve", PAGE: PAGE, BACKEND: "callsieve", HELPER: "asterisk"}
    assert moved["owners"] == "callsieve asterisk"
    assert seen["doctor"]["public page"]["status"] != "fail"


def test_the_pages_user_is_only_in_its_own_group(seen: dict[str, Any]) -> None:
    assert seen["moved"]["groups"] == PAGE


def test_only_page_and_backend_open_their_socket(seen: dict[str, Any]) -> None:
    assert seen["moved"]["socket"] == "callsieve callsieve-public 660"
    said = seen["attacked"]["sockets"]["/run/callsieve-public/backend"]
    assert {user for user, outcome in said.items() if outcome == "opened"} == {PAGE, "callsieve"}


def test_an_attacker_in_the_public_page_gets_no_access(seen: dict[str, Any]) -> None:
    attacked = seen["attacked"]
    assert len(attacked["calls"]) > 50
    assert {name: said for name, said in attacked["calls"].items() if said != "EPERM"} == {}
    assert {name: said for name, said in attacked["files"].items() if said != "refused"} == {}
    assert attacked["answers"], "and it serves on"


def test_requests_of_the_pages_user_are_ignored(seen: dict[str, Any]) -> None:
    sockets = seen["attacked"]["sockets"]
    for path in ("/var/lib/callsieve/agi.sock", f"/run/{HELPER}/socket"):
        assert sockets[path][PAGE] == "PermissionError"
        assert sockets[path]["callsieve"] == "opened"
    assert seen["attacked"]["obeyed"] == {PAGE: False, "callsieve": True, "asterisk": True}


@pytest.mark.parametrize("killed", [PAGE, BACKEND])
def test_systemd_restarts_page_and_backend(seen: dict[str, Any], killed: str) -> None:
    assert seen["killed"][killed]


def test_the_backend_starts_and_stops_with_the_page(seen: dict[str, Any]) -> None:
    assert seen["killed"]["stopped"]
    assert seen["killed"]["started"]


def test_the_backend_answers_the_page(seen: dict[str, Any]) -> None:
    assert seen["moved"]["wrong_reference"] == "422"


def test_calls_are_screened_over_tcp_and_unix_socket(seen: dict[str, Any]) -> None:
    assert seen["over_tcp"]
    assert seen["over_unix"]
    assert seen["doctor"]["asks at"]["detail"].startswith("the dialplan uses the classic scripts")


def test_the_console_started_by_the_daemon_answers(seen: dict[str, Any]) -> None:
    assert seen["console"] == "303"


@pytest.mark.parametrize("unit", SEEN)
def test_asterisks_socket_stays_closed_after_its_restart(seen: dict[str, Any], unit: str) -> None:
    assert seen["asterisk_runs"]
    assert "systemd" in seen["run"][unit] or unit == HELPER
    assert "asterisk" not in seen["run"][unit]


def test_doctor_names_the_process_that_holds_a_port(seen: dict[str, Any]) -> None:
    assert "python3" in seen["holder"]
    assert "nobody" in seen["holder"]
    assert "nobody" in seen["holder_by_timer"], "the doctor's unit sees whose it is"
