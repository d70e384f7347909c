"""Operations of the lists, where somebody else changes the same entry meanwhile, and what is refused, by code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.changes.undo import UndoRequest, undo
from callsieve.lists import operations
from callsieve.lists.operations import EntryRequest
from callsieve.main.capabilities import CHANGES
from callsieve.text.number_entry import parse_entry
from reputation.model import Identity, ListName
from reputation.store.database import open_store
from reputation.store.identities import set_identity
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, add_contacts, list_entries
from reputation.store.outcomes import record_outcome
from reputation.store.transaction import transaction
from reputation.users import Role
from reputation.wording import Wording
from tests.callsieve.program import make_record
from tests.office import CALLER, Office
from tests.reputation.store_builders import NOW, make_outcome


def context(office: Office, role: Role = Role.ADMINISTRATOR) -> Context:
    return Context("joe", role, NOW, office.load(), changes=CHANGES)


def request(note: str) -> EntryRequest:
    return EntryRequest(ListName.BLOCK, CALLER, note)


def once(act: Callable[[], object]) -> Callable[[str], None]:
    """Acts as the first transaction is about to begin: whoever writes has read by then."""
    waiting = [act]

    def before(statement: str) -> None:
        if statement.startswith("BEGIN") and waiting:
            waiting.pop()()

    return before


def test_add_replaces_an_entry_added_meanwhile(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with open_store(office.store) as db, open_store(office.store) as other:
        operations.add(db, context(office), request("first"))
        db.set_trace_callback(once(lambda: operations.add(other, context(office), request("second"))))
        added = operations.add(db, context(office), request("third"))
        assert added.replaced is not None
        assert added.replaced.note == "second"
        assert added.change_id is not None
        undo(db, context(office), UndoRequest(added.change_id))
        assert [entry.note for entry in list_entries(db)] == ["second"]


@pytest.mark.parametrize("typed", [CALLER, "+1900*"])
def test_no_call_is_counted_under_the_write_lock(tmp_path: Path, typed: str) -> None:
    office, statements = Office(tmp_path), list[str]()
    with open_store(office.store) as db, transaction(db):
        db.set_trace_callback(statements.append)
        operations.add(db, context(office), EntryRequest(ListName.BLOCK, typed))
    assert any("INSERT INTO list_entry" in statement for statement in statements)
    assert not [statement for statement in statements if "FROM decision" in statement]


@pytest.mark.parametrize(
    ("typed", "calls"),
    [
        pytest.param("+1206555*", (4, 2, 1), id="prefix"),
        pytest.param("+12065550100", (2, 2, 1), id="number"),
        pytest.param("+12065550101-+12065550199", (2, 0, 0), id="range"),
        pytest.param("+1207555*", (0, 0, 0), id="nothing"),
    ],
)
def test_preview_counts_calls_calls_of_contacts_and_answered(
    tmp_path: Path, typed: str, calls: tuple[int, int, int]
) -> None:
    office = Office(tmp_path)
    contact, others = "+12065550100", ("+12065550101", "+12065550150")
    with open_store(office.store) as db:
        with transaction(db):
            add_contacts(db, "book", [Contact(contact)])
            at = NOW - 86400
            for n, caller in enumerate((contact, contact, *others)):
                record_decisions(db, [make_record(f"d{n}", linkedid=f"c{n}", at=at + n, caller=caller)])
            record_decisions(db, [make_record("again", linkedid="c0", at=at, caller=contact)])  # for a callee
            record_decisions(db, [make_record("old", linkedid="old", at=NOW - 40 * 86400, caller=contact)])
            record_outcome(db, make_outcome("c0", at, caller=contact, talk=9.0, by="201"), NOW)
        look = operations.preview(db, context(office), EntryRequest(ListName.BLOCK, typed))
    assert (look.calls, look.from_contacts, look.answered) == calls


def test_import_keeps_an_entry_added_meanwhile(tmp_path: Path) -> None:
    office = Office(tmp_path)
    entries = [parse_entry(CALLER, ListName.BLOCK, "US")]
    with open_store(office.store) as db, open_store(office.store) as other:
        db.set_trace_callback(once(lambda: operations.add(other, context(office), request("theirs"))))
        done = operations.import_entries(db, context(office), entries, keep=True)
        assert (done.change_id, done.plan.unchanged) == (None, 1)
        assert [entry.note for entry in list_entries(db)] == ["theirs"]


@pytest.mark.parametrize(
    ("wanted", "role", "code", "field"),
    [
        (EntryRequest(ListName.BLOCK, "12"), Role.ADMINISTRATOR, "bad-entry", ""),
        (EntryRequest(ListName.BLOCK, CALLER, "a\nb"), Role.ADMINISTRATOR, "bad-note", "note"),
        (EntryRequest(ListName.BLOCK, CALLER, expires="soon"), Role.ADMINISTRATOR, "bad-time", "expires"),
        (EntryRequest(ListName.BLOCK, CALLER, action="allow"), Role.ADMINISTRATOR, "contrary-action", "action"),
        (EntryRequest(ListName.BLOCK, CALLER, action="rejct"), Role.ADMINISTRATOR, "unknown-action", "action"),
        (EntryRequest(ListName.BLOCK, "+1*"), Role.ADMINISTRATOR, "objections", ""),
        (EntryRequest(ListName.BLOCK, "+1*", force=True), Role.OPERATOR, "administrators-only", ""),
        *(
            (EntryRequest(list_name, entry, force=role is Role.OPERATOR), role, code, "")
            for entry in ("+5999*", "+3906698*", "+76*", "+77*", "+441481*", "+1800*", "+33*")
            for list_name in ListName
            for role, code in ((Role.ADMINISTRATOR, "objections"), (Role.OPERATOR, "administrators-only"))
        ),
    ],
)
def test_bad_entries_are_refused_with_code_and_field(
    tmp_path: Path, wanted: EntryRequest, role: Role, code: str, field: str
) -> None:
    office = Office(tmp_path)
    with open_store(office.store) as db:
        with pytest.raises(Refused) as refused:
            operations.add(db, context(office, role), wanted)
        assert (refused.value.code, refused.value.field) == (code, field)
        assert list_entries(db) == []


def test_confirmation_of_a_whole_area_counts_known_numbers(tmp_path: Path) -> None:
    office = Office(tmp_path)
    wanted = EntryRequest(ListName.BLOCK, "+1800*")
    with open_store(office.store) as db:
        with transaction(db):
            for number in ("+18005550100", "+18005550101", "+18015550100"):
                set_identity(db, Identity(number, "Carol Ltd", 1, NOW + 86_400), NOW)
        (objection,) = operations.preview(db, context(office), wanted).objections
        assert isinstance(objection, Wording)
        assert objection.places == {"entry": "+1800*", "region": "US", "known": "2"}
        operations.add(db, context(office), msgspec.structs.replace(wanted, force=True))
        assert [entry.text for entry in list_entries(db)] == ["+1800*"]


def test_import_refuses_a_new_whole_area(tmp_path: Path) -> None:
    office = Office(tmp_path)
    entries = [parse_entry(text, ListName.BLOCK, "US") for text in ("+1800*", "+441481*", "+1900*")]
    with open_store(office.store) as db:
        operations.add(db, context(office), EntryRequest(ListName.BLOCK, "+441481*", force=True))
        done = operations.import_entries(db, context(office), entries)
        assert len(done.refused) == 1
        assert {entry.text for entry in list_entries(db)} == {"+441481*", "+1900*"}


def test_a_person_cannot_fill_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST_PERSONAL", 1)
    office = Office(tmp_path)
    with open_store(office.store) as db:
        first = operations.PersonalRequest(ListName.BLOCK, CALLER, "201")
        operations.add_personal(db, context(office), first)
        operations.add_personal(db, context(office), msgspec.structs.replace(first, list_name=ListName.ALLOW))
        with pytest.raises(Refused) as refused:
            operations.add_personal(db, context(office), msgspec.structs.replace(first, number="+12017421835"))
    assert refused.value.code == "too-many-entries"
