"""The dialplan of our FreePBX module, spliced into a stand-in for FreePBX's by our PHP, on a real Asterisk.

The stand-in is ours: contexts, labels, variables and the order of things are as FreePBX 17 has them.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab import Answering, Asterisk, CallResult, CallSpec, Carrier, Phone
from lab.php import ensure_php
from lab.screened import ROOT, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, Identity, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.identities import set_identity
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from tests.integration.office import decision_on, install_prompts, journal, played

GROUP, ALICE, QUEUE, FAX, LOOKED_UP, ROUTE_RING, REJECTING = (f"+44207183875{n}" for n in range(7))
UNKNOWN_DID = "+442071838799"
TAGGED, WARNED, STRANGER, REJECTED, BUSINESS, FRIEND, FOE, NAMED, ASKED = (f"+1201555015{n}" for n in range(9))
SECONDS = {"whisper-spam": 0.6, "whisper-menu": 1.6}
ASKING = {"screening-ask": 0.2, "screening-call-from": 0.2, "screening-menu": 0.2, "caller-wait": 0.2}
TAG_RING, WARN_RING = (f"<http://localhost>;info=callsieve-{word}" for word in ("tag", "warn"))


def route(did: str, destination: str, *steps: str) -> str:
    """An inbound route as FreePBX generates it, with steps before the entry point for caller names."""
    return "\n".join(
        (
            f"exten => {did},1,Set(__DIRECTION=INBOUND)",
            'same => n,ExecIf($["${FROM_DID}" = ""]?Set(__FROM_DID=${EXTEN}))',
            "same => n(did),Set(CDR(did)=${FROM_DID})",
            "same => n,Gosub(app-blacklist-check,s,1)",
            'same => n(callerid),ExecIf($[ "${CALLERID(name)}" = "" ] ?Set(CALLERID(name)=${CALLERID(num)}))',
            "same => n,Set(CALLERID(num-pres)=allowed_not_screened)",
            *(f"same => n,{step}" for step in steps),
            "same => n(did-cid-hook),Noop(CallerID Entry Point)",
            f"same => n(dest-ext),Goto({destination})",
            "",
        )
    )


LOOKUP = "Gosub(cidlookup,cidlookup_1,1)"
GENERATED = (
    f"""\
[from-trunk]
include => ext-did
include => ext-did-catchall

[ext-did]
include => ext-did-0001
include => ext-did-0002

[ext-did-0001]
{route("s", "from-did-direct,201,1")}
[ext-did-0002]
{route(GROUP, "ext-group,600,1")}
{route(ALICE, "from-did-direct,201,1")}
{route(QUEUE, "ext-queues,700,1")}
{route(FAX, "from-did-direct,203,1")}
{route(LOOKED_UP, "from-did-direct,201,1", LOOKUP)}
{route(ROUTE_RING, "ext-group,600,1", "Set(__ALERT_INFO=Bellcore-dr3)")}
{route(REJECTING, "app-callsieve,reject,1")}
[ext-did-catchall]
exten => _.,1,Set(__FROM_DID=${{EXTEN}})
same => n,Goto(ext-did,s,1)

"""
    + """\
[app-blacklist-check]
exten => s,1,GotoIf($["${CALLERID(num)}" = "+12015550199"]?out)
same => n,Return()
same => n(out),Hangup(17)

[cidlookup]
exten => cidlookup_1,1,Set(DB(seen/name)=${CALLERID(name)})
same => n,Set(CALLERID(name)=Looked Up)
same => n,Return()

[from-did-direct]
exten => _2XX,1,Gosub(macro-dial-one,s,1(20,${DIAL_OPTIONS},${EXTEN}))
same => n,Hangup()

[ext-group]
exten => 600,1,Set(__NODEST=600)
same => n,Set(options=${DIAL_OPTIONS})
same => n,ExecIf($[${REGEX("U[(]macro-auto-blkvm[)]" ${options})} != 1]?Set(options=${options}U(macro-auto-blkvm)))
same => n,ExecIf($["${ALERT_INFO}" != ""]?Set(HASH(__SIPHEADERS,Alert-Info)=${ALERT_INFO}))
same => n,Dial(PJSIP/201&PJSIP/202,20,${options}b(func-apply-sipheaders^s^1))
same => n,Hangup()

[ext-queues]
exten => 700,1,Answer()
same => n,Set(__NODEST=700)
same => n,Queue(standin,t,,,15)
same => n,Hangup()

[from-queue]
exten => _2XX,1,Goto(from-did-direct,${EXTEN},1)

[macro-dial-one]
exten => s,1,Set(D_OPTIONS=${ARG2})
same => n,Set(missing=$["${NODEST}" != "" & ${REGEX("U[(]macro-auto-blkvm[)]" ${ARG2})} != 1])
same => n,ExecIf(${missing}?Set(D_OPTIONS=${ARG2}U(macro-auto-blkvm)))
same => n,GosubIf($["${ALERT_INFO}" != ""]?func-set-sipheader,s,1(Alert-Info,${ALERT_INFO}))
same => n,Dial(PJSIP/${ARG3},${ARG1},${D_OPTIONS}b(func-apply-sipheaders^s^1))
same => n,Return()

[macro-auto-blkvm]
exten => s,1,Set(__MACRO_RESULT=)
same => n,Set(CFIGNORE=)
same => n,Return()

[func-set-sipheader]
exten => s,1,Set(HASH(__SIPHEADERS,${ARG1})=${ARG2})
same => n,Return()

[func-apply-sipheaders]
exten => s,1,Noop(Applying SIP Headers)
same => n,Set(TECH=${CUT(CHANNEL,/,1)})
same => n,Set(SIPHEADERKEYS=${HASHKEYS(SIPHEADERS)})
same => n,While($["${SET(sipkey=${SHIFT(SIPHEADERKEYS)})}" != ""])
same => n,Set(sipheader=${HASH(SIPHEADERS,${sipkey})})
same => n,ExecIf($["${TECH}" = "PJSIP" & "${sipheader}" != "unset"]?Set(PJSIP_HEADER(add,${sipkey})=${sipheader}))
same => n,EndWhile()
same => n,Return()

[from-internal]
include => from-internal-additional
"""
)
# What is not FreePBX's: the trunks of the lab, one of which goes through our trunk context first.
LAB = """
[from-carrier]
exten => _[+0-9A-Za-z].,1,GotoIf($["${CHANNEL(endpoint)}" = "carrier2"]?from-trunk-callsieve,${EXTEN},1)
 same => n,Goto(from-trunk,${EXTEN},1)
"""
FREEPBX = (ROOT / "asterisk-conf" / "callsieve-freepbx.conf").read_text()
QUEUES = (
    "[standin]\nstrategy = ringall\ntimeout = 15\nmember => Local/201@from-queue/n\nmember => Local/202@from-queue/n"
)


def spliced(*unscreened: str) -> str:
    """Return the stand-in with the module's part, as after a reload of FreePBX."""
    command = (ensure_php(), str(ROOT / "freepbx" / "tests" / "splice.php"), *unscreened)
    return subprocess.run(command, input=GENERATED, capture_output=True, text=True, check=True, timeout=60).stdout + LAB


def with_trunk_context(text: str) -> str:
    return f"{text}\n{FREEPBX}" if "\n[callsieve]\n" in text else text


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(
        extensions=spliced(f"{FAX}/"),
        settings=SETTINGS.replace("screen = false", 'group = "sales"') + '\n[actions]\nask = "name"\n',
        globals={"DIAL_OPTIONS": "Ttr"},
        conf=with_trunk_context,
        config={"queues.conf": QUEUES},
        patient=True,
    ) as office:
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            actions = {TAGGED: "tag", WARNED: "warn", REJECTED: "reject", FRIEND: "tag", FOE: "tag", NAMED: "tag"} | {
                ASKED: "challenge"
            }
            for number, action in actions.items():
                add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=now))
            set_identity(db, Identity(BUSINESS, "ACME", 2, now + 86400), now)
            set_personal_entry(db, PersonalEntry("201", FRIEND, ListName.ALLOW, now))
            set_personal_entry(db, PersonalEntry("201", FOE, ListName.BLOCK, now))
        install_prompts(office, SECONDS | ASKING)
        assert [line for line in office.asterisk.warnings(with_boot=True) if "pbx_config" in line] == []
        yield office


@pytest.fixture
def leaves_nothing(pbx: ScreenedPbx) -> Iterator[None]:
    """Check after each test that no channel is left and nothing but a hang-up in U() or b() was logged."""
    complaints = len(pbx.asterisk.warnings())
    yield
    pbx.asterisk.wait_until_idle(5.0)
    assert "\n".join(line for line in pbx.asterisk.warnings()[complaints:] if "app_stack.c" not in line) == ""


def ring(
    carrier: Carrier, asterisk: Asterisk, caller: str, did: str, *, never: str = "202"
) -> tuple[CallResult, dict[str, tuple[str, list[str]]]]:
    """Make a call, and return what each ringing phone showed: name and every Alert-Info. `never` does not answer."""
    with ExitStack() as stack:
        phones = [
            stack.enter_context(Phone(asterisk, name, Answering.never() if name == never else None))
            for name in ("201", "202", "203")
        ]
        result = carrier.call(CallSpec(caller=caller, name="Joe", did=did, hang_up_after=0.5))
        return result, {
            phone.name: (phone.invites()[0].from_name, phone.invites()[0].all("Alert-Info"))
            for phone in phones
            if phone.invites()
        }


TAG = ("SPAM? Joe", [TAG_RING])
PLAIN: tuple[str, list[str]] = ("Joe", [])
THEIRS = ("Joe", ["Bellcore-dr3"])


@pytest.mark.parametrize(
    ("caller", "did", "expected"),
    [
        pytest.param(STRANGER, ALICE, {"201": PLAIN}, id="a-stranger"),
        pytest.param(TAGGED, ALICE, {"201": TAG}, id="an-extension"),
        pytest.param(TAGGED, UNKNOWN_DID, {"201": TAG}, id="the-route-for-any-did"),
        pytest.param(TAGGED, FAX, {"203": PLAIN}, id="a-route-that-is-not-screened"),
        pytest.param(TAGGED, LOOKED_UP, {"201": ("SPAM? Looked Up", [TAG_RING])}, id="a-name-lookup"),
        pytest.param(FRIEND, LOOKED_UP, {"201": ("Looked Up", [])}, id="a-name-lookup-and-a-phone-that-knows-him"),
        pytest.param(STRANGER, LOOKED_UP, {"201": ("Looked Up", [])}, id="a-name-lookup-of-a-stranger"),
        pytest.param(BUSINESS, LOOKED_UP, {"201": ("Verified: ACME", [])}, id="a-verified-name-and-a-lookup"),
        pytest.param(TAGGED, GROUP, {"201": TAG, "202": TAG}, id="a-ring-group"),
        pytest.param(FRIEND, GROUP, {"201": PLAIN, "202": TAG}, id="known-to-one-phone"),
        pytest.param(TAGGED, QUEUE, {"201": TAG, "202": TAG}, id="a-queue"),
        pytest.param(FRIEND, QUEUE, {"201": PLAIN, "202": TAG}, id="a-queue-one-knows-him"),
        pytest.param(STRANGER, ROUTE_RING, {"201": THEIRS, "202": THEIRS}, id="a-ring-of-theirs"),
        pytest.param(FRIEND, ROUTE_RING, {"201": THEIRS, "202": TAG}, id="ours-or-theirs"),
    ],
)
@pytest.mark.usefixtures("leaves_nothing")
def test_each_phone_shows_its_name_and_ring(
    pbx: ScreenedPbx, caller: str, did: str, expected: dict[str, tuple[str, list[str]]]
) -> None:
    result, shown = ring(pbx.carrier, pbx.asterisk, caller, did)
    assert (result.code, shown) == (200, expected)


@pytest.mark.parametrize("did", [ALICE, GROUP, QUEUE], ids=["extension", "group", "queue"])
@pytest.mark.usefixtures("leaves_nothing")
def test_a_plain_call_takes_at_most_ten_steps_of_the_module(pbx: ScreenedPbx, did: str) -> None:
    before = len(pbx.asterisk.log_lines())
    ring(pbx.carrier, pbx.asterisk, STRANGER, did)
    pbx.asterisk.wait_until_idle(5.0)
    steps = [line for line in pbx.asterisk.log_lines()[before:] if "Executing [" in line]
    ours = [line for line in steps if "app-callsieve" in line]
    assert steps
    assert 0 < len(ours) <= 10, "\n".join(ours)


@pytest.mark.usefixtures("leaves_nothing")
def test_a_phone_that_has_blocked_the_caller_does_not_ring(pbx: ScreenedPbx) -> None:
    _, shown = ring(pbx.carrier, pbx.asterisk, FOE, GROUP, never="")
    assert shown == {"202": ("SPAM? Joe", [TAG_RING])}


@pytest.mark.usefixtures("leaves_nothing")
def test_a_lookup_neither_sees_nor_stores_the_tag(pbx: ScreenedPbx) -> None:
    ring(pbx.carrier, pbx.asterisk, NAMED, LOOKED_UP)
    assert "SPAM" not in (seen := pbx.asterisk.cli("database get seen name"))
    assert "Joe" in seen


@pytest.mark.usefixtures("leaves_nothing")
def test_a_trunk_in_our_own_context_is_screened_once(pbx: ScreenedPbx) -> None:
    """`from-trunk-callsieve` and the module together give one decision and one Alert-Info."""
    before = len(journal(pbx.daemon.store))
    _, shown = ring(pbx.trusted, pbx.asterisk, FRIEND, GROUP)
    assert shown == {"201": ("Joe", []), "202": ("SPAM? Joe", [TAG_RING])}
    decision_on(pbx.daemon.store, FRIEND)
    assert len(journal(pbx.daemon.store)) == before + 1


@pytest.mark.parametrize("trunk", ["carrier", "carrier2"])
@pytest.mark.parametrize("did", [ALICE, GROUP, QUEUE], ids=["extension", "group", "queue"])
@pytest.mark.usefixtures("leaves_nothing")
def test_the_whisper_is_audible_once(pbx: ScreenedPbx, did: str, trunk: str) -> None:
    carrier = pbx.carrier if trunk == "carrier" else pbx.trusted
    before = len(played(pbx))
    with Phone(pbx.asterisk, "202", Answering.busy()), Phone(pbx.asterisk, "201", ears=True) as phone:
        # A queue has answered before the phone rings.
        seconds = 4.0 if did == QUEUE else 0.5
        with carrier.start(CallSpec(caller=WARNED, name="Joe", did=did, hang_up_after=seconds)) as call:
            assert call.result().code == 200
        assert phone.invites()[0].all("Alert-Info") == [WARN_RING]
        heard = phone.heard.audible_seconds
    assert played(pbx)[before:] == ["whisper-spam", "whisper-menu"]
    assert heard == pytest.approx(sum(SECONDS.values()), abs=0.3)


@pytest.mark.usefixtures("leaves_nothing")
def test_a_group_hears_the_name_that_the_caller_said(pbx: ScreenedPbx) -> None:
    before = len(played(pbx))
    spec = CallSpec(caller=ASKED, did=GROUP, voice=True, hang_up_after=14.0)
    with (
        Phone(pbx.asterisk, "202", Answering.busy()),
        Phone(pbx.asterisk, "201", ears=True),
        pbx.carrier.start(spec) as call,
    ):
        assert call.result().code == 200
    assert {"screening-ask", "screening-call-from"} <= set(played(pbx)[before:])


@pytest.mark.usefixtures("leaves_nothing")
def test_a_rejected_caller_rings_no_phone(pbx: ScreenedPbx) -> None:
    result, shown = ring(pbx.carrier, pbx.asterisk, REJECTED, GROUP)
    assert (result.code, shown) == (603, {})


@pytest.mark.usefixtures("leaves_nothing")
def test_freepbxs_own_blacklist_comes_first(pbx: ScreenedPbx) -> None:
    before = len(journal(pbx.daemon.store))
    result, shown = ring(pbx.carrier, pbx.asterisk, "+12015550199", GROUP)
    assert (result.code, shown, len(journal(pbx.daemon.store))) == (486, {}, before)


@pytest.mark.usefixtures("leaves_nothing")
def test_the_reject_destination_answers_603(pbx: ScreenedPbx) -> None:
    assert ring(pbx.carrier, pbx.asterisk, STRANGER, REJECTING)[0].code == 603


@pytest.mark.usefixtures("leaves_nothing")
def test_feature_codes_answer_at_freepbxs_numbers(pbx: ScreenedPbx) -> None:
    """*37 by default, and quiet hours at *725, which an administrator has set."""
    with Phone(pbx.asterisk, "201") as phone:
        for code in ("*37", "*725"):
            assert phone.dial(code, CallSpec(hang_up_after=None)).result().code == 200


@pytest.mark.parametrize("noload", [(), ("func_dialplan.so",)], ids=["all-modules", "without-dialplan-exists"])
def test_without_callsieves_files_calls_go_on(noload: tuple[str, ...]) -> None:
    """The module alone, on an Asterisk without CallSieve."""
    with Asterisk(
        extensions=spliced(), globals={"DIAL_OPTIONS": "Ttr"}, config={"queues.conf": QUEUES}, noload=noload
    ) as asterisk:
        carrier = Carrier(asterisk)
        found = {did: "201" for did in (ALICE, LOOKED_UP)} | {did: "201 202" for did in (GROUP, QUEUE)}
        for did, phones in found.items():
            result, shown = ring(carrier, asterisk, TAGGED, did)
            assert (result.code, " ".join(shown), [rings for _, rings in shown.values() if rings]) == (200, phones, [])
            asterisk.wait_until_idle(5.0)
        assert ring(carrier, asterisk, TAGGED, REJECTING)[0].code == 403
        with Phone(asterisk, "201") as phone:
            assert phone.dial("*37", CallSpec(hang_up_after=None)).result().code == 200
        assert [line for line in asterisk.warnings() if not noload or "DIALPLAN_EXISTS" not in line] == []
