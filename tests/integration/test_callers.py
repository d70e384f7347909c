"""On a real Asterisk: withheld callers are asked for a number, and stopped ones hear how to appeal.

And who never meets any of it: emergency callers, and those who call back after an emergency call.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agi.speech import reference_keys
from callsieve.prompts.catalogue import prompts_of
from lab import Answering, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SALES, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from tests.integration.office import decision_on, install_prompts, journal, played, start_listening
from tests.waiting import wait_until

CLAIM = "2015550177"
NUMBERS = {action: [f"+12015550{n}{k}" for k in range(10)] for n, action in ((41, "reject"), (42, "route"))}
CARRIERS_NUMBER = "2017421834"
CHALLENGED, FOE = "+12015550430", "+12015550431"
BARRED = [*NUMBERS["reject"], *NUMBERS["route"], CHALLENGED]
POLICY = """\
extends = "cautious"
[[rule]]
name = "who-hides"
when = { caller_kind = "withheld" }
action = "challenge"
ask = "number"
reason = "the caller hides the number"
"""
OFFICE = SETTINGS.replace('"cautious"', '"office"') + "\n[actions]\nappeal = true\n"
FAMILIES = ("challenge", "caller", "withheld", "appeal", "digit", "letter")
PROMPTS = {key: 0.2 for key in prompts_of("en") if key.partition("-")[0] in FAMILIES}
# Nobody warns that a phone which its person has barred is hung up.
EXPECTED = re.compile(r"Gosub\(callsieve-phone,s,1\)' exit")


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, extensions=EXTENSIONS) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "office.toml").write_text(POLICY)
        start_listening(office, OFFICE)
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            for action in ("reject", "route"):
                for number in NUMBERS[action]:
                    add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=now))
            entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, CHALLENGED, action="challenge", added_at=now)
            add_entry(db, entry)
            set_personal_entry(db, PersonalEntry("201", FOE, ListName.BLOCK, now))
            set_personal_entry(db, PersonalEntry("201", f"+1{CLAIM}", ListName.ALLOW, now))
        install_prompts(office, PROMPTS)
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    """Check after each test that no channel is left after 5 s, and that Asterisk logged no warning."""
    complaints = len(pbx.asterisk.warnings())
    yield
    pbx.asterisk.wait_until_idle(5.0)
    assert [line for line in pbx.asterisk.warnings()[complaints:] if not EXPECTED.search(line)] == []


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201") as phone:
        yield phone


def heard_since(pbx: ScreenedPbx, before: int) -> list[str]:
    return played(pbx)[before:]


# A hidden number.


def hidden(**more: object) -> CallSpec:
    return CallSpec(caller=f"+1{CARRIERS_NUMBER}", privacy=True, did=ALICE, hang_up_after=None, timeout=40.0, **more)  # type: ignore[arg-type]


def test_a_claimed_number_is_shown_but_decides_nothing(pbx: ScreenedPbx) -> None:
    before = len(played(pbx))
    with Phone(pbx.asterisk, "201", Answering(hang_up_after=1.0)) as alice, pbx.carrier.start(hidden()) as call:
        wait_until(lambda: "withheld-ask" in heard_since(pbx, before), "being asked")
        call.press(f"{CLAIM}#")
        invite = alice.wait_for_invite()
        assert call.result().code == 200
    assert invite.from_name == f"Says {CLAIM}"
    assert CLAIM not in invite.from_number, "a phone would put a friend's name beside it"
    assert CARRIERS_NUMBER not in invite.raw.decode(), "what the carrier knows of who hides is not shown either"
    said = [key for key in heard_since(pbx, before) if key.startswith(("withheld", "digit"))]
    assert said == ["withheld-ask", "withheld-entered", *(f"digit-{digit}" for digit in CLAIM)]
    decision = journal(pbx.daemon.store)[0]
    assert (decision.action, decision.rule, decision.caller) == ("challenge", "who-hides", None)
    with open_store(pbx.daemon.store) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert "decision" in tables
        told = {name for name in tables for row in db.execute(f"SELECT * FROM {name}") if CLAIM in str(row)}
    assert told == {"personal_entry"}, "only the allowlist entry of the number that he claims, which opened nothing"


def test_a_claimed_number_cannot_be_marked(pbx: ScreenedPbx) -> None:
    before = len(played(pbx))
    with Phone(pbx.asterisk, "201", Answering(hang_up_after=1.5)) as alice, pbx.carrier.start(hidden()) as call:
        wait_until(lambda: "withheld-ask" in heard_since(pbx, before), "being asked")
        call.press(f"{CLAIM}#")
        alice.wait_for_invite()
        call.result()
    result = pbx.daemon.callsieve("lookup", f"+1{CLAIM}", "--json")
    assert '"marks": []' in re.sub(r"\s+", " ", result.stdout)


@pytest.mark.parametrize("keys", ["123#", "", "*#", "**********#"])
def test_a_withheld_caller_without_a_claim_ends_in_voicemail(pbx: ScreenedPbx, alice: Phone, keys: str) -> None:
    before = len(played(pbx))
    with pbx.carrier.start(hidden()) as call:
        for asked in ("withheld-ask", "withheld-again"):
            wait_until(lambda asked=asked: asked in heard_since(pbx, before), asked, 30.0)  # type: ignore[misc]
            call.press(keys)
        wait_until(lambda: "caller-message" in heard_since(pbx, before), "voicemail", 20.0)
        call.close()
    assert alice.invites() == []


def test_a_claim_of_twenty_digits_is_cut(pbx: ScreenedPbx) -> None:
    before = len(played(pbx))
    with Phone(pbx.asterisk, "201", Answering(hang_up_after=0.5)) as alice, pbx.carrier.start(hidden()) as call:
        wait_until(lambda: "withheld-ask" in heard_since(pbx, before), "being asked")
        call.press("12345678901234567890")
        assert alice.wait_for_invite(seconds=20.0).from_name == "Says 123456789012345"
        call.result()


@pytest.mark.parametrize("after", [0.3, 1.0, 2.5, 7.0])
def test_a_withheld_caller_can_hang_up_while_asked(pbx: ScreenedPbx, alice: Phone, after: float) -> None:
    result = pbx.carrier.call(replace(hidden(), hang_up_after=after))
    assert (result.bye_from, alice.invites()) == ("caller", [])


@pytest.mark.parametrize("after", [0.5, 2.0])
def test_a_withheld_caller_can_hang_up_during_the_read_back(pbx: ScreenedPbx, alice: Phone, after: float) -> None:
    result = pbx.carrier.call(replace(hidden(), hang_up_after=after, dtmf=f"{CLAIM}#", dtmf_after=1.5))
    assert (result.bye_from, alice.invites()) == ("caller", [])


# How to appeal.


def test_a_rejected_caller_hears_the_reference_unbilled(pbx: ScreenedPbx, alice: Phone) -> None:
    before, caller = len(played(pbx)), NUMBERS["reject"][0]
    result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE))
    assert (result.code, result.early_media, alice.invites()) == (603, True, [])
    assert result.heard.audible_seconds > 10 * 0.2 * 0.8
    reference = decision_on(pbx.daemon.store, caller).id
    assert heard_since(pbx, before) == ["appeal-how", *reference_keys(reference), "appeal-address"]


def test_a_routed_caller_hears_the_reference_before_the_tone(pbx: ScreenedPbx, alice: Phone) -> None:
    before, caller = len(played(pbx)), NUMBERS["route"][0]
    with pbx.carrier.start(CallSpec(caller=caller, did=ALICE, hang_up_after=None)) as call:
        wait_until(lambda: "caller-message" in heard_since(pbx, before), "the message", 30.0)
        call.close()
    reference = decision_on(pbx.daemon.store, caller).id
    spelled = ["appeal-how", *reference_keys(reference), "appeal-address"]
    assert heard_since(pbx, before) == ["caller-sorry", *spelled, "caller-message"]
    assert alice.invites() == []


def test_a_caller_who_fails_a_challenge_hears_the_reference(pbx: ScreenedPbx, alice: Phone) -> None:
    before = len(played(pbx))
    with pbx.carrier.start(CallSpec(caller=CHALLENGED, did=ALICE, hang_up_after=None, timeout=40.0)) as call:
        wait_until(lambda: "caller-message" in heard_since(pbx, before), "voicemail", 25.0)
        call.close()
    assert "appeal-how" in heard_since(pbx, before)


def test_a_caller_on_the_callees_own_list_hears_no_reference(pbx: ScreenedPbx, alice: Phone) -> None:
    before = len(played(pbx))
    result = pbx.carrier.call(CallSpec(caller=FOE, did=ALICE))
    assert (result.code, heard_since(pbx, before), alice.invites()) == (603, [], [])


def test_without_prompts_a_call_is_rejected_at_once(pbx: ScreenedPbx, alice: Phone) -> None:
    prompt = pbx.asterisk.directories.sounds / "callsieve" / "appeal-how.wav"
    prompt.rename(prompt.with_suffix(".away"))
    try:
        result = pbx.carrier.call(CallSpec(caller=NUMBERS["reject"][1], did=ALICE))
    finally:
        prompt.with_suffix(".away").rename(prompt)
    assert (result.code, result.early_media) == (603, False)


def test_only_ten_callers_hear_the_reference_at_once(pbx: ScreenedPbx, alice: Phone) -> None:
    """More would be an attack, and each holds a channel of the trunk."""
    install_prompts(pbx, {"appeal-how": 5.0})
    before = len(played(pbx))
    calls = [pbx.carrier.start(CallSpec(caller=NUMBERS["reject"][n % 10], did=ALICE)) for n in range(14)]
    try:
        results = [call.result() for call in calls]
    finally:
        install_prompts(pbx, {"appeal-how": PROMPTS["appeal-how"]})
    assert {result.code for result in results} == {603}
    assert heard_since(pbx, before).count("appeal-how") == 10


@pytest.mark.parametrize(("after", "number"), [(0.3, 5), (0.9, 6), (2.0, 7)])
def test_a_caller_can_hang_up_during_the_reference(pbx: ScreenedPbx, alice: Phone, after: float, number: int) -> None:
    result = pbx.carrier.call(CallSpec(caller=NUMBERS["reject"][number], did=ALICE, cancel_after=after))
    assert result.code in (487, 603)
    assert alice.invites() == []


# Emergency callers meet none of it. The last test opens the window, so it stays the last.


def test_an_emergency_number_rings_without_prompts(pbx: ScreenedPbx, alice: Phone) -> None:
    before = len(played(pbx))
    result = pbx.carrier.call(CallSpec(caller="911", did=ALICE))
    assert (result.code, heard_since(pbx, before), len(alice.invites())) == (200, [], 1)


@pytest.mark.parametrize("number", [pytest.param(8, id="shown"), pytest.param(None, id="hidden")])
def test_an_emergency_call_back_on_a_trusted_trunk_rings(pbx: ScreenedPbx, alice: Phone, number: int | None) -> None:
    before = len(played(pbx))
    caller = NUMBERS["reject"][number] if number is not None else None
    headers = {"Priority": "psap-callback"}
    result = pbx.trusted.call(CallSpec(caller=caller, did=ALICE, headers=headers))
    assert (result.code, heard_since(pbx, before), len(alice.invites())) == (200, [], 1)


def test_after_an_emergency_call_every_caller_rings(pbx: ScreenedPbx, alice: Phone) -> None:
    with Phone(pbx.asterisk, "202") as phone:
        phone.dial("112").result()
        before = len(played(pbx))
        for caller in (NUMBERS["reject"][9], NUMBERS["route"][9], CHALLENGED, None):
            result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE))
            assert result.code == 200, caller
        result = pbx.carrier.call(CallSpec(caller=CHALLENGED, did=SALES))
    assert (result.code, heard_since(pbx, before), len(alice.invites()) >= 4) == (200, [], True)
