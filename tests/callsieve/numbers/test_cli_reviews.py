"""`callsieve review`, `reassigned` and `identity prove`: what an administrator decides about marks and owners."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.identities.views import has_no_identity_due
from callsieve.numbers.views import has_no_marks_to_review
from callsieve.settings import Loaded, Settings
from tests.callsieve.program import Program, make_record
from tests.office import CALLER, SETTINGS

DAY = 86_400.0
PEOPLE = ("201", "202", "203", "204", "205")


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    others = "".join(f'\n[[person]]\nextension = "{person}"\n' for person in PEOPLE[2:])
    program = Program(tmp_path, SETTINGS + others)
    program.ok("db", "migrate")
    return program


def undo_of(out: str) -> list[str]:
    return shlex.split(out.splitlines()[-1])[1:]


def burst(callsieve: Program) -> None:
    for person in PEOPLE:
        callsieve.ok("mark", CALLER, "spam", "--as", person)


def log_odds(callsieve: Program) -> float:
    return float(callsieve("lookup", CALLER, "--json").json["reputation"]["log_odds"])


def check_context_of(callsieve: Program, later: float = 0.0) -> CheckContext:
    loaded = Loaded(settings=Settings(), file=callsieve.config, state=callsieve.state)
    return CheckContext(loaded, str, time.time() + later)


def test_burst_of_marks_has_no_weight_until_reviewed(callsieve: Program) -> None:
    assert callsieve.ok("review", "list").startswith("No marks")
    callsieve.add_decisions(make_record("7KQ2M4XA"))
    burst(callsieve)
    assert "201, 202, 203, 204, 205" in callsieve.ok("review", "list")
    assert "until somebody reviews" in callsieve.ok("lookup", CALLER)
    assert log_odds(callsieve) == 0.0
    out = callsieve.ok("review", "done", CALLER)
    assert log_odds(callsieve) > 3
    assert "by joe" in callsieve.ok("lookup", CALLER)
    assert "the number's marks were reviewed" in callsieve.ok("calls", "show", "7KQ2M4XA")
    assert "waiting for a review" in callsieve.fails("review", "done", CALLER)
    callsieve.ok(*undo_of(out))
    [waiting] = callsieve("review", "list", "--json").json
    assert (waiting["number"], waiting["reporters"]) == (CALLER, list(PEOPLE))
    assert "nobody has reviewed" in callsieve.fails("review", "undo", CALLER)
    callsieve.ok("review", "done", CALLER)
    callsieve.ok(*undo_of(callsieve.ok("review", "undo", CALLER)))
    assert callsieve("review", "list", "--json").json == []


def test_wrong_mark_is_corrected_and_the_correction_undone(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("7KQ2M4XA"))
    for person in ("201", "202"):
        callsieve.ok("mark", CALLER, "spam", "--as", person)
    before = log_odds(callsieve)
    out = callsieve.ok("review", "wrong", CALLER, "201", "202", "--reason", "a competitor")
    assert log_odds(callsieve) == 0.0
    assert "corrected as wrong by" in callsieve.ok("lookup", CALLER)
    assert "later decisions" in callsieve.ok("calls", "show", "7KQ2M4XA")
    assert "201 has no spam mark" in callsieve.fails("review", "wrong", CALLER, "201", "--reason", "again")
    callsieve.ok(*undo_of(out))
    assert log_odds(callsieve) == pytest.approx(before, abs=1e-3)
    callsieve.fails(*undo_of(out))
    assert "--reason: " in callsieve.fails("review", "wrong", CALLER, "201", "--reason", " ")


def test_new_owner_is_recorded_and_undone(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("7KQ2M4XA", at=time.time() - 3 * DAY))
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1")
    assert callsieve.ok("reassigned", "show").startswith("No new owner")
    out = callsieve.ok("reassigned", "add", CALLER, "--reason", "the carrier's list")
    assert "Acme" in out
    assert "the carrier's list" in callsieve.ok("reassigned", "show", CALLER)
    assert "a new owner since" in callsieve.ok("lookup", CALLER)
    assert "new owner since" in callsieve.ok("calls", "show", "7KQ2M4XA")
    assert callsieve("lookup", CALLER, "--json").json["identity"] is None
    assert "already" in callsieve.fails("reassigned", "add", CALLER, "--reason", "again", "--since", "2d")
    callsieve.ok(*undo_of(out))
    assert callsieve("lookup", CALLER, "--json").json["identity"]["name"] == "Acme"
    callsieve.ok("reassigned", "add", CALLER, "--reason", "the carrier's list")
    callsieve.ok(*undo_of(callsieve.ok("reassigned", "remove", CALLER)))
    [epoch] = callsieve("reassigned", "show", "--json").json
    assert (epoch["reason"], epoch["who"]) == ("the carrier's list", "joe")
    callsieve.ok("reassigned", "remove", CALLER)
    assert "no new owner of" in callsieve.fails("reassigned", "remove", CALLER)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param(["--reason", ""], "--reason: ", id="no-reason"),
        pytest.param(["--reason", "x", "--since", "soon"], "--since: 'soon'", id="no-time"),
        pytest.param(["--reason", "x", "--since", "2999-01-01"], "is in the future", id="in-the-future"),
    ],
)
def test_change_of_owner_needs_a_valid_date_and_reason(callsieve: Program, more: list[str], says: str) -> None:
    assert says in callsieve.fails("reassigned", "add", CALLER, *more)


def test_call_back_proves_control_of_a_number(callsieve: Program) -> None:
    code = re.search(r"The code is (\d{3} \d{3})\.", callsieve.ok("identity", "code", CALLER))
    assert code is not None
    wrong = "000000" if code[1] != "000 000" else "000001"
    assert "code is wrong" in callsieve.fails("identity", "prove", CALLER, wrong, "--name", "Acme")
    assert callsieve.fails("identity", "prove", CALLER, code[1], "--name", " ").startswith("--name: ")
    assert "Acme, level 1" in callsieve.ok("identity", "prove", CALLER, code[1], "--name", "Acme")
    assert [row["what"] for row in callsieve("audit", "--json").json] == [
        "identity prove",
        "identity prove",
        "identity code",
    ]


def test_identities_that_expire_soon_are_due(callsieve: Program) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1", "--expires", "20d")
    assert "in 19 d" in callsieve.ok("identity", "due")
    assert callsieve.ok("identity", "due", "--within", "7").startswith("No identity")
    [due] = callsieve("identity", "due", "--json").json
    assert due["number"] == CALLER


def test_doctor_reports_waiting_reviews_and_identities(callsieve: Program) -> None:
    assert has_no_marks_to_review(check_context_of(callsieve)).status is CheckStatus.OK
    assert has_no_identity_due(check_context_of(callsieve)).status is CheckStatus.OK
    burst(callsieve)
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1", "--expires", "20d")
    assert str(has_no_marks_to_review(check_context_of(callsieve)).detail).endswith(": 1")
    assert has_no_identity_due(check_context_of(callsieve)).status is CheckStatus.OK
    assert str(has_no_identity_due(check_context_of(callsieve, 7 * DAY)).detail).endswith("14 days: 1")
