"""Calls through FreePBX's dialplan to extensions, ring groups, queues and an IVR.

CallSieve is installed by its own command into the stand-in of tests/integration/freepbx.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import SOCK_STREAM

import pytest

from callsieve.install.freepbx import PHONE_HOOKS
from lab import CallResult, CallSpec, Carrier, Phone
from lab.messages import SipMessage
from lab.phone import Answering
from lab.ports import free_port
from lab.screened import PATIENT_DEADLINE_MS, without_bounds
from reputation.model import EntryKind, Identity, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.identities import set_identity
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from tests.integration.bare import Office
from tests.integration.freepbx import (
    ALICE,
    CHECKING_QUEUE,
    CONFIRM_GROUP,
    FOLLOW_ME,
    GROUP,
    HUNT,
    IVR,
    MUSIC_GROUP,
    QUEUE,
    FastAgiServer,
    freepbx,
)
from tests.integration.office import has_met, heard_digits, install_prompts, is_asked, played
from tests.waiting import wait_until

TAGGED, WARNED, STRANGER, CHALLENGED, BUSINESS, FRIEND, FOE, NAMED, MARKED, NEW = (
    f"+120155501{n}" for n in range(50, 60)
)
TAG, WARN = ("<http://localhost>;info=callsieve-tag", "<http://localhost>;info=callsieve-warn")
WHISPER = {"whisper-spam": 0.6, "whisper-menu": 1.6}
SETTINGS = f"""
[agi]
deadline_ms = {PATIENT_DEADLINE_MS}

[policy]
name = "office"

[reputation.sample]
every = 0

[reputation.outside]
storm = 0

[[scope]]
did = "{CONFIRM_GROUP}"
policy = "night"

[[person]]
extension = "201"
endpoint = "PJSIP/201"

[[person]]
extension = "202"
endpoint = "PJSIP/202"
"""
POLICY = f"""\
extends = "cautious"

[[rule]]
name = "by-name"
when = {{ prefix = ["{NAMED}"] }}
action = "challenge"
ask = "name"
reason = "asked for a name"
"""
# The preset as it is by night, whatever the time is.
NIGHT = """\
extends = "strangers"

[[rule]]
name = "stranger"
when = { stranger = true, not = { passed_within = 90 } }
action = "challenge"
reason = "nobody here knows the number"
"""
EXTENSION_HOOK = PHONE_HOOKS[0]
THEIRS = f"""\
[{EXTENSION_HOOK.context}]
exten => s,1,UserEvent(Theirs)
 same => n,Return()
"""
EVERYWHERE = [
    pytest.param(did, id=name)
    for did, name in (
        (ALICE, "extension"),
        (GROUP, "ring-group"),
        (MUSIC_GROUP, "ring-group-with-music"),
        (HUNT, "hunt-group"),
        (QUEUE, "queue"),
        (CHECKING_QUEUE, "queue-that-looks-first"),
        (IVR, "ivr"),
    )
]


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    state = tmp_path_factory.mktemp("freepbx") / "state"
    with (
        FastAgiServer(free_port("127.0.0.1", SOCK_STREAM)) as server,
        freepbx(state, SETTINGS, port=server.port) as office,
    ):
        (state / "policies").mkdir(parents=True)
        (state / "policies" / "office.toml").write_text(POLICY)
        (state / "policies" / "night.toml").write_text(NIGHT)
        office.install("--freepbx", "--reload")
        be_patient(office)
        office.daemon.start()
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            actions = {TAGGED: "tag", CHALLENGED: "challenge", **dict.fromkeys((WARNED, FRIEND, MARKED), "warn")}
            for number, action in actions.items():
                add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=now))
            set_personal_entry(db, PersonalEntry("201", FRIEND, ListName.ALLOW, now))
            set_personal_entry(db, PersonalEntry("201", FOE, ListName.BLOCK, now))
            set_identity(db, Identity(BUSINESS, "ACME Ltd", 2, now + 86400), now)
        install_prompts(office, {**WHISPER, "screening-menu": 1.0, "screening-says-nothing": 0.5, "screening-ask": 0.2})
        for number in (TAGGED, WARNED, FRIEND, STRANGER, BUSINESS):
            look_up(office, number, "Looked Up")
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: Office) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle()


def be_patient(office: Office) -> None:
    """Let the installed dialplan wait longer for answers, since speed is not tested here."""
    path = office.etc / "callsieve.d" / "callsieve.conf"
    path.write_text(without_bounds(path.read_text()))
    office.asterisk.cli("dialplan reload")


def look_up(pbx: Office, number: str, name: str) -> None:
    """Let FreePBX find this name for a number. An empty name is that of a failed lookup."""
    pbx.asterisk.cli(f'database put directory {number} "{name}"')


def spec_of(did: str, caller: str) -> CallSpec:
    """Make a call. Where FreePBX itself answers, the caller has patience for a whisper."""
    patience = 5.0 if did in (QUEUE, CHECKING_QUEUE, IVR) else 0.5
    return CallSpec(caller=caller, name="Joe", did=did, hang_up_after=patience, dtmf="1" if did == IVR else "")


def ring(pbx: Office, did: str, caller: str) -> SipMessage:
    """Return the INVITE of a call that phone 201 does not answer."""
    with Phone(pbx.asterisk, "201", Answering.never()) as phone, Carrier(pbx.asterisk).start(spec_of(did, caller)):
        return phone.wait_for_invite()


def ran(pbx: Office, context: str) -> int:
    """Return how often a context of FreePBX's was begun."""
    return sum(f"[s@{context}:1]" in line for line in pbx.asterisk.log_lines())


def whispered(pbx: Office, phone: str, did: str, caller: str) -> tuple[float, CallResult]:
    """Return how many seconds the answering phone hears before the talk, and the result for the caller."""
    with Phone(pbx.asterisk, phone, ears=True) as handset:
        began = len(pbx.asterisk.log_lines())
        with Carrier(pbx.asterisk).start(spec_of(did, caller)) as call:
            handset.wait_for_invite()
            wait_until(lambda: has_met(pbx, began), "the two talking")
            heard = handset.heard.audible_seconds
            result = call.result()
    return heard, result


@pytest.mark.parametrize("did", EVERYWHERE)
def test_a_warned_call_shows_the_tag_and_the_looked_up_name(pbx: Office, did: str) -> None:
    invite = ring(pbx, did, WARNED)
    assert (invite.from_name, invite.all("Alert-Info")) == ("SPAM? Looked Up", [WARN])


@pytest.mark.parametrize("did", EVERYWHERE)
def test_the_whisper_and_freepbxs_own_subroutine_both_run(pbx: Office, did: str) -> None:
    before = ran(pbx, "macro-auto-blkvm")
    heard, result = whispered(pbx, "201", did, WARNED)
    assert result.code == 200
    assert heard == pytest.approx(sum(WHISPER.values()), abs=0.3)
    assert ran(pbx, "macro-auto-blkvm") == before + 1


def test_freepbxs_own_subroutine_runs_where_asterisk_has_macro(pbx: Office) -> None:
    """Asterisk 18 and 20 may have it, with FreePBX 17. Another module stands for app_macro."""
    path = pbx.etc / "callsieve.d" / "callsieve-freepbx.conf"
    installed = path.read_text()
    try:
        path.write_text(installed.replace("app_macro.so", "res_agi.so"))
        pbx.asterisk.cli("dialplan reload")
        before = ran(pbx, "macro-auto-blkvm")
        heard, result = whispered(pbx, "201", GROUP, WARNED)
        assert (result.code, heard > 1.0, ran(pbx, "macro-auto-blkvm")) == (200, True, before + 1)
    finally:
        path.write_text(installed)
        pbx.asterisk.cli("dialplan reload")


def test_follow_me_dials_twice_and_whispers_once(pbx: Office) -> None:
    before = played(pbx).count("whisper-menu")
    with Phone(pbx.asterisk, "201"), Carrier(pbx.asterisk).start(spec_of(FOLLOW_ME, WARNED)) as call:
        assert call.result().code == 200
    assert played(pbx).count("whisper-menu") == before + 1


@pytest.mark.parametrize("did", [pytest.param(ALICE, id="extension"), pytest.param(GROUP, id="ring-group")])
@pytest.mark.parametrize(
    ("found", "shown"),
    [
        pytest.param(None, "SPAM? Joe", id="no-lookup"),
        pytest.param("", "SPAM? Joe", id="a-lookup-that-finds-nothing"),
        pytest.param('Bank, \\"A: B\\"', 'SPAM? Bank, "A: B"', id="a-name-with-punctuation"),
        pytest.param("SPAM? Joe", "SPAM? Joe", id="a-lookup-that-has-remembered-ours"),
        pytest.param("Sales:SPAM? Joe", "Sales:SPAM? Joe", id="a-prefix-of-freepbxs"),
    ],
)
def test_a_tagged_call_has_its_tag_once(pbx: Office, did: str, found: str | None, shown: str) -> None:
    if found is None:
        pbx.asterisk.cli(f"database del directory {TAGGED}")
    else:
        look_up(pbx, TAGGED, found)
    invite = ring(pbx, did, TAGGED)
    assert (invite.from_name, invite.all("Alert-Info")) == (shown, [TAG])


@pytest.mark.parametrize(
    ("caller", "name"),
    [pytest.param(STRANGER, "Looked Up", id="a-stranger"), pytest.param(BUSINESS, "Verified: ACME Ltd", id="verified")],
)
def test_an_untagged_call_shows_the_plain_name(pbx: Office, caller: str, name: str) -> None:
    for did in (ALICE, GROUP, QUEUE):
        invite = ring(pbx, did, caller)
        assert (invite.from_name, invite.all("Alert-Info")) == (name, [])


@pytest.mark.parametrize("did", [ALICE, QUEUE, HUNT])
def test_a_person_who_knows_the_caller_sees_the_plain_name(pbx: Office, did: str) -> None:
    invite = ring(pbx, did, FRIEND)
    assert (invite.from_name, invite.all("Alert-Info")) == ("Looked Up", [])
    heard, result = whispered(pbx, "201", did, FRIEND)
    assert (result.code, heard < 0.3) == (200, True)


@pytest.mark.parametrize(("phone", "warned"), [("201", False), ("202", True)])
def test_a_ring_group_warns_people_who_do_not_know_the_caller(pbx: Office, phone: str, warned: bool) -> None:
    heard, result = whispered(pbx, phone, GROUP, FRIEND)
    assert (result.code, heard > 1.5) == (200, warned)


@pytest.mark.parametrize("did", [GROUP, HUNT, QUEUE])
def test_a_phone_that_has_blocked_the_caller_does_not_ring(pbx: Office, did: str) -> None:
    with Phone(pbx.asterisk, "201") as blocks, Phone(pbx.asterisk, "202") as other:
        assert Carrier(pbx.asterisk).call(spec_of(did, FOE)).code == 200
        # A phone that was off may still get an ended call.
        rang = [[invite.from_number for invite in phone.invites()].count(FOE) for phone in (blocks, other)]
        assert rang == [0, 1]


def test_a_caller_blocked_by_the_extension_gets_busy(pbx: Office) -> None:
    with Phone(pbx.asterisk, "201") as blocks:
        Carrier(pbx.asterisk).call(spec_of(ALICE, FOE))
        assert blocks.invites() == []
    assert any('"201@default,b"' in line for line in pbx.asterisk.log_lines())


def test_3_in_a_queue_ends_the_call(pbx: Office) -> None:
    """No other phone of the queue rings, and the same phone not again: it has blocked the caller now."""
    spec = replace(spec_of(QUEUE, MARKED), hang_up_after=20.0)
    with Phone(pbx.asterisk, "201", ears=True) as phone, Carrier(pbx.asterisk).start(spec) as call:
        wait_until(lambda: phone.heard.audible_seconds > 1.0, "the warning")
        phone.press("3")
        result = call.result()
        assert (result.bye_from, len(phone.invites())) == ("asterisk", 1)


def test_a_call_that_freepbx_confirms_is_not_whispered(pbx: Office) -> None:
    heard, result = whispered(pbx, "201", CONFIRM_GROUP, WARNED)
    assert (result.code, ran(pbx, "macro-confirm"), heard < 1.0) == (200, 1, True)


@pytest.mark.parametrize("did", [ALICE, GROUP, QUEUE])
def test_the_callee_hears_that_the_caller_said_nothing(pbx: Office, did: str) -> None:
    before = played(pbx).count("screening-says-nothing")
    with (
        Phone(pbx.asterisk, "201", ears=True) as phone,
        Carrier(pbx.asterisk).start(CallSpec(caller=NAMED, did=did, hang_up_after=20.0)) as call,
    ):
        phone.wait_for_invite()
        wait_until(lambda: phone.heard.audible_seconds > 1.2, "the callee hearing it")
        assert call is not None
    assert played(pbx).count("screening-says-nothing") == before + 1


def test_a_failed_challenge_without_voicemail_rings_no_phone(pbx: Office) -> None:
    with Phone(pbx.asterisk, "201") as phone:
        result = Carrier(pbx.asterisk).call(CallSpec(caller=CHALLENGED, did=GROUP, hang_up_after=20.0, timeout=40.0))
    assert (result.code, result.bye_from, phone.invites()) == (200, "asterisk", [])


def test_a_stranger_is_challenged_once(pbx: Office) -> None:
    for is_new in (True, False):
        asked = len(heard_digits(pbx))
        with (
            Phone(pbx.asterisk, "201", Answering.never()) as phone,
            Carrier(pbx.asterisk).start(CallSpec(caller=NEW, did=CONFIRM_GROUP, hang_up_after=6.0)) as call,
        ):
            if is_new:
                wait_until(partial(is_asked, pbx, asked), "the question")
                assert phone.invites() == []
                call.press(heard_digits(pbx)[-1])
            assert phone.wait_for_invite().from_number == NEW
        assert (len(heard_digits(pbx)) > asked) is is_new


def test_the_doctor_finds_the_hooks_in_order(pbx: Office) -> None:
    checks = pbx.doctor(code=0)
    assert (checks["phones"]["status"], checks["trunks"]["status"]) == ("ok", "ok")


def test_an_existing_hook_gets_one_line(tmp_path: Path) -> None:
    with freepbx(tmp_path / "state", SETTINGS, custom=THEIRS) as office:
        (tmp_path / "state" / "policies").mkdir(parents=True)
        (tmp_path / "state" / "policies" / "office.toml").write_text(POLICY)
        (tmp_path / "state" / "policies" / "night.toml").write_text(NIGHT)
        said = office.install("--freepbx", "--reload")
        be_patient(office)
        assert f"extensions_custom.conf:1 belongs to another program: {EXTENSION_HOOK.purpose}" in said
        office.daemon.start()
        with open_store(office.daemon.store) as db, transaction(db):
            add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, WARNED, action="warn", added_at=time.time()))
        look_up(office, WARNED, "Looked Up")
        assert office.doctor(code=0)["phones"]["status"] == "warn"
        assert ring(office, ALICE, WARNED).from_name == "Looked Up"

        custom = office.etc / "extensions_custom.conf"
        custom.write_text(
            custom.read_text().replace(" same => n,Return()", f" {EXTENSION_HOOK.line}\n same => n,Return()")
        )
        office.asterisk.cli("dialplan reload")
        assert office.doctor(code=0)["phones"]["status"] == "ok"
        assert ring(office, ALICE, WARNED).from_name == "SPAM? Looked Up"
        assert "UserEvent(" in "\n".join(office.asterisk.log_lines())
