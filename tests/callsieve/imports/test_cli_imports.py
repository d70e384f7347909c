"""`callsieve import`: rows read and skipped; a source changes completely or not at all."""

from __future__ import annotations

import gzip
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from callsieve.cli import output
from callsieve.imports import operations
from reputation.model import Did
from reputation.store.database import open_store
from reputation.store.lists import Contact, contacts_of, list_entries
from reputation.store.people import all_people, upsert_dids
from reputation.store.sources import dids_from, people_from
from tests.callsieve.program import Program, ended, one_line
from tests.office import CALLER
from tests.waiting import wait_until

NUMBERS = "number,category,name,note\n+12017421834,Scam,Joe,x\n201-742-1835,,,\nabc,,,\n2017421835,,,\n"


def sources_of(callsieve: Program) -> dict[str, int]:
    return {row["source"]: row["rows"] for row in callsieve("import", "list", "--json").json}


def numbers_file(callsieve: Program, count: int, start: int = 2_000_000) -> Path:
    rows = "".join(f"+1201{start + index}\n" for index in range(count))
    return callsieve.file(f"numbers-{count}.csv", f"number\n{rows}")


# Numbers.


def test_import_prints_rows_skipped_and_duplicates(callsieve: Program) -> None:
    result = callsieve("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    assert result.code == 0
    assert result.out.startswith("Imported 2 numbers as ftc")
    assert "line 4: 'abc'" in one_line(result.err)
    assert sources_of(callsieve) == {"ftc": 2}
    assert '"Joe", x' in callsieve.ok("lookup", CALLER)


def test_json_has_the_same_counts(callsieve: Program) -> None:
    found = callsieve("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc", "--json").json
    assert (found["read"], found["imported"], found["skipped"], found["duplicates"]) == (4, 2, 1, 1)
    assert [problem["line"] for problem in found["problems"]] == [4]


def test_second_import_replaces_the_first(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    out = callsieve.ok("import", "numbers", callsieve.file("m.csv", "number\n+12017421999\n"), "--source", "ftc")
    assert "import (2 entries)" in out
    assert sources_of(callsieve) == {"ftc": 1}
    assert "Nothing is known" in callsieve.ok("lookup", CALLER)


def test_list_may_vouch_for_numbers(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "partners", "--verdict", "ok")
    assert "lists the number as fine" in callsieve.ok("lookup", CALLER)


def test_a_dry_run_counts_the_same_and_changes_nothing(callsieve: Program) -> None:
    file = callsieve.file("n.csv", NUMBERS)
    dry = callsieve("import", "numbers", file, "--source", "ftc", "--dry-run", "--json").json
    assert not callsieve.store.exists()
    wet = callsieve("import", "numbers", file, "--source", "ftc", "--json").json
    assert {**dry, "seconds": 0, "dry_run": 0} == {**wet, "seconds": 0, "dry_run": 0}
    out = callsieve.ok(
        "import", "numbers", callsieve.file("m.csv", "number\n911\n2\n+12017421999\n"), "--source", "ftc", "--dry-run"
    )
    assert out.startswith("Would import 1 numbers")
    assert "(2 entries) would be replaced.\nNothing was" in out
    assert sources_of(callsieve) == {"ftc": 2}


def test_ten_bad_rows_are_named_and_others_counted(callsieve: Program) -> None:
    file = callsieve.file("n.csv", "number\n" + "x\n" * 25 + "+12017421834\n")
    result = callsieve("import", "numbers", file, "--source", "ftc")
    lines = result.err.splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("callsieve: skipped line 2: ")
    assert lines[-1] == "callsieve: skipped 15 more rows"


def test_cut_fields_and_unknown_columns_are_reported(callsieve: Program) -> None:
    file = callsieve.file("n.csv", f"number,note,colour\n+12017421834,{'x' * 300},red\n")
    result = callsieve("import", "numbers", file, "--source", "ftc")
    assert "cut 1 field" in result.err
    assert "colour" in result.err


def test_own_numbers_on_a_spam_list_are_reported(callsieve: Program) -> None:
    file = callsieve.file("n.csv", "number\n+12025550100\n+12017421834\n")
    result = callsieve("import", "numbers", file, "--source", "ftc")
    assert "+12025550100" in result.err


def test_file_without_numbers_changes_nothing(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    for content in ("number\n", "number\nx\n", "number\n\n\n"):
        line = callsieve.fails("import", "numbers", callsieve.file("m.csv", content), "--source", "ftc")
        assert "no row" in line
    assert sources_of(callsieve) == {"ftc": 2}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"phone,name\n1,2\n", "columns are: phone, name", id="column"),
        pytest.param(b"number\n+12017421834\n\xff\n", "line 3: not UTF-8", id="latin-1"),
        pytest.param(b"\x7fELF\x02\x01\x01\x00\x00\x00", "not a text table", id="binary"),
        pytest.param(b"PK\x03\x04", "Save it as CSV", id="spreadsheet"),
        pytest.param(b"", "empty", id="empty"),
    ],
)
def test_invalid_file_prints_one_line(callsieve: Program, content: bytes, says: str) -> None:
    line = callsieve.fails("import", "numbers", callsieve.file("n.csv", content), "--source", "ftc")
    assert says in line
    assert "n.csv: " in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["{missing}", "--source", "x"], "missing.csv: ", id="missing"),
        pytest.param(["{folder}", "--source", "x"], "directory", id="directory"),
        pytest.param(["{file}/x", "--source", "x"], "not a directory", id="below-a-file"),
        pytest.param(["{file}"], "--source", id="no-source"),
        pytest.param(["{file}", "--source", "a/b"], "letters, digits", id="bad-source"),
        pytest.param(["{file}", "--source", ""], "letters, digits", id="empty-source"),
        pytest.param(["--source", "x"], "--from astdb", id="neither"),
        pytest.param(["{file}", "--from", "astdb"], "--from astdb", id="both"),
        pytest.param(["{file}", "--source", "x", "--verdict", "bad"], "--verdict", id="bad-verdict"),
    ],
)
def test_invalid_arguments_print_one_line(callsieve: Program, arguments: list[str], says: str) -> None:
    places = {"missing": callsieve.folder / "missing.csv", "folder": callsieve.folder, "file": callsieve.config}
    assert says in callsieve.fails("import", "numbers", *(argument.format(**places) for argument in arguments))
    assert not callsieve.store.exists()


def test_standard_input_is_imported(callsieve: Program) -> None:
    result = callsieve.process("import", "numbers", "-", "--source", "ftc", stdin=NUMBERS.encode())
    assert result.code == 0
    assert result.out.startswith("Imported 2 numbers")
    wrong = callsieve.process("import", "numbers", "-", "--source", "ftc", stdin=b"phone\n1\n")
    assert one_line(wrong.err).startswith("standard input: ")


def test_progress_is_shown_on_a_terminal(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(output, "ROWS_BETWEEN_LOOKS", 100)
    result = callsieve("import", "numbers", numbers_file(callsieve, 1000), "--source", "ftc", typed="")
    assert result.code == 0
    assert "reading" in result.err
    assert "storing" in result.err
    assert "1,000 rows" in result.err
    assert "Imported 1,000 numbers" in result.out


# All or nothing.


@pytest.mark.slow
def test_ctrl_c_while_reading_keeps_the_old_list(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    process = callsieve.start("import", "numbers", "-", "--source", "ftc", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"number\n" + b"".join(b"+1201%07d\n" % (2_000_000 + index) for index in range(50_000)))
    process.stdin.flush()  # and more is to come: it is in the middle of its file
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b""
    assert err.decode().splitlines()[-1] == "callsieve: interrupted"
    assert b"Traceback" not in err
    assert sources_of(callsieve) == {"ftc": 2}
    assert "scam" in callsieve.ok("lookup", CALLER)


@pytest.mark.slow
def test_ctrl_c_while_storing_keeps_the_old_list(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    process = callsieve.start("import", "numbers", numbers_file(callsieve, 100_000), "--source", "ftc")
    wait_until(lambda: staged_rows(callsieve) > 10_000)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "unchanged" in err.decode()
    assert sources_of(callsieve) == {"ftc": 2}


def staged_rows(callsieve: Program) -> int:
    with open_store(callsieve.store) as db:
        (count,) = db.execute("SELECT count(*) FROM imported").fetchone()
    return int(count)


@pytest.mark.slow
def test_other_writes_succeed_during_an_import(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    process = callsieve.start("import", "numbers", numbers_file(callsieve, 100_000), "--source", "ftc")
    added = 0
    while process.poll() is None and added < 50:
        callsieve.ok("list", "add", "block", f"+120155501{added:02d}")
        added += 1
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith(b"Imported 100,000 numbers as ftc")
    assert added > 2
    with open_store(callsieve.store) as db:
        assert len(list_entries(db)) == added


@pytest.mark.slow
def test_concurrent_imports_leave_one_complete_list(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    files = [numbers_file(callsieve, count) for count in (30_000, 20_000)]
    processes = [callsieve.start("import", "numbers", file, "--source", "ftc") for file in files]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert sources_of(callsieve)["ftc"] in (30_000, 20_000)


def test_full_disk_prints_one_line_and_keeps_the_old_list(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    file = numbers_file(callsieve, 100_000)
    result = callsieve("import", "numbers", file, "--source", "ftc", most_bytes=1_500_000)
    assert result.code == 2
    assert result.out == ""
    [line] = result.err.splitlines()
    assert "full" in line
    assert sources_of(callsieve) == {"ftc": 2}


# Contacts and people.


def test_contacts_belong_to_the_company_or_a_person(callsieve: Program) -> None:
    file = callsieve.file("c.csv", "number,name,person\n+12017421834,Acme,\n2017421835,Joe,201\n2017421836,Eve,301\n")
    result = callsieve("import", "contacts", file, "--source", "crm")
    assert result.out.startswith("Imported 3 contacts as crm")
    assert "301" in one_line(result.err)
    with open_store(callsieve.store) as db:
        assert contacts_of(db, "201") == [Contact("+12017421834", "Acme"), Contact("+12017421835", "Joe", "201")]
    assert "contact of the company" in callsieve.ok("lookup", CALLER)


def test_a_second_import_of_contacts_replaces_the_first(callsieve: Program) -> None:
    callsieve.ok("import", "contacts", callsieve.file("c.csv", "number,name\n+12017421834,Acme\n"), "--source", "crm")
    out = callsieve.ok("import", "contacts", callsieve.file("d.csv", "number\n+12017421835\n"), "--source", "crm")
    assert "import (1 entry)" in out
    assert "Nothing is known" in callsieve.ok("lookup", CALLER)


def test_dry_run_stores_no_contacts(callsieve: Program) -> None:
    file = callsieve.file("c.csv", "number,name\n+12017421834,Acme\n+12017421834,Acme\n")
    assert "1 duplicate" in callsieve.ok("import", "contacts", file, "--source", "crm", "--dry-run")
    assert not callsieve.store.exists()


def test_people_are_added_and_updated(callsieve: Program) -> None:
    callsieve.ok("import", "people", callsieve.file("p.csv", "extension,name\n202,Bob\n203,Carol\n"), "--source", "hr")
    callsieve.ok(
        "import", "people", callsieve.file("q.csv", "extension,name,group\n202,Bobby,sales\n"), "--source", "hr"
    )
    with open_store(callsieve.store) as db:
        people = {person.extension: person for person in all_people(db)}
    assert (people["202"].name, people["202"].group, people["202"].endpoint) == ("Bobby", "sales", "PJSIP/202")
    assert people["203"].name == "Carol"


def test_people_of_the_settings_win(callsieve: Program) -> None:
    file = callsieve.file("p.csv", "extension,name\n201,Mallory\n203,Bob\n")
    result = callsieve("import", "people", file, "--source", "hr")
    assert "201" in one_line(result.err)


def undo_latest(callsieve: Program) -> None:
    callsieve.ok("undo", str(callsieve("audit", "--json").json[0]["id"]))


def test_an_import_of_people_is_undone(callsieve: Program) -> None:
    callsieve.ok("import", "people", callsieve.file("p.csv", "extension,name\n202,Bob\n"), "--source", "hr")
    with open_store(callsieve.store) as db:
        before = people_from(db)
    more = callsieve.file("q.csv", "extension,name\n202,Bobby\n203,Carol\n")
    callsieve.ok("import", "people", more, "--source", "crm")
    undo_latest(callsieve)
    with open_store(callsieve.store) as db:
        assert people_from(db) == before


def test_removed_people_and_dids_are_restored(callsieve: Program) -> None:
    callsieve.ok("import", "people", callsieve.file("p.csv", "extension,name\n202,Bob\n203,Al\n"), "--source", "hr")
    with open_store(callsieve.store) as db:
        upsert_dids(db, [Did("+12025550111", ("sales",), None, False)], "hr")
        before = people_from(db) | dids_from(db)
    for kind in ("people", "dids"):
        callsieve.ok("import", "remove", "hr", "--kind", kind)
        undo_latest(callsieve)
    with open_store(callsieve.store) as db:
        assert people_from(db) | dids_from(db) == before


def test_people_changed_since_an_import_stay(callsieve: Program) -> None:
    for name in ("Bob", "Bobby"):
        file = callsieve.file("p.csv", f"extension,name\n202,{name}\n")
        callsieve.ok("import", "people", file, "--source", "hr")
    first = callsieve("audit", "--json").json[2]
    assert "changed again since" in callsieve.fails("undo", str(first["id"]))


@pytest.mark.parametrize(
    ("kind", "rows"), [("numbers", "number\n+12017421834\n"), ("contacts", "number\n+12017421834\n")]
)
def test_import_of_numbers_or_contacts_cannot_be_undone(callsieve: Program, kind: str, rows: str) -> None:
    callsieve.ok("import", kind, callsieve.file("x.csv", rows), "--source", "crm")
    callsieve.fails("undo", str(callsieve("audit", "--json").json[0]["id"]))
    callsieve.ok("import", "remove", "crm")
    callsieve.fails("undo", str(callsieve("audit", "--json").json[0]["id"]))


def test_settings_is_no_valid_source_name(callsieve: Program) -> None:
    file = callsieve.file("p.csv", "extension\n202\n")
    assert "use another" in callsieve.fails("import", "people", file, "--source", "settings")


def test_people_file_without_people_prints_one_line(callsieve: Program) -> None:
    file = callsieve.file("p.csv", "extension\n&\n")
    assert "line 2: extension '&'" in callsieve.fails("import", "people", file, "--source", "hr")


def test_too_many_contacts_are_refused(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST_ROWS", 10)
    assert "list of contacts" in callsieve.fails("import", "contacts", numbers_file(callsieve, 11), "--source", "crm")


# Asterisk's own blacklist.

BLACKLIST = """\
/blacklist/12017421834                            : 1
/blacklist/2017421835                             : Sells windows
/blacklist/blocked                                : 1
/blacklist/private                                : 1
4 results found.
"""


def asterisk_that_prints(callsieve: Program, text: str) -> Program:
    script = callsieve.file("asterisk", f"#!{sys.executable}\nprint({text!r}, end='')\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return Program(callsieve.folder, f'[asterisk]\ncommand = "{script}"\n{callsieve.config.read_text()}')


def test_astdb_blacklist_becomes_a_source(callsieve: Program) -> None:
    result = asterisk_that_prints(callsieve, BLACKLIST)("import", "numbers", "--from", "astdb")
    assert result.code == 0
    assert result.out.startswith("Imported 2 numbers as astdb")
    assert "skipped 'private'" in result.err
    assert 'when = { caller_kind = "withheld" }' in result.err
    assert "Sells windows" in callsieve.ok("lookup", "2017421835")


def test_import_notes_that_blacklisted_calls_are_no_longer_rejected(callsieve: Program) -> None:
    program = asterisk_that_prints(callsieve, BLACKLIST)
    assert "--as-blocklist" in program("import", "numbers", "--from", "astdb").err
    assert rules_of(program) == ["level-tag", "level-tag"]
    assert "--as-blocklist" not in program("import", "numbers", "--from", "astdb", "--verdict", "ok").err


def rules_of(program: Program) -> list[str]:
    """The rules of calls from the numbers of BLACKLIST."""
    numbers = ("2017421834", "2017421835")
    return [program("policy", "explain", "--caller", number, "--json").json["rule"] for number in numbers]


def test_astdb_blacklist_becomes_blocklist_entries(callsieve: Program) -> None:
    program = asterisk_that_prints(callsieve, BLACKLIST)
    program.ok("list", "add", "block", "2017421835", "--action", "tag", "--note", "ours")
    would = program("import", "numbers", "--from", "astdb", "--as-blocklist", "--dry-run", "--json").json
    assert rules_of(program) == ["default", "blocklist"]
    done = program("import", "numbers", "--from", "astdb", "--as-blocklist", "--json").json
    assert would == done | {"dry_run": True, "undo": None}
    assert done.items() >= {"read": 3, "added": 1, "replaced": 0, "unchanged": 1, "skipped": 1}.items()
    assert "private" in done["problems"][0]
    assert rules_of(program) == ["blocklist", "blocklist"]
    kept = [(entry["text"], entry["note"]) for entry in program("list", "show", "block", "--json").json]
    assert kept == [("+12017421834", "Asterisk's blacklist"), ("+12017421835", "ours")]

    again = program("import", "numbers", "--from", "astdb", "--as-blocklist", "--json").json
    assert again.items() >= {"added": 0, "replaced": 0, "unchanged": 2, "undo": None}.items()
    program.ok("undo", str(done["undo"]))
    assert rules_of(program) == ["default", "blocklist"]
    assert "already undone" in program.fails("undo", str(done["undo"]))


@pytest.mark.parametrize(
    "more", [["{file}"], ["--from", "astdb", "--source", "x"], ["--from", "astdb", "--verdict", "ok"]]
)
def test_as_blocklist_needs_the_astdb_blacklist(callsieve: Program, more: list[str]) -> None:
    file = callsieve.file("n.csv", NUMBERS)
    line = callsieve.fails("import", "numbers", "--as-blocklist", *(word.format(file=file) for word in more))
    assert "list import" in line


def test_an_empty_blacklist_changes_nothing(callsieve: Program) -> None:
    program = asterisk_that_prints(callsieve, "0 results found.\n")
    assert "blacklist is empty" in program.fails("import", "numbers", "--from", "astdb")
    assert not program.store.exists()


def test_missing_asterisk_prints_one_line(callsieve: Program) -> None:
    program = Program(callsieve.folder, f'[asterisk]\ncommand = "{callsieve.folder}/asterisk"\n')
    assert "not found" in program.fails("import", "numbers", "--from", "astdb")


# List and removal.


def test_imports_are_listed_and_removed(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    callsieve.ok("import", "contacts", callsieve.file("c.csv", "number\n+12017421834\n"), "--source", "crm")
    callsieve.ok("import", "people", callsieve.file("p.csv", "extension\n202\n"), "--source", "hr")
    assert [line.split()[:3] for line in callsieve.ok("import", "list").splitlines()[1:]] == [
        ["numbers", "ftc", "spam"],
        ["contacts", "crm", "1"],
        ["people", "hr", "1"],
    ]
    for name in ("ftc", "crm", "hr"):
        assert f"the import {name}" in callsieve.ok("import", "remove", name)
    assert callsieve.ok("import", "list") == "Nothing was imported.\n"
    assert "Nothing is known" in callsieve.ok("lookup", CALLER)


def test_removing_an_unknown_import_suggests_the_nearest(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "ftc")
    assert "did you mean ftc?" in callsieve.fails("import", "remove", "fct")
    assert "'ftc'" in callsieve.fails("import", "remove", "ftc", "--kind", "people")


def test_ambiguous_import_name_needs_its_kind(callsieve: Program) -> None:
    callsieve.ok("import", "numbers", callsieve.file("n.csv", NUMBERS), "--source", "crm")
    callsieve.ok("import", "contacts", callsieve.file("c.csv", "number\n+12017421834\n"), "--source", "crm")
    assert "choose one with --kind" in callsieve.fails("import", "remove", "crm")
    callsieve.ok("import", "remove", "crm", "--kind", "contacts")
    assert sources_of(callsieve) == {"crm": 2}


def test_a_long_list_needs_little_memory(callsieve: Program) -> None:
    file = numbers_file(callsieve, 100_000)
    process = callsieve.start("import", "numbers", file, "--source", "big")
    assert 0 < ended(process).peak_kilobytes < 120_000  # it does not grow with the rows


ALLOWLIST = """\
/allowlist/12017421836                            : Joe &amp; Sons \x1b[2J
/allowlist/autoadd                                : 1
/allowlist/dest                                   : app-blackhole,hangup,1
/allowlist/did/442071838750/                      : 1
/allowlist/knowncallers                           : 1
/allowlist/2017421837                             : 1
6 results found.
"""


def test_freepbx_allowlist_becomes_a_source(callsieve: Program) -> None:
    result = asterisk_that_prints(callsieve, ALLOWLIST)("import", "numbers", "--from", "freepbx-allowlist")
    assert result.code == 0
    assert result.out.startswith("Imported 2 numbers as freepbx-allowlist: 2 rows read")
    assert "--as-allowlist" in result.err
    assert "import contacts" in result.err
    [source] = callsieve("import", "list", "--json").json
    assert (source["verdict"], source["rows"]) == ("ok", 2)


def test_freepbx_allowlist_becomes_allowlist_entries(callsieve: Program) -> None:
    program = asterisk_that_prints(callsieve, ALLOWLIST)
    arguments = ("import", "numbers", "--from", "freepbx-allowlist", "--as-allowlist", "--json")
    done = program(*arguments).json
    assert done.items() >= {"read": 2, "added": 2, "skipped": 0}.items()
    kept = [(entry["text"], entry["note"]) for entry in program("list", "show", "allow", "--json").json]
    assert kept == [("+12017421836", "Joe & Sons"), ("+12017421837", "FreePBX's allowlist")]
    assert program(*arguments).json.items() >= {"added": 0, "unchanged": 2}.items()
    program.ok("undo", str(done["undo"]))
    assert program("list", "show", "allow", "--json").json == []


@pytest.mark.parametrize("more", [["astdb", "--as-allowlist"], ["freepbx-allowlist", "--as-blocklist"]])
def test_each_list_of_the_pbx_has_its_own_option(callsieve: Program, more: list[str]) -> None:
    assert "is only for --from" in callsieve.fails("import", "numbers", "--from", *more)


def test_allowlist_with_only_settings_is_empty(callsieve: Program) -> None:
    program = asterisk_that_prints(callsieve, "/allowlist/dest : x\n")
    assert "allowlist is empty" in program.fails("import", "numbers", "--from", "freepbx-allowlist")


# Address books.

VCARDS = (
    "BEGIN:VCARD\nVERSION:3.0\nFN:First Bank\nTEL:201-742-1800\nTEL:12\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:3.0\nFN:No Number\nEMAIL:x@example.com\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:4.0\nFN:Joe\nTEL;VALUE=uri:tel:+1-201-742-1836\nTEL:2017421836\nEND:VCARD\n"
)


def contacts(callsieve: Program) -> list[tuple[str, str | None, str | None]]:
    with open_store(callsieve.store) as db:
        return list(db.execute("SELECT number, name, nullif(person, '') FROM contact ORDER BY number, person"))


def test_vcards_become_contacts_of_the_company(callsieve: Program) -> None:
    result = callsieve("import", "contacts", callsieve.file("book.vcf", VCARDS), "--source", "book")
    assert result.code == 0
    assert result.out.startswith("Imported 2 contacts as book from vCards: 3 cards read, 1 skipped, 1 duplicate")
    assert "skipped line 1: '12' is not a telephone number" in result.err
    assert "1 card without a telephone number" in result.err
    assert contacts(callsieve) == [("+12017421800", "First Bank", None), ("+12017421836", "Joe", None)]
    assert callsieve("policy", "explain", "--caller", "2017421836", "--json").json["action"] == "allow"


def test_vcards_become_contacts_of_one_person(callsieve: Program) -> None:
    book = callsieve.file("book.vcf", VCARDS)
    callsieve.ok("import", "contacts", book, "--source", "joes", "--for", "201")
    assert [person for _, _, person in contacts(callsieve)] == ["201", "201"]
    assert "999" in callsieve("import", "contacts", book, "--source", "joes", "--for", "999").err
    assert "--for" in callsieve.fails("import", "contacts", book, "--source", "joes", "--for", "a/b")
    rows = callsieve.file("c.csv", "number,name,person\n2017421800,Bank,202\n2017421836,Joe,\n")
    callsieve.ok("import", "contacts", rows, "--source", "joes", "--for", "201")
    assert [person for _, _, person in contacts(callsieve)] == ["202", "201"]


def test_dry_run_lists_the_contacts(callsieve: Program) -> None:
    book = callsieve.file("book.vcf", VCARDS)
    out = callsieve.ok("import", "contacts", book, "--source", "book", "--for", "201", "--dry-run")
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["number", "name", "person"],
        ["+12017421800", "First", "Bank", "201"],
        ["+12017421836", "Joe", "201"],
    ]
    assert not callsieve.store.exists()


def test_packed_vcards_are_read_from_standard_input(callsieve: Program) -> None:
    """A CardDAV export through a pipe."""
    result = callsieve.process("import", "contacts", "-", "--source", "dav", stdin=gzip.compress(VCARDS.encode()))
    assert result.out.startswith("Imported 2 contacts as dav from vCards")


def test_vcards_without_numbers_change_nothing(callsieve: Program) -> None:
    book = callsieve.file("book.vcf", "BEGIN:VCARD\nFN:Joe\nEND:VCARD\n")
    assert "no row can be used" in callsieve.fails("import", "contacts", book, "--source", "book")
    assert not callsieve.store.exists()
