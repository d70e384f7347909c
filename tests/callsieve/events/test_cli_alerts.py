"""`callsieve alerts`: the list of rules, and tests of their receivers."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from callsieve.events.alerts import AlertState
from reputation.store.database import open_store
from reputation.store.outbox import set_state
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.office import SETTINGS

RULES = """
[mail]
host = "localhost"
port = {port}
tls = "none"
from = "pbx@example.com"
to = ["office@example.com"]

[mqtt]
host = "localhost"
port = {port}

[[alert]]
name = "stopped"
event = "decision.taken"
when = {{ action = ["reject", "route"], level_at_least = "warn" }}
to = ["mail", "mqtt"]
quiet_hours = "0-24"
at_most = "3/h"
"""


@pytest.fixture
def callsieve(tmp_path: Path, unused_tcp_port: int) -> Program:
    return Program(tmp_path, SETTINGS + RULES.format(port=unused_tcp_port))


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_rules_are_listed(callsieve: Program, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = callsieve.ok("alerts", "list")
    assert "stopped  decision.taken  3/h" in out
    words = " ".join(out.split())
    assert "when action reject or route, level_at_least warn; to mail, mqtt; quiet hours 0-24" in words


def test_suppressed_alerts_are_listed(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    state = AlertState((time.time(),), 7, time.time())
    with open_store(callsieve.store) as db, transaction(db):
        set_state(db, "alert/stopped/mail", msgspec.json.encode(state).decode(), time.time())
    assert "suppressed since" in callsieve.ok("alerts", "list")
    (rule,) = callsieve("alerts", "list", "--json").json
    assert rule["to"]["mail"]["suppressed"] == 7
    assert rule["when"] == {"action": ["reject", "route"], "level_at_least": "warn"}


def test_failed_test_names_each_receiver(callsieve: Program) -> None:
    result = callsieve("alerts", "test", "stopped")
    assert result.code == 2
    mail, mqtt = result.out.splitlines()
    assert mail.startswith("mail: localhost: ")
    assert mqtt.startswith("mqtt: localhost: ")
    assert len(result.err.splitlines()) == 1
    found = callsieve("alerts", "test", "stopped", "--json")
    assert (found.code, found.json[0]["delivered"]) == (2, False)


def test_unknown_rule_is_refused(callsieve: Program, tmp_path: Path) -> None:
    assert "stopped" in callsieve.fails("alerts", "test", "stoped")
    folder = tmp_path / "other"
    folder.mkdir()
    assert "[[alert]]" in Program(folder).fails("alerts", "test", "x")
