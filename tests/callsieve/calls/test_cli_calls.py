"""`callsieve calls show`: the journal."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.reasons import Reason, Why
from reputation.model import AuthClass, CallerKind, ChallengeResult, Direction, Disposition, Person
from reputation.outcome import OutcomeRecord
from reputation.store.connection import open_store, transaction
from reputation.store.evidence import record_challenge
from reputation.store.outcomes import record_outcome
from reputation.store.people import upsert_people
from tests.callsieve.program import Program, make_record
from tests.office import CALLER


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    now = time.time()
    program.add_decisions(
        make_record("AAAAAAAA", at=now - 300),
        make_record("BBBBBBBB", at=now - 200, action="allow", would_be="reject", policy="observe"),
        make_record("CCCCCCCC", at=now - 100, caller=None, caller_kind=CallerKind.WITHHELD, did=None, log_odds=0.0),
        make_record("0123456X", at=now - 50, caller="+442071838750", vector="not json"),
    )
    return program


def test_calls_are_listed_latest_first(callsieve: Program) -> None:
    lines = callsieve.ok("calls", "show").splitlines()
    assert [line.split()[2] for line in lines[1:5]] == ["0123456X", "CCCCCCCC", "BBBBBBBB", "AAAAAAAA"]
    assert "withheld" in lines[2]
    assert "(reject)" in lines[3]
    assert "+7" in lines[4]
    assert lines[5].startswith("(Actions in brackets")


def test_list_fits_80_columns(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", callsieve("calls", "show", typed="").out).splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 80
    assert "ms" not in lines[0].split()


def test_line_shows_callee_and_ending(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    now = time.time()
    ended = OutcomeRecord(
        linkedid="c7",
        at=now - 9,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED,
        caller=CALLER,
        answered_by="202",
        talk_seconds=65.0,
    )
    with open_store(callsieve.store) as db, transaction(db):
        upsert_people(db, [Person("202", name="Bob")], "import")
        record_outcome(db, ended, now)
    callsieve.add_decisions(make_record("DDDDDDDD", at=now - 8, linkedid="c7"))
    for command in ("show", "search"):
        line = callsieve.ok("calls", command).splitlines()[1]
        assert line.split()[2:] == ["DDDDDDDD", CALLER, "Bob", "tag", "talked", "1", "min"]
    assert "202  Bob" in callsieve.ok("calls", "show", "DDDDDDDD")


def test_last_limits_the_number_of_calls(callsieve: Program) -> None:
    assert [item["id"] for item in callsieve("calls", "show", "--last", "2", "--json").json] == ["0123456X", "CCCCCCCC"]


def test_calls_of_one_caller_are_listed(callsieve: Program) -> None:
    assert [item["id"] for item in callsieve("calls", "show", "201-742-1834", "--json").json] == [
        "BBBBBBBB",
        "AAAAAAAA",
    ]
    assert callsieve.ok("calls", "show", "+12015550123") == "No decisions about +12015550123.\n"


@pytest.mark.parametrize("text", ["AAAAAAAA", "aaaaaaaa", " aaaaaaaa "])
def test_one_decision_is_shown_in_full(callsieve: Program, text: str) -> None:
    out = callsieve.ok("calls", "show", text)
    for part in (
        "AAAAAAAA",
        "level-tag",
        CALLER,
        "carrier",
        "+7 points",
        "feeds +1.50: 1 spam",
        "one imported source lists the number as spam",
        "the number's owner is verified: none",
        "1767258007.12",
        "0.7 ms",
    ):
        assert part in out
    assert "would be" not in out


def test_outcome_and_challenge_result_are_shown(callsieve: Program) -> None:
    assert "challenge  " not in callsieve.ok("calls", "show", "AAAAAAAA")
    ended = OutcomeRecord(
        linkedid="c1",
        at=time.time() - 40,
        direction=Direction.INBOUND,
        disposition=Disposition.FAILED,
        caller=CALLER,
        ring_seconds=12.0,
    )
    with open_store(callsieve.store) as db, transaction(db):
        record_challenge(db, "c1", CALLER, AuthClass.UNKNOWN, ChallengeResult.SILENT, time.time())
        record_outcome(db, ended, time.time())
    callsieve.add_decisions(make_record("DDDDDDDD", at=time.time(), linkedid="c1", action="challenge"))
    out = callsieve.ok("calls", "show", "DDDDDDDD")
    assert "challenge     pressed nothing\n" in out
    assert "reached nobody, rang 12 s\n" in out
    shown = callsieve("calls", "show", "DDDDDDDD", "--json").json
    assert (shown["challenge"], shown["outcome"]["disposition"]) == ("silent", "failed")
    assert callsieve("calls", "show", "--last", "1", "--json").json == [shown]


def test_misread_letters_of_an_id_are_accepted(callsieve: Program) -> None:
    assert callsieve("calls", "show", "OI23456X", "--json").json["id"] == "0123456X"


def test_observe_mode_shows_both_actions(callsieve: Program) -> None:
    out = callsieve.ok("calls", "show", "BBBBBBBB")
    assert "action        allow\nwould be      reject\n" in out
    assert "observe (observes only)" in out


def test_json_has_the_evidence_as_objects(callsieve: Program) -> None:
    found = callsieve("calls", "show", "AAAAAAAA", "--json").json
    assert found["vector"]["families"] == [{"family": "feeds", "log_odds": 1.5, "counts": {"spam": 1, "ok": 0}}]
    assert found["points"] == 7


@pytest.mark.parametrize(
    ("kept", "code", "words"),
    [
        pytest.param(
            '{"code": "on-blocklist", "entry": "+1900*"}',
            "on-blocklist",
            "+1900* is on the blocklist",
            id="reason-code",
        ),
        pytest.param(
            "no rule of the policy matches the call",
            "",
            "no rule of the policy matches the call",
            id="older-version",
        ),
        pytest.param('{"code": "of-a-newer"}', "", '{"code": "of-a-newer"}', id="newer-version"),
    ],
)
def test_a_reason_has_a_code_and_words(tmp_path: Path, kept: str, code: str, words: str) -> None:
    program = Program(tmp_path)
    program.add_decisions(make_record("AAAAAAAA", at=time.time(), reason=kept))
    found = program("calls", "show", "AAAAAAAA", "--json").json
    assert (found["reason_code"], found["reason"]) == (code, words)
    assert words in program.ok("calls", "show", "AAAAAAAA")


def test_would_change_has_words(tmp_path: Path) -> None:
    program = Program(tmp_path)
    changes = [{"what": "upheld", "level": "none"}, {"what": "the number's owner is verified", "level": "none"}]
    vector = json.dumps({"families": [], "would_change": changes})
    program.add_decisions(make_record("AAAAAAAA", at=time.time(), vector=vector))
    found = program("calls", "show", "AAAAAAAA", "--json").json["vector"]["would_change"]
    assert [item["words"] for item in found] == ["an appeal is upheld", "the number's owner is verified"]
    assert "is upheld: none" in program.ok("calls", "show", "AAAAAAAA")


def test_control_sample_is_marked_with_a_star(tmp_path: Path) -> None:
    program = Program(tmp_path)
    reason = Why(Reason.DEFAULT, cap=Reason.CONTROL_SAMPLE).kept
    sampled = make_record("AAAAAAAA", action="allow", would_be="allow", rule="level-warn", reason=reason)
    program.add_decisions(sampled, make_record("BBBBBBBB", linkedid="2", action="allow", would_be="allow"))
    out = program.ok("calls", "show")
    assert out.count("allow*") == 1
    assert "(*: the call is in the control sample" in out
    summary = program("summary", "--json").json["sample"]
    assert summary == {"calls": 1, "answered": 0, "hung_up_on": 0, "marked": 0}
    assert "1 of 1 calls that were due for a warning got none" in program.ok("summary")


def test_explanation_names_the_source_of_the_level(tmp_path: Path) -> None:
    program = Program(tmp_path)
    families = [
        {"family": "marks", "log_odds": 3.0, "counts": {"marked": 4, "answered": 9, "silent": 5}},
        {"family": "feeds", "log_odds": 1.5, "counts": {"spam": 1}},
    ]
    witnesses = {"seen": 7, "label": 5, "challenge": 12}
    vector = json.dumps({"families": families, "would_change": [], "witnesses": witnesses})
    program.add_decisions(make_record("AAAAAAAA", at=time.time(), vector=vector))
    out = " ".join(program.ok("calls", "show", "AAAAAAAA").split())
    assert "the level comes from our people (+13 points), then outside sources (+7 points)" in out
    assert "7 independent witnesses (people, DIDs or other sites) speak against the number" in out
    found = program("calls", "show", "AAAAAAAA", "--json").json
    assert [item["who"] for item in found["level_from"]] == ["our-people", "outside"]
    assert found["vector"]["witnesses"] == witnesses


def test_damaged_vector_is_shown_unchanged(callsieve: Program) -> None:
    assert "not json" in callsieve.ok("calls", "show", "0123456X")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["ZZZZZZZZ"], "'ZZZZZZZZ'", id="no-such-id"),
        pytest.param(["hello"], "'hello'", id="word"),
        pytest.param(["12"], "too short", id="short"),
        pytest.param(["--last", "0"], "--last", id="last-0"),
        pytest.param(["--last", "many"], "--last", id="no-count"),
    ],
)
def test_invalid_arguments_print_one_line(callsieve: Program, arguments: list[str], says: str) -> None:
    assert says in callsieve.fails("calls", "show", *arguments)


def test_empty_journal_shows_a_hint(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    assert program.ok("calls", "show") == "No decisions yet.\n"


@pytest.mark.parametrize("command", [("calls", "show", "7KQ2M4XA"), ("calls", "search")])
def test_json_sends_no_control_characters_to_a_terminal(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Control, bidi and tag characters."""
    program, text = Program(tmp_path), "\x9b31m\u202e4321\u2066\u00e9\U000e0041"
    program.add_decisions(make_record(caller_text=text))
    printed = program.ok(*command, "--json")
    assert all(character.isprintable() or character == "\n" for character in printed)
    assert text in _texts(json.loads(printed))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def test_unreadable_caller_is_shown_as_received(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.add_decisions(make_record(caller=None, caller_kind=CallerKind.INVALID, caller_text='0x1A "\\'))
    shown = 'unreadable "0x1A \\"\\\\"'
    assert shown in program.ok("calls", "show")
    assert shown in program.ok("calls", "show", "7KQ2M4XA")
    assert shown in program.ok("calls", "search")
    assert program("calls", "show", "7KQ2M4XA", "--json").json["caller_text"] == '0x1A "\\'
