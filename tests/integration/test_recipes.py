"""The blocks of docs/how-to/recipes.md and docs/reference/rings.md are loaded into Asterisk unchanged, and called."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from callsieve.install.plan import FRONT_FILE, packaged
from lab import CallResult, CallSpec, Phone
from lab.messages import SipMessage
from lab.phone import Answering
from lab.screened import ROOT, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.evidence_rows import marks_of
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from tests.integration.office import has_met, install_prompts, start_listening
from tests.waiting import wait_until

PAGE = "".join((ROOT / "docs" / page).read_text() for page in ("how-to/recipes.md", "reference/rings.md"))
GROUP, PHONE, QUEUE, WHISPERING_QUEUE, IVR, FOLLOW_ME = (f"+4420718387{n}" for n in range(50, 56))
MOBILE = "+12015550190"
WARNED = [f"+120155501{n}" for n in range(60, 80)]
TAGGED, FRIEND, FOE, ROUTED = (f"+120155501{n}" for n in range(50, 54))
WHISPER = {"whisper-spam": 0.6, "whisper-menu": 1.6}
WHISPER_SECONDS = sum(WHISPER.values())
SETTINGS = """\
[numbers]
region = "US"

[reputation.sample]
every = 0

[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"

"""
FROM_CARRIER = """\
[from-carrier]
exten => _[+0-9A-Za-z].,1,Goto(callsieve-from-trunk,${EXTEN},1)

[from-trunk]
exten => +442071838759,1,Answer()
 same => n,Queue(gosub-queue,t,,,60)
 same => n,Hangup()

"""
# What the page says is no way to a whisper.
GOSUB_QUEUE = "+442071838759"
BY_MEMBERGOSUB = """
[gosub-queue]
strategy = ringall
timeout = 20
membergosub = callsieve-whisper
member => PJSIP/201
"""
EVERYWHERE = [
    pytest.param(did, id=name)
    for did, name in (
        (PHONE, "phone"),
        (GROUP, "ring-group"),
        (QUEUE, "queue"),
        (WHISPERING_QUEUE, "queue-with-a-whisper"),
        (IVR, "ivr"),
        (FOLLOW_ME, "follow-me"),
    )
]
callers = iter(WARNED)


def blocks(file: str) -> str:
    """Return all blocks of the page for one file."""
    found = re.findall(rf"^```\n[;#] {re.escape(file)}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no block for {file}"
    return "\n".join(found)


GLOBALS = dict(line.split("=", 1) for line in blocks("globals").split())
TAG, WARN = (GLOBALS[f"CALLSIEVE_ALERT_{name}"].replace("\\;", ";") for name in ("TAG", "WARN"))


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(
        start_daemon=False,
        extensions=FROM_CARRIER + packaged(FRONT_FILE) + blocks("extensions.conf"),
        config={"queues.conf": blocks("queues.conf") + BY_MEMBERGOSUB},
        globals=GLOBALS,
        patient=True,
    ) as office:
        start_listening(office, SETTINGS + blocks("callsieve.toml"))
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            actions = {TAGGED: "tag", FRIEND: "warn", ROUTED: "route", **dict.fromkeys(WARNED, "warn")}
            for number, action in actions.items():
                add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=now))
            set_personal_entry(db, PersonalEntry("201", FRIEND, ListName.ALLOW, now))
            set_personal_entry(db, PersonalEntry("201", FOE, ListName.BLOCK, now))
        install_prompts(office, WHISPER)
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle()


def spec_of(did: str, caller: str, patience: float | None = None) -> CallSpec:
    """Make a call. Where the PBX itself answers, the caller has patience."""
    waits = 6.0 if did in (QUEUE, WHISPERING_QUEUE, GOSUB_QUEUE, IVR) else 0.5
    return CallSpec(
        caller=caller, name="Joe", did=did, hang_up_after=patience or waits, dtmf="201" if did == IVR else ""
    )


def ring(pbx: ScreenedPbx, did: str, caller: str, phone: str = "201") -> SipMessage:
    """Return the INVITE of a call that the phone does not answer."""
    with Phone(pbx.asterisk, phone, Answering.never()) as handset, pbx.carrier.start(spec_of(did, caller)):
        wait_until(lambda: of_caller(handset, caller), "the phone ringing")
        return of_caller(handset, caller)[0]


def of_caller(phone: Phone, caller: str) -> list[SipMessage]:
    """Return a phone's INVITEs from a caller. A phone that was off may still get an earlier, ended call."""
    return [invite for invite in phone.invites() if invite.from_number == caller]


def take_call(
    pbx: ScreenedPbx, did: str, caller: str, key: str = "", phone: str = "201"
) -> tuple[float, CallResult, int]:
    """A phone takes the call and presses a key while something is said.

    The seconds that it hears before the two talk, what the caller experienced, and how often the phone rang.
    """
    with Phone(pbx.asterisk, phone, ears=True) as handset:
        began = len(pbx.asterisk.log_lines())
        with pbx.carrier.start(spec_of(did, caller)) as call:
            wait_until(lambda: of_caller(handset, caller), "the phone ringing")
            if key:
                wait_until(lambda: handset.heard.audible_seconds > 1.0, "the warning")
                handset.press(key)
                heard = handset.heard.audible_seconds
            else:
                wait_until(lambda: has_met(pbx, began), "the two talking")
                heard = handset.heard.audible_seconds
            result = call.result()
        return heard, result, len(of_caller(handset, caller))


def log_has(pbx: ScreenedPbx, text: str, began: int) -> bool:
    return any(text in line for line in pbx.asterisk.log_lines()[began:])


@pytest.mark.parametrize("did", EVERYWHERE)
def test_the_tag_and_the_ring_reach_the_phone(pbx: ScreenedPbx, did: str) -> None:
    invite = ring(pbx, did, next(callers))
    assert (invite.from_name, invite.all("Alert-Info")) == ("SPAM? Joe", [WARN])


def test_a_tagged_call_has_its_own_ring_header(pbx: ScreenedPbx) -> None:
    assert ring(pbx, PHONE, TAGGED).all("Alert-Info") == [TAG]
    assert TAG != WARN


@pytest.mark.parametrize("did", EVERYWHERE)
def test_a_person_who_knows_the_caller_sees_the_plain_name(pbx: ScreenedPbx, did: str) -> None:
    invite = ring(pbx, did, FRIEND)
    assert (invite.from_name, invite.all("Alert-Info")) == ("Joe", [])


@pytest.mark.parametrize("did", [param for param in EVERYWHERE if param.values[0] != QUEUE])
def test_the_whisper_is_audible(pbx: ScreenedPbx, did: str) -> None:
    heard, result, _ = take_call(pbx, did, next(callers))
    assert result.code == 200
    assert heard == pytest.approx(WHISPER_SECONDS, abs=0.3)


def test_a_plain_queue_whispers_nothing(pbx: ScreenedPbx) -> None:
    heard, result, _ = take_call(pbx, QUEUE, next(callers))
    assert (result.code, heard < 0.3) == (200, True)


def test_a_queues_own_subroutine_whispers_but_ignores_keys(pbx: ScreenedPbx) -> None:
    """The caller is connected even after 3 was pressed."""
    began = len(pbx.asterisk.log_lines())
    _, result, _ = take_call(pbx, GOSUB_QUEUE, next(callers), key="3")
    assert log_has(pbx, "callsieve/whisper-menu", began)
    assert has_met(pbx, began)
    assert result.bye_from == "caller"


@pytest.mark.parametrize("did", [GROUP, QUEUE, WHISPERING_QUEUE])
def test_a_phone_that_has_blocked_the_caller_does_not_ring(pbx: ScreenedPbx, did: str) -> None:
    with Phone(pbx.asterisk, "201") as blocks_him, Phone(pbx.asterisk, "202") as other:
        assert pbx.carrier.call(spec_of(did, FOE)).code == 200
        assert [len(of_caller(phone, FOE)) for phone in (blocks_him, other)] == [0, 1]


@pytest.mark.parametrize("did", [PHONE, FOLLOW_ME, IVR])
def test_a_caller_blocked_by_the_person_does_not_get_through(pbx: ScreenedPbx, did: str) -> None:
    with Phone(pbx.asterisk, "201") as phone, Phone(pbx.asterisk, "carrier") as mobile:
        result = pbx.carrier.call(spec_of(did, FOE, patience=20.0))
        assert (phone.invites(), of_caller(mobile, FOE)) == ([], [])
    assert (result.code, result.bye_from) == ((200, "asterisk") if did == IVR else (603, None))


@pytest.mark.parametrize("did", [GROUP, WHISPERING_QUEUE])
def test_2_sends_the_caller_to_the_answering_persons_voicemail(pbx: ScreenedPbx, did: str) -> None:
    began = len(pbx.asterisk.log_lines())
    _, result, rings = take_call(pbx, did, next(callers), key="2")
    assert (result.code, rings) == (200, 1)
    assert log_has(pbx, '"201,u', began)


@pytest.mark.parametrize(
    ("did", "ends_with"), [pytest.param(GROUP, 603, id="group"), pytest.param(WHISPERING_QUEUE, 200, id="queue")]
)
def test_3_marks_and_ends_the_call_for_all(pbx: ScreenedPbx, did: str, ends_with: int) -> None:
    caller = next(callers)
    with Phone(pbx.asterisk, "202", Answering.never()):
        _, result, rings = take_call(pbx, did, caller, key="3")
    assert (result.code, rings) == (ends_with, 1)
    assert result.bye_from == ("asterisk" if ends_with == 200 else None)
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: marks_of(db, caller), "the mark")


@pytest.mark.parametrize(
    ("did", "box"), [pytest.param(PHONE, "201", id="phone"), pytest.param(GROUP, "202", id="ring-group")]
)
def test_an_unanswered_call_goes_to_voicemail(pbx: ScreenedPbx, did: str, box: str) -> None:
    began = len(pbx.asterisk.log_lines())
    with Phone(pbx.asterisk, "201", Answering.busy()), Phone(pbx.asterisk, "202", Answering.busy()):
        assert pbx.carrier.call(spec_of(did, "+12015550199", patience=2.0)).code == 200
    assert log_has(pbx, f'"{box}@default,u"', began)


def test_a_routed_call_goes_to_the_shared_voicemail(pbx: ScreenedPbx) -> None:
    began = len(pbx.asterisk.log_lines())
    with Phone(pbx.asterisk, "201") as phone:
        assert pbx.carrier.call(spec_of(PHONE, ROUTED, patience=2.0)).code == 200
        assert of_caller(phone, ROUTED) == []
    assert log_has(pbx, '"203@default,u"', began)


@pytest.mark.parametrize(("key", "connects"), [("1", True), ("5", False)])
def test_a_mobile_is_connected_only_after_pressing_1(pbx: ScreenedPbx, key: str, connects: bool) -> None:
    """A desk phone is busy and the mobile answers: after 1 it hears the warning and is connected."""
    caller = next(callers)
    with Phone(pbx.asterisk, "201", Answering.busy()), Phone(pbx.asterisk, "carrier", ears=True) as mobile:
        with pbx.carrier.start(spec_of(FOLLOW_ME, caller, patience=2.0)) as call:
            wait_until(lambda: mobile.heard.audible_seconds > 0.5, "the mobile being asked")
            mobile.press(key)
            result = call.result()
        invite = mobile.invites()[0]
        heard = mobile.heard.audible_seconds
    assert (MOBILE in invite.header("To"), invite.from_name) == (True, "SPAM? Joe")
    assert result.code == 200, "by the mobile, or by voicemail"
    assert (heard > 0.5 + WHISPER_SECONDS) is connects
