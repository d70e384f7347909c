"""The lab itself: what the other integration tests assume about its calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Answering, Asterisk, CallSpec, Carrier, LabUnavailable, Load, Phone, ensure_pbx
from lab.carrier import CALLER, quoted

EXTENSIONS = """\
[from-carrier]
exten => _+X.,1,Dial(PJSIP/201,20)
 same => n,Hangup()
; T: Asterisk listens for the callee's keys
exten => feature,1,Dial(PJSIP/201,20,T)
 same => n,Hangup()
exten => reject,1,PJSIPHangup(603)
exten => read,1,Answer()
 same => n,Read(DIGITS,,3,,,2)
 same => n,Verbose(1,read <${DIGITS}>)
 same => n,Hangup()
exten => prompt,1,Playback(hello-world)
 same => n,Hangup()
exten => early,1,Progress()
 same => n,Playback(hello-world,noanswer)
 same => n,PJSIPHangup(603)
exten => voicemail,1,VoiceMail(201@default,s)
exten => _9.,1,Verbose(1,dialled <${EXTEN}>)
 same => n,PJSIPHangup(603)
exten => who,1,Verbose(1,on <${CHANNEL(endpoint)}> <${CALLERID(num-pres)}> diverted <${REDIRECTING(from-num)}>)
 same => n,PJSIPHangup(603)

[from-internal]
exten => _+X.,1,Dial(PJSIP/${EXTEN}@carrier,20)
 same => n,Hangup()
"""


def started() -> Asterisk:
    return Asterisk(extensions=EXTENSIONS)


@pytest.fixture(scope="module")
def shared() -> Iterator[Asterisk]:
    with started() as asterisk:
        yield asterisk


@pytest.fixture
def asterisk(shared: Asterisk) -> Iterator[Asterisk]:
    yield shared
    shared.wait_until_idle()


def test_asterisk_starts_cleanly_and_leaves_nothing_behind() -> None:
    with started() as asterisk:
        assert asterisk.start_seconds < 10
        assert asterisk.warnings(with_boot=True) == []
        assert "VoiceMail" in asterisk.cli("core show applications like VoiceMail")
        assert "Running" in asterisk.cli("module show like res_stir_shaken")
        pid, top = asterisk.pid, asterisk.directories.top
    assert not top.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_asterisk_restarts_after_a_crash() -> None:
    with started() as asterisk:
        asterisk.kill()
        asterisk.start()
        assert Carrier(asterisk).call(CallSpec(did="reject")).code == 603


def test_asterisk_is_configured_by_its_arguments(tmp_path: Path) -> None:
    included = tmp_path / "included.conf"
    included.write_text(
        "[from-carrier]\nexten => s,1,Verbose(1,saw <${COLOUR}> <${SHAPE}>)\n same => n,PJSIPHangup(608)\n"
    )
    asterisk = Asterisk(
        extensions="[from-internal]\n",
        includes=[included],
        globals={"COLOUR": "red"},
        noload=["res_stir_shaken"],
        config={"pjsip.conf": "[carrier](+)\nset_var = SHAPE=round"},
    )
    with asterisk:
        assert Carrier(asterisk).call(CallSpec(did="s")).code == 608
        asterisk.wait_for_log("saw <red> <round>")
        assert "Running" not in asterisk.cli("module show like res_stir_shaken")


def test_an_unavailable_lab_names_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CALLSIEVE_LAB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LabUnavailable, match="cannot fetch asterisk"):
        ensure_pbx()


def test_dialplan_can_be_replaced_while_it_runs() -> None:
    with started() as asterisk:
        asterisk.reload_dialplan("[from-carrier]\nexten => reject,1,PJSIPHangup(608)\n")
        assert Carrier(asterisk).call(CallSpec(did="reject")).code == 608


def test_two_parallel_asterisks_are_isolated() -> None:
    with started() as one, started() as other:
        assert one.ports.sip != other.ports.sip
        assert Carrier(one).call(CallSpec(did="9111")).code == 603
        assert Carrier(other).call(CallSpec(did="9222")).code == 603
        one.wait_for_log("dialled <9111>")
        assert not [line for line in one.log_lines() if "dialled <9222>" in line]


def test_an_answered_call_shows_the_name_and_has_audio(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201") as phone:
        call = Carrier(asterisk).call(CallSpec(name="Acme Ltd", voice=True, hang_up_after=0.6))
        invite = phone.wait_for_invite()
    assert (call.code, call.answered, call.bye_from) == (200, True, "caller")
    assert [provisional.code for provisional in call.provisionals] == [100, 180]
    assert call.final_seconds is not None
    assert 0.2 <= call.final_seconds < 5
    assert (invite.from_name, invite.from_number) == ("Acme Ltd", CALLER)
    assert call.heard.audible_seconds > 0.2, "the phone echoes what the caller says"


def test_callee_can_hang_up(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201", Answering(hang_up_after=0.3)):
        call = Carrier(asterisk).call(CallSpec(hang_up_after=None))
    assert (call.answered, call.bye_from) == (True, "asterisk")
    assert call.talk_seconds is not None
    assert 0.2 < call.talk_seconds < 5


def test_caller_can_cancel(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201", Answering.never()) as phone:
        call = Carrier(asterisk).call(CallSpec(cancel_after=0.4))
        asterisk.wait_until_idle()
        answers = [message.code for message in phone.messages() if message.sent and message.method == "INVITE"]
    assert (call.code, call.answered) == (487, False)
    assert call.final_seconds is not None
    assert 0.4 <= call.final_seconds < 5
    assert answers == [180, 487]


def test_a_busy_phone_gives_486(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201", Answering.busy()):
        assert Carrier(asterisk).call().code == 486


def test_a_phone_can_reject_a_call(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201", Answering.reject()) as phone:
        assert not Carrier(asterisk).call().answered
        assert [message.code for message in phone.messages() if message.sent] == [180, 603]


def test_the_dialplan_can_reject_a_call(asterisk: Asterisk) -> None:
    call = Carrier(asterisk).call(CallSpec(did="reject"))
    assert (call.code, call.reason, call.early_media) == (603, "Decline", False)


def test_withheld_number_stays_withheld(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201") as phone:
        assert Carrier(asterisk).call(CallSpec(name="Acme Ltd", privacy=True)).answered
        invite = phone.wait_for_invite()
    assert invite.from_number == "anonymous"
    assert CALLER not in invite.raw.decode()


def test_trunks_pass_on_their_name_privacy_and_diversion(asterisk: Asterisk) -> None:
    Carrier(asterisk, "carrier2").call(CallSpec(did="who", privacy=True, diversion="+442079460000"))
    asterisk.wait_for_log("on <carrier2> <prohib")
    Carrier(asterisk).call(CallSpec(did="who", diversion="+442079460000"))
    asterisk.wait_for_log("on <carrier> <allowed_not_screened> diverted <+442079460000>")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("${CALLERID(num)} $[1+1] ${SHELL(id)}", id="expressions"),
        pytest.param("[call_id] [field0] [len] \\x41", id="sipp-keywords"),
        pytest.param("a, (b) ; <c> = d & e | f", id="separators"),
        pytest.param("say \"no\" to 'them'", id="quotes"),
        pytest.param("\u202eevil\u202c \u0645\u0631\u062d\u0628\u0627 \U0001f600", id="bidi"),
        pytest.param("tab\tbell\x07 del\x7f", id="control-characters"),
        pytest.param("-key --help", id="options"),
    ],
)
def test_hostile_name_arrives_as_sent(asterisk: Asterisk, name: str) -> None:
    with Phone(asterisk, "201") as phone:
        call = Carrier(asterisk).call(CallSpec(name=name, hang_up_after=0.1))
        invite = phone.wait_for_invite()
    assert call.messages[0].from_name == name
    # Asterisk keeps the escapes of a quoted name, and escapes them again on the way out.
    assert invite.from_name == quoted(name)[1:-1]


def test_hostile_bytes_are_sent_unchanged(asterisk: Asterisk) -> None:
    spec = CallSpec(
        did="who", raw_from=f'"\udcff\udc80" <sip:{CALLER}@127.0.0.1>', headers={"X-Raw": "[call_id] %s \\n ${X}"}
    )
    call = Carrier(asterisk).call(spec)
    assert b'From: "\xff\x80" <' in call.messages[0].raw
    assert call.messages[0].header("x-raw") == "[call_id] %s \\n ${X}"


def test_request_user_can_differ_from_the_did(asterisk: Asterisk) -> None:
    Carrier(asterisk).call(CallSpec(request_user="9001,verification=passed,trunk=trusted"))
    asterisk.wait_for_log("dialled <9001,verification=passed,trunk=trusted>")


@pytest.mark.parametrize("inband", [pytest.param(False, id="rfc4733"), pytest.param(True, id="tones")])
def test_keys_reach_the_dialplan(asterisk: Asterisk, inband: bool) -> None:
    digits = "1#" if inband else "5*#"
    call = Carrier(asterisk).call(CallSpec(did="read", dtmf=digits, inband=inband, hang_up_after=None, timeout=10))
    assert call.bye_from == "asterisk"
    asterisk.wait_for_log(f"read <{digits[:-1]}>")


def test_keys_can_be_pressed_at_any_time(asterisk: Asterisk) -> None:
    with Carrier(asterisk).start(CallSpec(did="read", hang_up_after=None, timeout=10)) as call:
        call.wait_until_answered()
        call.press("42#")
        assert call.result().answered
    asterisk.wait_for_log("read <42>")


def test_callee_can_press_keys(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201") as phone, Carrier(asterisk).start(CallSpec(did="feature", hang_up_after=None)) as call:
        call.wait_until_answered()
        phone.press("*7")
        asterisk.wait_for_log("DTMF end '7' received on PJSIP/201")


def test_a_prompt_is_audible(asterisk: Asterisk) -> None:
    call = Carrier(asterisk).call(CallSpec(did="prompt", hang_up_after=None, timeout=10))
    assert call.answered
    assert call.heard.audible_seconds > 0.3


def test_a_prompt_before_the_answer_is_early_media(asterisk: Asterisk) -> None:
    call = Carrier(asterisk).call(CallSpec(did="early"))
    assert (call.code, call.early_media) == (603, True)
    assert call.heard.audible_seconds > 0.3


def test_voicemail_is_left(asterisk: Asterisk) -> None:
    Carrier(asterisk).call(CallSpec(did="voicemail", voice=True, hang_up_after=2.5))
    asterisk.wait_until_idle()
    message = asterisk.directories.spool / "voicemail/default/201/INBOX/msg0000.wav"
    assert message.stat().st_size > 8000


def test_phone_calls_out_on_the_trunk(asterisk: Asterisk) -> None:
    with Phone(asterisk, "carrier") as far_end:
        call = Phone(asterisk, "202").dial("+12025550123").result()
        invite = far_end.wait_for_invite()
    assert call.answered
    assert invite.start_line.startswith("INVITE sip:+12025550123@")
    assert invite.from_number == "202"


def test_fifty_calls_at_25_a_second_all_succeed(asterisk: Asterisk) -> None:
    with Phone(asterisk, "201", Answering(ring_seconds=0), trace=False):
        result = Carrier(asterisk).load(Load(rate=25, calls=50, did="+442071838750", callers=[CALLER, "+12025550123"]))
    assert (result.calls, result.succeeded, result.failed) == (50, 50, 0)
    assert 15 < result.rate < 30


def test_load_counts_unexpected_results_as_failures(asterisk: Asterisk) -> None:
    result = Carrier(asterisk).load(Load(rate=25, calls=5, did="reject", callers=[CALLER]))
    assert (result.succeeded, result.failed) == (0, 5)
    result = Carrier(asterisk).load(Load(rate=25, calls=5, did="reject", callers=[CALLER], expected=603))
    assert (result.succeeded, result.failed) == (5, 0)
