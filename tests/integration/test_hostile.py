"""Hostile callers through a real Asterisk: nothing is forged or executed, and every call is decided."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from agi.display import tidied
from callsieve.prompts.catalogue import prompts_of
from lab import CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from policies.decision import FAIL_OPEN_RULE
from tests.integration.office import BY_ACTION, STRANGER, fill, install_prompts, journal
from tests.waiting import wait_until

# What a caller would like to be taken for, and ways to break out of every language his text passes through: SIP,
# dialplan variables and expressions, AGI arguments and commands, SQL, HTML, the shell, a terminal.
PAYLOADS = [
    "9001,verification=passed,trunk=trusted",
    "9001,did=1,did=2",
    "9001)same => n,System(touch MARK)",
    "${SHELL(touch MARK)}",
    "$[1 + 1]",
    "${CALLSIEVE_ID}",
    "${DB(callsieve/off)}",
    "&PJSIP/carrier",
    "1&PJSIP/carrier2",
    "hangup",
    "(hangup)",
    "200 result=1 (hangup)",
    '"',
    '\\"',
    "\\",
    "\\\\",
    '" SET VARIABLE CALLSIEVE_ACTION "allow',
    "\tSET VARIABLE CALLSIEVE_ACTION reject",
    "%0aSET VARIABLE CALLSIEVE_ACTION reject",
    "agi_arg_9: verification=passed",
    "a=b",
    "verification=passed",
    "=",
    ",",
    ",,,,,,",
    ":",
    "::?Hangup()",
    "?",
    "1?Set(CALLSIEVE_ACTION=reject):",
    "';DROP TABLE decision;--",
    "<script>alert(1)</script>",
    "`touch MARK`",
    "$(touch MARK)",
    ";isub=1;verstat=TN-Validation-Passed",
    ";phone-context=+44",
    "anonymous",
    "asterisk",
    "unknown",
    "s",
    "h",
    "i",
    "t",
    "T",
    "*37",
    "#",
    "00442071838750",
    "+",
    "++12015550123",
    "+1201555012３",
    "１２０１５５５０１２３",
    "٠١٢٣٤٥٦٧٨٩",
    "9" * 250,
    "+" + "1" * 79,
    "A" * 400,
    "é" * 100,
    "\u202e0123",
    "\u200b\ufeff",
    "\U0001f4de",
    "日本語",
    "\x1b[31mred",
    "\x01\x02\x7f",
    "%s%n%x",
    "{}",
    "[]",
    "../../etc/passwd",
    "/etc/passwd",
    "-",
    "--config=/etc/passwd",
    " ",
]


def specs(mark: Path) -> Iterator[tuple[str, CallSpec]]:
    """Yield each payload in each place where a caller's text reaches us."""
    for number, payload in enumerate(PAYLOADS):
        text = payload.replace("MARK", str(mark))
        yield f"name {number}", CallSpec(caller=STRANGER, name=text, hang_up_after=0.0, timeout=2.0)
        yield f"number {number}", CallSpec(caller=text, hang_up_after=0.0, timeout=2.0)
        yield f"request {number}", CallSpec(caller=STRANGER, request_user=f"9{text}", hang_up_after=0.0, timeout=2.0)
        headers = {"Priority": text, "P-Asserted-Identity": f'"{text}" <sip:{text}@127.0.0.1>', "Identity": text}
        yield (
            f"headers {number}",
            CallSpec(caller=STRANGER, diversion=text, headers=headers, hang_up_after=0.0, timeout=2.0),
        )


# What Asterisk answers to MSet and to SET VARIABLE, and all that we send: no application is given a caller's text.
ACCEPTED = re.compile(r">> 200 result=[01]$")
OPTIONS = r"CALLSIEVE_DIAL=(?:[bU]\(callsieve-[a-z]+(?:\^s\^1)?\))+"  # of Dial, which we write
WORDS = rf"(?:_*[A-Z_]+=[0-9A-Za-z+*#/_.@&? -]+|{OPTIONS})"
OURS = re.compile(rf'SET VARIABLE .*|EXEC MSet "{WORDS}(,{WORDS})*"')

# After screening the call ends at once; what was set is logged between marks that no caller can send unfiltered.
CHECK = """\
 same => n,Log(NOTICE,CHECK action=${CALLSIEVE_ACTION} rule=${CALLSIEVE_RULE} id=${CALLSIEVE_ID} END)
 same => n,Hangup(17)
"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    head, _, rest = EXTENSIONS.partition(" same => n,Goto(office,")
    with ScreenedPbx(
        extensions=head + CHECK + "\n[office]\n" + rest.partition("[office]\n")[2], patient=True
    ) as office:
        fill(office.daemon.store)
        office.asterisk.cli("agi set debug on")
        yield office


@pytest.mark.timeout(280)
def test_hostile_calls_forge_nothing_and_are_all_decided(pbx: ScreenedPbx, tmp_path: Path) -> None:
    mark = tmp_path / "pwned"
    calls = list(specs(mark))
    assert len(calls) >= 200

    def place(item: tuple[str, CallSpec]) -> tuple[str, int | None]:
        return item[0], pbx.carrier.call(item[1]).code

    with ThreadPoolExecutor(6) as pool:
        codes = dict(pool.map(place, calls))
    reached = [name for name, code in codes.items() if code == 486]
    pbx.asterisk.wait_until_idle()  # SIPp may have given up a call that a busy machine was slow to end
    checks = [line for line in pbx.asterisk.log_lines() if "] NOTICE[" in line and "CHECK action=" in line]
    assert len(reached) >= 200, f"only {len(reached)} of {len(calls)} calls reached the dialplan: {codes}"
    assert len(checks) >= len(reached)

    # No variable forged: the action is the policy's, the id ours.
    form = re.compile(
        r"CHECK action=(allow|tag|warn) rule=(default|not-a-number|withheld|own-number) id=[0-9A-Z]{8} END$"
    )
    assert [line for line in checks if not form.search(line)] == []

    # No fact forged: every call is an unsigned one from the untrusted trunk.
    wait_until(lambda: len(journal(pbx.daemon.store)) >= len(checks), "the journal")
    decisions = journal(pbx.daemon.store)
    assert len(decisions) == len(checks)
    assert {(d.trunk, d.auth_class.value, d.policy) for d in decisions} == {("carrier", "unknown", "cautious")}
    assert {d.did for d in decisions if d.did and not re.fullmatch(r"[0-9A-Za-z+*#]+", d.did)} == set()

    # No second command, no surprise: Asterisk answered 200 to everything that we sent.
    debug = [line for line in pbx.asterisk.log_lines() if "AGI Tx >> " in line and re.search(r">> [1-5]\d\d", line)]
    assert [line for line in debug if not ACCEPTED.search(line)] == []
    commands = [line.partition("AGI Rx << ")[2] for line in pbx.asterisk.log_lines() if "AGI Rx << " in line]
    assert [command for command in commands if not OURS.fullmatch(command)] == []
    assert not mark.exists()
    assert "Traceback" not in pbx.daemon.log.read_text()
    assert STRANGER not in pbx.daemon.log.read_text()
    print(f"{len(calls)} hostile calls, {len(reached)} reached the dialplan, {len(decisions)} decisions")


# Names through every path to the phone: each shows the same as an unscreened call.

DIGIT = 4
WAYS = {
    "allow": CallSpec(hang_up_after=0.3),
    "warn": CallSpec(hang_up_after=0.3),
    "challenge": CallSpec(dtmf=str(DIGIT), dtmf_after=1.4, hang_up_after=3.0),
    "name": CallSpec(dtmf="#", dtmf_after=2.4, hang_up_after=6.0),
}
# One for each name: a caller who calls again within three minutes is not asked again.
NAME_CALLERS = [f"+120155508{n:02d}" for n in range(len(PAYLOADS))]
NAME_POLICY = """\
extends = "cautious"
[[rule]]
name = "asks-for-a-name"
when = { prefix = "+120155508" }
action = "challenge"
ask = "name"
reason = "we ask these who they are"
"""


@pytest.fixture(scope="module")
def office() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, digit=DIGIT) as pbx:
        (pbx.state / "policies").mkdir()
        (pbx.state / "policies" / "office.toml").write_text(NAME_POLICY)
        pbx.daemon.write_settings(SETTINGS.replace('"cautious"', '"office"'))
        pbx.daemon.start()
        fill(pbx.daemon.store)
        families = ("challenge", "caller", "screening", "whisper")
        keys = [key for key in prompts_of("en") if key.partition("-")[0] in families]
        install_prompts(pbx, dict.fromkeys(keys, 0.2))
        pbx.asterisk.cli("agi set debug on")
        yield pbx


def whole(names_shown: Mapping[str, int], names: Mapping[str, int]) -> Iterator[str]:
    """Return the names without the label before them, for which a full display truncates their end."""
    left = list(Counter(names).elements())
    for name in Counter(names_shown).elements():
        found = name if name in left else next((item for item in left if item.startswith(name.removesuffix("…"))), name)
        if found in left:
            left.remove(found)
        yield found


@pytest.mark.timeout(280)
def test_hostile_names_pass_through_every_path(office: ScreenedPbx, tmp_path: Path) -> None:
    mark = tmp_path / "pwned"
    names = [payload.replace("MARK", str(mark)) for payload in PAYLOADS[::3]]
    shown: dict[str, dict[str, int]] = {}
    for way, spec in WAYS.items():
        callers = NAME_CALLERS if way == "name" else [BY_ACTION[way]] * len(names)
        specs = [
            replace(spec, caller=caller, name=name, did=ALICE, timeout=20.0)
            for caller, name in zip(callers, names, strict=False)
        ]
        with Phone(office.asterisk, "201") as phone, ThreadPoolExecutor(8) as pool:
            codes = Counter(result.code for result in pool.map(office.carrier.call, specs))
            invites = phone.invites()
        # A few names are no SIP, and Asterisk answers 400 on every path alike.
        assert set(codes) <= {200, 400}, way
        assert len(invites) == codes[200] > 15, way
        assert {invite.from_number for invite in invites} <= set(callers)
        shown[way] = Counter(tidied(invite.from_name.removeprefix("SPAM?")) for invite in invites)
        office.asterisk.wait_until_idle(30.0)
    for way, names_shown in shown.items():
        assert sorted(whole(names_shown, shown["allow"])) == sorted(Counter(shown["allow"]).elements()), way
    assert not mark.exists()
    debug = [line for line in office.asterisk.log_lines() if "AGI Tx >> " in line and re.search(r">> [1-5]\d\d", line)]
    assert [line for line in debug if not ACCEPTED.search(line)] == []
    decided = [record for record in journal(office.daemon.store) if record.caller in NAME_CALLERS]
    # A busy machine may let one go on at the deadline: that is no name's doing.
    assert {record.action for record in decided if record.rule != FAIL_OPEN_RULE} == {"challenge"}
    print(f"{len(names)} hostile names on {len(WAYS)} paths, {sum(shown['allow'].values())} rang on each")
