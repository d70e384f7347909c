"""The preset `strangers` on a real Asterisk, by night and by day: who rings, and who is challenged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from callsieve.prompts.catalogue import prompts_of
from lab import Answering, CallResult, CallSpec, Phone
from lab.screened import ALICE, FAX, SALES, SETTINGS, ScreenedPbx
from reputation.caller_names import company_key
from reputation.model import Direction
from reputation.store.connection import open_store, transaction
from reputation.store.lists import Contact, add_contacts
from reputation.store.outcomes import record_outcome
from tests.integration.office import (
    decision_on,
    heard_digits,
    install_prompts,
    is_asked,
    played,
    pressing,
    start_listening,
)
from tests.reputation.store_builders import make_outcome
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("leaves_nothing")
PASSED, AGAIN, FAILED, BOXED, UNASKED, DIALLED, COLLEAGUE, BY_DAY, GAVE_UP, AFTER_112, CALLS_BACK, FROZEN, MACHINE = (
    f"+120155501{n:02d}" for n in range(60, 73)
)
CONTACT = "+12015550179"
DIGIT, ANOTHER = "7", "1"
PROMPTS = [key for key in prompts_of("en") if key.partition("-")[0] in ("challenge", "caller", "whisper")]
# What comes over the trusted trunk is asked at another hour.
DAY = """\
extends = "strangers"

[[rule]]
name = "stranger"
when = {{ stranger = true, not = {{ passed_within = 90 }}, hours = {{ from = "{0}", to = "{1}", zone = "local" }} }}
action = "challenge"
reason = "nobody here knows the number"
"""


def night() -> str:
    """Return a time zone in which it is three o'clock in the morning."""
    now = datetime.now(UTC)
    minutes = (now.hour * 60 + now.minute - 3 * 60) % (24 * 60)
    return f"NIGHT{minutes // 60:02d}:{minutes % 60:02d}"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    settings = SETTINGS.replace('name = "cautious"', 'name = "strangers"')
    settings += '\n[[scope]]\ntrunk = "trusted"\npolicy = "day"\n'
    with ScreenedPbx(settings=settings, start_daemon=False, digit=int(DIGIT), patient=True) as pbx:
        (pbx.state / "policies").mkdir()
        (pbx.state / "policies" / "day.toml").write_text(DAY.format("06:00", "07:00"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", night())
            start_listening(pbx, settings)
        install_prompts(pbx, dict.fromkeys(PROMPTS, 0.3))
        with open_store(pbx.daemon.store) as db, transaction(db):
            add_contacts(db, "crm", [Contact(CONTACT, "Jo", None, company_key("Acme Dental Supplies Ltd"))])
            yesterday = time.time() - 86_400.0
            called = make_outcome("out", yesterday, by="202", direction=Direction.OUTBOUND, dialled=DIALLED)
            record_outcome(db, called, yesterday)
        yield pbx


@pytest.fixture
def phones(pbx: ScreenedPbx) -> Iterator[tuple[Phone, Phone]]:
    """Both phones of sales. The second, Bob's, never answers."""
    with Phone(pbx.asterisk, "201") as alice, Phone(pbx.asterisk, "202", Answering.never()) as bob:
        yield alice, bob


def rings_plainly(pbx: ScreenedPbx, spec: CallSpec, trusted: bool = False) -> CallResult:
    """Return the result of a call that rang Alice's phone without a prompt for the caller."""
    before = len(played(pbx))
    with Phone(pbx.asterisk, "201") as alice:
        result = (pbx.trusted if trusted else pbx.carrier).call(spec)
        alice.wait_for_invite()
    assert (result.code, played(pbx)[before:]) == (200, [])
    return result


def test_a_passed_caller_rings_without_a_challenge_next_time(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201") as alice:
        pressing(pbx, PASSED, ALICE, DIGIT)
        alice.wait_for_invite()
    assert decision_on(pbx.daemon.store, PASSED).rule == "stranger"
    rings_plainly(pbx, CallSpec(caller=PASSED, name="Joe", did=ALICE, hang_up_after=0.5))


def test_a_failed_caller_is_challenged_again_at_once(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    for _ in range(2):
        pressing(pbx, AGAIN, ALICE, ANOTHER, ANOTHER)
    assert [phone.invites() for phone in phones] == [[], []]
    assert decision_on(pbx.daemon.store, AGAIN).action == "challenge"


def test_a_caller_who_hung_up_is_challenged_again(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    pressing(pbx, GAVE_UP, ALICE)
    asked = len(heard_digits(pbx))
    pressing(pbx, GAVE_UP, ALICE, DIGIT)
    assert len(heard_digits(pbx)) > asked
    assert phones[0].wait_for_invite().from_number == GAVE_UP


def test_a_withheld_caller_is_challenged_each_time(pbx: ScreenedPbx) -> None:
    for _ in range(2):
        before = len(heard_digits(pbx))
        with (
            Phone(pbx.asterisk, "201") as alice,
            pbx.carrier.start(CallSpec(caller=PASSED, privacy=True, did=ALICE, hang_up_after=6.0)) as call,
        ):
            wait_until(partial(is_asked, pbx, before), "the question")
            assert alice.invites() == []
            call.press(DIGIT)
            alice.wait_for_invite()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(CallSpec(caller=CONTACT, did=ALICE, hang_up_after=0.5), id="contact"),
        pytest.param(
            CallSpec(caller=COLLEAGUE, name="ACME DENTAL SUP", did=ALICE, hang_up_after=0.5),
            id="colleague-of-a-contact",
        ),
        pytest.param(CallSpec(caller=DIALLED, did=ALICE, hang_up_after=0.5), id="called-yesterday-in-vain"),
        pytest.param(CallSpec(caller="+8695588", did=ALICE, hang_up_after=0.5), id="service-number-of-a-bank"),
    ],
)
def test_a_caller_who_is_no_stranger_is_not_challenged(pbx: ScreenedPbx, spec: CallSpec) -> None:
    rings_plainly(pbx, spec)


def test_a_stranger_is_not_challenged_by_day(pbx: ScreenedPbx) -> None:
    rings_plainly(pbx, CallSpec(caller=BY_DAY, did=ALICE, hang_up_after=0.5), trusted=True)
    assert decision_on(pbx.daemon.store, BY_DAY).policy == "day"


def test_emergency_call_backs_are_not_challenged(pbx: ScreenedPbx) -> None:
    headers = {"Priority": "psap-callback"}
    spec = CallSpec(caller=CALLS_BACK, did=ALICE, headers=headers, hang_up_after=0.5)
    rings_plainly(pbx, spec, trusted=True)


def test_an_unscreened_line_rings(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "203") as fax:
        assert pbx.carrier.call(CallSpec(caller=FROZEN, did=FAX, hang_up_after=0.5)).code == 200
        fax.wait_for_invite()


def test_a_frozen_daemon_lets_a_stranger_ring(pbx: ScreenedPbx) -> None:
    pbx.daemon.freeze()
    try:
        result = rings_plainly(pbx, CallSpec(caller=FROZEN, did=ALICE, hang_up_after=0.5))
    finally:
        pbx.daemon.thaw()
    assert (result.ringing_seconds or 99) < 10.0


def test_a_caller_failing_at_a_group_hears_a_goodbye(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    result = pressing(pbx, FAILED, SALES, ANOTHER, ANOTHER)
    assert (result.code, result.bye_from) == (200, "asterisk")
    assert [phone.invites() for phone in phones] == [[], []]
    assert played(pbx)[-2:] == ["caller-sorry", "caller-goodbye"]


def test_a_caller_failing_at_a_person_ends_in_voicemail(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    assert pressing(pbx, BOXED, ALICE, ANOTHER, ANOTHER).code == 200
    assert [phone.invites() for phone in phones] == [[], []]
    assert any('VoiceMail("PJSIP/carrier' in line for line in pbx.asterisk.log_lines()[-400:])


def test_an_automated_caller_in_the_digest_can_be_allowed(pbx: ScreenedPbx) -> None:
    pbx.carrier.call(CallSpec(caller=MACHINE, did=ALICE, voice=True, hang_up_after=24.0, timeout=60.0))
    wait_until(partial(is_in_digest, pbx, MACHINE), "the machine in the digest")
    pbx.daemon.callsieve("list", "add", "allow", MACHINE, "--note", "machine, wanted")
    rings_plainly(pbx, CallSpec(caller=MACHINE, did=ALICE, hang_up_after=0.5))


def is_in_digest(pbx: ScreenedPbx, number: str) -> bool:
    listed = json.loads(pbx.daemon.callsieve("digest", "today", "--json").stdout)["probable_mistakes"]["numbers"]
    return [one["is_machine"] for one in listed if one["number"] == number] == [True]


def test_without_app_read_and_voicemail_the_call_rings(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    pbx.asterisk.cli("module unload app_read.so")
    try:
        result = pbx.carrier.call(CallSpec(caller=UNASKED, did=SALES, hang_up_after=0.5))
    finally:
        pbx.asterisk.cli("module load app_read.so")
    assert result.code == 200
    assert phones[0].wait_for_invite().from_number == UNASKED


def test_no_caller_is_challenged_in_the_emergency_window(pbx: ScreenedPbx) -> None:
    """This test is the last, because the window stays open."""
    with Phone(pbx.asterisk, "201") as alice:
        alice.dial("112").result()
    rings_plainly(pbx, CallSpec(caller=AFTER_112, did=ALICE, hang_up_after=0.5))
