"""`callsieve appeal`, from filing to decision."""

from __future__ import annotations

import re
import shlex
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agi.quoting import variables_in
from callsieve.appeals.views import has_no_appeal_overdue
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.settings import Loaded, Settings
from lab.daemon import Daemon
from reputation.appeals import ATTACHMENT_BYTES, AppealStep
from reputation.store.appeals import open_appeal, take_step
from reputation.store.database import open_store
from tests.builders import HEADER
from tests.callsieve.program import Program, make_record
from tests.office import CALLER
from tests.reputation.store_builders import make_appeal
from tests.waiting import wait_until

DAY = 86_400.0
FILED = ("--name", "Acme Ltd", "--contact", "help@acme.example")


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    return program


def file(callsieve: Program, *more: str) -> str:
    """File an appeal about CALLER and return its reference."""
    out = callsieve.ok("appeal", "open", CALLER, *FILED, *more)
    found = re.search(r"appeal (\w{8}) for ", out)
    assert found is not None
    return found[1]


def appeal_of(callsieve: Program) -> dict[str, object]:
    shown: dict[str, object] = callsieve("appeal", "show", CALLER, "--json").json
    return shown


def undo_of(out: str) -> list[str]:
    """Return the undo command in the output."""
    return shlex.split(out.splitlines()[-1])[1:]


def test_appeal_from_call_back_to_decision_and_undo(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("7KQ2M4XA"))
    callsieve.ok("mark", CALLER, "spam", "--as", "201")
    reference = file(callsieve, "--statement", "We call our customers.")
    assert "waits" not in callsieve.ok("appeal", "list")
    code = re.search(r"The code is (\d{3} \d{3})\.", callsieve.ok("appeal", "code", reference))
    assert code is not None
    wrong = "000000" if code[1] != "000 000" else "000001"
    assert "code is wrong" in callsieve.fails("appeal", "prove", reference, wrong)
    assert "is in force" in callsieve.ok("appeal", "prove", reference, code[1])
    assert appeal_of(callsieve)["proven"] is True
    assert "owner has filed an appeal" in callsieve.ok("lookup", CALLER).lower()

    out = callsieve.ok("appeal", "decide", reference, "uphold", "--reason", "a customer's own bank")
    assert "(201)" in out
    assert f"corrected as wrong by {reference}" in callsieve.ok("lookup", CALLER)
    assert f"{reference} by Acme Ltd: upheld" in callsieve.ok("calls", "show", "7KQ2M4XA")
    assert callsieve("lookup", CALLER, "--json").json["reputation"]["points"] == -18  # a proven caller passes
    assert "corrected" in callsieve.ok("appeal", "show", CALLER)

    callsieve.ok(*undo_of(out))
    assert appeal_of(callsieve)["state"] == "in_force"
    assert callsieve("lookup", CALLER, "--json").json["reputation"]["points"] == -3  # the mark counts again
    callsieve.ok("appeal", "decide", reference, "deny", "--reason", "three took such a call")
    assert "30 days" in callsieve.fails("appeal", "open", CALLER, *FILED)
    rows = callsieve("audit", CALLER, "--json").json
    did = [*(f"appeal {what}" for what in ("open", "code", "prove", "prove", "decide")), "undo appeal decide"]
    assert [row["what"] for row in reversed(rows) if row["what"] != "mark"] == [*did, "appeal decide"]


def test_blocklist_entry_is_cleared_after_an_upheld_appeal(callsieve: Program) -> None:
    reference = file(callsieve)
    assert callsieve.fails("appeal", "clear", reference, "--remove", "list")
    callsieve.ok("appeal", "accept", reference)
    callsieve.ok("list", "add", "block", CALLER)
    callsieve.ok("appeal", "decide", reference, "uphold", "--reason", "a customer's own bank")
    assert [entry["text"] for entry in callsieve("list", "show", "--json").json] == [CALLER]
    assert CALLER in callsieve.ok("appeal", "clear", reference)
    out = callsieve.ok("appeal", "clear", reference, "--remove", "list")
    assert callsieve("list", "show", "--json").json == []
    callsieve.ok(*undo_of(out))
    assert [entry["text"] for entry in callsieve("list", "show", "--json").json] == [CALLER]


def test_overdue_appeal_is_marked_overdue(callsieve: Program) -> None:
    with open_store(callsieve.store) as db:
        open_appeal(db, make_appeal(number=CALLER, opened_at=time.time() - 9 * DAY))
        take_step(db, "AP9E4100", AppealStep.ACCEPT, time.time() - 9 * DAY)
    assert ", overdue" in callsieve.ok("appeal", "list")
    assert ", overdue" in callsieve.ok("appeal", "show", CALLER)


def test_acceptance_and_withdrawal_can_be_undone(callsieve: Program) -> None:
    reference = file(callsieve)
    out = callsieve.ok("appeal", "accept", reference)
    assert appeal_of(callsieve)["state"] == "in_force"
    callsieve.ok(*undo_of(out))
    assert appeal_of(callsieve)["state"] == "open"
    assert "already undone" in callsieve.fails(*undo_of(out))
    out = callsieve.ok("appeal", "withdraw", CALLER, "--reason", "filed by somebody else")
    assert callsieve.ok("appeal", "list").startswith("No appeal")
    assert "withdrawn" in callsieve.ok("appeal", "list", "--all")
    callsieve.ok(*undo_of(out))
    assert appeal_of(callsieve)["state"] == "open"


def test_appeal_may_name_a_decision(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("7KQ2M4XA"))
    file(callsieve, "--decision", "7kq2m4xa")
    assert "decision 7KQ2M4XA" in callsieve.ok("appeal", "show", CALLER)
    for wrong in ("7KQ2M4XA", "7"):
        says = callsieve.fails("appeal", "open", "+12017421835", *FILED, "--decision", wrong)
        assert says.startswith("--decision: ")
        assert f"{wrong} about +12017421835" in says


def test_json_output_has_appeal_and_evidence(callsieve: Program) -> None:
    filed = callsieve("appeal", "open", CALLER, *FILED, "--json").json
    assert (filed["number"], filed["state"], filed["due_at"]) == (CALLER, "open", None)
    [attached] = callsieve("appeal", "evidence", filed["reference"], "--statement", "It was me.", "--json").json
    assert (attached["place"], attached["name"], attached["size"]) == (1, "statement.txt", 10)
    [listed] = callsieve("appeal", "list", "--json").json
    assert (listed["reference"], listed["is_overdue"]) == (filed["reference"], False)


def test_retracted_mark_stays_retracted_after_another_import(callsieve: Program) -> None:
    """The ruling also lists the evidence that remains."""
    at = time.time() - 3600
    about = f'"type": "mark", "number": "{CALLER}", "verdict": "spam"'
    marks = "".join(f'{{"at": {at + n}, {about}, "reporter": "20{n}"}}\n' for n in range(1, 4))
    callsieve.ok("import", "calls", callsieve.file("marks.jsonl", marks))
    callsieve.ok("import", "numbers", callsieve.file("list.csv", f"number\n{CALLER}\n"), "--source", "ftc")
    assert callsieve("lookup", CALLER, "--json").json["reputation"]["level"] == "warn"
    file(callsieve)
    callsieve.ok("appeal", "accept", CALLER)
    out = callsieve.ok("appeal", "decide", CALLER, "uphold", "--reason", "a customer's own bank")
    assert "level tag" in out
    late = marks.replace('"201"', '"209"')
    callsieve.ok("import", "calls", callsieve.file("late.jsonl", marks + late))
    assert len(callsieve("lookup", CALLER, "--json").json["marks"]) == 4
    assert callsieve("lookup", CALLER, "--json").json["reputation"]["log_odds"] == 1.5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["open", "911", *FILED], "emergency number", id="emergency-number"),
        pytest.param(["show", "AAAAAAAA"], "AAAAAAAA", id="no-such-appeal"),
        pytest.param(["show", CALLER], CALLER, id="number-without-appeal"),
        pytest.param(["accept", "x"], "not a telephone number", id="neither-id-nor-number"),
        pytest.param(["decide", CALLER, "maybe", "--reason", "x"], "uphold or deny", id="no-ruling"),
        pytest.param(
            ["decide", CALLER, "deny", "--reason", "x", "--category-only"],
            "--category-only: ",
            id="category-only-without-category",
        ),
        pytest.param(["decide", CALLER, "uphold"], "'--reason'", id="no-reason"),
    ],
)
def test_refused_command_prints_one_line(callsieve: Program, arguments: list[str], says: str) -> None:
    assert says in callsieve.fails("appeal", *arguments)


def test_filed_appeal_cannot_be_decided_or_proven(callsieve: Program) -> None:
    file(callsieve)
    assert "cannot be decided yet" in callsieve.fails("appeal", "decide", CALLER, "deny", "--reason", "x")
    assert callsieve.fails("appeal", "prove", CALLER, "031415").startswith("There is no code yet")
    exported = callsieve("privacy", "export", CALLER).json["tables"]
    assert [item["name"] for item in exported["appeal"]] == ["Acme Ltd"]
    assert "1 appeal," in callsieve.ok("privacy", "erase", CALLER, "--yes")


# Evidence.


def test_evidence_is_attached_exported_and_removed(callsieve: Program) -> None:
    file(callsieve)
    assert "Nothing is attached" in callsieve.ok("appeal", "evidence", CALLER)
    records = callsieve.file("calls.csv", b"\xff\x00records")
    out = callsieve.ok("appeal", "evidence", CALLER, records, records, "--statement", "It was their own bank.")
    assert "2: statement.txt, 22 bytes" in callsieve.ok("appeal", "show", CALLER)
    assert [line[:20] for line in out.splitlines()] == ["1  calls.csv  9 byte", "2  statement.txt  22"]
    folder = callsieve.folder / "out"
    callsieve.ok("appeal", "evidence", CALLER, "--export", folder)
    written = sorted(folder.iterdir())
    assert [path.read_bytes() for path in written] == [b"\xff\x00records", b"It was their own bank."]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    whats = [row["what"] for row in callsieve("audit", "--json").json]
    assert whats == ["appeal evidence download", "appeal evidence download", "appeal evidence", "appeal open"]
    assert "another directory" in callsieve.fails("appeal", "evidence", CALLER, "--export", folder)
    assert callsieve.ok("appeal", "evidence", CALLER, "--remove", "1").startswith("2  statement.txt")
    assert "has no attachment number 1" in callsieve.fails("appeal", "evidence", CALLER, "--remove", "1")
    assert "calls.csv" in callsieve.ok("audit", CALLER)


@pytest.mark.parametrize(
    ("size", "says"), [(ATTACHMENT_BYTES + 1, "larger than 1 MB"), (0, "is empty")], ids=["large", "empty"]
)
def test_size_of_evidence_is_limited(callsieve: Program, size: int, says: str) -> None:
    file(callsieve)
    small = callsieve.file("small.csv", "1")
    assert says in callsieve.fails("appeal", "evidence", CALLER, small, callsieve.file("f", b"x" * size))
    assert "Nothing is attached" in callsieve.ok("appeal", "evidence", CALLER)  # all or nothing


def test_evidence_is_read_from_regular_files_only(callsieve: Program) -> None:
    file(callsieve)
    assert "not a regular file" in callsieve.fails("appeal", "evidence", CALLER, "/dev/zero")
    assert "no such file" in callsieve.fails("appeal", "evidence", CALLER, "/nowhere")


# The doctor.


def test_doctor_warns_of_overdue_appeals(callsieve: Program) -> None:
    now = time.time()

    def finding_at(at: float) -> tuple[CheckStatus, str]:
        loaded = Loaded(settings=Settings(), file=callsieve.config, state=callsieve.state)
        finding = has_no_appeal_overdue(CheckContext(loaded, str, at))
        return finding.status, str(finding.detail)

    assert finding_at(now) == (CheckStatus.OK, "none")
    with open_store(callsieve.store) as db:
        for number, reference in ((CALLER, "AP000001"), ("+12017421835", "AP000002"), ("+12017421836", "AP000003")):
            open_appeal(db, make_appeal(number=number, reference=reference, opened_at=now))
        for reference in ("AP000001", "AP000002"):
            take_step(db, reference, AppealStep.ACCEPT, now)
    status, detail = finding_at(now)
    assert (status, re.findall(r"\d+", detail)) == (CheckStatus.OK, ["2", "1"])
    status, detail = finding_at(now + 7 * DAY)
    assert (status, detail.split()[1], detail.endswith("and 1 more")) == (CheckStatus.WARN, "AP000001", True)


# The next call.

REJECTING = '[policy]\nname = "hard"\n'
OPEN, ACCEPTED, DENIED = "+12017421835", "+12017421836", "+12017421837"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    state = tmp_path / "state"
    (state / "policies").mkdir(parents=True)
    (state / "policies" / "hard.toml").write_text('default = "reject"\n')
    with Daemon(state, REJECTING) as daemon:
        yield daemon


def action_for(daemon: Daemon, number: str) -> str:
    """Return the action that Asterisk gets for a call of the number."""
    header = HEADER | {"agi_callerid": number, "agi_arg_1": "did=+442071838750"}
    block = "".join(f"{name}: {value}\n" for name, value in header.items()) + "\n"
    said = b""
    with closing(socket.create_connection(("127.0.0.1", daemon.port), 5.0)) as connection:
        connection.sendall(block.encode())
        while b"CALLSIEVE_ACTION" not in said and (chunk := connection.recv(65536)):
            said += chunk
    return next(value for name, value in variables_in(said).items() if name.endswith("CALLSIEVE_ACTION"))


def test_appeal_counts_from_the_next_call(daemon: Daemon, tmp_path: Path) -> None:
    """Each number calls once, because a second call is warned about at most. The daemon runs all the time."""
    callsieve = Program(tmp_path)
    callsieve.config = daemon.config
    assert action_for(daemon, CALLER) == "reject"
    for number in (OPEN, ACCEPTED, DENIED):
        callsieve.ok("appeal", "open", number, *FILED)
    callsieve.ok("appeal", "accept", ACCEPTED)
    callsieve.ok("appeal", "accept", DENIED)
    callsieve.ok("appeal", "decide", DENIED, "deny", "--reason", "no")
    assert action_for(daemon, OPEN) == "reject"
    assert action_for(daemon, ACCEPTED) == "challenge"
    assert action_for(daemon, DENIED) == "reject"
    wait_until(lambda: len(callsieve("calls", "show", "--json").json) == 4)
    [record] = callsieve("calls", "show", ACCEPTED, "--json").json
    assert record["vector"]["appeal"] in record["reason"]
    assert f"{record['vector']['appeal']} was in force" in callsieve.ok("calls", "show", record["id"])
