"""`callsieve summary`: the last week for a person and for scripts, probable mistakes first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reputation.model import Direction, Disposition, EndedBy
from reputation.outcome import OutcomeRecord
from reputation.store.database import open_store
from reputation.store.outcomes import record_outcome
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, make_record
from tests.office import CALLER

DAY = 86_400.0


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """A week in observe mode: a caller that would have been challenged twice, whom we called back."""
    program = Program(tmp_path)
    now = time.time()
    observed = {"action": "allow", "policy": "observe"}
    program.add_decisions(
        make_record("AAAAAAA1", at=now - 20 * DAY, linkedid="1", **observed),
        make_record(
            "AAAAAAA2", at=now - 2 * DAY, linkedid="2", would_be="challenge", rule="level-challenge", **observed
        ),
        make_record("AAAAAAA3", at=now - DAY, linkedid="3", would_be="challenge", rule="level-challenge", **observed),
        make_record("AAAAAAA4", at=now - DAY, linkedid="4", would_be="allow", rule="default", caller=None, **observed),
        make_record(
            "AAAAAAA5",
            at=now - DAY,
            linkedid="5",
            rule="fail-open",
            reason="timed out",
            action="allow",
            would_be="allow",
        ),
    )
    back = OutcomeRecord(
        linkedid="6",
        at=now - 3600,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED,
        caller="201",
        dialled=CALLER,
        talk_seconds=90.0,
        ended_by=EndedBy.CALLER,
    )
    with open_store(program.store) as db, transaction(db):
        record_outcome(db, back, now)
    return program


def places_in(out: str, *parts: str) -> list[int]:
    return [out.index(part) for part in parts]


def test_summary_shows_totals_then_probable_mistakes(callsieve: Program) -> None:
    out = callsieve.ok("summary", "--week")
    places = places_in(
        out,
        "4 inbound calls, policy observe, cautious, which only observes: if it acted, 2 calls would",
        "challenge      2  50.00 %",
        "2 probable mistakes among the 2 calls that would have been stopped",
        "one of our people called the number back later and talked",
        "No probable mistake among the 0 calls whose callees would have been warned.",
        "1 call went on without a decision (timed out): see `callsieve doctor`",
        "Decisions took 0.7 ms",
    )
    assert places == sorted(places)
    assert "▓▓ challenge" not in out
    assert "Stopped most often" not in out


def test_all_option_shows_the_full_summary(callsieve: Program) -> None:
    out = callsieve.ok("summary", "--all")
    places = places_in(
        out,
        "challenge      2  50.00 %",
        "2 probable mistakes",
        "▓▓ challenge",
        "level-challenge      2        1  challenge",
        "Stopped most often",
        "Decisions took 0.7 ms",
    )
    assert places == sorted(places)


@pytest.mark.parametrize(("options", "shown"), [pytest.param((), 5, id="five"), pytest.param(("--all",), 7, id="all")])
def test_five_probable_mistakes_are_shown(tmp_path: Path, options: tuple[str, ...], shown: int) -> None:
    program, now = Program(tmp_path), time.time()
    numbers = [f"+120155501{n:02}" for n in range(7)]
    program.add_decisions(
        *(
            make_record(
                f"AAAAAA{n:02}", at=now - DAY, linkedid=str(n), caller=number, action="reject", would_be="reject"
            )
            for n, number in enumerate(numbers)
        )
    )
    program.ok(
        "import",
        "contacts",
        program.file("c.csv", "number,name\n" + "".join(f"{n},Joe\n" for n in numbers)),
        "--source",
        "crm",
    )
    lines = program.ok("summary", *options).partition("probable mistakes")[2].partition("No probable")[0].splitlines()
    assert sum(line.startswith("+1") for line in lines) == shown
    assert any("2 more numbers" in line for line in lines) == (shown == 5)


def test_default_span_is_a_week(callsieve: Program) -> None:
    assert callsieve("summary", "--json").json["calls"] == callsieve("summary", "--week", "--json").json["calls"] == 4


@pytest.mark.parametrize(
    ("span", "calls"),
    [
        pytest.param(["--since", "30d"], 5, id="since"),
        pytest.param(["--since", "36h"], 3, id="hours"),
        pytest.param(["--since", "30d", "--until", "10d"], 1, id="until"),
        pytest.param(["--until", "18d"], 1, id="the-week-before"),
    ],
)
def test_span_options_select_the_calls(callsieve: Program, span: list[str], calls: int) -> None:
    assert callsieve("summary", *span, "--json").json["calls"] == calls


def test_summary_has_json_output(callsieve: Program) -> None:
    found = callsieve("summary", "--json").json
    assert (found["observed"], found["stopped"], found["fail_open"]) == (2, 2, {"timed out": 1})
    assert found["actions"] == {"allow": 2, "tag": 0, "warn": 0, "challenge": 2, "route": 0, "reject": 0}
    assert found["probable_mistakes"]["numbers"][0]["number"] == CALLER
    assert found["by"] == "day"
    assert sum(sum(period["actions"].values()) for period in found["periods"]) == 4
    assert found["callers"][0]["points"] == 7


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_charts_fit_the_terminal(callsieve: Program, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    charts = [line for line in callsieve.ok("summary", "--all").splitlines() if "▓" in line or "····" in line]
    assert len(charts) > 1
    assert max(map(len, charts)) <= columns


def test_summary_without_calls_suggests_the_doctor(callsieve: Program) -> None:
    out = callsieve.ok("summary", "--since", "60d", "--until", "50d")
    assert "0 inbound calls" in out
    assert "`callsieve doctor`" in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--week", "--since", "3d"], "--week and --since", id="both"),
        pytest.param(["--since", "last week"], "--since: 'last week'", id="no-time"),
        pytest.param(["--since", "2100-01-01"], "--since: '2100-01-01'", id="to-come"),
        pytest.param(["--since", "1d", "--until", "2d"], "--since must be", id="order"),
    ],
)
def test_wrong_spans_print_one_error_line(callsieve: Program, options: list[str], says: str) -> None:
    assert says in callsieve.fails("summary", *options)


def test_summary_without_a_store_prints_one_line(tmp_path: Path) -> None:
    assert "no store yet" in Program(tmp_path).fails("summary")
