"""`callsieve policy try`: whom a policy would have asked in the last days, as the calls in the store say."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from reputation.model import Direction, EndedBy
from reputation.store.database import open_store
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.reputation.store_builders import make_mark, make_outcome

DAY = 86_400.0
TALKER, SHORT, MESSAGE, SILENT, SPAM, DIALLED = (f"+1201742100{n}" for n in range(6))


@pytest.fixture
def office(callsieve: Program) -> Program:
    """Six callers of a week ago, on a Sunday as `strangers` goes by the machine's clock, and one of our own calls."""
    now = time.time()
    at = now - 7 * DAY
    while time.localtime(at).tm_wday != 6 or not 9 <= time.localtime(at).tm_hour <= 16:
        at -= 3600.0
    calls = [
        make_outcome("0", at - 3600, by="201", direction=Direction.OUTBOUND, dialled=DIALLED),
        make_outcome("1", at + 60, by="201", talk=95.0, caller=TALKER),
        make_outcome("2", at + 120, by="202", talk=12.0, caller=SHORT),
        make_outcome("3", at + 180, caller=MESSAGE, voicemail_left=True),
        make_outcome("4", at + 240, caller=SILENT),
        make_outcome("5", at + 300, by="202", talk=3.0, caller=SPAM, ended_by=EndedBy.CALLEE),
        make_outcome("6", at + 360, by="202", talk=40.0, caller=DIALLED),
    ]
    with open_store(callsieve.store) as db, transaction(db):
        for call in calls:
            record_outcome(db, call, call.ended_at)
        add_mark(db, make_mark(SHORT, "203", at=at + 400))
    return callsieve


def test_try_shows_which_callers_would_be_challenged(office: Program) -> None:
    report = office("policy", "try", "strangers", "--json").json
    assert (report["policy"], report["against"], report["calls"]) == ("strangers", "cautious", 6)
    asked = report["asked_or_stopped"]
    assert (asked["calls"], asked["callers"], asked["withheld"]) == (5, 5, 0)
    assert {number["number"]: number["showed"] for number in asked["numbers"]} == {
        TALKER: "talked",
        SHORT: "complaint",
        MESSAGE: "message",
        SILENT: "unanswered",
        SPAM: "complaint",
    }
    assert {item["showed"]: (item["calls"], item["callers"]) for item in asked["by"]} == {
        "complaint": (1, 2),
        "talked": (1, 1),
        "answered": (1, 0),
        "message": (1, 1),
        "unanswered": (1, 1),
    }


def test_try_shows_the_price_and_fits_the_terminal(office: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = office.ok("policy", "try", "strangers")
    assert said.index("Disadvantage") < said.index(TALKER)
    assert TALKER in said
    assert max(map(len, said.splitlines())) <= 80


def test_policy_that_challenges_no_caller_has_no_price(office: Program) -> None:
    report = json.loads(office("policy", "try", "observe", "--json").out)
    assert report["asked_or_stopped"]["calls"] == 0
    assert "Disadvantage" not in office.ok("policy", "try", "observe")


def test_policy_that_extends_the_preset_has_its_price(office: Program, tmp_path: Path) -> None:
    policy = tmp_path / "ours.toml"
    policy.write_text('extends = "strangers"\n')
    assert "Disadvantage" in office.ok("policy", "try", policy)


def test_unknown_policy_suggests_a_similar_name(office: Program) -> None:
    assert "did you mean strangers?" in office.fails("policy", "try", "stranger")


def test_active_policy_that_observes_lets_every_call_ring(office: Program) -> None:
    before = office("policy", "try", "strangers", "--json").json
    with office.config.open("a") as file:
        file.write('[policy]\nname = "observe"\n')
    now = office("policy", "try", "strangers", "--json").json
    assert now["against"] == "observe"
    assert now["asked_or_stopped"]["calls"] == before["asked_or_stopped"]["calls"] == 5
    assert {change["from"] for change in now["changes"]} == {"allow"}
    assert office("policy", "try", "observe", "--json").json["changes"] == []
