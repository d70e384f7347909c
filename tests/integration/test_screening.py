"""A caller is asked for a name, which is played to the callee, on a real Asterisk: each key, and hang-ups."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callsieve.calls.spoken_names import has_sound
from callsieve.prompts.catalogue import prompts_of
from lab import Answering, CallSpec, Phone
from lab.call import CallInProgress
from lab.screened import ALICE, SALES, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName, Verdict
from reputation.store.connection import open_store, transaction
from reputation.store.evidence_rows import marks_of
from reputation.store.lists import add_entry
from tests.integration.office import connected, decision_on, install_prompts, played, start_listening
from tests.waiting import wait_until

CALLERS = [f"+120155503{n:02d}" for n in range(60)]
SCREENING = SETTINGS + '\n[actions]\nask = "name"\n'
PROMPTS = {key: 0.4 for key in prompts_of("en") if key.partition("-")[0] in ("challenge", "caller", "screening")} | {
    "screening-menu": 2.0,
    "screening-call-from": 0.8,
}
# Warnings of app_stack about a phone that hangs up in U(), and of Record about a missing directory.
EXPECTED = re.compile(r"app_stack\.c|/recordings/")
PIECE_SECONDS = 3.0  # the longest that goes by before it is noticed that the caller has given up


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False) as office:
        start_listening(office, SCREENING)
        with open_store(office.daemon.store) as db, transaction(db):
            for number in CALLERS:
                entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action="challenge", added_at=time.time())
                add_entry(db, entry)
        install_prompts(office, PROMPTS)
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    """Check after each test that no channel is left after 5 s, no recording is orphaned, and no warning was logged."""
    complaints = len(pbx.asterisk.warnings())
    yield
    pbx.asterisk.wait_until_idle(5.0)
    assert [line for line in pbx.asterisk.warnings()[complaints:] if not EXPECTED.search(line)] == []
    folder = pbx.state / "recordings"
    assert [path for path in folder.iterdir() if len(path.stem) != len("7KQ2M4XA-1") or path.suffix != ".wav"] == []


def recordings_of(pbx: ScreenedPbx, caller: str) -> list[Path]:
    decision = decision_on(pbx.daemon.store, caller)
    return sorted((pbx.state / "recordings").glob(f"{decision.id}-*.wav"))


@contextmanager
def ringing(
    pbx: ScreenedPbx, caller: str, answering: Answering | None = None, *, voice: bool = True, long: bool = False
) -> Iterator[tuple[CallInProgress, Phone]]:
    """Yield a call whose caller has said a name (or nothing) and hears ringing, and the phone that rings.

    A `long` name lasts for all of the 8 s; the others are ended with the pound key after some 2 s.
    """
    key = "#" if voice and not long else ""
    spec = CallSpec(caller=caller, did=ALICE, hang_up_after=None, voice=voice, timeout=45.0, dtmf=key, dtmf_after=3.5)
    with Phone(pbx.asterisk, "201", answering, ears=True) as phone, pbx.carrier.start(spec) as call:
        phone.wait_for_invite(seconds=25.0)
        yield call, phone


def picked_up(phone: Phone) -> None:
    wait_until(lambda: any(m.sent and m.code == 200 for m in phone.messages()), "the phone answering")


def taken(pbx: ScreenedPbx, before: int) -> bool:
    """Return whether only the caller and phone 201 have been connected since."""
    return connected(pbx)[before:] == [{"PJSIP/carrier", "PJSIP/201"}]


def test_1_connects_after_the_name_is_heard(pbx: ScreenedPbx) -> None:
    before = len(connected(pbx))
    with ringing(pbx, CALLERS[0], long=True) as (call, phone):
        picked_up(phone)
        wait_until(lambda: phone.heard.audible_seconds > 0.8 + 8 * 0.7, "the caller's words being heard", 15.0)
        phone.press("1")
        wait_until(lambda: taken(pbx, before), "the two being connected")
        heard = phone.heard.audible_seconds
        wait_until(lambda: phone.heard.audible_seconds > heard + 0.5, "the caller being heard")
        call.close()
    sizes = [path.stat().st_size for path in recordings_of(pbx, CALLERS[0])]
    assert len(sizes) == 3
    assert 7.5 < sum(sizes) / 16_000 < 8.3, "8 s of what the caller says"
    assert [key for key in played(pbx) if key in ("screening-ask", "caller-wait")] == ["screening-ask", "caller-wait"]


def test_a_silent_caller_rings_and_the_callee_hears_so(pbx: ScreenedPbx) -> None:
    before = len(connected(pbx))
    with ringing(pbx, CALLERS[1], voice=False) as (call, phone):
        picked_up(phone)
        wait_until(lambda: "screening-says-nothing" in played(pbx), "the callee being told")
        wait_until(lambda: taken(pbx, before), "who presses nothing being connected", 10.0)
        call.close()
    assert played(pbx).count("screening-again") == 1
    recorded = recordings_of(pbx, CALLERS[1])
    assert not has_sound(recorded), [path.stat().st_size for path in recorded]


def test_the_recording_contains_the_spoken_name(pbx: ScreenedPbx) -> None:
    with ringing(pbx, CALLERS[31]) as (call, _phone):
        call.close()
    assert has_sound(recordings_of(pbx, CALLERS[31]))


def test_2_sends_the_caller_to_voicemail(pbx: ScreenedPbx) -> None:
    before = len(connected(pbx))
    with ringing(pbx, CALLERS[2]) as (call, phone):
        picked_up(phone)
        wait_until(lambda: phone.heard.audible_seconds > 1.0, "hearing who it is")
        phone.press("2")
        wait_until(lambda: any('VoiceMail("PJSIP/carrier' in line for line in pbx.asterisk.log_lines()), "voicemail")
        call.close()
    assert connected(pbx)[before:] == []
    assert any('"201,us"' in line for line in pbx.asterisk.log_lines())


def test_3_marks_and_the_caller_hears_a_refusal(pbx: ScreenedPbx) -> None:
    with ringing(pbx, CALLERS[3]) as (call, phone):
        picked_up(phone)
        wait_until(lambda: phone.heard.audible_seconds > 1.0, "hearing who it is")
        phone.press("3")
        assert call.result().bye_from == "asterisk"
    assert played(pbx)[-2:] == ["caller-declined", "caller-goodbye"]
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: bool(marks_of(db, CALLERS[3])), "the mark")
        [mark] = marks_of(db, CALLERS[3])
    assert (mark.reporter, mark.verdict) == ("201", Verdict.SPAM)


def test_2_without_a_voicemail_plays_a_refusal(pbx: ScreenedPbx) -> None:
    pbx.asterisk.cli("module unload app_voicemail.so")
    try:
        with ringing(pbx, CALLERS[4]) as (call, phone):
            picked_up(phone)
            wait_until(lambda: phone.heard.audible_seconds > 1.0, "hearing who it is")
            phone.press("2")
            assert call.result().bye_from == "asterisk"
    finally:
        pbx.asterisk.cli("module load app_voicemail.so")
    assert played(pbx)[-2:] == ["caller-declined", "caller-goodbye"]


def test_a_ring_group_plays_the_name_only_to_the_answering_phone(pbx: ScreenedPbx) -> None:
    spec = CallSpec(caller=CALLERS[5], did=SALES, hang_up_after=None, voice=True, timeout=40.0)
    with (
        Phone(pbx.asterisk, "201", Answering.never(), ears=True) as alice,
        Phone(pbx.asterisk, "202", ears=True) as bob,
        pbx.carrier.start(spec) as call,
    ):
        wait_until(lambda: bob.heard.audible_seconds > 1.0, "hearing who it is", 25.0)
        bob.press("1")
        wait_until(lambda: connected(pbx)[-1:] == [{"PJSIP/carrier", "PJSIP/202"}], "the talk")
        assert alice.heard.packets == 0
        call.close()


def test_the_caller_can_hang_up_during_the_refusal(pbx: ScreenedPbx) -> None:
    with ringing(pbx, CALLERS[9]) as (call, phone):
        picked_up(phone)
        wait_until(lambda: phone.heard.audible_seconds > 1.0, "hearing who it is")
        phone.press("3")
        wait_until(lambda: played(pbx)[-1] == "caller-declined", "being told")
        call.close()


# Where it cannot be done, a digit is asked for.


def test_without_a_recording_folder_a_digit_is_asked_for(pbx: ScreenedPbx) -> None:
    folder = pbx.state / "recordings"
    folder.rename(folder.with_name("away"))
    folder.write_text("")  # a file where Asterisk wants a directory
    before = len(pbx.asterisk.warnings())
    try:
        pbx.carrier.call(CallSpec(caller=CALLERS[6], did=ALICE, hang_up_after=6.0, voice=True))
    finally:
        folder.unlink()
        folder.with_name("away").rename(folder)
    assert any(key.startswith("challenge-press-") for key in played(pbx))
    assert any("/recordings/" in line for line in pbx.asterisk.warnings()[before:])


@pytest.mark.parametrize("module", ["app_record.so"])
def test_without_a_module_a_digit_is_asked_for(pbx: ScreenedPbx, module: str) -> None:
    asked = len([key for key in played(pbx) if key == "challenge-hello"])
    pbx.asterisk.cli(f"module unload {module}")
    try:
        pbx.carrier.call(CallSpec(caller=CALLERS[7], did=ALICE, hang_up_after=2.0))
    finally:
        pbx.asterisk.cli(f"module load {module}")
    assert len([key for key in played(pbx) if key == "challenge-hello"]) == asked + 1


def test_without_the_menu_prompt_caller_and_callee_are_connected(pbx: ScreenedPbx) -> None:
    before = len(connected(pbx))
    menu = pbx.asterisk.directories.sounds / "callsieve" / "screening-menu.wav"
    menu.rename(menu.with_suffix(".away"))
    try:
        with ringing(pbx, CALLERS[8], Answering(hang_up_after=2.0)) as (call, _):
            wait_until(lambda: taken(pbx, before), "the two being connected", 3.0)
            call.result()
    finally:
        menu.with_suffix(".away").rename(menu)


# Either side hangs up at any step: no channel is left after 5 s (_nothing_left).


@pytest.mark.parametrize(("after", "caller"), [(0.2, 20), (1.5, 21), (4.5, 22), (8.0, 23), (11.0, 24)])
def test_the_caller_can_hang_up_while_asked_for_a_name(pbx: ScreenedPbx, after: float, caller: int) -> None:
    with Phone(pbx.asterisk, "201", Answering.never()) as phone:
        spec = CallSpec(caller=CALLERS[caller], did=ALICE, hang_up_after=after, voice=True)
        assert pbx.carrier.call(spec).bye_from == "caller"
        pbx.asterisk.wait_until_idle(5.0)
        wait_until(
            lambda: all(m.method != "INVITE" or m.sent for m in phone.messages()[-1:]), "the phone to stop ringing"
        )


@pytest.mark.parametrize(("heard", "caller"), [(0.4, 30), (2.0, 31), (5.0, 32), (9.2, 33)])
def test_the_caller_can_hang_up_while_the_name_is_played(pbx: ScreenedPbx, heard: float, caller: int) -> None:
    with ringing(pbx, CALLERS[caller], long=heard > 2) as (call, phone):
        picked_up(phone)
        wait_until(lambda: phone.heard.audible_seconds > heard, "hearing who it is", 15.0)
        call.close()  # hangs up
        gone = time.monotonic()
        wait_until(lambda: any(m.method == "BYE" and m.code is None for m in phone.messages()), "the hang-up", 6.0)
        assert time.monotonic() - gone < PIECE_SECONDS + 1.5


@pytest.mark.parametrize(("after", "caller"), [(0.3, 40), (3.0, 41), (9.5, 42)])
def test_the_callee_can_hang_up_while_the_name_is_played(pbx: ScreenedPbx, after: float, caller: int) -> None:
    with ringing(pbx, CALLERS[caller], Answering(hang_up_after=after), long=after > 5) as (call, _):
        assert call.result().bye_from == "asterisk"
