"""Undo: who may undo which change, and when it is refused."""

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


def refusal_of(office: Office, change_id: int, role: Role = Role.ADMINISTRATOR) -> str:
    with pytest.raises(Refused) as refused:
        office.write(undo, context_of(office, role), UndoRequest(change_id))
    return refused.value.code


def add_audit_row(
    db: sqlite3.Connection, what: str, name: str = "", before: object = None, after: object = None
) -> int:
    row = Change(what, name=name, before=before, after=after)
    add_audit(db, row, "joe", NOW)
    assert row.id is not None
    return row.id


def add_users(db: sqlite3.Connection, **roles: Role) -> None:
    for name, role in roles.items():
        add_user(db, ConsoleUser(name, role, None, NOW, NOW), "hash")


def test_undeclared_change_raises_an_assertion(office: Office) -> None:
    def paint(db: sqlite3.Connection) -> None:
        with change(db, context_of(office), "fence paint"):
            """Nothing."""

    with pytest.raises(AssertionError):
        office.write(paint)


@pytest.mark.parametrize("what", ["privacy erase", "user remove", "off", "undo list add"])
def test_final_change_cannot_be_undone(office: Office, what: str) -> None:
    change_id = office.write(add_audit_row, what, "ada", {"role": "viewer"})
    assert refusal_of(office, change_id) == "cannot-undo"
    assert refusal_of(office, change_id + 1) == "no-such-change"


def test_reason_for_no_undo_is_translated_to_chinese() -> None:
    said = why_final(CHANGES, "undo list add").in_language(translations_of("zh").gettext)
    assert not re.search("[A-Za-z]", said)


def test_role_change_is_undone_once(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.OPERATOR))
    change_id = office.write(add_audit_row, "user role", "bob", {"role": "viewer"}, {"role": "operator"})
    done = office.write(undo, context_of(office), UndoRequest(change_id))
    assert (done.what, done.subject, done.things) == ("user role", "bob", 1)
    assert office.read(user_of, "bob").role is Role.VIEWER  # type: ignore[union-attr]
    assert refusal_of(office, change_id) == "undone-already"


def test_later_role_change_blocks_undo(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.OPERATOR))
    change_id = office.write(add_audit_row, "user role", "bob", {"role": "viewer"}, {"role": "operator"})
    office.write(set_role, "bob", Role.ADMINISTRATOR)
    assert refusal_of(office, change_id) == "changed-since"
    office.write(remove_user, "bob")
    assert refusal_of(office, change_id) == "changed-since"


def test_the_last_administrator_keeps_the_role(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.OPERATOR))
    role = office.write(add_audit_row, "user role", "ada", {"role": "viewer"}, {"role": "administrator"})
    added = office.write(add_audit_row, "user add", "ada", None, {"role": "administrator"})
    assert refusal_of(office, role) == refusal_of(office, added) == "last-administrator"
    office.write(set_role, "bob", Role.ADMINISTRATOR)
    office.write(undo, context_of(office), UndoRequest(added))
    assert office.read(user_of, "ada") is None


def test_users_cannot_undo_their_own_role_change(office: Office) -> None:
    office.write(lambda db: add_users(db, ada=Role.ADMINISTRATOR, bob=Role.ADMINISTRATOR))
    change_id = office.write(add_audit_row, "user role", "ada", {"role": "viewer"}, {"role": "administrator"})
    with pytest.raises(Refused) as refused:
        office.write(undo, replace(context_of(office), user="ada"), UndoRequest(change_id))
    assert refused.value.code == "oneself"


def test_undone_close_reopens_the_emergency_window(office: Office) -> None:
    office.write(record_emergency, NOW - 60)
    change_id = office.write(add_audit_row, "emergency close", "", OpenWindow(NOW - 60))
    office.write(close_window, NOW)
    office.write(undo, context_of(office, at=NOW + 5), UndoRequest(change_id))
    assert office.read(opened_and_closed_at, NOW + 5) == (NOW - 60, None)


def test_undone_open_closes_the_emergency_window(office: Office) -> None:
    office.write(record_emergency, NOW - 5)
    change_id = office.write(add_audit_row, "emergency open", "", None, OpenWindow(NOW - 5))
    office.write(undo, context_of(office), UndoRequest(change_id))
    assert office.read(opened_and_closed_at, NOW) == (None, NOW)


def test_only_administrators_undo_an_import(office: Office) -> None:
    change_id = office.write(add_audit_row, "list import", "", None, {"entries": 1})
    assert refusal_of(office, change_id, Role.OPERATOR) == "administrators-only"
    assert refusal_of(office, change_id) == "cannot-undo"


def test_incomplete_row_cannot_be_restored(office: Office) -> None:
    change_id = office.write(add_audit_row, "own consent remove", "", {"number": "+442071838750", "at": NOW})
    assert refusal_of(office, change_id) == "cannot-undo"
    change_id = office.write(add_audit_row, "own consent remove", "", {"proof": "contract 12"})
    assert refusal_of(office, change_id) == "cannot-undo"


def test_did_from_an_older_audit_row_is_restored_with_its_group(office: Office) -> None:
    number = "+442071838750"
    old = {"number": number, "group": "sales", "callee": None, "screen": True, "source": "hr"}

    def import_anew(db: sqlite3.Connection) -> int:
        upsert_dids(db, [Did(number, ("support", "sales"))], "crm")
        new = {**old, "groups": ["support", "sales"], "source": "crm"}
        add_audit(db, Change("import dids", number, before=old, after=new), "joe", NOW)
        return add_audit_row(db, "import dids", "crm", after={"rows": 1})

    office.write(undo, context_of(office), UndoRequest(office.write(import_anew)))
    assert office.read(all_dids) == [Did(number, ("sales",))]
