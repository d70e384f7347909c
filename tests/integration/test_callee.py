"""After an IVR on a real Asterisk: [callsieve-callee], once the callee is known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Answering, CallSpec, Phone
from lab.screened import EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.store.connection import open_store, transaction
from reputation.store.imports import import_numbers
from reputation.store.lists import Contact, add_contacts
from tests.integration.office import ALICES_FOE, fill
from tests.waiting import wait_until

IVR, UNSCREENED, QUEUE, HUNT = (f"+442071838{n}" for n in (759, 758, 757, 756))
# The IVR, a queue that calls through Local channels, and a caller who asks for 202 when 201 does not answer.
OFFICE = EXTENSIONS.replace(
    "[spam-box]",
    f"""exten => {IVR},1,Gosub(callsieve-callee,s,1(PJSIP/201))
 same => n,Dial(PJSIP/201,20,${{CALLSIEVE_DIAL}})
exten => {UNSCREENED},1,Goto({IVR},1)
exten => {QUEUE},1,Dial(Local/{IVR}@office/n,20)
exten => {HUNT},1,Gosub(callsieve-callee,s,1(PJSIP/201))
 same => n,Dial(PJSIP/201,2,${{CALLSIEVE_DIAL}})
 same => n,Gosub(callsieve-callee,s,1(PJSIP/202))
 same => n,Dial(PJSIP/202,20,${{CALLSIEVE_DIAL}})

[spam-box]""",
)
SUSPECT = "+12015550350"  # on an imported list, and a contact of Alice's
TAG_RING = "<http://localhost>;info=callsieve-tag"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    settings = f'{SETTINGS}\n[[did]]\nnumber = "{UNSCREENED}"\nscreen = false\n[reputation.sample]\nevery = 0\n'
    with ScreenedPbx(extensions=OFFICE, settings=settings) as office:
        fill(office.daemon.store)
        with open_store(office.daemon.store) as db:
            import_numbers(db, "a-list", "spam", [(SUSPECT, "scam", None, None)])
            with transaction(db):
                add_contacts(db, "phonebook", [Contact(SUSPECT, "Carol", "201")])
        yield office


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201") as phone:
        yield phone


@pytest.mark.parametrize("did", [IVR, QUEUE])
def test_a_caller_blocked_by_the_callee_is_stopped(pbx: ScreenedPbx, alice: Phone, did: str) -> None:
    assert pbx.carrier.call(CallSpec(caller=ALICES_FOE, did=did)).code != 200
    assert alice.invites() == []


@pytest.mark.parametrize("did", [IVR, QUEUE])
def test_an_emergency_call_back_reaches_the_callee(pbx: ScreenedPbx, alice: Phone, did: str) -> None:
    spec = CallSpec(caller=ALICES_FOE, did=did, headers={"Priority": "psap-callback"})
    assert pbx.trusted.call(spec).code == 200
    assert len(alice.invites()) == 1


def test_an_unscreened_line_stays_unscreened_after_an_ivr(pbx: ScreenedPbx, alice: Phone) -> None:
    assert pbx.carrier.call(CallSpec(caller=ALICES_FOE, did=UNSCREENED)).code == 200
    assert len(alice.invites()) == 1


@pytest.mark.parametrize("frozen", [False, True], ids=["is-asked", "is-frozen"])
def test_a_decision_for_one_callee_does_not_apply_to_the_next(pbx: ScreenedPbx, frozen: bool) -> None:
    spec = CallSpec(caller=SUSPECT, name="Joe", did=HUNT)
    with (
        Phone(pbx.asterisk, "201", Answering.never()) as alice,
        Phone(pbx.asterisk, "202") as bob,
        pbx.carrier.start(spec) as call,
    ):
        first = alice.wait_for_invite()
        if frozen:
            pbx.daemon.freeze()
        try:
            wait_until(lambda: bool(bob.invites()), "Bob's phone ringing")
        finally:
            pbx.daemon.thaw()
        second = bob.wait_for_invite()
        assert call.result().code == 200
    assert (first.from_name, first.header("Alert-Info")) == ("Joe", "")
    assert (second.from_name, second.header("Alert-Info")) == ("Scam? Joe", TAG_RING)
