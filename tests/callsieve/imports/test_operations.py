"""Operations of imports: refusals by code, and rows of the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.imports import operations
from callsieve.imports.operations import (
    ContactsRequest,
    ImportKind,
    NumberFileRequest,
    PeopleRequest,
    RemoveImportRequest,
)
from reputation.model import Did, Person
from reputation.store.audit import audit_rows
from reputation.store.imports import Feed, sources
from reputation.store.lists import Contact
from reputation.store.people import all_dids, all_people
from reputation.users import Role
from tests.office import Office

NOW = 1_800_000_000.0
NUMBERS = ("+12015550101", "+12015550102", "+12015550103", "+12015550104")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def context(office: Office) -> Context:
    return Context("joe", Role.ADMINISTRATOR, NOW, office.load())


def feed(office: Office, context: Context, numbers: Sequence[str], verdict: str = "spam", smaller: bool = False) -> str:
    """Return the code of the refusal, or the number of imported numbers."""

    def bring(db: sqlite3.Connection) -> int:
        rows = ((number, None, None, None) for number in numbers)
        request = NumberFileRequest("ftc", verdict, rows, [], db, Feed("CSV"), smaller)
        return operations.import_numbers(db, context, request).live.numbers

    try:
        return f"{office.read(bring)} numbers"
    except Refused as refused:
        return refused.code


def test_feed_is_checked_against_the_one_in_force(office: Office, context: Context) -> None:
    assert feed(office, context, NUMBERS) == "4 numbers"
    assert feed(office, context, NUMBERS, verdict="ok") == "other-verdict"
    assert feed(office, context, NUMBERS[:1]) == "feed-shrank"
    assert feed(office, context, ()) == "nothing-usable"
    assert [source.numbers for source in office.read(sources)] == [4]
    assert feed(office, context, NUMBERS[:2]) == "2 numbers"
    assert feed(office, context, (), smaller=True) == "nothing-usable"
    assert [row.what for row in office.read(audit_rows)] == ["import feed", "import feed"]


@pytest.mark.parametrize("kind", [ImportKind.PEOPLE, ImportKind.DIDS])
@pytest.mark.parametrize("source", ["", "settings", "../x", "x" * 65])
def test_invalid_source_name_is_refused(office: Office, context: Context, kind: ImportKind, source: str) -> None:
    rows = [Did(NUMBERS[0])] if kind is ImportKind.DIDS else [Person("301")]
    with pytest.raises(Refused) as refused:
        office.write(operations.import_people, context, PeopleRequest(source, rows, kind))
    assert (refused.value.code, refused.value.field) == ("bad-source", "source")
    assert office.read(audit_rows) == []


def test_last_row_of_a_person_wins(office: Office, context: Context) -> None:
    people = [Person("301", "PJSIP/301", name="Wei"), Person("301", "PJSIP/301", name="Mei")]
    for rows in (["301", "hr"], ["hr"]):
        done = office.write(operations.import_people, context, PeopleRequest("hr", people))
        assert (done.rows, done.kept) == (1, [])
        assert [row.name for row in reversed(office.read(audit_rows))][-len(rows) :] == rows
    assert [(person.extension, person.name) for person in office.read(all_people)] == [("301", "Mei")]


def test_one_of_several_imports_is_removed(office: Office, context: Context) -> None:
    office.write(operations.import_people, context, PeopleRequest("hr", [Person("301")]))
    office.write(operations.import_people, context, PeopleRequest("hr", [Did(NUMBERS[0])], ImportKind.DIDS))
    for request, code in (
        (RemoveImportRequest("hr"), "several-imports"),
        (RemoveImportRequest("crm"), "no-such-import"),
        (RemoveImportRequest("hr", ImportKind.NUMBERS), "no-such-import"),
        (RemoveImportRequest("settings", ImportKind.PEOPLE), "no-such-import"),
    ):
        with pytest.raises(Refused) as refused:
            office.write(operations.remove, context, request)
        assert refused.value.code == code
    done = office.write(operations.remove, context, RemoveImportRequest("hr", ImportKind.DIDS))
    assert (done.kind, done.rows) == (ImportKind.DIDS, 1)
    assert (office.read(all_dids), len(office.read(all_people))) == ([], 1)


def test_contacts_of_unknown_people_are_reported(office: Office, context: Context) -> None:
    def bring(db: sqlite3.Connection) -> operations.ContactsImported:
        contacts = [Contact(NUMBERS[0], "Carol", "999"), Contact(NUMBERS[0], "Caro", "999"), Contact(NUMBERS[1])]
        return operations.import_contacts(db, context, ContactsRequest("crm", contacts, db))

    assert office.write(bring) == (None, 2, ["999"])
    assert office.write(bring) == (2, 2, ["999"])
