"""Feature codes on a real Asterisk: what is spoken, what is stored, and what the next call does."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from lab import CallResult, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.audit import audit_rows
from reputation.store.connection import open_store, transaction
from reputation.store.devices import PASSCODE_DIGITS, use_passcode
from reputation.store.lists import add_entry
from reputation.store.marks import last_caller_of
from reputation.store.outcomes import outcomes
from tests.integration.office import install_prompts, start_listening
from tests.waiting import wait_until

OFFICE = EXTENSIONS.replace("[from-internal]\n", "[from-internal]\ninclude => callsieve-codes\n")
STRANGER, WARNED = "+12015550181", "+12015550182"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=OFFICE, start_daemon=False, patient=True) as office:
        start_listening(office, SETTINGS)
        with open_store(office.daemon.store) as db, transaction(db):
            add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, WARNED, action="warn", added_at=time.time()))
        assert [line for line in office.asterisk.warnings(with_boot=True) if "pbx_config" in line] == []
        yield office
        assert [line for line in office.asterisk.warnings() if "app_stack.c" not in line] == []


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle()


def dial(pbx: ScreenedPbx, code: str, phone: str = "201") -> list[str]:
    """Dial a code until the end, and return the sounds that were played."""
    before = len(pbx.asterisk.log_lines())
    with Phone(pbx.asterisk, phone) as handset, handset.dial(code, CallSpec(hang_up_after=None)) as call:
        result = call.result()
    assert (result.code, result.bye_from) == (200, "asterisk")
    assert result.heard.audible_seconds > 0.3, "nothing was said"
    return re.findall(r"Playing '([\w/-]+)\.", "\n".join(pbx.asterisk.log_lines()[before:]))


def call_alice(pbx: ScreenedPbx, caller: str) -> CallResult:
    """Call Alice, and wait until the listener knows the ended call."""
    with open_store(pbx.daemon.store) as db:
        before = len(outcomes(db, number=caller))
        with Phone(pbx.asterisk, "201"):
            result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE))
        if result.code == 200:
            wait_until(lambda: len(outcomes(db, number=caller)) > before, "the outcome")
            wait_until(lambda: getattr(last_caller_of(db, "201"), "number", "") == caller, "the last caller", 30.0)
    return result


def changes(pbx: ScreenedPbx) -> list[str]:
    """Return the changes by phones, the latest last."""
    with open_store(pbx.daemon.store) as db:
        return [row.what for row in audit_rows(db) if row.who.startswith("phone ")][::-1]


def test_the_block_code_without_a_last_caller_is_refused(pbx: ScreenedPbx) -> None:
    assert dial(pbx, "*34", "202") == ["im-sorry", "vm-nonumber"]


def test_the_block_code_blocks_and_within_a_minute_unblocks(pbx: ScreenedPbx) -> None:
    assert call_alice(pbx, STRANGER).code == 200
    assert dial(pbx, "*34") == ["num-was-successfully", "added"]
    assert call_alice(pbx, STRANGER).code == 603
    assert dial(pbx, "*34") == ["num-was-successfully", "removed"]
    assert call_alice(pbx, STRANGER).code == 200


def test_the_allow_code_lets_the_last_caller_ring_unwarned(pbx: ScreenedPbx) -> None:
    install_prompts(pbx, {"whisper-spam": 0.5, "whisper-menu": 1.5, "say-allowed": 0.7})
    assert (call_alice(pbx, WARNED).final_seconds or 0) > 2.0
    assert dial(pbx, "*33") == ["callsieve/say-allowed"]
    assert (call_alice(pbx, WARNED).final_seconds or 9) < 2.0
    assert dial(pbx, "*33") == ["num-was-successfully", "removed"], "the prompt is not there: Asterisk's own"


def test_the_whisper_code_switches_whispers_off_and_on(pbx: ScreenedPbx) -> None:
    install_prompts(pbx, {"whisper-spam": 0.5, "whisper-menu": 1.5})
    assert dial(pbx, "*26") == ["de-activated"]
    assert (call_alice(pbx, WARNED).final_seconds or 9) < 2.0
    assert dial(pbx, "*26") == ["activated"]
    assert (call_alice(pbx, WARNED).final_seconds or 0) > 2.0


def test_a_code_dialled_while_the_daemon_is_frozen_has_no_effect(pbx: ScreenedPbx) -> None:
    """Not even later: the phone has heard that it did not work."""
    before = changes(pbx)
    pbx.daemon.freeze()
    try:
        assert dial(pbx, "*34") == ["im-sorry", "please-try-call-later"]
        install_prompts(pbx, {"say-later": 0.7})
        assert dial(pbx, "*26") == ["callsieve/say-later"]
    finally:
        pbx.daemon.thaw()
    assert dial(pbx, "*26") == ["de-activated"]  # after whatever waited
    assert changes(pbx) == [*before, "whispers-off"]
    assert dial(pbx, "*26") == ["activated"]


def test_hanging_up_during_the_answer_leaves_no_channel(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201") as phone, phone.dial("*35", CallSpec(hang_up_after=0.5)) as call:
        assert call.result().bye_from == "caller"


PASSCODE_PROMPTS = {"passcode-is": 0.2, "passcode-again": 0.2, "passcode-ends": 0.2} | {
    f"digit-{digit}": 0.1 for digit in range(10)
}


def test_a_passcode_is_spoken_twice_and_used_once(pbx: ScreenedPbx) -> None:
    install_prompts(pbx, PASSCODE_PROMPTS)
    spoken = [name.removeprefix("callsieve/") for name in dial(pbx, "*39")]
    digits = [name.removeprefix("digit-") for name in spoken if name.startswith("digit-")]
    assert spoken[0] == "passcode-is"
    assert spoken[-1] == "passcode-ends"
    assert len(digits) == 2 * PASSCODE_DIGITS
    assert digits[:PASSCODE_DIGITS] == digits[PASSCODE_DIGITS:]
    passcode = "".join(digits[:PASSCODE_DIGITS])
    with open_store(pbx.daemon.store) as db, transaction(db):
        assert not use_passcode(db, "202", passcode, time.time()), "it is that of the phone's person"
        assert use_passcode(db, "201", passcode, time.time())
        assert not use_passcode(db, "201", passcode, time.time())
    assert changes(pbx)[-1] == "passcode"


def test_no_passcode_while_the_daemon_does_not_answer(pbx: ScreenedPbx) -> None:
    install_prompts(pbx, {**PASSCODE_PROMPTS, "say-later": 0.7})
    before = changes(pbx)
    pbx.daemon.freeze()
    try:
        assert dial(pbx, "*39") == ["callsieve/say-later"]
    finally:
        pbx.daemon.thaw()
    assert changes(pbx)[: len(before)] == before
