"""Quiet hours on a real Asterisk: which phones ring, and where the caller ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from lab import Answering, CallResult, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SALES, SETTINGS, ScreenedPbx
from reputation.store.connection import open_store, transaction
from reputation.store.lists import Contact, add_contacts
from tests.integration.office import decision_on

OFFICE = EXTENSIONS.replace("[from-internal]\n", "[from-internal]\ninclude => callsieve-codes\n").replace(
    "[spam-box]",
    """exten => +442071838759,1,Gosub(callsieve-callee,s,1(PJSIP/201))
 same => n,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})

[spam-box]""",
)
IVR = "+442071838759"
STRANGERS = [f"+120155503{n}" for n in range(10, 30)]
CONTACT = "+12015550340"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    """An office in which it is night from an hour ago until in two hours, for people with quiet hours."""
    hour = datetime.now().astimezone().hour
    night = f"[reputation.quiet]\nfirst_hour = {(hour - 1) % 24}\nlast_hour = {(hour + 3) % 24}\n"
    with ScreenedPbx(extensions=OFFICE, settings=SETTINGS + night) as office:
        with open_store(office.daemon.store) as db, transaction(db):
            add_contacts(db, "test", [Contact(CONTACT, "Carol", "201")])
        dial(office, "*25", "201")
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle(5.0)


def dial(pbx: ScreenedPbx, code: str, phone: str) -> None:
    with Phone(pbx.asterisk, phone) as handset, handset.dial(code, CallSpec(hang_up_after=None)) as call:
        assert call.result().bye_from == "asterisk"


def call(pbx: ScreenedPbx, caller: str | None, did: str, **rings: Answering) -> tuple[CallResult, set[str]]:
    """Make a call, and return the phones that rang. All three are on and answer, or do what `rings` says."""
    with ExitStack() as stack:
        phones = [
            stack.enter_context(Phone(pbx.asterisk, name, rings.get(f"phone_{name}"))) for name in ("201", "202", "203")
        ]
        result = pbx.carrier.call(CallSpec(caller=caller or "anonymous", did=did, hang_up_after=1.0))
        return result, {phone.name for phone in phones if phone.invites()}


def test_a_stranger_goes_to_voicemail_without_ringing(pbx: ScreenedPbx) -> None:
    result, rang = call(pbx, STRANGERS[0], ALICE)
    assert (result.code, rang) == (200, set())
    assert any('VoiceMail("PJSIP/carrier' in line and '"201,u"' in line for line in pbx.asterisk.log_lines())
    assert decision_on(pbx.daemon.store, STRANGERS[0]).rule == "quiet-hours"


def test_a_contact_rings_in_quiet_hours(pbx: ScreenedPbx) -> None:
    assert call(pbx, CONTACT, ALICE)[1] == {"201"}


def test_a_second_call_rings_in_quiet_hours(pbx: ScreenedPbx) -> None:
    assert call(pbx, STRANGERS[1], ALICE)[1] == set()
    assert call(pbx, STRANGERS[1], ALICE)[1] == {"201"}


def test_a_ring_group_rings_people_without_quiet_hours(pbx: ScreenedPbx) -> None:
    result, rang = call(pbx, STRANGERS[2], SALES)
    assert (result.code, rang) == (200, {"202"})


def test_a_contact_rings_every_phone_of_a_ring_group(pbx: ScreenedPbx) -> None:
    quiet_ring = Answering(ring_seconds=1.0)
    assert call(pbx, CONTACT, SALES, phone_201=quiet_ring, phone_202=quiet_ring)[1] == {"201", "202"}


def test_quiet_hours_apply_after_an_ivr(pbx: ScreenedPbx) -> None:
    result, rang = call(pbx, STRANGERS[3], IVR)
    assert (result.code, rang) == (200, set())
    assert decision_on(pbx.daemon.store, STRANGERS[3]).rule == "quiet-hours"
    assert call(pbx, CONTACT, IVR)[1] == {"201"}


def test_a_second_call_rings_after_an_ivr(pbx: ScreenedPbx) -> None:
    assert call(pbx, STRANGERS[11], IVR)[1] == set()
    assert call(pbx, STRANGERS[11], IVR)[1] == {"201"}


def test_without_a_voicemail_the_caller_hears_busy(pbx: ScreenedPbx) -> None:
    pbx.asterisk.cli("module unload app_voicemail.so")
    try:
        for stranger, did in ((STRANGERS[4], ALICE), (STRANGERS[5], IVR)):
            result, rang = call(pbx, stranger, did)
            assert (result.code, rang) == (486, set())
    finally:
        pbx.asterisk.cli("module load app_voicemail.so")


def test_an_emergency_call_suspends_quiet_hours(pbx: ScreenedPbx) -> None:
    dial(pbx, "112", "202")
    try:
        assert call(pbx, STRANGERS[6], ALICE)[1] == {"201"}
    finally:
        pbx.asterisk.cli("database del callsieve emergency")
        with open_store(pbx.daemon.store) as db, transaction(db):
            db.execute("DELETE FROM emergency_call")
    assert call(pbx, STRANGERS[7], ALICE)[1] == set()


def test_a_frozen_daemon_lets_every_call_through(pbx: ScreenedPbx) -> None:
    pbx.daemon.freeze()
    try:
        assert call(pbx, STRANGERS[8], ALICE)[1] == {"201"}
    finally:
        pbx.daemon.thaw()


def test_the_quiet_code_again_ends_quiet_hours(pbx: ScreenedPbx) -> None:
    dial(pbx, "*25", "201")
    assert call(pbx, STRANGERS[9], ALICE)[1] == {"201"}
    dial(pbx, "*25", "201")
    assert call(pbx, STRANGERS[10], ALICE)[1] == set()
