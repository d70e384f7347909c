"""`callsieve mark` and `unmark`: said, refused with a reason, and undone."""

from __future__ import annotations

import shlex

import pytest

from reputation.model import MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.evidence_rows import marks_of
from tests.callsieve.program import Program
from tests.office import CALLER


def verdicts(callsieve: Program) -> list[tuple[str, str, str | None]]:
    with open_store(callsieve.store) as db:
        return [(mark.reporter, mark.verdict.value, mark.category) for mark in marks_of(db, CALLER)]


def test_mark_blocks_for_its_reporter_and_can_be_undone(callsieve: Program) -> None:
    out = callsieve.ok("mark", "201-742-1834", "spam", "--as", "201", "--category", "scam", "--reason", "lied")
    assert verdicts(callsieve) == [("201", "spam", "scam")]
    assert CALLER in callsieve.ok("list", "show", "--person", "201")
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    assert verdicts(callsieve) == [("201", "retracted", "scam")]
    assert CALLER not in callsieve.ok("list", "show", "--person", "201")


def test_undo_restores_the_previous_mark(callsieve: Program) -> None:
    callsieve.ok("mark", CALLER, "spam", "--as", "201", "--category", "scam", "--reason", "he lied")
    out = callsieve.ok("mark", CALLER, "ok", "--as", "201")
    assert CALLER not in callsieve.ok("list", "show", "--person", "201")
    undo = shlex.split(out.splitlines()[-1])[1:]
    callsieve.ok(*undo)
    assert verdicts(callsieve) == [("201", "spam", "scam")]
    assert CALLER in callsieve.ok("list", "show", "--person", "201")
    callsieve.fails(*undo)


def test_undo_restores_a_removed_mark(callsieve: Program) -> None:
    callsieve.ok("mark", CALLER, "spam", "--as", "201", "--category", "scam")
    out = callsieve.ok("unmark", CALLER, "--as", "201")
    assert verdicts(callsieve) == [("201", "retracted", "scam")]
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    assert verdicts(callsieve) == [("201", "spam", "scam")]
    assert CALLER in callsieve.ok("list", "show", "--person", "201")


def test_mark_changed_again_is_not_undone(callsieve: Program) -> None:
    out = callsieve.ok("mark", CALLER, "spam", "--as", "201")
    callsieve.ok("mark", CALLER, "ok", "--as", "201")
    callsieve.fails(*shlex.split(out.splitlines()[-1])[1:])
    assert verdicts(callsieve) == [("201", "ok", None)]


def test_mark_has_json_output(callsieve: Program) -> None:
    result = callsieve("mark", CALLER, "spam", "--as", "201", "--json").json
    assert (result["status"], result["number"], result["before"]) == ("marked", CALLER, None)
    mark = result["mark"]
    assert (mark["verdict"], mark["channel"], mark["group"]) == (Verdict.SPAM, MarkChannel.CLI, None)
    assert callsieve("unmark", CALLER, "--as", "201", "--json").json["status"] == "retracted"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([CALLER, "maybe", "--as", "201"], "'maybe'", id="verdict"),
        pytest.param(["spam", CALLER, "--as", "201"], f"callsieve mark '{CALLER}' spam", id="the-other-way-round"),
        pytest.param([CALLER, "retracted", "--as", "201"], "use spam or ok", id="not-a-verdict-for-people"),
        pytest.param([CALLER, "ok", "--as", "201", "--category", "scam"], "--category: ", id="category"),
        pytest.param([CALLER, "spam", "--as", "210"], "--as: ", id="person"),
        pytest.param([CALLER, "spam"], "missing option '--as'", id="nobody"),
    ],
)
def test_wrong_options_are_named_in_the_error(callsieve: Program, arguments: list[str], says: str) -> None:
    assert says in callsieve.fails("mark", *arguments)


def test_mark_fails_without_any_person(callsieve: Program) -> None:
    callsieve.config.write_text("")
    assert "--as: " in callsieve.fails("mark", CALLER, "spam", "--as", "201")
