"""Every path of a caller with the voices of `callsieve prompts build`: all prompts are played, in the right language.

The other tests of these paths have short tones for prompts. Here it shows whether what is really said fits: a menu
that is too long would be left out, and a caller would wait for too long.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi.speech import reference_keys
from lab import Answering, CallSpec, Phone
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import add_entry
from tests.integration.office import connected, decision_on, played
from tests.voices import copy_voices
from tests.waiting import wait_until

DIGIT = 4
CALLERS = {"en": "+12015550170", "zh": "+8613800138000"}
NAMED = {"en": "+12015550270", "zh": "+8613900138000"}
REJECTED = {"en": "+12015550370", "zh": "+8613700138000"}
POLICY = """\
extends = "cautious"
[[rule]]
name = "who-are-you"
when = { listed = "names" }
action = "challenge"
ask = "name"
reason = "we ask these who they are"
[[rule]]
name = "who-hides"
when = { caller_kind = "withheld" }
action = "challenge"
ask = "number"
reason = "the caller hides the number"
"""
OFFICE = SETTINGS.replace('"cautious"', '"office"') + "\n[actions]\nappeal = true\n"


@pytest.fixture(scope="module")
def pbx(voices: Path) -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, digit=DIGIT) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "office.toml").write_text(POLICY)
        (office.state / "names.csv").write_text("number\n" + "".join(f"{number}\n" for number in NAMED.values()))
        office.daemon.write_settings(OFFICE)
        office.daemon.start()
        sounds = office.asterisk.directories.sounds.parent
        copy_voices(voices, sounds, "en", "zh")
        (sounds / "en" / "callsieve" / "say-ok.wav").unlink()
        for command in (
            ("prompts", "build", "--to", str(sounds)),  # makes the one that is missing
            ("import", "numbers", str(office.state / "names.csv"), "--source", "names"),
        ):
            done = office.daemon.callsieve(*command)
            assert done.returncode == 0, done.stderr
        with open_store(office.daemon.store) as db, transaction(db):
            for numbers, action in ((CALLERS, "challenge"), (REJECTED, "reject")):
                for number in numbers.values():
                    entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=time.time())
                    add_entry(db, entry)
        yield office
        # VoiceMail's warning about a caller who hangs up at the tone.
        assert [line for line in office.asterisk.warnings() if "No audio available" not in line] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_digit_can_be_pressed_during_the_prompt(pbx: ScreenedPbx, language: str) -> None:
    before = len(connected(pbx))
    spec = CallSpec(caller=CALLERS[language], did=ALICE, dtmf=str(DIGIT), dtmf_after=1.5, hang_up_after=6.0)
    with Phone(pbx.asterisk, "201") as alice, pbx.carrier.start(spec) as call:
        alice.wait_for_invite(seconds=8.0)
        result = call.result()
    assert connected(pbx)[before:] == [{"PJSIP/carrier", "PJSIP/201"}]
    assert result.heard.audible_seconds > 1.0


@pytest.mark.parametrize("language", ["en"])
def test_a_caller_who_presses_nothing_ends_in_voicemail(pbx: ScreenedPbx, language: str) -> None:
    before, began = len(played(pbx)), time.monotonic()
    caller = CALLERS[language]
    with pbx.carrier.start(CallSpec(caller=caller, did=ALICE, hang_up_after=None, timeout=60.0)) as call:
        wait_until(lambda: "caller-message" in played(pbx)[before:], "the message", 45.0)
        waited = time.monotonic() - began
        wait_until(lambda: any("'beep" in line for line in pbx.asterisk.log_lines()[-30:]), "the tone", 15.0)
        call.close()
    spelled = ["appeal-how", *reference_keys(decision_on(pbx.daemon.store, caller).id), "appeal-address"]
    press = f"challenge-press-{DIGIT}"
    said = ["challenge-hello", press, "challenge-silent", press, "caller-sorry", *spelled, "caller-message"]
    assert played(pbx)[before:] == said
    assert waited < 42.0
    print(f"{language}: {waited:.1f} s until a caller who presses nothing may leave a message, with how to appeal")


@pytest.mark.parametrize("language", ["zh"])
def test_a_name_is_asked_for_and_played(pbx: ScreenedPbx, language: str) -> None:
    before, bridges = len(played(pbx)), len(connected(pbx))
    spec = CallSpec(caller=NAMED[language], did=ALICE, hang_up_after=None, voice=True, timeout=60.0)
    with (
        Phone(pbx.asterisk, "201", Answering(), ears=True) as alice,
        pbx.carrier.start(spec) as call,
    ):
        wait_until(lambda: "screening-menu" in played(pbx)[before:], "the menu", 40.0)
        alice.press("1")
        wait_until(lambda: connected(pbx)[bridges:] == [{"PJSIP/carrier", "PJSIP/201"}], "the talk")
        call.close()
    assert played(pbx)[before:] == ["screening-ask", "caller-wait", "screening-call-from", "screening-menu"]


@pytest.mark.parametrize("language", ["zh"])
def test_a_rejected_caller_hears_how_to_appeal_in_20_seconds(pbx: ScreenedPbx, language: str) -> None:
    result = pbx.carrier.call(CallSpec(caller=REJECTED[language], did=ALICE, timeout=40.0))
    assert (result.code, result.early_media) == (603, True)
    assert 5.0 < (result.final_seconds or 0) < 20.0
    print(f"{language}: {result.final_seconds:.1f} s for how to appeal, nobody billed")


def test_a_withheld_caller_enters_a_number_that_is_read_back(pbx: ScreenedPbx) -> None:
    before = len(played(pbx))
    spec = CallSpec(privacy=True, did=ALICE, dtmf="2015550177#", dtmf_after=2.0, hang_up_after=None, timeout=40.0)
    with Phone(pbx.asterisk, "201", Answering(hang_up_after=0.5)) as alice:
        assert pbx.carrier.call(spec).code == 200
        assert alice.wait_for_invite().from_name == "Says 2015550177"
    digits = [f"digit-{digit}" for digit in "2015550177"]
    assert played(pbx)[before:] == ["withheld-ask", "withheld-entered", *digits, "caller-connecting"]
