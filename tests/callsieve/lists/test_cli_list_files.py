"""`callsieve list import`: what the console exports comes back, at once or not at all, and again without a change."""

from __future__ import annotations

import pytest

from callsieve.lists.views import list_as_csv
from reputation.store.database import open_store
from reputation.store.lists import list_entries
from tests.callsieve.program import Program
from tests.office import CALLER

CSV = "entry,list,action,note,expires\n+1900*,block,tag,dear,2099-12-31\n2017421834,allow,,,\n"


def exported(callsieve: Program) -> str:
    """The lists as the console exports them."""
    with open_store(callsieve.store) as db:
        return list_as_csv(list_entries(db))


def test_file_of_entries_is_imported_and_undone(callsieve: Program) -> None:
    callsieve.ok("list", "add", "allow", CALLER, "--note", "old")
    before = exported(callsieve)
    done = callsieve("list", "import", callsieve.file("l.csv", CSV), "--json").json
    assert done.items() >= {"read": 2, "added": 1, "replaced": 1, "unchanged": 0, "skipped": 0}.items()
    shown = callsieve("list", "show", "--json").json
    assert [(item["text"], item["list_name"], item["note"]) for item in shown] == [
        (CALLER, "allow", ""),
        ("+1900*", "block", "dear"),
    ]
    callsieve.ok("undo", str(done["undo"]))
    assert exported(callsieve) == before


def test_importing_an_export_changes_nothing(callsieve: Program) -> None:
    callsieve.ok("list", "import", callsieve.file("l.csv", CSV))
    callsieve.ok("list", "add", "block", "+12017421835", "--expires", "2h", "--note", "=1+1")
    rows = len(callsieve("audit", "--json").json)
    again = callsieve("list", "import", callsieve.file("e.csv", exported(callsieve)), "--json").json
    assert again.items() >= {"added": 0, "replaced": 0, "unchanged": 3, "undo": None}.items()
    assert len(callsieve("audit", "--json").json) == rows


def test_a_dry_run_counts_the_same_and_changes_nothing(callsieve: Program) -> None:
    callsieve.ok("list", "add", "allow", CALLER, "--note", "old")
    file = callsieve.file("l.csv", f"{CSV}12,block,,,\n")
    before = exported(callsieve)
    would = callsieve("list", "import", file, "--dry-run", "--json").json
    assert exported(callsieve) == before
    assert would == callsieve("list", "import", file, "--json").json | {"dry_run": True, "undo": None}


def test_a_dry_run_makes_no_store(callsieve: Program) -> None:
    callsieve.ok("list", "import", callsieve.file("l.csv", CSV), "--dry-run")
    assert not callsieve.store.exists()


def test_rows_without_a_list_use_the_list_option(callsieve: Program) -> None:
    file = callsieve.file("l.csv", "entry\n+12017421835\n")
    assert "write allow or block" in callsieve.fails("list", "import", file)
    callsieve.ok("list", "import", file, "--list", "block")
    assert [item["list_name"] for item in callsieve("list", "show", "--json").json] == ["block"]


def test_import_skips_rows_that_block_own_numbers(callsieve: Program) -> None:
    file = callsieve.file("l.csv", "entry,list\n+12025550100,block\n+12017421835,block\n")
    done = callsieve("list", "import", file)
    assert (done.code, "our own numbers" in done.err) == (0, True)
    assert [item["text"] for item in callsieve("list", "show", "--json").json] == ["+12017421835"]
    alone = callsieve.file("o.csv", "entry,list\n+12025550100,block\n")
    assert "no row" in callsieve.fails("list", "import", alone)


def test_number_of_imported_rows_is_limited(callsieve: Program) -> None:
    rows = "".join(f"+1201742{index:04d},block\n" for index in range(5001))
    assert "More than 5000 rows" in callsieve.fails("list", "import", callsieve.file("l.csv", f"entry,list\n{rows}"))
    assert not callsieve.store.exists()


def test_list_undo_refuses_other_kinds_of_change(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    callsieve.ok("privacy", "export", CALLER)
    [row] = callsieve("audit", "--json").json
    assert "cannot be undone" in callsieve.fails("undo", str(row["id"]))


@pytest.mark.parametrize("command", ["list add allow", "list remove allow"])
def test_change_of_a_single_entry_is_undone(callsieve: Program, command: str) -> None:
    callsieve.ok("list", "add", "allow", CALLER)
    if command != "list add allow":
        callsieve.ok(*command.split(), CALLER)
    before = len(callsieve("list", "show", "--json").json)
    callsieve.ok("undo", str(callsieve("audit", "--json").json[0]["id"]))
    assert len(callsieve("list", "show", "--json").json) == 1 - before
