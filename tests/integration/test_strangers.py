"""A policy that challenges every stranger: who passes, who calls again, and who fails where there is no voicemail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callsieve.prompts.catalogue import prompts_of
from lab import Answering, CallSpec, Phone
from lab.screened import ALICE, SALES, SETTINGS, ScreenedPbx
from tests.integration.office import decision_on, install_prompts, played, pressing

POLICY = """\
extends = "cautious"

[[rule]]
name = "stranger"
when = { relationship = false, caller_kind = "number" }
action = "challenge"
reason = "nobody here knows this number"
"""
pytestmark = pytest.mark.usefixtures("leaves_nothing")
PASSED, AGAIN, FAILED, BOXED, UNASKED = (f"+1201555017{n}" for n in range(5))
DIGIT, ANOTHER = "7", "1"
PROMPTS = [key for key in prompts_of("en") if key.partition("-")[0] in ("challenge", "caller", "whisper")]


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    settings = SETTINGS.replace('name = "cautious"', 'name = "strangers"')
    with ScreenedPbx(settings=settings, start_daemon=False, digit=int(DIGIT), patient=True) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "strangers.toml").write_text(POLICY)
        office.daemon.start()
        install_prompts(office, dict.fromkeys(PROMPTS, 0.3))
        yield office


@pytest.fixture
def phones(pbx: ScreenedPbx) -> Iterator[tuple[Phone, Phone]]:
    """Both of sales; the second, Bob's, never answers."""
    with Phone(pbx.asterisk, "201") as alice, Phone(pbx.asterisk, "202", Answering.never()) as bob:
        yield alice, bob


def test_who_has_passed_rings_as_anybody_the_next_time(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201") as alice:
        pressing(pbx, PASSED, ALICE, DIGIT)
        alice.wait_for_invite()
    before = len(played(pbx))
    with Phone(pbx.asterisk, "201") as alice:
        assert pbx.carrier.call(CallSpec(caller=PASSED, name="Joe", did=ALICE, hang_up_after=0.5)).code == 200
        invite = alice.wait_for_invite()
    assert (invite.from_name, invite.header("Alert-Info")) == ("Joe", "")
    assert played(pbx)[before:] == [], "nobody is warned of him"


def test_who_did_not_pass_is_asked_again_however_soon_he_calls(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    for _ in range(2):
        pressing(pbx, AGAIN, ALICE, ANOTHER, ANOTHER)
    assert [phone.invites() for phone in phones] == [[], []]
    assert decision_on(pbx.daemon.store, AGAIN).action == "challenge"


def test_a_failed_challenge_at_a_group_is_told(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    result = pressing(pbx, FAILED, SALES, ANOTHER, ANOTHER)
    assert (result.code, result.bye_from) == (200, "asterisk")
    assert [phone.invites() for phone in phones] == [[], []]
    assert played(pbx)[-2:] == ["caller-sorry", "caller-goodbye"]


def test_who_fails_at_one_with_voicemail_ends_there(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    assert pressing(pbx, BOXED, ALICE, ANOTHER, ANOTHER).code == 200
    assert [phone.invites() for phone in phones] == [[], []]
    assert any('VoiceMail("PJSIP/carrier' in line for line in pbx.asterisk.log_lines()[-400:])


def test_without_voicemail_an_unasked_call_rings(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    pbx.asterisk.cli("module unload app_read.so")
    try:
        result = pbx.carrier.call(CallSpec(caller=UNASKED, did=SALES, hang_up_after=0.5))
    finally:
        pbx.asterisk.cli("module load app_read.so")
    assert result.code == 200
    assert phones[0].wait_for_invite().from_number == UNASKED
