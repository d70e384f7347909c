"""What is known of a challenged call once it is over, on a real Asterisk, and where who does not pass ends up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest

from lab import Answering, CallResult, CallSpec, Phone
from lab.screened import ALICE, SALES, ScreenedPbx
from reputation.model import AuthClass, ChallengeResult, EndedBy
from reputation.store.outcomes import outcomes
from tests.integration.office import (
    ASKS_FOR_DIGIT,
    ASKS_FOR_NAME,
    BY_OFFICE,
    asking_office,
    heard_digits,
    played,
    start_listening,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("leaves_nothing")
# Whoever calls from these is asked, for a digit or for a name; who hides is asked for a number.
BY_DIGIT = [f"+120155504{n:02d}" for n in range(10, 40)]
BY_NAME = [f"+120155504{n:02d}" for n in range(40, 50)]
ASKS_FOR_NUMBER = """\
[[rule]]
name = "by-number"
when = { caller_kind = "withheld" }
action = "challenge"
ask = "number"
reason = "asked for a number"
"""
SCENES = ("challenge", "caller", "withheld", "screening", "appeal", "digit", "letter")
HIDDEN = "+12015550451"
ABANDONED = [
    pytest.param(CallSpec(caller=BY_DIGIT[0], did=ALICE), id="digit"),
    pytest.param(CallSpec(caller=BY_NAME[0], did=ALICE), id="name"),
    pytest.param(CallSpec(caller=HIDDEN, privacy=True, did=ALICE), id="number"),
]


class Known(NamedTuple):
    """What the store knows of a call that is over."""

    action: str | None
    challenge: ChallengeResult | None
    ended_by: EndedBy | None
    rung: tuple[str, ...]
    voicemail_left: bool


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    rules = ASKS_FOR_NAME + ASKS_FOR_DIGIT + ASKS_FOR_NUMBER
    with asking_office(rules, "\n[actions]\nappeal = true\n", SCENES) as office:
        yield office


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201", Answering(hang_up_after=0.5)) as phone:
        yield phone


def calls_over(db: sqlite3.Connection) -> int:
    """How many calls are over and joined with their decision."""
    return len([call for call in outcomes(db) if call.action])


def known_of(db: sqlite3.Connection, before: int) -> Known:
    """What is known of the one call since."""
    wait_until(lambda: calls_over(db) == before + 1, "the outcome", 30.0)
    call = outcomes(db)[0]
    return Known(call.action, call.challenge, call.ended_by, call.rung, call.voicemail_left)


def kept(db: sqlite3.Connection, number: str | None) -> list[tuple[str, str, str]]:
    """What the store keeps of the challenges of a number, in time order."""
    rows = db.execute("SELECT auth_class, did, result FROM challenge WHERE number = ? ORDER BY at", (number,))
    return rows.fetchall()


def keyed(pbx: ScreenedPbx, spec: CallSpec, *right: bool) -> CallResult:
    """A call that presses a key, right or wrong, each time a digit is asked for."""
    before = len(heard_digits(pbx))
    with pbx.carrier.start(spec) as call:
        for tries, is_right in enumerate(right, start=1):
            wait_until(partial(_has_asked, pbx, before + tries), "the question")
            digit = heard_digits(pbx)[-1]
            call.press(digit if is_right else "1" if digit != "1" else "2")
        return call.result()


def _has_asked(pbx: ScreenedPbx, times: int) -> bool:
    return len(heard_digits(pbx)) >= times


@pytest.mark.parametrize("after", [0.1, 1.5, 4.0])
@pytest.mark.parametrize("spec", ABANDONED)
def test_who_hangs_up_while_asked_has_rung_nobody(
    pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone, spec: CallSpec, after: float
) -> None:
    before = calls_over(db)
    pbx.carrier.call(replace(spec, hang_up_after=after))
    assert known_of(db, before) == ("challenge", ChallengeResult.ABANDONED, EndedBy.CALLER, (), False)
    assert alice.invites() == []
    if not spec.privacy:
        assert kept(db, spec.caller)[-1] == (AuthClass.UNKNOWN, ALICE, "abandoned")
    assert kept(db, HIDDEN) == [], "of a withheld number nothing is kept"


def test_who_passes_rings(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    before = calls_over(db)
    result = keyed(pbx, CallSpec(caller=BY_DIGIT[2], did=ALICE, hang_up_after=None), True)
    known = known_of(db, before)
    assert (result.bye_from, known.challenge, known.rung) == ("asterisk", ChallengeResult.PASSED, ("201",))
    assert kept(db, BY_DIGIT[2]) == [(AuthClass.UNKNOWN, ALICE, "passed")]


@pytest.mark.parametrize(
    ("keys", "result", "caller"),
    [
        pytest.param((False, False), ChallengeResult.WRONG, BY_DIGIT[3], id="wrong"),
        pytest.param((), ChallengeResult.SILENT, BY_DIGIT[4], id="silent"),
    ],
)
def test_a_message_left_after_a_failure_is_kept(
    pbx: ScreenedPbx,
    db: sqlite3.Connection,
    alice: Phone,
    keys: tuple[bool, ...],
    result: ChallengeResult,
    caller: str,
) -> None:
    before, recorded, heard = calls_over(db), len(messages(pbx)), len(played(pbx))
    keyed(pbx, CallSpec(caller=caller, did=ALICE, voice=True, hang_up_after=22.0, timeout=60.0), *keys)
    assert known_of(db, before) == ("challenge", result, EndedBy.CALLER, (), True)
    assert kept(db, caller) == [(AuthClass.UNKNOWN, ALICE, result.value)], "a message takes nothing back"
    assert len(messages(pbx)) == recorded + 1
    assert {"caller-sorry", "appeal-how", "caller-message"} <= set(played(pbx)[heard:])
    assert alice.invites() == []


def messages(pbx: ScreenedPbx) -> list[str]:
    """The messages in Alice's voicemail that hold at least a second."""
    folder = pbx.asterisk.directories.spool / "voicemail" / "default" / "201" / "INBOX"
    return [path.name for path in folder.glob("*.wav") if path.stat().st_size > 16_000]


def test_where_there_is_no_place_the_caller_is_told(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    before, heard = calls_over(db), len(played(pbx))
    result = keyed(pbx, CallSpec(caller=BY_DIGIT[5], did=SALES, hang_up_after=None), False, False)
    assert known_of(db, before) == ("challenge", ChallengeResult.WRONG, EndedBy.SYSTEM, (), False)
    assert kept(db, BY_DIGIT[5]) == [(AuthClass.UNKNOWN, SALES, "wrong")]
    told = [key for key in played(pbx)[heard:] if key.startswith(("caller", "appeal"))]
    assert told == ["caller-sorry", "appeal-how", "appeal-address", "caller-goodbye"]
    assert (result.bye_from, alice.invites()) == ("asterisk", [])


def test_without_our_prompts_a_goodbye_is_heard(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    before = calls_over(db)
    folder = pbx.asterisk.directories.sounds / "callsieve"
    folder.rename(folder.with_name("away"))
    try:
        keyed(pbx, CallSpec(caller=BY_DIGIT[6], did=SALES, hang_up_after=None), False, False)
    finally:
        folder.with_name("away").rename(folder)
    assert known_of(db, before).challenge is ChallengeResult.WRONG
    assert any("Playing 'vm-goodbye" in line for line in pbx.asterisk.log_lines()[-200:])
    assert alice.invites() == []


def test_who_calls_again_after_a_failure_is_asked_again(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    tries = ((SALES, (False, False), ChallengeResult.WRONG), (ALICE, (True,), ChallengeResult.PASSED))
    for did, keys, result in tries:
        before = calls_over(db)
        keyed(pbx, CallSpec(caller=BY_DIGIT[7], did=did, hang_up_after=None), *keys)
        assert known_of(db, before)[:2] == ("challenge", result)
    assert kept(db, BY_DIGIT[7]) == [(AuthClass.UNKNOWN, SALES, "wrong"), (AuthClass.UNKNOWN, ALICE, "passed")]
    assert len(alice.invites()) == 1


def test_a_route_takes_who_does_not_pass(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    """The last test: it changes the settings."""
    pbx.daemon.stop()
    pbx.daemon.log.unlink()
    start_listening(pbx, BY_OFFICE + '\n[actions]\nroute = "spam-box,s,1"\n')
    before, logged = calls_over(db), len(pbx.asterisk.log_lines())
    result = keyed(pbx, CallSpec(caller=BY_DIGIT[8], did=ALICE, hang_up_after=None), False, False)
    assert any("[s@spam-box:1]" in line for line in pbx.asterisk.log_lines()[logged:])
    assert (result.bye_from, known_of(db, before).challenge, alice.invites()) == ("asterisk", ChallengeResult.WRONG, [])
