"""Our part for FreePBX, on a dialplan whose Dial is made as FreePBX makes its own: options, then a b() for headers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import CallSpec, Phone
from lab.screened import ROOT, SALES, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import add_entry
from tests.integration.office import install_prompts, pressing

FREEPBX = (ROOT / "asterisk-conf" / "callsieve-freepbx.conf").read_text()
# A context for trunks, a Dial whose options begin with a global and end in a b(), and what that b() does.
OFFICE = """
[from-carrier]
exten => _[+0-9A-Za-z].,1,Goto(from-trunk-callsieve,${EXTEN},1)

[from-trunk]
exten => _[+0-9A-Za-z].,1,Gosub(one-extension,s,1)

[one-extension]
exten => s,1,Set(options=${DIAL_OPTIONS})
 same => n,Set(options=${STRREPLACE(options,T)}I)
 same => n,Dial(PJSIP/201,20,${options}b(headers^s^1))
 same => n,Return()

[headers]
exten => s,1,GotoIf($[${LEN(${HASH(SIPHEADERS,Alert-Info)})} = 0]?done)
 same => n,Set(PJSIP_HEADER(add,Alert-Info)=${HASH(SIPHEADERS,Alert-Info)})
 same => n(done),Return()
"""
TAGGED, WARNED, STRANGER, CHALLENGED = (f"+1201555015{n}" for n in range(4))
SECONDS = {"whisper-spam": 0.6, "whisper-menu": 1.6}


def with_freepbx(text: str) -> str:
    """Our dialplan with what is for FreePBX."""
    return f"{text}\n{FREEPBX}" if "\n[callsieve]\n" in text else text


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=OFFICE, globals={"DIAL_OPTIONS": "TtrI"}, conf=with_freepbx, digit=7) as office:
        with open_store(office.daemon.store) as db, transaction(db):
            for number, action in ((TAGGED, "tag"), (WARNED, "warn"), (CHALLENGED, "challenge")):
                add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=time.time()))
        install_prompts(office, SECONDS)
        assert [line for line in office.asterisk.warnings(with_boot=True) if "pbx_config" in line] == []
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle(5.0)


@pytest.mark.parametrize(
    ("caller", "name", "ring"),
    [
        pytest.param(TAGGED, "SPAM? Joe", "<http://localhost>;info=callsieve-tag", id="tag"),
        pytest.param(WARNED, "SPAM? Joe", "<http://localhost>;info=callsieve-warn", id="warn"),
        pytest.param(STRANGER, "Joe", "", id="a-stranger"),
    ],
)
def test_the_phone_rings_with_the_mark_and_the_ring(pbx: ScreenedPbx, caller: str, name: str, ring: str) -> None:
    with Phone(pbx.asterisk, "201") as phone:
        assert pbx.carrier.call(CallSpec(caller=caller, name="Joe", did="+442071838751")).code == 200
        invite = phone.wait_for_invite()
    assert (invite.from_name, invite.header("Alert-Info")) == (name, ring)


def test_a_failed_challenge_without_voicemail_rings_nobody(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201") as phone:
        result = pressing(pbx, CHALLENGED, SALES, "1", "1")
    assert (result.code, result.bye_from, phone.invites()) == (200, "asterisk", [])


def test_the_whisper_is_heard(pbx: ScreenedPbx) -> None:
    with (
        Phone(pbx.asterisk, "201", ears=True) as phone,
        pbx.carrier.start(CallSpec(caller=WARNED, did="+442071838751", hang_up_after=0.5)) as call,
    ):
        call.wait_until_answered()
        heard = phone.heard.audible_seconds
        assert call.result().code == 200
    assert heard == pytest.approx(sum(SECONDS.values()), abs=0.3)
