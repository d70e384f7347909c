"""`callsieve plan`: what ranges are for, another plan replaces the shipped plan, and the way back; and who reads it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.changes.undo import UndoRequest, undo
from callsieve.main.capabilities import CHANGES
from callsieve.numbering.operations import RemoveRequest, UpdateRequest, remove, update
from callsieve.plan_files import plan_folder, plan_of, plans_of
from callsieve.settings import Loaded, Settings
from reputation.plan.loader import MAX_BYTES
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.users import Role
from tests.callsieve.program import Program
from tests.office import CALLER

OWN = 'adds_to = "US"\ncalling_code = 1\nread = 2026-11-27\n[[range]]\nprefix = "+1201742"\npurpose = "call-centre"\n'
FRANCE = 'country = "FR"\ncalling_code = 33\nread = 2026-11-27\n[[range]]\nprefix = "+33162"\npurpose = "voip"\n'
CALL_PLATFORM = "+33162123456"


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return Loaded(settings=Settings(), file=None, state=tmp_path)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def context(loaded: Loaded, role: Role = Role.ADMINISTRATOR) -> Context:
    return Context("joe", role, 1_790_000_000.0, loaded, changes=CHANGES)


def purpose_of(loaded: Loaded, number: str) -> str | None:
    row = plan_of(loaded).row_of(number, time.time())
    return None if row is None else row.purpose.value


def put(db: sqlite3.Connection, loaded: Loaded, text: str) -> int:
    done = update(db, context(loaded), UpdateRequest(text.encode(), "a.toml"))
    assert done.change_id is not None
    return done.change_id


def test_whole_plan_replaces_the_shipped_one_and_is_undone(db: sqlite3.Connection, loaded: Loaded) -> None:
    assert purpose_of(loaded, CALL_PLATFORM) == "telemarketing"
    first = put(db, loaded, FRANCE)
    assert purpose_of(loaded, CALL_PLATFORM) == "voip"
    assert purpose_of(loaded, "+33948123456") is None, "the whole plan is another one"
    second = put(db, loaded, FRANCE.replace("voip", "personal"))
    assert purpose_of(loaded, CALL_PLATFORM) == "personal"
    undo(db, context(loaded), UndoRequest(second))
    assert purpose_of(loaded, CALL_PLATFORM) == "voip"
    undo(db, context(loaded), UndoRequest(first))
    assert purpose_of(loaded, CALL_PLATFORM) == "telemarketing"


def test_own_rows_extend_the_shipped_plan_and_are_restored(db: sqlite3.Connection, loaded: Loaded) -> None:
    put(db, loaded, OWN)
    assert (purpose_of(loaded, CALLER), purpose_of(loaded, "+19002345678")) == ("call-centre", "premium")
    taken = remove(db, context(loaded), RemoveRequest("us", own=True))
    assert purpose_of(loaded, CALLER) is None
    assert taken.change_id is not None
    undo(db, context(loaded), UndoRequest(taken.change_id))
    assert purpose_of(loaded, CALLER) == "call-centre"
    assert [row.what for row in audit_rows(db)] == ["undo plan remove", "plan remove", "plan update"]


def test_plan_changed_again_is_not_undone(db: sqlite3.Connection, loaded: Loaded) -> None:
    first = put(db, loaded, OWN)
    put(db, loaded, OWN.replace("call-centre", "service"))
    with pytest.raises(Refused) as refused:
        undo(db, context(loaded), UndoRequest(first))
    assert refused.value.code == "changed-since"
    assert purpose_of(loaded, CALLER) == "service"


def test_undo_restores_a_manually_placed_file(db: sqlite3.Connection, loaded: Loaded) -> None:
    plan_folder(loaded).mkdir()
    (plan_folder(loaded) / "us-own.toml").write_text(OWN)
    change = put(db, loaded, OWN.replace("call-centre", "service"))
    undo(db, context(loaded), UndoRequest(change))
    assert purpose_of(loaded, CALLER) == "call-centre"


def test_file_too_large_for_undo_is_not_replaced(db: sqlite3.Connection, loaded: Loaded) -> None:
    plan_folder(loaded).mkdir()
    large = OWN + "#" * MAX_BYTES
    (plan_folder(loaded) / "us-own.toml").write_text(large)
    with pytest.raises(Refused) as refused:
        put(db, loaded, OWN)
    assert refused.value.code == "cannot-write"
    assert (plan_folder(loaded) / "us-own.toml").read_text() == large


def test_plan_is_kept_if_the_previous_one_is_unusable(db: sqlite3.Connection, loaded: Loaded) -> None:
    plan_folder(loaded).mkdir()
    (plan_folder(loaded) / "us-own.toml").write_text("country = 3")
    change = put(db, loaded, OWN)
    with pytest.raises(Refused) as refused:
        undo(db, context(loaded), UndoRequest(change))
    assert refused.value.code == "unusable-plan"
    assert purpose_of(loaded, CALLER) == "call-centre"


def test_changed_plan_with_the_same_mtime_is_read_again(loaded: Loaded) -> None:
    plan_folder(loaded).mkdir()
    there, other = plan_folder(loaded) / "us-own.toml", loaded.state / "other.toml"
    there.write_text(OWN)
    assert purpose_of(loaded, CALLER) == "call-centre"
    other.write_text(OWN.replace("call-centre", "machine") + "    ")
    os.utime(other, ns=(there.stat().st_atime_ns, there.stat().st_mtime_ns))
    other.replace(there)
    assert purpose_of(loaded, CALLER) == "machine"


def test_only_administrators_undo_a_plan(db: sqlite3.Connection, loaded: Loaded) -> None:
    change = put(db, loaded, OWN)
    with pytest.raises(Refused) as refused:
        undo(db, context(loaded, Role.OPERATOR), UndoRequest(change))
    assert refused.value.code == "administrators-only"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(FRANCE.replace("voip", "sales"), "bad-plan", id="unknown-purpose"),
        pytest.param("x = [", "bad-plan", id="no-toml"),
    ],
)
def test_refused_plan_changes_nothing(db: sqlite3.Connection, loaded: Loaded, text: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        update(db, context(loaded), UpdateRequest(text.encode(), "a.toml"))
    assert refused.value.code == code
    assert not plan_folder(loaded).exists()
    assert audit_rows(db) == []


@pytest.mark.parametrize("country", ["FR", "XX", "..", "../x", "", "fr/../fr", "ＦＲ"])
def test_missing_plan_cannot_be_removed(db: sqlite3.Connection, loaded: Loaded, country: str) -> None:
    with pytest.raises(Refused) as refused:
        remove(db, context(loaded), RemoveRequest(country))
    assert refused.value.code == "no-such-plan"
    assert audit_rows(db) == []


def test_broken_plan_file_is_skipped_and_named(loaded: Loaded) -> None:
    plan_folder(loaded).mkdir()
    (plan_folder(loaded) / "fr.toml").write_text("country = 3")
    (plan_folder(loaded) / "us-own.toml").write_text(OWN)
    found = plans_of(loaded)
    assert len(found.problems) == 1
    assert "fr.toml" in str(found.problems[0])
    assert purpose_of(loaded, CALL_PLATFORM) == "telemarketing"
    assert purpose_of(loaded, CALLER) == "call-centre"


# The command.


def test_own_plan_row_is_shown_by_plan_and_lookup(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.ok("db", "migrate")
    assert json.loads(callsieve.ok("plan", "show", CALLER, "--json"))["plan"] is None
    (tmp_path / "own.toml").write_text(OWN)
    callsieve.ok("plan", "update", tmp_path / "own.toml")
    shown = json.loads(callsieve.ok("plan", "show", CALLER, "--json"))["plan"]
    assert (shown["purpose"], shown["is_own"], shown["is_evidence"]) == ("call-centre", True, False)
    assert json.loads(callsieve.ok("lookup", CALLER, "--json"))["plan"]["prefix"] == "+1201742"
    explained = json.loads(callsieve.ok("policy", "explain", "--caller", CALL_PLATFORM, "--json"))
    assert (explained["would_be"], explained["rule"]) == ("tag", "telemarketing-range")


def test_all_problems_of_a_plan_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(FRANCE.replace("voip", "sales") + '[[range]]\nprefix = 3\npurpose = "bank"\n')
    result = Program(tmp_path)("plan", "check", tmp_path / "bad.toml")
    assert result.code == 2
    assert [("range 1" in line, "range 2" in line) for line in result.err.splitlines()] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("what", ["countries", "FR", "US", CALL_PLATFORM])
def test_plan_show_has_json_output(tmp_path: Path, what: str) -> None:
    words = [] if what == "countries" else [what]
    assert json.loads(Program(tmp_path).ok("plan", "show", *words, "--json"))
    assert Program(tmp_path).ok("plan", "show", *words)


@pytest.mark.parametrize("what", ["CN", "FR", CALL_PLATFORM])
def test_urls_are_not_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    callsieve = Program(tmp_path)
    shown = callsieve.ok("plan", "show", what)
    told = callsieve.ok("plan", "show", what, "--json")
    urls = [url for url in re.findall(r'"url": "([^"]+)"', told)]
    assert urls
    assert [url for url in urls if url not in shown.split()] == []


def test_country_without_own_plan_shows_that_of_its_calling_code(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    assert callsieve.ok("plan", "show", "CA", "--json") == callsieve.ok("plan", "show", "US", "--json")


def test_country_without_a_plan_is_refused(tmp_path: Path) -> None:
    assert "XX" in Program(tmp_path).fails("plan", "show", "xx")
    assert "xx.toml" in Program(tmp_path).fails("plan", "remove", "xx")


@pytest.mark.parametrize("command", ["check", "update"])
def test_unreadable_plan_file_is_named(tmp_path: Path, command: str) -> None:
    for name in ("nothing.toml", "."):
        assert str(tmp_path) in Program(tmp_path).fails("plan", command, tmp_path / name)
