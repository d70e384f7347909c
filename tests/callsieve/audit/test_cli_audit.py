"""`callsieve audit`: every command that changes something leaves a row, and those that only look leave none."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from callsieve.changes.describe import change_in_words
from callsieve.cli.options import who
from reputation.feature_codes import apply_feature_code
from reputation.store.audit import Change, add_audit, audit_rows
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, all_commands, make_record
from tests.callsieve.test_docs import FILES, commands_of
from tests.office import CALLER

NOTE = "'register 4711, called back'"

# The arguments of each writing command, in this order on one store. A new command belongs here or
# among those that only look.
WRITING = {
    "list add": f"allow {CALLER} --note 'our bank' --expires 30d",
    "list remove": f"allow {CALLER}",
    "mark": f"{CALLER} spam --as 201 --category scam",
    "review wrong": f"{CALLER} 201 --reason 'it was another number'",
    "unmark": f"{CALLER} --as 201",
    "identity add": f"{CALLER} --name Acme --level 2 --note {NOTE}",
    "identity remove": CALLER,
    "identity code": CALLER,
    "reassigned add": f"{CALLER} --reason 'the list of the carrier'",
    "reassigned remove": CALLER,
    "appeal open": f"{CALLER} --name Acme --contact help@acme.example",
    "appeal code": CALLER,
    "appeal evidence": f"{CALLER} crm.csv",
    "appeal accept": CALLER,
    "appeal withdraw": CALLER,
    "import numbers": "complaints.csv --source complaints",
    "import feed": "complaints.csv --source listed",
    "import calls": "history.jsonl",
    "import contacts": "crm.csv --source crm",
    "import remove": "complaints",
    "calls export": "--days 30",
    "calls confirm": CALLER,
    "policy activate": "strict",
    "plan update": "next-door.toml",
    "plan remove": "us --own",
    "token add": "crm --role operator --scope read",
    "token revoke": "crm",
    "emergency open": "",
    "emergency close": "",
    "housekeeping run": "",
    "db backup": "",
    "privacy export": CALLER,
    "privacy erase": f"{CALLER} --yes",
}
# What is typed depends on what was printed, or comes from standard input or a server: their rows are looked at in
# test_cli_feed_fetch, test_cli_appeal, test_cli_reviews, test_cli_own, test_cli_users, test_cli_imports,
# test_cli_lookups, test_cli_hub, test_policies, test_cli_exchange, test_cli_list_files, test_cli_call_lists, test_pack,
# test_watch, test_cli_people and test_cli_events; of what needs an Asterisk in test_install.
WRITING_IN_THEIR_TURN = {
    *(
        "off",
        "on",
        "import people",
        "feeds fetch",
        "list import",
        "undo",
        "appeal clear",
        "appeal decide",
        "appeal prove",
        "identity prove",
        "review done",
        "review undo",
    ),
    *("own add", "own check", "own complaint", "own dnc add", "own dnc remove", "own import", "own remove", "own rest"),
    *(
        "own consent add",
        "own consent remove",
        "own consent import",
        "own registers import",
        "own registers remove",
        "own hygiene",
    ),
    "own pack",
    *("people link", "people sign-out", "people settings"),
    *("block", "allow"),  # short for `list add`
    *("own retire", "own use", "user add", "user password", "user remove", "user role"),
    *("user reset-totp", "lookups enable", "lookups disable"),
    *("exchange publish", "exchange fetch", "exchange run", "exchange resume", "exchange pause"),
    *("exchange add", "exchange remove"),
    *("events replay", "events test"),
    *("own watch add", "own watch ask"),
    *("hub join", "hub quota", "hub expel", "hub leave"),
    *("policy publish", "policy withdraw", "policy accept"),
    "signing rotate",
    *("hub ignore", "hub resume", "hub keep", "hub people same", "hub people apart"),
}
# What is known about numbers stays as it is: they only look, or it is about programs and files.
NOT_WRITING = {
    *("serve", "api", "web", "public page", "public backend", "lookups serve", "lookups show", "hearing"),
    *("call-back serve", "call-back show"),
    *("exchange status", "exchange show"),
    *("events send", "events list", "events dead"),
    *("hub init", "hub run", "hub status", "hub sites"),
    *("hub evidence", "hub erasures", "hub people list"),
    "user list",
    "people devices",
    "token list",
    *("summary", "digest", "alerts list", "alerts test"),
    *("report send", "report list", "report show"),
    *("own decisions", "own explain"),
    *("own watch show", "own watch due", "own watch suspect"),
    *("own consent list", "own registers list", "own comply"),
    *("own dnc list", "own due", "own export", "own guidance", "own list", "own show"),
    *("plan show", "plan check"),
    *("signing key", "signing verify"),  # the key, made at first, is no part of the store
    *("policy test", "policy try", "prompts build", "prompts list", "prompts play", "prompts remove"),
    *("status", "doctor", "completion", "man", "help", "setup"),
    "guide",
    *("explain marks", "explain number"),
    "lookup",
    "audit",
    "calls show",
    "calls search",
    "calls tail",
    "list show",
    "identity show",
    "identity due",
    "housekeeping show",
    "reassigned show",
    "review list",
    "appeal list",
    "appeal show",
    "import list",
    "feeds",
    "policy list",
    "policy check",
    "policy show",
    "policy explain",
    "replay",
    "emergency status",
    "db migrate",
    "db check",
    "db restore",
    "asterisk install",
    "asterisk uninstall",
}


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    for name, content in FILES.items():
        if "/" not in name:
            (tmp_path / name).write_text(content)
    return Program(tmp_path)


def audit(callsieve: Program, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = callsieve("audit", *arguments, "--json").json
    return rows


def test_every_command_is_classified_as_writing_or_not() -> None:
    commands = dict(commands_of(all_commands()))
    assert sorted([*WRITING, *WRITING_IN_THEIR_TURN, *NOT_WRITING]) == sorted(commands)


def test_every_writing_command_adds_one_row(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    for count, (command, typed) in enumerate(WRITING.items()):
        words = [
            callsieve.folder / word if (callsieve.folder / word).is_file() else word for word in shlex.split(typed)
        ]
        callsieve.ok(*command.split(), *words)
        latest, *others = audit(callsieve)
        assert (latest["what"], latest["who"]) == (command, "joe")
        assert len(others) == count, command


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(f"list remove block {CALLER}", id="not-on-the-list"),
        pytest.param(f"list remove block {CALLER} --person 201", id="not-on-the-list-of-the-person"),
        pytest.param(f"identity remove {CALLER}", id="no-identity"),
        pytest.param("mark +12025550100 spam --as 201", id="refused"),
        pytest.param(f"unmark {CALLER} --as 201", id="no-mark"),
        pytest.param("import remove nothing", id="unknown-import"),
    ],
)
def test_command_without_effect_adds_no_row(callsieve: Program, typed: str) -> None:
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store) as db, transaction(db):
        db.execute("INSERT INTO own_number (number, source) VALUES ('+12025550100', 'settings')")
    callsieve.fails(*shlex.split(typed))
    assert audit(callsieve) == []
    assert callsieve.ok("audit").startswith("No changes")


def test_dry_run_adds_no_row(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    callsieve.ok("import", "numbers", callsieve.folder / "complaints.csv", "--source", "x", "--dry-run")
    callsieve.ok("import", "contacts", callsieve.folder / "crm.csv", "--source", "x", "--dry-run")
    assert audit(callsieve) == []


def test_audit_shows_before_and_after(callsieve: Program) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1")
    callsieve.ok("identity", "add", CALLER, "--name", "Apex", "--level", "1", "--expires", "90d")
    callsieve.ok("list", "add", "block", "+1900*", "--note", "premium")
    assert [(row["number"], row["name"]) for row in audit(callsieve)] == [(None, "+1900*"), (CALLER, ""), (CALLER, "")]
    assert [row["before"] and row["before"]["name"] for row in audit(callsieve, CALLER)] == ["Acme", None]
    assert audit(callsieve, "--last", "1") == audit(callsieve)[:1]
    lines = callsieve.ok("audit").splitlines()
    assert " blocked +1900* (premium)" in lines[1]
    assert "list add, " in lines[2]
    assert "note premium" in lines[2]
    assert "name Acme -> Apex" in lines[4]


@pytest.mark.parametrize("columns", [60, 80])
def test_long_sentence_fits_the_terminal(callsieve: Program, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    callsieve.ok("list", "add", "block", "+1900*", "--note", "of a call centre " * 6)
    callsieve.ok("list", "add", "block", "+1901*")
    lines = [line.rstrip() for line in callsieve.ok("audit").splitlines()]
    assert max(map(len, lines)) <= columns
    first, second, *_ = (place for place, line in enumerate(lines) if "list add, " in line)
    assert " blocked +1901*" in lines[first - 1]
    assert " blocked +1900*" in lines[first + 1]
    assert second > first + 2


def test_user_behind_sudo_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "joe\x1b[2J")
    assert who() == "joe[2J"
    monkeypatch.delenv("SUDO_USER")
    assert who() == "root"


def test_marks_by_feature_code_are_audited(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store) as db, transaction(db):
        record_decisions(db, [make_record()])
        db.execute("INSERT INTO reached VALUES ('PJSIP/9', 1.0, 'c1', ?)", (CALLER,))
        assert apply_feature_code(db, "PJSIP/9", "spam", 2.0) == "spam"
        assert apply_feature_code(db, "PJSIP/9", "spam", 3.0) == "retracted"
        assert apply_feature_code(db, "PJSIP/8", "spam", 3.0) == "nobody"
    assert [(row["who"], row["what"]) for row in audit(callsieve)] == [
        ("phone PJSIP/9", "unmark"),
        ("phone PJSIP/9", "mark"),
    ]


def test_erased_number_is_removed_from_the_audit(callsieve: Program) -> None:
    callsieve.ok("identity", "add", CALLER, "--name", "Acme", "--level", "1")
    assert "1 change by" in callsieve.ok("privacy", "erase", CALLER, "--yes")
    assert audit(callsieve, CALLER) == []
    erased, added = audit(callsieve)
    assert (erased["what"], erased["number"], added["what"]) == ("privacy erase", None, "identity add")
    assert CALLER not in json.dumps([erased, added])
    assert "Acme" not in json.dumps([erased, added])
    assert CALLER.encode() not in callsieve.store.read_bytes()


def test_changes_are_listed_latest_first_and_by_number(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db, transaction(db):
        for at, number in ((1.0, CALLER), (3.0, None), (2.0, CALLER)):
            add_audit(db, Change("mark", number), "joe", at)
        assert [row.at for row in audit_rows(db)] == [3.0, 2.0, 1.0]
        assert [row.at for row in audit_rows(db, CALLER)] == [2.0, 1.0]
        assert [row.at for row in audit_rows(db, limit=1)] == [3.0]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param(None, None, "", id="nothing"),
        pytest.param(None, {"number": "+1", "name": "Acme", "note": ""}, "name Acme", id="new"),
        pytest.param({"name": "Acme", "level": 1}, None, "(name Acme, level 1)", id="gone"),
        pytest.param({"name": "Acme", "level": 1}, {"name": "Acme", "level": 2}, "level 1 -> 2", id="changed"),
        pytest.param({"note": "bank"}, {"note": ""}, "note bank -> nothing", id="emptied"),
        pytest.param({"rows": 1}, {"rows": 1}, "", id="same"),
        pytest.param("not JSON of ours", {"name": "A"}, "name A", id="damaged"),
        pytest.param(None, {"expires_at": "2100-01-01T00:00:00Z"}, "expires 2100-01-01 00:00", id="instant"),
    ],
)
def test_change_is_described_in_words(before: Any, after: Any, words: str) -> None:
    assert str(change_in_words(before, after, "+1")) == words
