"""What the operations of own numbers refuse, by code: the same for every door, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.own_numbers import do_not_call, operations
from callsieve.own_numbers.do_not_call import ComplaintRequest, ComplaintWithdrawal, DoNotCallEntry
from callsieve.own_numbers.fields import NewOwnNumber, OwnNumberEdit
from callsieve.own_numbers.operations import CheckRequest, UseRequest
from reputation.own.register import REST_SECONDS, NumberState, OwnNumber
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.own_register import put_own, register_of
from reputation.users import Role
from tests.office import CALLER, Office
from tests.reputation.store_builders import NOW

ACTIVE, RESTING, RETIRED, STRANGER = "+442071838750", "+442071838751", "+442071838752", "+442071838759"
REGISTER = [
    OwnNumber(number=ACTIVE, since=NOW, added_at=NOW),
    OwnNumber(number=RESTING, state=NumberState.RESTING, since=NOW - REST_SECONDS + 1, added_at=NOW),
    OwnNumber(number=RETIRED, state=NumberState.RETIRED, since=NOW, added_at=NOW),
]


@pytest.mark.parametrize(
    ("operation", "request_", "code", "field"),
    [
        (operations.add, NewOwnNumber("12"), "bad-number", ""),
        (operations.add, NewOwnNumber(ACTIVE), "registered-already", ""),
        (operations.add, NewOwnNumber(STRANGER, name="a\nb"), "bad-text", "name"),
        (operations.add, NewOwnNumber(STRANGER, trunks=("a|b",)), "bad-texts", "trunk"),
        (operations.add, NewOwnNumber(STRANGER, next_check="soon"), "bad-time", "next-check"),
        (operations.edit, OwnNumberEdit(STRANGER, name="Acme"), "not-registered", ""),
        (operations.edit, OwnNumberEdit(ACTIVE, documents=("x",) * 21), "bad-texts", "document"),
        (operations.check, CheckRequest(STRANGER), "not-registered", ""),
        (operations.check, CheckRequest(ACTIVE, "soon"), "bad-time", "next"),
        (operations.rest, STRANGER, "not-registered", ""),
        (operations.rest, RESTING, "not-active", ""),
        (operations.use, UseRequest(RESTING), "rests-still", ""),
        (operations.use, UseRequest(ACTIVE, early=True), "active-already", ""),
        (operations.retire, RETIRED, "retired-already", ""),
        (operations.remove, STRANGER, "not-registered", ""),
        (do_not_call.list_number, DoNotCallEntry("12"), "bad-number", ""),
        (do_not_call.list_number, DoNotCallEntry(CALLER, after="12"), "bad-number", "after"),
        (do_not_call.list_number, DoNotCallEntry(CALLER, note="a\nb"), "bad-text", "note"),
        (do_not_call.list_number, DoNotCallEntry(ACTIVE), "own-number", ""),
        (do_not_call.unlist, CALLER, "not-listed", ""),
        (do_not_call.complain, ComplaintRequest(ACTIVE, ACTIVE), "own-number", "from"),
        (do_not_call.complain, ComplaintRequest(ACTIVE, note="x" * 201), "bad-text", "note"),
        (do_not_call.withdraw_complaint, ComplaintWithdrawal(ACTIVE, None), "no-complaint", ""),
    ],
)
def test_refusals_have_a_code_and_change_nothing(
    tmp_path: Path, operation: Callable[..., Any], request_: object, code: str, field: str
) -> None:
    office = Office(tmp_path)
    context = Context("joe", Role.ADMINISTRATOR, NOW, office.load())
    for own in REGISTER:
        office.write(put_own, own)
    with open_store(office.store) as db:
        with pytest.raises(Refused) as refused:
            operation(db, context, request_)
        assert (refused.value.code, refused.value.field) == (code, field)
        assert register_of(db) == REGISTER
        assert audit_rows(db) == []
        assert not db.in_transaction
