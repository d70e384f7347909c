"""`callsieve mark` and `unmark`: said, refused with a reason, and undone by the command that is printed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from reputation.model import Identity, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.evidence_rows import marks_of
from reputation.store.identities import set_identity
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.office import CALLER


def verdicts(callsieve: Program) -> list[tuple[str, str, str | None]]:
    with open_store(callsieve.store) as db:
        return [(one.reporter, one.verdict.value, one.category) for one in marks_of(db, CALLER)]


def test_a_mark_blocks_for_that_person_and_can_be_undone(callsieve: Program) -> None:
    out = callsieve.ok("mark", "201-742-1834", "spam", "--as", "201", "--category", "scam", "--reason", "lied")
    assert out.splitlines() == [
        f"{CALLER} is marked as spam and blocked for 201.",
        "To undo it:",
        f"  callsieve unmark {CALLER} --as 201",
    ]
    assert verdicts(callsieve) == [("201", "spam", "scam")]
    assert CALLER in callsieve.ok("list", "show", "--person", "201")
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    assert verdicts(callsieve) == [("201", "retracted", "scam")]
    assert CALLER not in callsieve.ok("list", "show", "--person", "201")


def test_a_changed_mind_is_undone_to_what_was_said_before(callsieve: Program) -> None:
    callsieve.ok("mark", CALLER, "spam", "--as", "201", "--category", "scam", "--reason", "he lied")
    out = callsieve.ok("mark", CALLER, "ok", "--as", "201", "--config", callsieve.config)
    undo = f"callsieve mark {CALLER} spam --as 201 --category scam --reason 'he lied' --config {callsieve.config}"
    assert out.splitlines() == [f"{CALLER} is marked as not spam by 201.", "To undo it:", f"  {undo}"]
    out = callsieve.ok(*shlex.split(undo)[1:])
    assert verdicts(callsieve) == [("201", "spam", "scam")]
    assert out.splitlines()[-1] == f"  callsieve mark {CALLER} ok --as 201 --config {callsieve.config}"


def test_json(callsieve: Program) -> None:
    result = callsieve("mark", CALLER, "spam", "--as", "201", "--json").json
    assert (result["status"], result["number"], result["before"]) == ("marked", CALLER, None)
    mark = result["mark"]
    assert (mark["verdict"], mark["channel"], mark["group"]) == (Verdict.SPAM, MarkChannel.CLI, None)
    assert callsieve("unmark", CALLER, "--as", "201", "--json").json["status"] == "retracted"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["mark", CALLER, "maybe", "--as", "201"], "'maybe'", id="verdict"),
        pytest.param(["mark", CALLER, "retracted", "--as", "201"], "say spam or ok", id="not-a-verdict-for-people"),
        pytest.param(["mark", CALLER, "ok", "--as", "201", "--category", "scam"], "not with ok", id="category"),
        pytest.param(["mark", CALLER, "spam", "--as", "210"], "did you mean 202?", id="person"),
        pytest.param(["mark", CALLER, "spam"], "missing option '--as'", id="nobody"),
        pytest.param(["mark", "911", "spam", "--as", "201"], "emergency number", id="emergency"),
        pytest.param(["unmark", CALLER, "--as", "201"], "nothing to take back", id="nothing-said"),
        pytest.param(["unmark", "anonymous", "--as", "201"], "nothing to take back", id="no-number"),
    ],
)
def test_refusals_say_why(callsieve: Program, arguments: list[str], says: str) -> None:
    assert says in callsieve.fails(*arguments)


def test_without_people_nobody_can_say_anything(tmp_path: Path, callsieve: Program) -> None:
    callsieve.config.write_text("")
    assert callsieve.fails("mark", CALLER, "spam", "--as", "201").endswith("--as 201: there is no such person")


def test_a_verified_business_needs_a_category_and_a_reason(callsieve: Program) -> None:
    with open_store(callsieve.store) as db, transaction(db):
        set_identity(db, Identity(CALLER, "First Bank", 2, 1e11), 0.0)
    assert "say a category and a reason" in callsieve.fails("mark", CALLER, "spam", "--as", "201")
    callsieve.ok("mark", CALLER, "spam", "--as", "201", "--category", "debt", "--reason", "calls at night")
