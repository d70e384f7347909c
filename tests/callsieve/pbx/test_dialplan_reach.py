"""Whom a number of the dialplan may ring, on dialplans as `dialplan show` prints them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.pbx.cli_output import (
    database_in,
    endpoint_values_in,
    hints_in,
    mailbox_names_in,
    pjsip_endpoints_in,
    queue_members_in,
)
from callsieve.pbx.dialplan_reach import DialplanReach, Reach
from callsieve.pbx.dialplan_text import takes

ALL = Reach(is_open=True)


def shown(text: str) -> str:
    """A dialplan as Asterisk's console prints it."""
    lines: list[str] = []
    priority = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        if match := re.fullmatch(r"\[(.*)]", line):
            lines.append(f"[ Context '{match[1]}' created by 'pbx_config' ]")
        elif match := re.fullmatch(r"include => (.*)", line):
            lines.append(f"  Include =>        '{match[1]}'                                [pbx_config]")
        elif match := re.fullmatch(r"exten => (\S+?),1(?:\(\w+\))?,(.*)", line):
            lines.append(f"  '{match[1]}' =>   1. {match[2]}                    [extensions.conf:7]")
            priority = 1
        elif match := re.fullmatch(r"same => n(?:\((\w+)\))?,(.*)", line):
            priority += 1
            label = f"     [{match[1]}]" if match[1] else "                 "
            lines.append(f"{label}   {priority}. {match[2]}                 [extensions.conf:8]")
    return "\n".join(lines) + "\n"


def reached(text: str, extension: str = "100", *, freepbx: bool = False, **variables: str) -> Reach:
    return DialplanReach(shown(text), variables, freepbx=freepbx).of(extension, "in")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("exten => 100,1,Dial(PJSIP/201,20)", Reach({"PJSIP/201"}), id="one"),
        pytest.param("exten => 100,1,Dial(PJSIP/201&IAX2/joe/7,20)", Reach({"PJSIP/201", "IAX2/joe"}), id="both"),
        pytest.param(
            "exten => 100,1,Dial(PJSIP/201,20)\nsame => n,Dial(PJSIP/202,20)",
            Reach({"PJSIP/201", "PJSIP/202"}),
            id="one-after-the-other",
        ),
        pytest.param("exten => 100,1,Hangup()\nsame => n,Dial(PJSIP/201)", Reach(), id="after-the-end"),
        pytest.param("exten => 100,1,Dial(${PJSIP_DIAL_CONTACTS(201)},20)", Reach({"PJSIP/201"}), id="contacts"),
        pytest.param("exten => 100,1,Dial(${SALES},20)", Reach({"PJSIP/203"}), id="a-global"),
        pytest.param("exten => 100,1,Set(who=PJSIP/201)\nsame => n,Dial(${who})", Reach({"PJSIP/201"}), id="set"),
        pytest.param("exten => 100,1,Dial(${DB(phone/1)},20)", ALL, id="only-the-call-knows"),
        pytest.param("exten => 100,1,Goto(${IVR},1)", ALL, id="nobody-knows-where"),
        pytest.param("exten => _1XX,1,Dial(PJSIP/${EXTEN:1})", Reach({"PJSIP/00"}), id="a-pattern"),
        pytest.param("exten => 100,1,Queue(support,t)", Reach(queues={"support"}), id="a-queue"),
        pytest.param("exten => 100,1,Queue(${CHANNEL(x)},t)", ALL, id="some-queue"),
        pytest.param(
            "exten => 100,1,GotoIfTime(9-17,*,*,*?day)\nsame => n,Dial(PJSIP/9)\nsame => n(day),Dial(PJSIP/8)",
            Reach({"PJSIP/8", "PJSIP/9"}),
            id="day-and-night",
        ),
        pytest.param(
            'exten => 100,1,GotoIf($["${X}" = "1"]?a:b)\nsame => n,Dial(PJSIP/1)\nsame => n(a),Dial(PJSIP/2)\n'
            "same => n,Hangup()\nsame => n(b),Dial(PJSIP/3)",
            Reach({"PJSIP/2", "PJSIP/3"}),
            id="never-between",
        ),
        pytest.param("exten => 100,1,ExecIf($[1]?Dial(PJSIP/1):Dial(PJSIP/2))", Reach({"PJSIP/1", "PJSIP/2"}), id="if"),
        pytest.param(
            "exten => 100,1,Goto(away,5,1)\n[away]\nexten => 5,1,Dial(PJSIP/5)", Reach({"PJSIP/5"}), id="goto"
        ),
        pytest.param("include => away\n[away]\nexten => 100,1,Dial(PJSIP/5)", Reach({"PJSIP/5"}), id="include"),
        pytest.param(
            "exten => 100,1,Dial(Local/5@away/n)\n[away]\nexten => 5,1,Dial(PJSIP/5)", Reach({"PJSIP/5"}), id="local"
        ),
        pytest.param(
            "exten => 100,1,Gosub(ring,s,1(PJSIP/5))\n[ring]\nexten => s,1,Dial(${ARG1})\nsame => n,Return()",
            Reach({"PJSIP/5"}),
            id="subroutine",
        ),
        pytest.param(
            "exten => 100,1,Macro(m,PJSIP/5)\n[macro-m]\nexten => s,1,Dial(${ARG1})",
            Reach({"PJSIP/5"}),
            id="macro",
        ),
        pytest.param("exten => 100,1,Gosub(callsieve,s,1(x))\nsame => n,Dial(PJSIP/1)", Reach({"PJSIP/1"}), id="ours"),
        pytest.param("exten => 100,1,AGI(x)\nsame => n,Dial(PJSIP/1)", Reach({"PJSIP/1"}, is_open=True), id="a-script"),
        pytest.param(
            "exten => 100,1,Goto(menu,s,1)\n[menu]\nexten => s,1,Background(x)\nexten => 1,1,Dial(PJSIP/1)\n"
            "exten => i,1,Dial(PJSIP/2)\nexten => 2071838750,1,Dial(PJSIP/3)",
            Reach({"PJSIP/1"}),
            id="a-menu",
        ),
        pytest.param(
            "exten => 100,1,Goto(menu,s,1)\n[menu]\ninclude => all\nexten => s,1,Background(x)\n[all]\n"
            "exten => 201,1,Dial(PJSIP/201)",
            ALL,
            id="a-menu-with-direct-dial",
        ),
        pytest.param("exten => 100,1,Goto(100,1)", Reach(), id="round-and-round"),
        pytest.param("exten => 100,1,Dial(Local/100@in)", Reach(), id="a-loop-of-local-channels"),
        pytest.param("exten => 100,1,Set(x=${x}1)\nsame => n,Goto(1)", Reach(), id="an-endless-loop"),
        pytest.param(
            "exten => 100,1,Set(x=1)\nsame => n(on),Set(x=${x}${x})\nsame => n,Goto(on)",
            Reach(),
            id="a-value-that-grows",
        ),
        pytest.param("exten => 100,1,Set(x=${HOSTILE})\nsame => n,Dial(${x})", ALL, id="a-value-that-names-itself"),
        pytest.param(f"exten => 100,1,Dial(PJSIP/${{EXTEN:{'9' * 5000}}})", ALL, id="a-part-beyond-all-bounds"),
        pytest.param("exten => 100,1,Goto()\nsame => n,Dial(PJSIP/1)", Reach({"PJSIP/1"}), id="nowhere"),
        pytest.param("exten => 200,1,Dial(PJSIP/1)", Reach(), id="another-number"),
    ],
)
def test_endpoints_that_a_dialplan_may_ring(text: str, expected: Reach) -> None:
    assert reached(f"[in]\n{text}", SALES="PJSIP/203", HOSTILE="${HOSTILE}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Goto(from-did-direct,201,1)", Reach(extensions={"201"}), id="an-extension"),
        pytest.param("Gosub(macro-dial,s,1(20,${O},201-202-07#))", Reach(extensions={"201", "202"}), id="group"),
        pytest.param("Gosub(macro-dial-confirm,s,1(20,t,201,600))", Reach(extensions={"201"}), id="confirmed"),
        pytest.param("Gosub(macro-exten-vm,s,1(novm,201,0))", Reach(extensions={"201"}), id="with-voicemail"),
        pytest.param("Macro(dial,20,t,201-202)", Reach(extensions={"201", "202"}), id="15-and-16"),
        pytest.param("Gosub(macro-dial,s,1(20,t,${WHO}))", ALL, id="not-known"),
        pytest.param("Gosub(macro-user-callerid,s,1())", Reach(), id="another-macro"),
        pytest.param("AGI(lookup.php)", Reach(), id="its-scripts"),
        pytest.param("Goto(ext-local,vmu201,1)", Reach(), id="voicemail"),
        pytest.param("Goto(from-did-direct-ivr,${IVREXT},1)", ALL, id="direct-dial"),
    ],
)
def test_endpoints_that_a_freepbx_dialplan_may_ring(text: str, expected: Reach) -> None:
    assert reached(f"[in]\nexten => 100,1,{text}", freepbx=True) == expected


@pytest.mark.parametrize(
    ("pattern", "number", "taken"),
    [
        ("_X.", "12", True),
        ("_X.", "1", False),
        ("_X!", "1", True),
        ("_NXX", "100", False),
        ("_2-07[18]XZ", "20719", False),
        ("_2-07[18]XZ", "207199", True),
        ("_[+0-9A-Za-z].", "+44", True),
        ("_[z-a]", "z", False),
        ("_(", "(", True),
        ("100", "100", True),
        ("100", "1000", False),
    ],
)
def test_extension_patterns_match_numbers(pattern: str, number: str, taken: bool) -> None:
    assert takes(pattern, number) is taken


QUEUE_LINES = """\
support has 0 calls (max unlimited) in 'ringall' strategy (0s holdtime, 0s talktime), W:0, C:0, A:0, SL:0.0%, SL2:0.0%
   Members:
      PJSIP/203 (ringinuse enabled) (Not in use) has taken no calls yet (login was 0 secs ago)
      Ann (PJSIP/666) (x (PJSIP/201) (ringinuse enabled) (Not in use) has taken no calls yet (login was 0 secs ago)
      Al (Local/204@office/n from hint:204@office) (ringinuse enabled) (Unavailable) has taken no calls yet
      Bo (PJSIP/205) (ringinuse enabled) (dynamic) (Not in use) has taken no calls yet (login was 0 secs ago)
   No Callers
"""


def test_members_of_a_queue_are_read() -> None:
    assert queue_members_in(QUEUE_LINES) == {"support": ["PJSIP/203", "PJSIP/201", "hint:204@office"]}


@given(st.text(), st.text(alphabet="[]'()=>,.&@/${}:-\n \"_XGotDial1s"))
def test_any_asterisk_console_output_is_parsed(any_text: str, like_a_dialplan: str) -> None:
    for text in (any_text, like_a_dialplan):
        for read in (database_in, endpoint_values_in, hints_in, mailbox_names_in, pjsip_endpoints_in, queue_members_in):
            read(text)
        assert takes(f"_{text}", text) in (True, False)
        plan = f"[in]\nexten => 100,1,{text.splitlines()[0] if text.splitlines() else ''}"
        reached(plan, freepbx=False)
        reached(plan, freepbx=True)
