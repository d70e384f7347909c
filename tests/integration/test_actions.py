"""Every action seen on the wire of a real Asterisk, with FastAGI and with both classic scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab import CallSpec, Phone
from lab.screened import ALICE, FAX, SALES, SETTINGS, Asking, ScreenedPbx
from reputation.model import AuthClass
from reputation.store.connection import open_store
from reputation.store.evidence import latest_challenge_pass
from tests.integration.office import (
    ALICES_CONTACT,
    ALICES_FOE,
    ALICES_FRIEND,
    BUSINESS,
    BY_ACTION,
    COMPANY_CONTACT,
    SPAM,
    STRANGER,
    decision_on,
    fill,
)
from tests.waiting import wait_until

TAG_RING = "<http://localhost>;info=callsieve-tag"
WARN_RING = "<http://localhost>;info=callsieve-warn"
UNSAMPLED = "\n[reputation.sample]\nevery = 0\n"  # else one labelled call of four goes without its label


@pytest.fixture(scope="module", params=["fastagi", "classic", "standalone"])
def pbx(request: pytest.FixtureRequest) -> Iterator[ScreenedPbx]:
    asking: Asking = request.param
    with ScreenedPbx(asking=asking, settings=SETTINGS + UNSAMPLED, patient=True) as office:
        fill(office.daemon.store)
        if asking == "standalone":
            office.daemon.stop()  # our people are in the store by now, and only one daemon may answer
        assert [line for line in office.asterisk.warnings(with_boot=True) if "pbx_config" in line] == []
        yield office
        # A phone that is not to ring is hung up in b(), and app_stack warns of a Gosub that ends so: nothing else may.
        complaints = [line for line in office.asterisk.warnings() if "Gosub(callsieve-phone,s,1)' exit" not in line]
        assert complaints == []


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201") as phone:
        yield phone


@pytest.fixture
def bob(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "202") as phone:
        yield phone


@pytest.mark.parametrize(
    ("caller", "name_shown", "ring"),
    [
        pytest.param(STRANGER, "Joe", "", id="a stranger rings as he is"),
        pytest.param(BY_ACTION["allow"], "Joe", "", id="allow"),
        pytest.param(BY_ACTION["tag"], "SPAM? Joe", TAG_RING, id="tag"),
        pytest.param(BY_ACTION["warn"], "SPAM? Joe", WARN_RING, id="warn"),
        pytest.param(SPAM, "Scam? Joe", TAG_RING, id="an imported number is tagged by its category"),
        pytest.param(BUSINESS, 'Verified: ACME: Ltd, "Leeds"', "", id="a verified business shows its own name"),
        pytest.param(ALICES_FRIEND, "Joe", "", id="the callee's own allowlist"),
        pytest.param(ALICES_CONTACT, "Joe", "", id="the callee's contact"),
        pytest.param(COMPANY_CONTACT, "Joe", "", id="a contact of the company"),
    ],
)
def test_each_action_shows_its_name_and_ring(
    pbx: ScreenedPbx, alice: Phone, caller: str, name_shown: str, ring: str
) -> None:
    result = pbx.carrier.call(CallSpec(caller=caller, name="Joe", did=ALICE))
    invite = alice.wait_for_invite()
    assert result.code == 200
    assert (invite.from_name, invite.from_number, invite.header("Alert-Info")) == (name_shown, caller, ring)


def test_reject_is_603_and_no_phone_rings(pbx: ScreenedPbx, alice: Phone) -> None:
    result = pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE))
    assert (result.code, alice.invites()) == (603, [])
    assert decision_on(pbx.daemon.store, BY_ACTION["reject"]).rule == "blocklist"


def test_reject_on_a_trunk_set_to_busy_is_486(pbx: ScreenedPbx, alice: Phone) -> None:
    result = pbx.trusted.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE))
    assert (result.code, alice.invites()) == (486, [])


def test_a_caller_on_the_callees_blocklist_is_rejected(pbx: ScreenedPbx, alice: Phone) -> None:
    result = pbx.carrier.call(CallSpec(caller=ALICES_FOE, did=ALICE))
    assert (result.code, alice.invites()) == (603, [])
    assert decision_on(pbx.daemon.store, ALICES_FOE).rule == "callee-blocklist"


def test_route_goes_to_voicemail_and_no_phone_rings(pbx: ScreenedPbx, alice: Phone) -> None:
    result = pbx.carrier.call(CallSpec(caller=BY_ACTION["route"], did=ALICE, hang_up_after=0.5))
    assert (result.code, alice.invites()) == (200, [])
    assert any("VoiceMail(" in line for line in pbx.asterisk.log_lines())


def test_route_without_a_destination_rings_the_phone(pbx: ScreenedPbx, alice: Phone, bob: Phone) -> None:
    result = pbx.carrier.call(CallSpec(caller=BY_ACTION["route"], did=SALES))
    assert result.code == 200
    assert alice.invites() or bob.invites()


def test_an_unscreened_fax_rings(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "203") as fax:
        result = pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=FAX))
        assert (result.code, len(fax.invites())) == (200, 1)


def test_a_ring_group_follows_the_list_of_each_person(pbx: ScreenedPbx, alice: Phone, bob: Phone) -> None:
    pbx.carrier.call(CallSpec(caller=ALICES_FOE, name="Joe", did=SALES))
    assert (len(alice.invites()), len(bob.invites())) == (0, 1)


def test_a_withheld_caller_rings_tagged(pbx: ScreenedPbx, alice: Phone) -> None:
    result = pbx.carrier.call(CallSpec(caller=STRANGER, privacy=True, did=ALICE))
    assert (result.code, alice.wait_for_invite().header("Alert-Info")) == (200, TAG_RING)
    assert decision_on(pbx.daemon.store, None).rule == "withheld"


def test_an_own_number_calling_from_outside_is_warned(pbx: ScreenedPbx, alice: Phone) -> None:
    pbx.carrier.call(CallSpec(caller=SALES, name="Boss", did=ALICE))
    invite = alice.wait_for_invite()
    assert (invite.from_name, invite.header("Alert-Info")) == ("Own number? Boss", WARN_RING)


def test_a_diverted_call_keeps_the_original_caller(pbx: ScreenedPbx, alice: Phone) -> None:
    pbx.carrier.call(CallSpec(caller=SPAM, name="Joe", did=ALICE, diversion="+12015550199"))
    assert alice.wait_for_invite().from_number == SPAM
    assert decision_on(pbx.daemon.store, SPAM).action == "tag"


def test_a_challenge_is_passed_with_the_digit_that_was_spoken(pbx: ScreenedPbx, alice: Phone) -> None:
    caller = BY_ACTION["challenge"]
    spoken = len(spoken_digits(pbx))
    with pbx.carrier.start(CallSpec(caller=caller, name="Joe", did=ALICE, hang_up_after=7.0)) as call:
        wait_until(lambda: len(spoken_digits(pbx)) > spoken, "the question")
        assert alice.invites() == []
        call.press(spoken_digits(pbx)[-1])
        invite = alice.wait_for_invite()
        assert (invite.from_name, call.result().code) == ("Joe", 200)
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: latest_challenge_pass(db, caller, AuthClass.UNKNOWN) is not None, "remembering the pass")


def spoken_digits(pbx: ScreenedPbx) -> list[str]:
    """Return the digits that were played to callers so far."""
    return [match[1] for line in pbx.asterisk.log_lines() if (match := re.search(r"Playing 'digits/(\d)", line))]


def test_a_challenge_without_an_answer_goes_to_voicemail(pbx: ScreenedPbx, alice: Phone) -> None:
    spec = CallSpec(caller=BY_ACTION["challenge"], did=ALICE, hang_up_after=14.0, timeout=25.0)
    assert pbx.carrier.call(spec).code == 200
    assert alice.invites() == []
