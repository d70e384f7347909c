"""`callsieve own decisions` and `own explain`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reputation.store.database import open_store
from reputation.store.outbound import record_outbound
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.office import SETTINGS
from tests.reputation.store_builders import NOW
from tests.reputation.test_store_outbound import CALLEE, make_let_out

OWN = "+442071838750"
NOON, EVENING = "2026-06-10T11:00", "2026-06-10T22:00"


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path, SETTINGS + "\n[outbound]\nobserve = false\n")
    program.ok("db", "migrate")
    return program


def explained(callsieve: Program, *arguments: str) -> dict[str, object]:
    found: dict[str, object] = callsieve("own", "explain", *arguments, "--json").json
    return found


def test_explain_shows_the_steps_up_to_the_deciding_one(callsieve: Program) -> None:
    out = callsieve.ok("own", "explain", CALLEE, "--from", OWN, "--at", EVENING)
    assert out.startswith(f"{CALLEE} (Europe/London) from {OWN}, at 2026-06-10 22:00")
    assert "hold: " in out
    assert re.fullmatch(r"hold by hours; .*2026-06-11 07:00 UTC.*", out.splitlines()[-1])
    assert "allow by default" in callsieve.ok("own", "explain", CALLEE, "--at", NOON)


def test_explain_uses_the_store_and_the_settings(callsieve: Program) -> None:
    callsieve.ok("own", "dnc", "add", CALLEE)
    assert explained(callsieve, CALLEE, "--at", NOON)["rule"] == "do-not-call"
    callsieve.ok("own", "dnc", "remove", CALLEE)
    callsieve.ok("own", "add", OWN)
    callsieve.ok("own", "rest", OWN)
    assert explained(callsieve, CALLEE, "--from", OWN, "--at", NOON)["rule"] == "resting"
    observing = Program(callsieve.folder, SETTINGS)
    found = explained(observing, CALLEE, "--from", OWN, "--at", NOON)
    assert (found["action"], found["would_be"], found["observed"]) == ("allow", "refuse", True)
    assert "refuse by resting" in observing.ok("own", "explain", CALLEE, "--from", OWN, "--at", NOON)
    hours = Program(callsieve.folder, SETTINGS + '\n[outbound]\nobserve = false\n[[hours]]\nregion = "GB"\n')
    assert explained(hours, CALLEE, "--at", NOON)["until"] is None


@pytest.mark.parametrize(
    ("dialled", "rule"),
    [("911", "emergency"), ("+112", "no-number"), ("123", "no-number"), ("*98", "no-number"), ("abc", "no-number")],
)
def test_explain_of_non_numbers_needs_no_store(tmp_path: Path, dialled: str, rule: str) -> None:
    callsieve = Program(tmp_path, SETTINGS + "\n[outbound]\nobserve = false\n")
    assert explained(callsieve, dialled)["rule"] == rule
    assert callsieve.ok("own", "explain", dialled).endswith(f"allow by {rule}\n")


def test_time_zones_not_shown_are_counted(callsieve: Program) -> None:
    assert re.search(r"\((\S+, ){2}\S+ and \d+ more\)", callsieve.ok("own", "explain", "+79161234567"))


def test_decision_is_found_by_its_id(callsieve: Program) -> None:
    held = make_let_out(2, NOW, id="G49HP943", would_be="hold", rule="hours", reason="it is no time", until=NOW + 60)
    with open_store(callsieve.store) as db, transaction(db):
        record_outbound(db, [held])
    out = callsieve.ok("calls", "show", "g49hp943")
    for part in ("G49HP943  2025-12-29", "hold (the guard only observes)", "it is no time", CALLEE, "1.2", "0.5 ms"):
        assert part in out
    assert callsieve("calls", "show", "G49HP943", "--json").json["rule"] == "hours"


@pytest.mark.parametrize("columns", [30, 80, 120])
def test_decisions_fit_any_terminal_width(callsieve: Program, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    reason = (
        "the number that the call would show is at risk of being marked as spam: 12 of 100 calls were ended within 6 s"
    )
    records = [
        make_let_out(1, id="AAAAAAAA", callee="+123456789012345", own_number="+123456789012345"),
        make_let_out(2, NOW + 1, id="BBBBBBBB", callee=None, rule="emergency", would_be="refuse", reason=reason),
    ]
    with open_store(callsieve.store) as db, transaction(db):
        record_outbound(db, records)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", callsieve("own", "decisions", typed="").out).splitlines()
    assert lines[0].split() == ["time", "id", "to", "from", "by", "action"]
    assert lines[1].split()[2:] == ["BBBBBBBB", "emergency", OWN, "PJSIP/201", "(refuse)"]
    assert " ".join(" ".join(lines[2:-1]).split()) == f"emergency: {reason}"
    assert lines[-1].split()[2:] == ["AAAAAAAA", "+123456789012345", "+123456789012345", "PJSIP/201", "allow"]
    assert max(map(len, lines)) <= max(columns, 78)


@pytest.mark.parametrize("columns", [30, 80, 120])
def test_register_fits_any_terminal_width(callsieve: Program, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    callsieve.ok("own", "add", OWN, "--name", "Acme Dental Practice", "--purpose", "reminders of appointments")
    callsieve.ok("own", "rest", OWN)
    lines = callsieve("own", "list", typed="").out
    for word in (OWN, "Practice", "resting", "appointments"[:8]):
        assert word in lines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([CALLEE, "--at", "soon"], "--at: 'soon'"),
        ([CALLEE, "--from", "12"], "--from: '12'"),
    ],
)
def test_wrong_arguments_print_one_error_line(callsieve: Program, arguments: list[str], says: str) -> None:
    assert says in callsieve.fails("own", "explain", *arguments)


def test_decisions_are_shown_latest_first(callsieve: Program) -> None:
    assert "No decisions yet" in callsieve.ok("own", "decisions")
    held = make_let_out(2, NOW + 1, would_be="hold", rule="hours", reason='{"code": "bad-hours"}', until=NOW + 60)
    with open_store(callsieve.store) as db, transaction(db):
        record_outbound(db, [make_let_out(1), held])
    out = callsieve.ok("own", "decisions")
    assert "(hold)" in out
    assert "2025-12-29 09:21" in out
    found = callsieve("own", "decisions", "--json").json
    assert [(item["id"], item["reason_code"]) for item in found] == [("D2", "bad-hours"), ("D1", "")]
    assert [item["id"] for item in callsieve("own", "decisions", CALLEE, "--held", "--json").json] == ["D2"]
    assert callsieve("own", "decisions", "--from", "+442071838759", "--json").json == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--held"], id="held"),
        pytest.param(["+12017421899"], id="number"),
        pytest.param(["--from", "+442071838759"], id="own-number"),
    ],
)
def test_no_matching_decision_is_distinct_from_no_guard(callsieve: Program, words: list[str]) -> None:
    with open_store(callsieve.store) as db, transaction(db):
        record_outbound(db, [make_let_out(1)])
    assert callsieve.ok("own", "decisions", *words) == "No decision matches.\n"
