"""The address of the public page in the answer to a rejected call, as a real Asterisk sends it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import CallSpec
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from tests.integration.office import decision_on

pytestmark = pytest.mark.usefixtures("leaves_nothing")
REJECTED = {"603": "+12015550490", "607": "+12015550491", "608": "+12015550492"}
FOE, ALLOWED = "+12015550493", "+12015550494"
PUBLIC = """
[public]
enabled = true
address = "https://appeals.example.org"
name = "Example Ltd"
in_answers = true
"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, patient=True) as office:
        office.daemon.write_settings(SETTINGS + PUBLIC)
        office.daemon.start()
        with open_store(office.daemon.store) as db, transaction(db):
            for number in REJECTED.values():
                entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action="reject", added_at=time.time())
                add_entry(db, entry)
            set_personal_entry(db, PersonalEntry("201", FOE, ListName.BLOCK, time.time()))
        yield office


@pytest.mark.parametrize("code", list(REJECTED))
def test_a_rejected_call_gets_the_page_address_and_reference(pbx: ScreenedPbx, code: str) -> None:
    pbx.daemon.stop()
    trunk = 'channels = "PJSIP/carrier-*"\n'
    pbx.daemon.write_settings(SETTINGS.replace(trunk, f'{trunk}reject = "{code}"\n') + PUBLIC)
    pbx.daemon.start()
    result = pbx.carrier.call(CallSpec(caller=REJECTED[code], did=ALICE))
    reference = decision_on(pbx.daemon.store, REJECTED[code]).id
    assert result.code == int(code)
    assert result.provisionals == () or {provisional.code for provisional in result.provisionals} == {100}, (
        "the phone did not ring"
    )
    name, _, uri = result.final().header("P-Asserted-Identity").partition(" ")
    assert name == f'"https://appeals.example.org/r/{reference}"'
    assert uri.startswith(f"<sip:{ALICE}@")


def test_a_call_on_the_callees_own_list_gets_no_address(pbx: ScreenedPbx) -> None:
    result = pbx.carrier.call(CallSpec(caller=FOE, did=ALICE))
    assert "appeals.example.org" not in result.final().header("P-Asserted-Identity")
