"""`callsieve own`: the register of our own numbers."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reputation.model import Direction
from reputation.own.register import NumberState, OwnNumber
from reputation.store.database import open_store
from reputation.store.do_not_call import Complaint, complaints_about
from reputation.store.outcomes import record_outcomes
from reputation.store.own_register import own_of, put_own
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, at_of
from tests.office import CALLER
from tests.reputation.store_builders import make_outcome

OWN = "+442071838750"
DAY = 86_400.0
NOW = float(int(time.time()))


def shown(callsieve: Program) -> dict[str, object]:
    entry: dict[str, object] = callsieve("own", "show", OWN, "--json").json["register"]
    return {key: value for key, value in entry.items() if key not in ("added_at", "since")}


def since(callsieve: Program) -> float:
    """When its state began."""
    return at_of(callsieve("own", "show", OWN, "--json").json["register"]["since"])


def register_exactly(callsieve: Program, own: OwnNumber) -> None:
    """Registers it exactly so."""
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store) as db, transaction(db):
        put_own(db, own)


def registered_own(callsieve: Program) -> OwnNumber | None:
    """OWN as the store has it."""
    with open_store(callsieve.store) as db:
        return own_of(db, OWN)


def complaints(callsieve: Program) -> list[Complaint]:
    """About OWN."""
    with open_store(callsieve.store) as db:
        return complaints_about(db, OWN, 0.0)


def repeat(callsieve: Program, printed: str) -> str:
    """Types the command that was printed last."""
    return callsieve.ok(*shlex.split(printed.splitlines()[-1])[1:])


def test_add_changes_only_the_given_details(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN, "--name", "Acme", "--trunk", "carrier", "--document", "LOA 7", "--document", "bill")
    out = callsieve.ok("own", "add", OWN, "--purpose", "reminders", "--next-check", "never")
    assert "the given details were changed" in out
    entry = shown(callsieve)
    assert (entry["name"], entry["purpose"], entry["documents"]) == ("Acme", "reminders", ["LOA 7", "bill"])
    assert entry["next_check_at"] is None
    assert "lost" in callsieve.ok("own", "add", OWN, "--trunk", "lost")


STATES: dict[str, dict[str, Any]] = {
    "active": {},
    "resting": {"state": NumberState.RESTING},
    "retired": {"state": NumberState.RETIRED},
    "overdue": {"next_check_at": NOW - DAY},
    "checked": {"next_check_at": None, "checked_at": NOW - 9 * DAY},
}
CHANGES = ("remove", "retire", "rest", "use --force", "check --next 300d", "add --name Beta --next-check never")
# What a number in this state cannot do: it is in that state already, or only an active number can rest.
REFUSED = {
    ("active", "use --force"),
    ("overdue", "use --force"),
    ("checked", "use --force"),
    ("resting", "rest"),
    ("retired", "rest"),
    ("retired", "retire"),
}


def put_in(callsieve: Program, state: str) -> OwnNumber:
    """Registers OWN with many fields, in a state."""
    own = OwnNumber(
        number=OWN,
        name="Joe's",
        owner="Ann",
        trunks=("carrier",),
        documents=("LOA 7", "bill"),
        added_at=NOW - 9 * DAY,
        since=NOW - 5 * DAY,
    )
    own = replace(own, **STATES[state])
    register_exactly(callsieve, own)
    return own


@pytest.mark.parametrize(
    ("state", "change"), sorted({(state, change) for state in STATES for change in CHANGES} - REFUSED)
)
def test_undo_restores_what_a_command_changed(callsieve: Program, state: str, change: str) -> None:
    before = put_in(callsieve, state)
    command, *options = change.split()
    printed = callsieve.ok("own", command, OWN, *options)
    assert registered_own(callsieve) != before
    assert f"Undone: own {command} of {OWN}.\n" == repeat(callsieve, printed)
    assert registered_own(callsieve) == before
    assert OWN in callsieve.ok("own", "list")


@pytest.mark.parametrize(("state", "change"), sorted(REFUSED))
def test_a_refused_command_changes_nothing(callsieve: Program, state: str, change: str) -> None:
    before = put_in(callsieve, state)
    command, *options = change.split()
    callsieve.fails("own", command, OWN, *options)
    assert registered_own(callsieve) == before


def test_rest_and_use_change_the_state(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    callsieve.ok("own", "rest", OWN)
    assert shown(callsieve)["state"] == "resting"
    refused = callsieve.fails("own", "use", OWN)
    assert "45 more days" in refused
    assert "add --force" in refused
    callsieve.ok("own", "use", OWN, "--force")
    assert shown(callsieve)["state"] == "active"
    audit = [row["what"] for row in callsieve("audit", OWN, "--json").json]
    assert audit == ["own use", "own rest", "own add"]


def test_only_the_latest_change_of_a_number_is_undone(callsieve: Program) -> None:
    rested = callsieve.ok("own", "add", OWN) and callsieve.ok("own", "rest", OWN)
    callsieve.ok("own", "retire", OWN)
    assert "changed again since" in callsieve.fails(*shlex.split(rested.splitlines()[-1])[1:])
    assert "no such change" in callsieve.fails("undo", "4711")
    assert "at most" in callsieve.fails("undo", str(2**63))
    assert shown(callsieve)["state"] == "retired"


def test_undoing_twice_is_refused(callsieve: Program) -> None:
    words = shlex.split(callsieve.ok("own", "add", OWN).splitlines()[-1])[1:]
    callsieve.ok(*words)
    assert callsieve.fails(*words).startswith("This change was already undone")
    callsieve.ok("own", "add", OWN)
    assert "This change was already undone" in callsieve.fails(*words)


def test_audit_shows_the_id_for_undo(callsieve: Program) -> None:
    printed = callsieve.ok("own", "add", OWN).splitlines()[-1].split()[-1]
    [row] = callsieve("audit", OWN, "--json").json
    assert str(row["id"]) == printed
    assert callsieve.ok("audit").splitlines()[1].split()[0] == printed


def test_import_is_undone_as_a_whole(callsieve: Program, tmp_path: Path) -> None:
    register_exactly(callsieve, OwnNumber(number=OWN, name="Acme", since=NOW, added_at=NOW))
    before = registered_own(callsieve)
    file = tmp_path / "own.csv"
    file.write_text(f"number,name\n{OWN},Beta\n+442071838751,Gamma\n")
    assert "To undo it" not in callsieve.ok("own", "import", file, "--dry-run")
    assert repeat(callsieve, callsieve.ok("own", "import", file)) == "Undone: own import, 2 numbers.\n"
    assert registered_own(callsieve) == before
    assert len(callsieve("own", "list", "--json").json["numbers"]) == 1


def test_undo_restores_requests_and_complaints_exactly(callsieve: Program) -> None:
    callsieve.ok("own", "dnc", "add", CALLER, "--note", "by letter")
    [wish] = callsieve("own", "dnc", "list", "--json").json
    repeat(callsieve, callsieve.ok("own", "dnc", "remove", CALLER))
    assert callsieve("own", "dnc", "list", "--json").json == [wish]
    made = callsieve.ok("own", "complaint", OWN, "--from", "+12017421834", "--note", "rude")
    [complaint] = complaints(callsieve)
    repeat(callsieve, callsieve.ok("own", "complaint", OWN, "--from", "+12017421834", "--undo"))
    assert complaints(callsieve) == [complaint]
    repeat(callsieve, made)
    assert complaints(callsieve) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["add", "20 7183 8750"], "+12071838750 (US, ", id="own"),
        pytest.param(["dnc", "add", CALLER], f"{CALLER} (US, fixed or mobile) to the do-not-call list", id="wish"),
        pytest.param(["complaint", OWN], f"about {OWN} (GB, fixed)", id="complaint"),
        pytest.param(["complaint", OWN, "--from", CALLER], f"no record of a call to {CALLER} (US, ", id="sender"),
    ],
)
def test_numbers_are_printed_with_their_country(callsieve: Program, words: list[str], says: str) -> None:
    assert says in callsieve.ok("own", *words)


def test_complaint_explains_why_it_does_not_count(callsieve: Program) -> None:
    out = callsieve.ok("own", "complaint", OWN)
    assert "(give --from)" in out
    assert f"{OWN} is not registered" in out
    callsieve.ok("own", "add", OWN)
    assert "registered" not in callsieve.ok("own", "complaint", OWN, "--from", CALLER, "--note", "rude")
    assert callsieve.fails("own", "complaint", OWN, "--from", OWN).startswith(f"--from: {OWN} is one")
    assert f"by {CALLER} about {OWN} of 20" in (out := callsieve.ok("own", "complaint", OWN, "--undo"))
    assert ": rude." in out
    assert f"about {OWN} of 20" in callsieve.ok("own", "complaint", OWN, "--undo")


@pytest.mark.parametrize("number", [OWN, "+12025550100", "+442071838751"])
def test_own_number_is_not_added_to_the_do_not_call_list(callsieve: Program, number: str) -> None:
    callsieve.ok("own", "add", "+442071838751")
    assert callsieve.fails("own", "dnc", "add", number).startswith(f"{number} is one of our")


def test_second_do_not_call_request_keeps_the_first(callsieve: Program) -> None:
    callsieve.ok("own", "dnc", "add", CALLER, "--note", "first")
    said = callsieve.ok("own", "dnc", "add", CALLER, "--note", "again")
    assert "the earlier entry stays" in said
    assert [wish["note"] for wish in callsieve("own", "dnc", "list", "--json").json] == ["first"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["undo", "abc"], "'ID': "),
        (["own", "decisions", "--last", "abc"], "'--last': "),
        (["own", "decisions", "--last", "0"], "at least 1"),
    ],
)
def test_bad_number_prints_a_readable_error(callsieve: Program, words: list[str], says: str) -> None:
    assert says in callsieve.fails(*words)


def test_check_is_recorded_and_becomes_due_again(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN, "--next-check", "1d", "--registered", "FCR")
    assert [item["number"] for item in callsieve("own", "due", "--json").json] == [OWN]
    assert "FCR" in callsieve.ok("own", "due")
    callsieve.ok("own", "check", OWN, "--next", "10d")
    assert at_of(str(shown(callsieve)["checked_at"])) == pytest.approx(time.time(), abs=60)
    for days in ("9d", "9"):
        assert callsieve.ok("own", "due", "--within", days) == "Nothing is due.\n"
    assert len(callsieve("own", "due", "--json").json) == 1
    assert len(callsieve("own", "due", "--within", "1h", "--json").json) == 0


def test_unregistered_outgoing_numbers_are_listed(callsieve: Program) -> None:
    now = time.time()
    calls = [make_outcome(f"c{n}", now - n - 9, by="201", direction=Direction.OUTBOUND) for n in range(3)]
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store) as db, transaction(db):
        record_outcomes(db, calls, now)
    out = callsieve.ok("own", "list")
    assert "Outgoing calls also show 1 number" in out
    assert "3 calls" in out
    assert callsieve("own", "list", "--json").json["unregistered"][0]["number"] == OWN
    assert "is not registered" in callsieve.ok("own", "due")
    callsieve.ok("own", "add", OWN)
    assert callsieve("own", "list", "--json").json["unregistered"] == []


def test_export_can_be_imported(callsieve: Program, tmp_path: Path) -> None:
    callsieve.ok(
        "own", "add", OWN, "--name", "=Acme, Ltd", "--trunk", "a", "--trunk", "b", "--next-check", "2030-01-01"
    )
    callsieve.ok("own", "add", "+442071838751")
    callsieve.ok("own", "rest", "+442071838751")
    file = tmp_path / "own.csv"
    callsieve.ok("own", "export", "--out", file)
    assert callsieve.ok("own", "export") == file.read_text()
    assert "choose another" in callsieve.fails("own", "export", "--out", file)
    before = shown(callsieve)
    for number in (OWN, "+442071838751"):
        callsieve.ok("own", "remove", number)
    assert "Would add 2 own numbers" in callsieve.ok("own", "import", file, "--dry-run")
    assert callsieve("own", "list", "--json").json["numbers"] == []
    assert "Added 2" in callsieve.ok("own", "import", file)
    assert shown(callsieve) == before
    assert callsieve("own", "list", "--json").json["numbers"][1]["state"] == "resting"


def test_importing_an_export_changes_nothing(callsieve: Program, tmp_path: Path) -> None:
    register_exactly(
        callsieve, OwnNumber(number=OWN, name="Acme", checked_at=NOW - 0.3, next_check_at=NOW - 9.7, since=NOW - DAY)
    )
    before = registered_own(callsieve)
    file = tmp_path / "own.csv"
    assert callsieve.ok("own", "export", "--out", file) == f"{file}: 1 own number.\n"
    out = callsieve.ok("own", "import", file)
    assert "Added 0 own numbers, changed 0" in out
    assert "undo it" not in out
    assert registered_own(callsieve) == before
    assert callsieve("audit", "--json").json == []
    callsieve.ok("own", "remove", OWN)
    callsieve.ok("own", "import", file)
    [now, then] = (replace(item, added_at=0.0) for item in (registered_own(callsieve), before) if item)
    assert [now.checked_at, now.next_check_at, now.since] == [NOW - 1, NOW - 10, NOW - DAY]
    assert replace(then, checked_at=NOW - 1, next_check_at=NOW - 10) == now


def test_first_row_of_a_repeated_number_counts(callsieve: Program, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(f"number,state,trunks\n{OWN},soon,\n{OWN},Resting,lost\n{OWN},,\n")
    result = callsieve("own", "import", file)
    assert f"line 4: {OWN} occurs twice" in result.err
    assert "lost" in result.err
    assert shown(callsieve)["state"] == "resting"


def test_next_check_in_a_file_uses_the_usual_formats(callsieve: Program, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    for text, days in (("5d", 5.0), ("never", None), ("2020-01-01", 0.0)):
        file.write_text(f"number,next_check\n{OWN},{text}\n")
        callsieve.ok("own", "import", file)
        at = shown(callsieve)["next_check_at"]
        assert at is None if days is None else at_of(str(at)) <= time.time() + days * DAY


def test_adding_a_registered_number_again_changes_nothing(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN, "--name", "Acme")
    assert callsieve.ok("own", "add", OWN).startswith(f"{OWN} is registered already")
    assert callsieve.ok("own", "add", OWN, "--name", "Acme").startswith(f"{OWN} is registered already")
    assert len(callsieve("audit", "--json").json) == 1


def test_details_missing_in_a_file_are_kept(callsieve: Program, tmp_path: Path) -> None:
    callsieve.ok(
        "own", "add", OWN, "--name", "Acme", "--purpose", "sales", "--trunk", "a", "--next-check", "2030-01-01"
    )
    callsieve.ok("own", "rest", OWN)
    before, rested_at = shown(callsieve), since(callsieve)
    file = tmp_path / "own.csv"
    file.write_text(f"number,name,state,purpose\n{OWN},Beta,,\n+442071838751,,,\n")
    callsieve.ok("own", "import", file)
    assert (shown(callsieve), since(callsieve)) == (before | {"name": "Beta", "purpose": ""}, rested_at)
    file.write_text(f"number,state\n{OWN},active\n")
    callsieve.ok("own", "import", file)
    assert shown(callsieve)["state"] == "active"
    assert since(callsieve) > rested_at


def test_longest_possible_row_survives_an_export(callsieve: Program, tmp_path: Path) -> None:
    texts = tuple(f"{number:02}{'猫' * 198}" for number in range(20))
    lists = {"trunks": texts, "documents": texts, "registered": texts}
    register_exactly(callsieve, OwnNumber(number=OWN, since=NOW - DAY, next_check_at=NOW - DAY, **lists))  # type: ignore[arg-type]
    file = tmp_path / "own.csv"
    callsieve.ok("own", "export", "--out", file)
    callsieve.ok("own", "remove", OWN)
    result = callsieve("own", "import", file)
    assert "skipped" not in result.err
    assert "cut" not in result.err
    after = registered_own(callsieve)
    assert after is not None
    assert (after.trunks, after.documents, after.registered) == (texts, texts, texts)


def test_import_reports_truncated_fields(callsieve: Program, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(f"number,documents\n{OWN},LOA 7|{' ' * 5000}|bill\n")
    assert "cut 1 field" in callsieve("own", "import", file).err
    assert callsieve("own", "import", file, "--json").json["cut"] == 1


@pytest.mark.parametrize(
    ("column", "text", "says"),
    [
        pytest.param("name", "x" * 201, "200", id="long"),
        pytest.param("documents", "|".join("abcdefghijklmnopqrstu"), "may be given at most 20", id="many"),
        pytest.param("trunks", f"a|{'x' * 201}", "trunks must be one line", id="long-text"),
        pytest.param("since", "2099-01-01", "since: '2099-01-01'", id="since-to-come"),
        pytest.param("checked", "2099-01-01", "checked: '2099-01-01'", id="checked-to-come"),
        pytest.param("next_check", "soon", "'soon'", id="no-time"),
        pytest.param("next_check", "18:00", "2026-12-31", id="no-day"),
    ],
)
def test_import_checks_the_limits_of_the_form(
    callsieve: Program, tmp_path: Path, column: str, text: str, says: str
) -> None:
    file = tmp_path / "own.csv"
    file.write_text(f"number,{column}\n{OWN},{text}\n")
    assert says in callsieve.fails("own", "import", file)
    assert not callsieve.store.exists()


def test_import_reports_unusable_rows(callsieve: Program, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(f"number,state,next_check\n12,,\n{OWN},restig,\n{OWN},,soon\n{OWN},resting,\n,,\n")
    result = callsieve("own", "import", file, "--json")
    assert (result.json["added"], result.json["skipped"]) == (1, 4)
    assert [problem["line"] for problem in result.json["problems"]] == [2, 3, 4, 6]
    assert "did you mean resting" in result.json["problems"][1]["problem"]
    file.write_text("number\n12\n")
    assert ": line 2" in callsieve.fails("own", "import", file)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["add", "12"], "12", id="no-number"),
        pytest.param(["add", OWN, "--name", "a\nb"], "--name: must be one line", id="two-lines"),
        pytest.param(["add", OWN, "--trunk", "a|b"], "without the character |", id="a-bar"),
        pytest.param(["add", OWN, "--next-check", "soon"], "or the word never", id="no-time"),
    ],
)
def test_wrong_arguments_print_one_error_line(callsieve: Program, arguments: list[str], says: str) -> None:
    assert says in callsieve.fails("own", *arguments)
    assert callsieve("own", "list", "--json").json["numbers"] == []


def test_commands_refuse_an_unregistered_number(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    for command in ("show", "check", "rest", "use", "retire", "remove"):
        assert "is not registered" in callsieve.fails("own", command, OWN)
    assert "No number is registered" in callsieve.ok("own", "list")
    callsieve.ok("own", "add", OWN)
    assert "--within" in callsieve.fails("own", "due", "--within", "soon")
    assert "is already active" in callsieve.fails("own", "use", OWN)
