"""The real prompts on a real Asterisk: *36 and the whisper, what is heard and for how long."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.prompts.catalogue import prompts_of
from lab import CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import add_entry
from reputation.store.marks import last_caller_of
from tests.callsieve.sounds import needs_voice
from tests.integration.office import start_listening
from tests.voices import copy_voices
from tests.waiting import wait_until

pytestmark = needs_voice

# 36: the same from a phone that speaks Mandarin.
OFFICE = EXTENSIONS.replace(
    "[from-internal]\n",
    """[from-internal]
include => callsieve-codes
exten => 36,1,Set(CHANNEL(language)=zh)
 same => n,Goto(callsieve-codes,*36,1)
""",
)
TAGGED, REJECTED, WARNED = "+12015550191", "+12015550192", "+12015550193"
SPOKEN = {key: prompt.text for key, prompt in prompts_of("en").items()}


@pytest.fixture(scope="module")
def pbx(voices: Path) -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=OFFICE, start_daemon=False) as office:
        start_listening(office, SETTINGS)
        with open_store(office.daemon.store) as db, transaction(db):
            for number, action in ((TAGGED, "tag"), (REJECTED, "reject"), (WARNED, "warn")):
                add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=time.time()))
        copy_voices(voices, office.asterisk.directories.data / "sounds", "en", "zh")
        yield office
        assert [line for line in office.asterisk.warnings() if "/explain" not in line and "FastAGI" not in line] == []


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle(5.0)


def ask(pbx: ScreenedPbx, phone: str = "201", code: str = "*36", language: str = "en") -> tuple[list[str], float]:
    """Dial *36 until the end, and return the prompts and how many seconds were audible."""
    before = len(pbx.asterisk.log_lines())
    with Phone(pbx.asterisk, phone) as handset, handset.dial(code, CallSpec(hang_up_after=None)) as call:
        result = call.result()
    assert (result.code, result.bye_from) == (200, "asterisk")
    played = re.findall(r"Playing '([\w/-]+)\.\w+' \(language '(\w+)'\)", "\n".join(pbx.asterisk.log_lines()[before:]))
    assert {spoken for _, spoken in played} <= {language}
    return [name.removeprefix("callsieve/") for name, _ in played], result.heard.audible_seconds


def called(pbx: ScreenedPbx, caller: str) -> None:
    """Call Alice from that number, and wait until the listener knows the call."""
    with Phone(pbx.asterisk, "201"):
        pbx.carrier.call(CallSpec(caller=caller, did=ALICE))
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: getattr(last_caller_of(db, "201"), "number", "") == caller, "the last caller", 30.0)


def test_explain_without_a_last_caller_says_so(pbx: ScreenedPbx) -> None:
    assert ask(pbx, "202")[0] == ["say-nobody"]


def test_the_last_call_is_explained_in_a_spoken_sentence(pbx: ScreenedPbx) -> None:
    called(pbx, TAGGED)
    played, seconds = ask(pbx)
    assert " ".join(SPOKEN[key] for key in played) == (
        "The call ending in zero one nine one was marked on your display. It is on the company's block list."
    )
    folder = pbx.asterisk.directories.data / "sounds" / "en" / "callsieve"
    length = sum((folder / f"{key}.wav").stat().st_size / 16000 for key in played)
    assert 0.75 * length < seconds < length + 0.5


def test_the_explanation_is_in_the_phones_language(pbx: ScreenedPbx) -> None:
    called(pbx, TAGGED)
    english, english_seconds = ask(pbx)
    mandarin, mandarin_seconds = ask(pbx, code="36", language="zh")
    assert mandarin == english
    assert 1.0 < mandarin_seconds != pytest.approx(english_seconds, abs=0.1)


def test_the_built_whisper_is_over_within_four_seconds(pbx: ScreenedPbx) -> None:
    with (
        Phone(pbx.asterisk, "201", ears=True) as phone,
        pbx.carrier.start(CallSpec(caller=WARNED, did=ALICE, voice=True, hang_up_after=0.5)) as call,
    ):
        wait_until(lambda: any(m.sent and m.code == 200 for m in phone.messages()), "the phone answering")
        call.wait_until_answered()
        heard = phone.heard.audible_seconds
        result = call.result()
    assert (result.code, result.heard.audible) == (200, 0), "the caller has heard the warning"
    assert 2.0 < heard < 4.0


def test_a_rejected_call_is_explained(pbx: ScreenedPbx) -> None:
    called(pbx, TAGGED)
    assert pbx.carrier.call(CallSpec(caller=REJECTED, did=ALICE)).code == 603
    wait_until(lambda: "explain-reject" in ask(pbx)[0], "the decision in the journal")


def test_hanging_up_during_the_explanation_leaves_no_channel(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201") as phone, phone.dial("*36", CallSpec(hang_up_after=1.0)) as call:
        assert call.result().bye_from == "caller"


@pytest.mark.parametrize("how", ["frozen", "dead"])
def test_an_absent_daemon_gives_the_later_prompt(pbx: ScreenedPbx, how: str) -> None:
    if how == "frozen":
        pbx.daemon.freeze()
    else:
        pbx.daemon.stop()
    try:
        assert ask(pbx)[0] == ["say-later"]
    finally:
        if how == "frozen":
            pbx.daemon.thaw()
        else:
            pbx.daemon.start()


def test_without_prompts_asterisk_says_not_available(pbx: ScreenedPbx) -> None:
    folder = pbx.asterisk.directories.data / "sounds" / "en" / "callsieve"
    folder.rename(folder.with_name("away"))
    try:
        assert ask(pbx)[0] == ["im-sorry", "feature-not-avail-line"]
    finally:
        folder.with_name("away").rename(folder)
