"""The outbound guard in FreePBX's outbound dialplan: installed by our command into a stand-in.

The stand-in is ours: contexts, variables and the order of things are as FreePBX 17 has them (read in its core module
and its framework), the words are not, and nothing of it has run on FreePBX itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callsieve.install.freepbx import OUTBOUND_HOOK
from lab import Phone
from lab.phone import Answering
from tests.integration.bare import Office, bare_office
from tests.integration.office import install_prompts
from tests.integration.outbound import (
    ACTING,
    BOUND,
    SLACK,
    count_requests,
    decided,
    dial,
    dial_frozen,
    dial_killed,
    later,
)
from tests.waiting import wait_until

OWN = "+442071838751"
FRIEND, UNWANTED, TRIED, FORWARDED = (f"+1201555018{n}" for n in range(4))
LONDON, PARIS = "+442071838799", "+33140205050"

# What FreePBX generates: routes by what is dialled, each going over its trunks in turn, and one context for all trunks.
GENERATED = """\
[globals]
OUT_1=PJSIP
OUT_1_SUFFIX=@carrier
OUTCID_1="Sales" <+442071838751>
OUTPREFIX_1=
OUT_2=PJSIP
OUT_2_SUFFIX=@carrier2
OUTCID_2=02071838751
OUTPREFIX_2=
OUT_3=AMP:Local/$OUTNUM$@nowhere
OUT_4=PJSIP
OUT_4_SUFFIX=@carrier
OUTCID_4=+442071838751
OUTPREFIX_4=01070
PREFIX_TRUNK_4=1
OUT_5=PJSIP
OUT_5_SUFFIX=@carrier
OUTCID_5=+442071838751
OUTPREFIX_5=+

[from-internal]
include => outbound-allroutes

[outbound-allroutes]
include => outrt-1
include => outrt-2
include => outrt-3
include => outrt-4
include => outrt-5
include => outrt-6

[outrt-1]
exten => _+X.,1,Gosub(macro-dialout-trunk,s,1(1,${EXTEN},,off))
 same => n,Goto(no-trunk-left,s,1)

[outrt-2]
exten => _0[12]X.,1,Gosub(macro-dialout-trunk,s,1(2,${EXTEN},,off))
 same => n,Gosub(macro-dialout-trunk,s,1(1,+44${EXTEN:1},,off))
 same => n,Goto(no-trunk-left,s,1)

[outrt-3]
exten => _112,1,Set(EMERGENCYROUTE=YES)
 same => n,Gosub(macro-dialout-trunk,s,1(1,${EXTEN},,off))
exten => _999X.,1,Set(EMERGENCYROUTE=YES)
 same => n,Gosub(macro-dialout-trunk,s,1(1,+${EXTEN:3},,off))

[outrt-4]
exten => _8X.,1,Set(INTRACOMPANYROUTE=YES)
 same => n,Gosub(macro-dialout-trunk,s,1(1,+${EXTEN:1},,off))

[outrt-5]
exten => _7X.,1,Set(__FROM_DID=442071838750)
 same => n,Gosub(macro-dialout-trunk,s,1(1,+${EXTEN:1},,off))
exten => _6X.,1,Set(MACRO_CONTEXT=left-over)
 same => n,Gosub(macro-dialout-trunk,s,1(1,+${EXTEN:1},,off))

exten => _3X.,1,Set(__CALLSIEVE_TAGGED=1)
 same => n,Set(__CALLSIEVE_LABEL=SPAM?)
 same => n,Set(__CALLSIEVE_PLAIN=Joe (Paris))
 same => n,Set(CALLERID(name)=SPAM? Joe (Paris))
 same => n,Set(INTRACOMPANYROUTE=YES)
 same => n,Gosub(macro-dialout-trunk,s,1(1,+${EXTEN:1},,off))
exten => _2X.,1,Set(__CALLSIEVE_TAGGED=1)
 same => n,Set(__CALLSIEVE_LABEL=SPAM?)
 same => n,Set(__CALLSIEVE_PLAIN=Joe)
 same => n,Gosub(macro-dialout-trunk,s,1(1,+${EXTEN:1},,off))

[outrt-6]
exten => _4X.,1,Gosub(macro-dialout-trunk,s,1(4,${EXTEN:1},,off))
exten => _5X.,1,Gosub(macro-dialout-trunk,s,1(5,${EXTEN:1},,off))

[sub-flp-4]
exten => s,1,ExecIf($[${LEN(${DIAL_NUMBER})} = 10]?Set(DIAL_NUMBER=1${DIAL_NUMBER}))
 same => n,Return()

[macro-dialout-trunk]
exten => s,1,Set(DIAL_TRUNK=${ARG1})
 same => n,Set(DIAL_NUMBER=${ARG2})
 same => n,ExecIf($["${INTRACOMPANYROUTE}" != "YES"]?Set(CALLERID(all)=${OUTCID_${DIAL_TRUNK}}))
 same => n,GosubIf($["${PREFIX_TRUNK_${DIAL_TRUNK}}" != ""]?sub-flp-${DIAL_TRUNK},s,1())
 same => n,Set(OUTNUM=${OUTPREFIX_${DIAL_TRUNK}}${DIAL_NUMBER})
 same => n,Gosub(macro-dialout-trunk-predial-hook,s,1())
 same => n,GotoIf($["${PREDIAL_HOOK_RET}" = "BYPASS"]?next)
 same => n,Gosub(trunk-dial-with-exten,${DIAL_NUMBER},1())
 same => n,GotoIf($["${DIALSTATUS}" = "ANSWER"]?over)
 same => n(next),Set(CALLERID(num)=201)
 same => n,Return()
 same => n(over),Hangup()
exten => h,1,NoOp(hung up in a trunk)

[trunk-dial-with-exten]
exten => _[+0-9].,1,Dial(${OUT_${DIAL_TRUNK}}/${OUTNUM}${OUT_${DIAL_TRUNK}_SUFFIX},20)
 same => n,Return()

[no-trunk-left]
exten => s,1,Hangup(34)
"""
# extensions.conf as FreePBX has it: its hook is empty, and comes after what is the administrator's own.
FREEPBX = """\
#include extensions_additional.conf
#include extensions_custom.conf

[from-carrier]
exten => _[+0-9].,1,Hangup()

[macro-dialout-trunk-predial-hook]
exten => s,1,Return()
"""
THEIRS = """\
[macro-dialout-trunk-predial-hook]
exten => s,1,Set(THEIRS=${OUTNUM})
 same => n,UserEvent(Theirs)
 same => n,Return()
"""
TRUNKS = """
[numbers]
region = "US"

[[trunk]]
name = "backbone"
channels = "PJSIP/carrier2-*"
region = "GB"

[[person]]
extension = "201"
endpoint = "PJSIP/201"
"""


@contextmanager
def freepbx(state: Path, custom: str = "") -> Iterator[Office]:
    """Yield a stand-in in which CallSieve is installed and the guard acts."""
    with bare_office("", state) as office:
        (office.etc / "extensions_additional.conf").write_text(GENERATED)
        (office.etc / "extensions_custom.conf").write_text(custom)
        (office.etc / "extensions.conf").write_text(FREEPBX)
        (office.etc / "manager_custom.conf").write_text("")
        with (office.etc / "manager.conf").open("a") as file:
            file.write("#include manager_custom.conf\n")
        settings = office.daemon.config.read_text().partition("[asterisk]")[2]
        office.daemon.write_settings("[asterisk]" + settings + TRUNKS + ACTING + later())
        office.install("--freepbx", "--reload")
        yield office


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with freepbx(tmp_path_factory.mktemp("freepbx") / "state") as office:
        office.daemon.start()
        install_prompts(office, {"outbound-refuse": 0.7, "outbound-hold": 0.7})
        own(office, "dnc", "add", UNWANTED)
        yield office


@pytest.fixture
def carrier(pbx: Office) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "carrier") as far_end:
        yield far_end


def own(office: Office, *arguments: str) -> None:
    office.daemon.callsieve("own", *arguments)


def test_the_guard_is_asked_with_the_shown_number(pbx: Office, carrier: Phone) -> None:
    assert dial(pbx, FRIEND).code == 200
    record = decided(pbx, FRIEND)[0]
    assert (record.action, record.rule, record.own_number, record.person) == ("allow", "default", OWN, "201")
    assert [invite.from_number for invite in carrier.invites()] == [OWN]


def test_a_refused_call_tries_no_other_trunk(pbx: Office, carrier: Phone) -> None:
    result = dial(pbx, UNWANTED)
    assert result.code == 403
    assert result.heard.audible_seconds > 0.4, "the agent hears why"
    assert carrier.invites() == []
    assert [item.rule for item in decided(pbx, UNWANTED)] == ["do-not-call"]


def test_a_held_call_ends_after_the_allowed_time_is_spoken(pbx: Office, carrier: Phone) -> None:
    result = dial(pbx, PARIS)
    assert result.code == 403
    assert result.heard.audible_seconds > 1.0, "the prompt and the time"
    assert carrier.invites() == []
    assert decided(pbx, PARIS)[0].rule == "hours"


def test_numbers_are_parsed_as_the_trunk_writes_them(pbx: Office, carrier: Phone) -> None:
    with Phone(pbx.asterisk, "carrier2", Answering(status="503 Service Unavailable", ring_seconds=0)) as first:
        codes = [dial(pbx, "02071838799").code for _ in range(3)]
        assert len(first.invites()) == 3
    assert codes == [200, 200, 200], "the third is within the limit of three, though it was asked about six times"
    records = decided(pbx, LONDON, 6)
    assert {(record.callee, record.own_number, record.action) for record in records} == {(LONDON, OWN, "allow")}
    assert len({record.linkedid for record in records}) == 3
    assert dial(pbx, "02071838799").code == 403
    assert decided(pbx, LONDON, 7)[0].rule == "person-day"


@pytest.mark.parametrize(
    ("number", "callee", "rule"),
    [
        pytest.param(f"4{UNWANTED[1:]}", UNWANTED, "do-not-call", id="after-a-prefix"),
        pytest.param(f"4{UNWANTED[2:]}", UNWANTED, "do-not-call", id="after-a-prefix-and-completed-by-the-trunk"),
        pytest.param(f"5{PARIS[1:]}", PARIS, "hours", id="that-its-prefix-makes-international"),
    ],
)
def test_a_trunk_prefix_is_removed_before_the_decision(
    pbx: Office, carrier: Phone, number: str, callee: str, rule: str
) -> None:
    before = len(decided(pbx, callee, 0))
    assert dial(pbx, number).code == 403
    assert carrier.invites() == []
    assert decided(pbx, callee, before + 1)[0].rule == rule


def test_an_emergency_number_with_a_trunk_prefix_skips_the_guard(pbx: Office, carrier: Phone) -> None:
    before = count_requests(pbx)
    result = dial_frozen(pbx, "4112")
    assert (result.code, ["sip:01070112@" in invite.header("To") for invite in carrier.invites()]) == (200, [True])
    assert (result.ringing_seconds or 9) < SLACK
    assert dial(pbx, TRIED).code == 200, "after which the daemon has answered whatever waited for it"
    assert count_requests(pbx) == before + 1


@pytest.mark.parametrize("number", [pytest.param("112", id="short"), pytest.param(f"999{UNWANTED[1:]}", id="long")])
def test_an_emergency_route_opens_the_window_without_the_guard(pbx: Office, carrier: Phone, number: str) -> None:
    pbx.asterisk.cli("database del callsieve emergency")
    before = count_requests(pbx)
    result = dial_frozen(pbx, number)
    assert result.code == 200
    assert (result.ringing_seconds or 9) < SLACK
    assert "by an emergency call" in pbx.daemon.callsieve("emergency", "status").stdout
    assert dial(pbx, FRIEND).code == 200, "after which the daemon has answered whatever waited for it"
    assert count_requests(pbx) == before + 1


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(f"8{UNWANTED[1:]}", id="an-intra-company-route"),
        pytest.param(f"7{UNWANTED[1:]}", id="a-call-from-outside-that-is-forwarded"),
        pytest.param(f"6{UNWANTED[1:]}", id="within-a-macro"),
    ],
)
def test_internal_and_forwarded_calls_skip_the_guard(pbx: Office, carrier: Phone, number: str) -> None:
    before = count_requests(pbx)
    assert dial(pbx, number).code == 200
    assert count_requests(pbx) == before


@pytest.mark.parametrize(
    ("number", "name"),
    [
        pytest.param(f"3{FORWARDED[1:]}", "Joe (Paris)", id="the-caller-s-name"),
        pytest.param(f"2{FORWARDED[1:]}", "Sales", id="a-name-of-the-trunk"),
    ],
)
def test_a_forwarded_call_leaves_without_our_label(pbx: Office, carrier: Phone, number: str, name: str) -> None:
    assert dial(pbx, number).code == 200
    assert [invite.from_name for invite in carrier.invites()] == [name]


def test_a_frozen_killed_or_absent_guard_lets_calls_out(
    pbx: Office, carrier: Phone, record_delay: Callable[[float | None], None]
) -> None:
    frozen = dial_frozen(pbx, UNWANTED)
    assert frozen.code == 200
    assert BOUND - 0.1 < (frozen.ringing_seconds or 9) < BOUND + SLACK
    record_delay(frozen.ringing_seconds)

    assert dial_killed(pbx, UNWANTED).code == 200

    absent = dial(pbx, UNWANTED)
    assert absent.code == 200
    assert (absent.ringing_seconds or 9) < SLACK
    record_delay(absent.ringing_seconds)
    pbx.daemon.start()


def test_an_observing_guard_lets_every_call_out(pbx: Office, carrier: Phone) -> None:
    acting = pbx.daemon.config.read_text()
    pbx.daemon.config.write_text(acting.replace("observe = false", "observe = true"))
    pbx.daemon.reload()
    try:
        wait_until(lambda: dial(pbx, UNWANTED).code == 200, "observing", 30.0)
        observed = decided(pbx, UNWANTED)[0]
        assert (observed.action, observed.would_be, observed.rule) == ("allow", "refuse", "do-not-call")
    finally:
        pbx.daemon.config.write_text(acting)
        pbx.daemon.reload()
        wait_until(lambda: dial(pbx, UNWANTED).code == 403, "acting again", 30.0)


def test_the_doctor_sees_the_guard_until_uninstall(tmp_path: Path) -> None:
    with freepbx(tmp_path / "state") as office:
        assert office.doctor(code=1)["outbound guard"]["detail"].startswith("FreePBX asks")
        assert office.doctor(code=1)["emergency calls"]["status"] == "ok"
        office.uninstall("--reload")
        assert "callsieve" not in office.asterisk.cli("dialplan show")
        with Phone(office.asterisk, "carrier"):
            assert dial(office, FRIEND).code == 200
        office.install("--freepbx", "--no-ami")
        office.asterisk.cli("dialplan reload")
        assert office.doctor(code=1)["outbound guard"]["status"] == "ok"


def test_an_existing_hook_gets_one_line(tmp_path: Path) -> None:
    with freepbx(tmp_path / "state", custom=THEIRS) as office:
        office.daemon.start()
        own(office, "dnc", "add", UNWANTED)
        found = office.doctor(code=0)["outbound guard"]
        assert (found["status"], found["remedy"]) == (
            "warn",
            f"add to this context, before its Return():  {OUTBOUND_HOOK.line}",
        )
        with Phone(office.asterisk, "carrier") as far_end:
            assert dial(office, UNWANTED).code == 200
            assert "UserEvent(" in "\n".join(office.asterisk.log_lines())
            custom = office.etc / "extensions_custom.conf"
            custom.write_text(
                custom.read_text().replace(" same => n,Return()", f" {OUTBOUND_HOOK.line}\n same => n,Return()")
            )
            office.asterisk.cli("dialplan reload")
            assert dial(office, UNWANTED).code == 403
            assert len(far_end.invites()) == 1
        assert office.doctor(code=0)["outbound guard"]["status"] == "ok"
        office.uninstall()  # a line that asks whether our dialplan is there may stay
        assert OUTBOUND_HOOK.line in custom.read_text()
