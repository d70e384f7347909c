"""`callsieve alerts`: the rules for a person and for scripts, and a try that reaches their receivers."""

from __future__ import annotations

import time
from pathlib import Path

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

[[alert]]
name = "stopped"
event = "decision.taken"
when = {{ action = ["reject", "route"], level_at_least = "warn" }}
to = ["mail"]
quiet_hours = "0-24"
at_most = "3/h"
"""


@pytest.fixture
def callsieve(tmp_path: Path, unused_tcp_port: int) -> Program:
    return Program(tmp_path, SETTINGS + RULES.format(port=unused_tcp_port))


def test_the_rules_for_a_person(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = callsieve.ok("alerts", "list")
    assert "stopped  decision.taken  mail" in out
    assert "when action reject or route, level_at_least warn" in out


def test_what_was_told_and_kept_quiet(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    state = AlertState((time.time(),), 7, time.time())
    with open_store(callsieve.store) as db, transaction(db):
        set_state(db, "alert/stopped/mail", _encoded(state), time.time())
    assert "kept quiet since" in callsieve.ok("alerts", "list")
    (rule,) = callsieve("alerts", "list", "--json").json
    assert rule["to"]["mail"]["suppressed"] == 7
    assert rule["when"] == {"action": ["reject", "route"], "level_at_least": "warn"}


def _encoded(state: AlertState) -> str:
    import msgspec

    return msgspec.json.encode(state).decode()


def test_who_could_not_be_told_is_said(callsieve: Program) -> None:
    result = callsieve("alerts", "test", "stopped")
    assert result.code == 2
    assert result.out.startswith("mail: localhost: ")
    found = callsieve("alerts", "test", "stopped", "--json")
    assert (found.code, found.json[0]["delivered"]) == (2, False)


def test_a_rule_that_is_none(callsieve: Program, tmp_path: Path) -> None:
    assert "stopped" in callsieve.fails("alerts", "test", "stoped")
    folder = tmp_path / "other"
    folder.mkdir()
    assert "[[alert]]" in Program(folder).fails("alerts", "test", "x")
