"""`callsieve policy test`: what an operator expects, tried; 1 when something else is decided, 2 for a bad file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.callsieve.program import Program

ALLOWED = '[[case]]\nname = "a stranger"\nexpect = { action = "allow" }\n'
TURNED_AWAY = '[[case]]\nname = "a spammer"\nfacts = { level = "reject" }\nexpect = { action = "reject" }\n'
REJECTING = 'default = "reject"\n'


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "house.toml").write_text(REJECTING)
    return Program(tmp_path)


def test_passing_cases_are_listed_and_exit_with_zero(callsieve: Program) -> None:
    out = callsieve.ok("policy", "test", callsieve.file("cases.toml", ALLOWED))
    assert out.startswith("ok    a stranger\n\n1 case")


def test_failing_case_is_described_and_exits_with_one(callsieve: Program) -> None:
    result = callsieve("policy", "test", callsieve.file("cases.toml", ALLOWED + TURNED_AWAY))
    assert (result.code, result.err) == (1, "")
    assert "\n        action: expected reject, got challenge\n" in result.out
    assert "challenge by level-challenge: " in result.out
    assert result.out.endswith("\n2 cases: 1 failed.\n")


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        pytest.param("strict", 0, id="preset"),
        pytest.param("house", 0, id="name"),
        pytest.param("policies/house.toml", 0, id="file"),
        pytest.param("observe", 1, id="another"),
    ],
)
def test_policy_option_applies_to_cases_without_a_policy(
    callsieve: Program, policy: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(callsieve.folder)
    file = callsieve.file("cases.toml", TURNED_AWAY)
    assert callsieve("policy", "test", file, "--policy", policy).code == code


def test_case_may_name_a_policy_file_beside_it(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(callsieve.folder)
    file = callsieve.file("cases.toml", TURNED_AWAY + 'policy = "policies/house.toml"\n')
    callsieve.ok("policy", "test", file)


def test_cases_use_the_settings(callsieve: Program) -> None:
    """Scopes, the window after emergency calls, the region, and the thresholds of levels."""
    office = '\n[[scope]]\ngroup = "sales"\npolicy = "house"\n[emergency]\nwindow_minutes = 5\n'
    office += "[reputation.levels]\ntag = 1.0\n"
    program = Program(callsieve.folder, callsieve.config.read_text() + office)
    file = callsieve.file(
        "cases.toml",
        '[[case]]\nname = "scope"\nfacts = { did_group = "sales" }\nexpect = { action = "reject" }\n'
        '[[case]]\nname = "window"\nfacts = { points = 19, emergency_minutes_ago = 6 }\nexpect = { action = "warn" }\n'
        '[[case]]\nname = "region"\ncall = { caller = "201-742-1834" }\nexpect = { rule = "default" }\n'
        '[[case]]\nname = "levels"\nfacts = { points = 5 }\nexpect = { action = "tag" }\n',
    )
    program.ok("policy", "test", file)


def test_several_files_have_json_output(callsieve: Program) -> None:
    files = [callsieve.file("one.toml", ALLOWED), callsieve.file("two.toml", TURNED_AWAY)]
    result = callsieve("policy", "test", *files, "--json")
    assert result.code == 1
    assert (result.json["cases"], result.json["failed"]) == (2, 1)
    passed, failed = result.json["tried"]
    assert (passed["file"], passed["passed"], passed["differs"]) == (str(files[0]), True, [])
    assert failed["differs"] == [{"key": "action", "expected": "reject", "found": "challenge"}]
    assert (failed["rule"], failed["policy"], failed["step"]) == ("level-challenge", "cautious", 8)


def test_each_of_several_files_has_a_heading(callsieve: Program) -> None:
    files = [callsieve.file("one.toml", ALLOWED), callsieve.file("two.toml", ALLOWED)]
    lines = callsieve.ok("policy", "test", *files).splitlines()
    assert lines[:4] == ["one.toml", "ok    a stranger", "two.toml", "ok    a stranger"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[[case", "cases.toml: line 1: not TOML: ", id="not-toml"),
        pytest.param(b"\xff", "cases.toml: not UTF-8", id="not-utf-8"),
        pytest.param(b"#" * (1 << 20) + b"#", "1048577 bytes", id="too-large"),
        pytest.param(ALLOWED + "cal = {}", "cal (did you mean call?)", id="key"),
        pytest.param(
            ALLOWED + 'policy = "hose"',
            "'hose' (did you mean house?)",
            id="policy",
        ),
    ],
)
def test_bad_file_prints_one_line_and_runs_no_case(callsieve: Program, text: str | bytes, says: str) -> None:
    assert says in callsieve.fails("policy", "test", callsieve.file("cases.toml", text))


def test_all_mistakes_of_all_files_are_reported(callsieve: Program) -> None:
    files = [
        callsieve.file("one.toml", ALLOWED + "cal = {}\nfact = {}"),
        callsieve.file("two.toml", ALLOWED + "cal = {}"),
    ]
    result = callsieve("policy", "test", *files)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 3)


def test_missing_file_prints_one_line(callsieve: Program) -> None:
    assert "nothing.toml: " in callsieve.fails("policy", "test", callsieve.folder / "nothing.toml")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("house", "--policy house", id="of-a-policy"),
        pytest.param("hause", "did you mean house?", id="nearly-of-a-policy"),
        pytest.param("x", "allowed: balanced, cautious, house, observe, str", id="of-nothing"),
    ],
)
def test_policy_name_instead_of_a_case_file_is_refused(callsieve: Program, name: str, says: str) -> None:
    said = callsieve.fails("policy", "test", name)
    assert says in said
    assert "test CASES.toml --policy " in said


def test_policy_file_instead_of_a_case_file_is_refused(callsieve: Program) -> None:
    policy = callsieve.file("draft.toml", REJECTING)
    assert f"{policy}: line 1: this file is a policy" in callsieve.fails("policy", "test", policy)


def test_case_names_cannot_control_the_terminal(callsieve: Program) -> None:
    file = callsieve.file("cases.toml", ALLOWED.replace("a stranger", "\\u001b[2J"))
    assert "case number 1: needs a `name`" in callsieve.fails("policy", "test", file)
