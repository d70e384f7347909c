"""The window after an emergency call, by the command line: opened and closed by hand, whoever knows of it."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest

from callsieve.doctor.stored_findings import Findings, read_findings
from callsieve.health import CheckStatus
from callsieve.settings import load_settings
from reputation.store.database import open_store
from reputation.store.site import record_emergency
from tests.callsieve.doctor.test_doctor import ASTDB
from tests.callsieve.program import Program
from tests.office import CALLER, SETTINGS


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """Asterisk's database is the file `asterisk.db`."""
    script = tmp_path / "asterisk.py"
    script.write_text(f"import sys\nif not sys.argv[2].startswith('database'): raise SystemExit\n{ASTDB}")
    command = shlex.join([sys.executable, "-I", "-S", str(script)])
    return Program(tmp_path, f"{SETTINGS}\n[asterisk]\ncommand = {json.dumps(command)}\n")


def rule_of(callsieve: Program) -> str:
    """The rule of a call from a blocked number: by the store, as `policy explain` sees it."""
    rule = callsieve("policy", "explain", "--caller", CALLER, "--json").json["rule"]
    assert isinstance(rule, str)
    return rule


def is_open(callsieve: Program) -> bool:
    """What `emergency status` says."""
    told = callsieve("emergency", "status", "--json").json["open"]
    assert isinstance(told, bool)
    return told


def test_window_opened_by_hand_is_closed(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", CALLER)
    callsieve.ok("emergency", "open")
    status = callsieve("emergency", "status", "--json").json
    assert (status["open"], status["opened_by"]) == (True, "joe")
    assert rule_of(callsieve) == "emergency-window"
    assert "None" not in callsieve("emergency", "status").out
    callsieve.ok("emergency", "close")
    assert (rule_of(callsieve), is_open(callsieve)) == ("blocklist", False)
    last = callsieve("audit", "--json").json[0]
    assert (last["what"], last["who"]) == ("emergency close", "joe")
    callsieve.ok("emergency", "close")  # closed twice is closed
    callsieve.ok("emergency", "open")
    assert (rule_of(callsieve), is_open(callsieve)) == ("emergency-window", True)


def test_window_known_only_to_astdb_is_closed(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    kept = callsieve.folder / "asterisk.db"
    kept.write_text(f"{time.time() - 600:.0f}")
    assert is_open(callsieve)
    callsieve.ok("emergency", "close")
    assert not is_open(callsieve)
    assert kept.exists()  # nothing has to be deleted there: a service may not
    kept.write_text(f"{time.time() + 1:.0f}")  # somebody calls an emergency number again
    assert is_open(callsieve)


def test_emergency_call_dated_in_the_future_is_removed(callsieve: Program) -> None:
    (callsieve.folder / "asterisk.db").write_text(f"{time.time() + 1800:.0f}")
    callsieve.ok("emergency", "close")
    assert not is_open(callsieve)


def test_emergency_call_recorded_late_does_not_reopen_the_window(callsieve: Program) -> None:
    before = time.time() - 60
    callsieve.ok("emergency", "close")
    with open_store(callsieve.store) as db:
        record_emergency(db, before)
    assert not is_open(callsieve)


@pytest.mark.parametrize("by", ["hand", "asterisk", "nobody"])
def test_doctor_reports_the_open_window(callsieve: Program, by: str) -> None:
    callsieve.ok("emergency", "open" if by == "hand" else "close")
    if by == "asterisk":
        (callsieve.folder / "asterisk.db").write_text(f"{time.time() + 1:.0f}")
    [check] = [item for item in callsieve("doctor", "--json").json if item["name"] == "emergency window"]
    told = ("ok", "") if by == "nobody" else ("warn", "callsieve emergency close")
    assert (check["status"], check["remedy"]) == told
    assert ("joe" in check["detail"]) == (by == "hand")


def test_findings_stored_by_root_are_updated(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    callsieve("doctor")
    for command, status in (("open", CheckStatus.WARN), ("close", CheckStatus.OK)):
        callsieve.ok("emergency", command)
        stored = read_findings(load_settings(callsieve.config, callsieve.environment).findings_path)
        assert isinstance(stored, Findings)
        assert [check.status for check in stored.checks if check.name == "emergency window"] == [status]
