"""The challenge on a real Asterisk: digits as tones and as events, two tries, the caller's language, and hang-ups."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from callsieve.prompts.catalogue import prompts_of
from lab import Answering, CallResult, CallSpec, Phone
from lab.call import CallInProgress
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.model import AuthClass, EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.evidence import latest_challenge_pass
from reputation.store.lists import add_entry
from tests.integration.office import connected, heard_digits, install_prompts, played
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("leaves_nothing")
CHALLENGED = [f"+120155502{n:02d}" for n in range(40)]
CHINESE = "+8613800138000"
OF_CALLERS = [key for key in prompts_of("en") if key.partition("-")[0] in ("challenge", "caller")]
TONES = "[carrier2](+)\ndtmf_mode = inband\n\n[carrier](+)\ndtmf_mode = rfc4733\n"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(settings=SETTINGS, config={"pjsip.conf": TONES}) as office:
        with open_store(office.daemon.store) as db, transaction(db):
            for number in (*CHALLENGED, CHINESE):
                entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action="challenge", added_at=time.time())
                add_entry(db, entry)
        for language in ("en", "zh"):
            install_prompts(office, dict.fromkeys(OF_CALLERS, 0.3), language)
        yield office


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201") as phone:
        yield phone


@contextmanager
def challenged_call(
    pbx: ScreenedPbx, caller: str, spec: CallSpec | None = None
) -> Iterator[tuple[CallInProgress, str]]:
    """Yield a challenged call that is just hearing which digit to press, and the digit."""
    spec = replace(spec or CallSpec(hang_up_after=6.0), caller=caller, did=ALICE)
    carrier = pbx.trusted if spec.inband else pbx.carrier
    before = len(heard_digits(pbx))
    with carrier.start(spec) as call:
        wait_until(lambda: len(heard_digits(pbx)) > before, "the question")
        yield call, heard_digits(pbx)[-1]


def other_digit(digit: str) -> str:
    return "1" if digit != "1" else "2"


def gone_to_voicemail(pbx: ScreenedPbx, result: CallResult) -> bool:
    return result.code == 200 and any('VoiceMail("PJSIP/carrier' in line for line in pbx.asterisk.log_lines()[-400:])


@pytest.mark.parametrize("inband", [pytest.param(False, id="rfc4733"), pytest.param(True, id="inband")])
def test_the_right_digit_rings_and_is_recorded_as_a_pass(pbx: ScreenedPbx, alice: Phone, inband: bool) -> None:
    before = len(connected(pbx))
    caller, auth = (CHALLENGED[0], AuthClass.UNKNOWN) if not inband else (CHALLENGED[1], AuthClass.AUTHENTICATED)
    with challenged_call(pbx, caller, CallSpec(name="Joe", hang_up_after=6.0, inband=inband, voice=not inband)) as (
        call,
        digit,
    ):
        assert alice.invites() == []
        call.press(digit)
        invite = alice.wait_for_invite()
        result = call.result()
    assert (invite.from_name, invite.from_number, result.code) == ("Joe", caller, 200)
    trunk = "PJSIP/carrier2" if inband else "PJSIP/carrier"
    assert connected(pbx)[before:] == [{trunk, "PJSIP/201"}]
    assert result.heard.audible_seconds > 0.5, "the question was not heard"
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: latest_challenge_pass(db, caller, auth) is not None, "remembering the pass")
        others = set(AuthClass) - {auth}
        assert [latest_challenge_pass(db, caller, other) for other in others] == [None, None]


def test_caller_and_callee_hear_each_other_after_a_challenge(pbx: ScreenedPbx) -> None:
    with (
        Phone(pbx.asterisk, "201", ears=True) as phone,
        challenged_call(pbx, CHALLENGED[2], CallSpec(hang_up_after=6.0, voice=True)) as (call, digit),
    ):
        call.press(digit)
        wait_until(lambda: phone.heard.audible_seconds > 1.0, "the caller being heard by the callee")
        phone.press("5")
        assert call.result().heard.audible > 0


def test_the_second_try_passes_the_challenge(pbx: ScreenedPbx, alice: Phone) -> None:
    with challenged_call(pbx, CHALLENGED[3]) as (call, digit):
        call.press(other_digit(digit))
        wait_until(lambda: "challenge-wrong" in played(pbx), "being told of the wrong key")
        call.press(digit)
        alice.wait_for_invite()
        assert call.result().code == 200


def test_two_wrong_digits_end_in_voicemail(pbx: ScreenedPbx, alice: Phone) -> None:
    before = len(connected(pbx))
    with challenged_call(pbx, CHALLENGED[4], CallSpec(hang_up_after=9.0)) as (call, digit):
        call.press(other_digit(digit))
        wait_until(lambda: played(pbx)[-1].startswith("challenge-press"), "the second try")
        time.sleep(0.5)  # the caller waits for the end of the sentence
        call.press(other_digit(digit))
        result = call.result()
    assert gone_to_voicemail(pbx, result)
    assert alice.invites() == []
    assert "caller-sorry" in played(pbx)
    assert connected(pbx)[before:] == []


def test_a_caller_who_presses_nothing_ends_in_voicemail(pbx: ScreenedPbx, alice: Phone) -> None:
    started = time.monotonic()
    result = pbx.carrier.call(CallSpec(caller=CHALLENGED[5], did=ALICE, hang_up_after=16.0, timeout=30.0))
    assert gone_to_voicemail(pbx, result)
    assert alice.invites() == []
    assert "challenge-silent" in played(pbx)
    assert time.monotonic() - started < 25.0
    assert result.heard.audible_seconds > 4 * 0.3


def test_caller_and_phone_each_hear_their_own_language(pbx: ScreenedPbx, alice: Phone) -> None:
    with challenged_call(pbx, CHINESE) as (call, digit):
        call.press(digit)
        alice.wait_for_invite()
        call.result()
    lines = [line for line in pbx.asterisk.log_lines() if "Playing 'callsieve/challenge-hello" in line]
    assert "(language 'zh')" in lines[-1]
    assert "(language 'en')" in lines[0]
    assert any('CHANNEL(language)=en")' in line for line in pbx.asterisk.log_lines()), "his language is put back"


def test_without_our_prompts_asterisks_prompts_are_heard(pbx: ScreenedPbx, alice: Phone) -> None:
    folder = pbx.asterisk.directories.sounds / "callsieve"
    folder.rename(folder.with_name("away"))
    try:
        with challenged_call(pbx, CHALLENGED[6]) as (call, digit):
            call.press(digit)
            alice.wait_for_invite()
            assert call.result().code == 200
    finally:
        folder.with_name("away").rename(folder)
    assert any("Playing 'vm-press" in line for line in pbx.asterisk.log_lines())


def test_without_app_read_a_challenged_call_goes_to_voicemail(pbx: ScreenedPbx, alice: Phone) -> None:
    pbx.asterisk.cli("module unload app_read.so")
    try:
        result = pbx.carrier.call(CallSpec(caller=CHALLENGED[7], did=ALICE, hang_up_after=1.0))
    finally:
        pbx.asterisk.cli("module load app_read.so")
    assert gone_to_voicemail(pbx, result)
    assert alice.invites() == []


def test_a_frozen_daemon_does_not_hold_a_passed_caller(pbx: ScreenedPbx, alice: Phone) -> None:
    with challenged_call(pbx, CHALLENGED[8]) as (call, digit):
        pbx.daemon.freeze()
        try:
            call.press(digit)
            alice.wait_for_invite(seconds=4.0)
            assert call.result().code == 200
        finally:
            pbx.daemon.thaw()


# Either side hangs up at any step: nothing is left after 5 s (leaves_nothing).


@pytest.mark.parametrize("after", [0.1, 0.7, 1.5, 6.5])
def test_the_caller_can_hang_up_during_the_challenge(pbx: ScreenedPbx, alice: Phone, after: float) -> None:
    caller = CHALLENGED[10 + round(after)]
    result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE, hang_up_after=after))
    assert (result.code, result.bye_from, alice.invites()) == (200, "caller", [])


def test_the_caller_can_hang_up_while_it_rings_after_the_digit(pbx: ScreenedPbx) -> None:
    with (
        Phone(pbx.asterisk, "201", Answering.never()) as phone,
        challenged_call(pbx, CHALLENGED[20], CallSpec(hang_up_after=4.0)) as (call, digit),
    ):
        call.press(digit)
        phone.wait_for_invite()
        assert call.result().bye_from == "caller"
        wait_until(lambda: any(m.method == "CANCEL" for m in phone.messages()), "the phone to stop ringing")


@pytest.mark.parametrize(
    ("answering", "number"),
    [
        pytest.param(Answering(hang_up_after=0.5), 21, id="soon"),
        pytest.param(Answering.busy(), 22, id="busy"),
        pytest.param(Answering.reject(), 23, id="refused"),
    ],
)
def test_the_callee_can_hang_up_after_the_digit(pbx: ScreenedPbx, answering: Answering, number: int) -> None:
    with (
        Phone(pbx.asterisk, "201", answering) as phone,
        challenged_call(pbx, CHALLENGED[number], CallSpec(hang_up_after=None)) as (call, digit),
    ):
        call.press(digit)
        phone.wait_for_invite()
        assert call.result().bye_from == "asterisk"


def test_a_challenge_plays_only_sounds_of_the_catalogue(pbx: ScreenedPbx) -> None:
    heard = {key for key in played(pbx) if not re.fullmatch(r"challenge-press-\d", key)}
    assert heard >= {"challenge-hello", "challenge-wrong", "challenge-silent", "caller-connecting", "caller-sorry"}
    assert heard <= set(OF_CALLERS)
