"""Undoing: every kind of change is in the table, with its way back or the reason why there is none."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoRequest, undo, why_final
from callsieve.emergency_window import OpenWindow
from callsieve.main.capabilities import CHANGES
from callsieve.web.i18n import translations_of
from reputation.model import Did
from reputation.store.audit import Change, add_audit
from reputation.store.people import all_dids, upsert_dids
from reputation.store.site import close_window, opened_and_closed_at, record_emergency
from reputation.store.users import add_user, remove_user, set_role, user_of
from reputation.users import ConsoleUser, Role
from tests.office import Office

NOW = 1_800_000_000.0


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def context_of(office: Office, role: Role = Role.ADMINISTRATOR, at: float = NOW) -> Context:
    return Context("joe", role, at, office.load(), changes=CHANGES)


def code_of(office: Office, change_id: int, role: Role = Role.ADMINISTRATOR) -> str:
    with pytest.raises(Refused) as refused:
        office.write(undo, context_of(office, role), UndoRequest(change_id))
    return refused.value.code


def note(db: sqlite3.Connection, what: str, name: str = "", before: object = None, after: object = None) -> int:
    row = Change(what, name=name, before=before, after=after)
    add_audit(db, row, "joe", NOW)
    assert row.id is not None
    return row.id


def add_users(db: sqlite3.Connection, **roles: Role) -> None:
    for name, role in roles.items():
        add_user(db, ConsoleUser(name, role, None, NOW, NOW), "hash")


def test_a_change_that_is_not_in_the_table_is_a_bug(office: Office) -> None:
    def paint(db: sqlite3.Connection) -> None:
        with change(db, context_of(office), "fence paint"):
            """Nothing."""

    with pytest.raises(AssertionError):
        office.write(paint)


@pytest.mark.parametrize("what", ["privacy erase", "user remove", "off", "undo list add"])
def test_what_cannot_be_undone_is_refused(office: Office, what: str) -> None:
    change_id = office.write(note, what, "ada", {"role": "viewer"})
    assert code_of(office, change_id) == "cannot-undo"
    assert code_of(office, change_id + 1) == "no-such-change"


def test_why_there_is_no_way_back_is_said_in_chinese() -> None:
    said = why_final(CHANGES, "undo list add").in_language(translations_of("zh").gettext)
    assert not re.search("[A-Za-z]", said)


def test_a_role_is_given_back_once(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.OPERATOR))
    change_id = office.write(note, "user role", "bob", {"role": "viewer"}, {"role": "operator"})
    done = office.write(undo, context_of(office), UndoRequest(change_id))
    assert (done.what, done.subject, done.things) == ("user role", "bob", 1)
    assert office.read(user_of, "bob").role is Role.VIEWER  # type: ignore[union-attr]
    assert code_of(office, change_id) == "undone-already"


def test_a_role_that_was_changed_again_stays(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.OPERATOR))
    change_id = office.write(note, "user role", "bob", {"role": "viewer"}, {"role": "operator"})
    office.write(set_role, "bob", Role.ADMINISTRATOR)
    assert code_of(office, change_id) == "changed-since"
    office.write(remove_user, "bob")
    assert code_of(office, change_id) == "changed-since"


def test_the_last_administrator_keeps_the_role(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.OPERATOR))
    role = office.write(note, "user role", "ada", {"role": "viewer"}, {"role": "administrator"})
    added = office.write(note, "user add", "ada", None, {"role": "administrator"})
    assert code_of(office, role) == code_of(office, added) == "last-administrator"
    office.write(set_role, "bob", Role.ADMINISTRATOR)
    office.write(undo, context_of(office), UndoRequest(added))
    assert office.read(user_of, "ada") is None


def test_nobody_undoes_the_role_that_they_have(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.ADMINISTRATOR))
    change_id = office.write(note, "user role", "ada", {"role": "viewer"}, {"role": "administrator"})
    with pytest.raises(Refused) as refused:
        office.write(undo, replace(context_of(office), user="ada"), UndoRequest(change_id))
    assert refused.value.code == "oneself"


def test_a_window_is_open_again_until_its_end(office: Office) -> None:
    office.write(record_emergency, NOW - 60)
    change_id = office.write(note, "emergency close", "", OpenWindow(NOW - 60))
    office.write(close_window, NOW)
    office.write(undo, context_of(office, at=NOW + 5), UndoRequest(change_id))
    assert office.read(opened_and_closed_at, NOW + 5) == (NOW - 60, None)


def test_a_window_opened_in_error_is_closed(office: Office) -> None:
    office.write(record_emergency, NOW - 5)
    change_id = office.write(note, "emergency open", "", None, OpenWindow(NOW - 5))
    office.write(undo, context_of(office), UndoRequest(change_id))
    assert office.read(opened_and_closed_at, NOW) == (None, NOW)


def test_only_administrators_undo_an_import(office: Office) -> None:
    change_id = office.write(note, "list import", "", None, {"entries": 1})
    assert code_of(office, change_id, Role.OPERATOR) == "administrators-only"
    assert code_of(office, change_id) == "cannot-undo"


def test_a_row_of_which_too_little_is_kept_does_not_come_back(office: Office) -> None:
    change_id = office.write(note, "own consent remove", "", {"number": "+442071838750", "at": NOW})
    assert code_of(office, change_id) == "cannot-undo"
    change_id = office.write(note, "own consent remove", "", {"proof": "contract 12"})
    assert code_of(office, change_id) == "cannot-undo"


def test_a_did_of_an_older_version_comes_back_with_its_group(office: Office) -> None:
    number = "+442071838750"
    old = {"number": number, "group": "sales", "callee": None, "screen": True, "source": "hr"}

    def import_anew(db: sqlite3.Connection) -> int:
        upsert_dids(db, [Did(number, ("support", "sales"))], "crm")
        new = {**old, "groups": ["support", "sales"], "source": "crm"}
        add_audit(db, Change("import dids", number, before=old, after=new), "joe", NOW)
        return note(db, "import dids", "crm", after={"rows": 1})

    office.write(undo, context_of(office), UndoRequest(office.write(import_anew)))
    assert office.read(all_dids) == [Did(number, ("sales",))]
