"""`callsieve own show` and `list` on numbers that call; the do-not-call list and complaints."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reputation.store.database import open_store
from reputation.store.own_health import grade_all
from tests.callsieve.program import Program, at_of
from tests.office import CALLER, SETTINGS
from tests.reputation import own_campaigns
from tests.reputation.own_campaigns import CARELESS, CONSIDERATE, OWN, campaign, person, run
from tests.reputation.store_builders import DAY

SALES, QUIET = "+442071838751", "+442071838752"


@pytest.fixture
def calling(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Two numbers have called for two weeks, the second as nobody should; only the first is registered."""
    monkeypatch.setattr(own_campaigns, "MIDNIGHT", (time.time() // DAY - 14) * DAY)
    callsieve.ok("own", "add", OWN, "--name", "Care")
    with open_store(callsieve.store) as db:
        run(db, campaign(CONSIDERATE, range(14)))
        run(db, campaign(replace(CARELESS, calls_a_day=60), range(14), SALES, first=2000))
    return callsieve


def test_show_prints_grade_reasons_and_days(calling: Program) -> None:
    out = calling.ok("own", "show", SALES)
    assert "Marks alone never stop" in out
    assert calling("own", "show", SALES, "--json").json["to_owner"].startswith("Marks alone never stop")
    assert "Marks alone never stop" in calling.ok("lookup", OWN)
    assert calling("lookup", "+12015550198", "--json").json["to_owner"] == ""
    assert re.match(rf"{re.escape(SALES)} is not registered.*\ngrade +at risk\n", out)
    assert re.search(r"at risk: \d+% of the answered", out)
    assert "nobody called back" in out
    assert out.count("█") > 14
    assert "grade       healthy" in calling.ok("own", "show", OWN)


def test_show_has_json_output(calling: Program) -> None:
    shown = calling("own", "show", SALES, "--json").json
    assert shown["register"] is None
    health = shown["health"]
    assert (health["grade"], health["seen_as"]["level"], health["judged_days"]) == ("at_risk", "challenge", 7)
    assert {reason["measure"] for reason in health["reasons"]} >= {"seen", "short", "repeated", "outside"}
    assert [window["attempts"] for window in health["windows"]][1:] == [420, 840]
    assert sum(day["attempts"] for day in health["days"]) == 840
    assert health["days"][0]["day"] == time.strftime("%Y-%m-%d", time.gmtime(own_campaigns.MIDNIGHT))


def test_a_number_with_too_few_calls_has_no_grade(calling: Program) -> None:
    calling.ok("own", "add", QUIET)
    calling.ok("own", "retire", QUIET)
    with open_store(calling.store) as db:
        grade_all(db, time.time() - 60)
    assert re.search(rf"{re.escape(QUIET)} +too few calls ", calling.ok("own", "list"))
    out = calling.ok("own", "show", QUIET)
    assert "grade       too few calls\n" in out
    assert "healthy" not in out
    listed = {number["number"]: number for number in calling("own", "list", "--json").json["numbers"]}
    assert (listed[QUIET]["grade"], listed[OWN]["grade"]) == (None, "healthy")
    assert calling("own", "show", QUIET, "--json").json["health"]["grade"] is None


def test_list_shows_grades_and_reasons(calling: Program) -> None:
    out = calling.ok("own", "list")
    assert "Outgoing calls also show 1 number" in out
    assert f"{SALES}: the called people" in out
    listed = calling("own", "list", "--json").json
    assert [(number["number"], number["grade"]) for number in listed["numbers"]] == [(OWN, "healthy")]
    assert [(item["number"], item["grade"]) for item in listed["unregistered"]] == [(SALES, "at_risk")]
    with open_store(calling.store) as db:  # what the daemon does every hour is not done again
        grade_all(db, time.time() - 60)
    [stored] = calling("own", "list", "--json").json["numbers"]
    assert at_of(stored["graded_at"]) == pytest.approx(time.time() - 60, abs=30)


def test_explain_shows_whether_the_guard_knows_the_grade(calling: Program) -> None:
    def grade_seen() -> str:
        steps = calling("own", "explain", CALLER, "--from", OWN, "--json").json["steps"]
        return str({step["step"]: step["says"] for step in steps}["own numbers at risk of being marked as spam"])

    assert grade_seen().startswith("passes: the number that the call shows is not graded")
    with open_store(calling.store) as db:
        grade_all(db, time.time() - 60)
    assert re.fullmatch(
        r"passes: the number that the call shows is healthy, graded at \d{4}-\d\d-\d\d \d\d:\d\d \S+", grade_seen()
    )


# Two calls to Chicago on a Wednesday in the afternoon there, and two to Paris in the night that follows.
TODAY = int(time.time() // DAY)
WEDNESDAY = TODAY - 7 - (TODAY - 6) % 7  # day 6 since 1970 was one
CALLED = (("+13125550142", int(WEDNESDAY * DAY) + 20 * 3600), ("+33140205050", int(WEDNESDAY * DAY) + 25 * 3600))
HISTORY = "".join(
    f'{{"at": {at + n}, "type": "outbound", "call": "{callee}-{n}", "caller": "201", "own_number": "{OWN}", '
    f'"callee": "{callee}", "answered": true, "talk_seconds": 60}}\n'
    for callee, at in CALLED
    for n in range(2)
)


@pytest.mark.parametrize(
    ("hours", "outside"),
    [
        pytest.param("", [0, 2], id="as-installed"),
        pytest.param('[[hours]]\nregion = "US"\nweekdays = "09:00-12:00"\n', [2, 2], id="narrower-in-one-country"),
        pytest.param('[[hours]]\nregion = "FR"\nweekdays = "00:00-24:00"\n', [0, 0], id="wider-in-one-country"),
        pytest.param("[outbound]\nfirst_hour = 16\nlast_hour = 17\n", [2, 2], id="narrower-everywhere"),
    ],
)
def test_import_uses_the_configured_bad_hours(callsieve: Program, hours: str, outside: list[int]) -> None:
    callsieve.config.write_text(f"{SETTINGS}{hours}")
    callsieve.ok("import", "calls", callsieve.file("h.jsonl", HISTORY))
    days = callsieve("own", "show", OWN, "--json").json["health"]["days"]
    assert [day["outside"] for day in days] == outside
    for (callee, at), count in zip(CALLED, outside, strict=True):
        instant = datetime.fromtimestamp(at, UTC).isoformat()
        explained = callsieve("own", "explain", callee, "--from", OWN, "--at", instant, "--json").json
        assert explained["rule"] == ("hours" if count else "default"), instant


def repeat(callsieve: Program, printed: str) -> str:
    return callsieve.ok(*shlex.split(printed.splitlines()[-1])[1:])


def test_do_not_call_list_is_filled_shown_and_emptied(callsieve: Program) -> None:
    out = callsieve.ok("own", "dnc", "add", "201-742-1834", "--after", OWN, "--note", "asked twice")
    [before] = callsieve("own", "dnc", "list", "--json").json
    assert (before["number"], before["own_number"], before["person"]) == (CALLER, OWN, "joe")
    assert "list since" in callsieve.ok("own", "dnc", "add", CALLER)
    assert "asked twice" in callsieve.ok("own", "dnc", "list")
    repeat(callsieve, out)
    assert "empty" in callsieve.ok("own", "dnc", "list")
    assert "not on the do-not-call list" in callsieve.fails("own", "dnc", "remove", CALLER)
    callsieve.ok("own", "dnc", "add", CALLER)
    callsieve.ok("own", "dnc", "remove", CALLER)
    assert [row["what"] for row in callsieve("audit", CALLER, "--json").json] == [
        "own dnc remove",
        "own dnc add",
        "undo own dnc add",
        "own dnc add",
    ]


def test_complaint_counts_only_of_a_called_person(calling: Program) -> None:
    out = calling.ok("own", "complaint", OWN, "--from", person(10 * 40), "--note", "rude")
    assert "It counts" in out
    assert "does not count" in calling.ok("own", "complaint", OWN, "--from", CALLER)
    assert "does not count" in calling.ok("own", "complaint", OWN)
    health = calling("own", "show", OWN, "--json").json["health"]
    assert health["windows"][1]["unwanted"] == 1
    [note] = health["notes"]
    assert note.startswith("2 complaints do not count")
    repeat(calling, out)
    assert calling("own", "show", OWN, "--json").json["health"]["windows"][1]["unwanted"] == 0
    assert "+12017421835" in calling.fails("own", "complaint", OWN, "--from", "+12017421835", "--undo")


def test_note_with_a_line_break_is_refused(callsieve: Program) -> None:
    assert "--note" in callsieve.fails("own", "dnc", "add", CALLER, "--note", "a\nb")
    assert "--note" in callsieve.fails("own", "complaint", OWN, "--note", "x" * 201)
