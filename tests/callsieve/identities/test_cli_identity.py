"""`callsieve identity`: who a number belongs to."""

from __future__ import annotations

import shlex
import time

import pytest

from tests.callsieve.program import Program, at_of
from tests.office import CALLER

NOTE = "register 4711, called back on the number of its web site"


def test_an_identity_lasts_twelve_months(callsieve: Program) -> None:
    out = callsieve.ok("identity", "add", "201-742-1834", "--name", "Acme Ltd", "--level", "1")
    assert "Acme Ltd, level 1" in out
    [identity] = callsieve("identity", "show", "--json").json
    assert at_of(identity["expires_at"]) == pytest.approx(time.time() + 365 * 86400, abs=60)


def test_level_2_shows_its_proof(callsieve: Program) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "2", "--note", NOTE)
    assert NOTE in callsieve.ok("identity", "show", CALLER)


def test_previous_owner_is_shown(callsieve: Program) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1")
    assert "Previous owner: Acme, level 1" in callsieve.ok("identity", "add", CALLER, "--name", "Apex", "--level", "1")
    assert [item["name"] for item in callsieve("identity", "show", "--json").json] == ["Apex"]


def test_printed_command_undoes_the_change(callsieve: Program) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Joe's Shop", "--level", "2", "--note", NOTE, "--expires", "90d")
    [before] = callsieve("identity", "show", "--json").json
    out = callsieve.ok("identity", "remove", CALLER)
    assert f"No owner of {CALLER}" in callsieve.ok("identity", "show", CALLER)
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    [after] = callsieve("identity", "show", "--json").json
    assert after == before
    out = callsieve.ok("identity", "add", CALLER, "--name", "Apex", "--level", "1")
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    assert callsieve("identity", "show", "--json").json == [before]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([CALLER, "--name", "Acme", "--level", "3"], "--level", id="no-such-level"),
        pytest.param([CALLER, "--name", "Acme", "--level", "high"], "--level", id="level-in-words"),
        pytest.param([CALLER, "--name", "Acme"], "'--level'", id="no-level"),
        pytest.param([CALLER, "--level", "1"], "missing option '--name'", id="no-name"),
        pytest.param([CALLER, "--name", "  ", "--level", "1"], "--name: ", id="empty-name"),
        pytest.param([CALLER, "--name", "A", "--level", "1", "--expires", "never"], "--expires: ", id="no-time"),
        pytest.param(["911", "--name", "Police", "--level", "1"], "emergency number", id="emergency-number"),
    ],
)
def test_invalid_arguments_print_one_line(callsieve: Program, arguments: list[str], says: str) -> None:
    callsieve.ok("db", "migrate")
    assert says in callsieve.fails("identity", "add", *arguments)
    assert callsieve("identity", "show", "--json").json == []


def test_removing_a_missing_identity_is_refused(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    assert CALLER in callsieve.fails("identity", "remove", CALLER)
    assert callsieve.ok("identity", "show") == "No identities.\n"


def test_expired_identity_is_marked_expired(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1", "--expires", "1h")
    later = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: later)
    assert "expired" in callsieve.ok("identity", "show")
