"""What is stored of a challenged call on a real Asterisk, and where a failed caller ends up."""

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
# Callers with these numbers are asked for a digit or a name. A withheld caller is asked for a number.
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


class EndedCall(NamedTuple):
    """What the store has of an ended call."""

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
    """Return how many calls have ended and are joined with their decision."""
    return len([call for call in outcomes(db) if call.action])


def ended_call(db: sqlite3.Connection, before: int) -> EndedCall:
    """Return what is stored of the one call since."""
    wait_until(lambda: calls_over(db) == before + 1, "the outcome", 30.0)
    call = outcomes(db)[0]
    return EndedCall(call.action, call.challenge, call.ended_by, call.rung, call.voicemail_left)


def challenges_of(db: sqlite3.Connection, number: str | None) -> list[tuple[str, str, str]]:
    """Return the stored challenges of a number, in time order."""
    rows = db.execute("SELECT auth_class, did, result FROM challenge WHERE number = ? ORDER BY at", (number,))
    return rows.fetchall()


def call_with_keys(pbx: ScreenedPbx, spec: CallSpec, *right: bool) -> CallResult:
    """Make a call that presses a key, right or wrong, each time a digit is asked for."""
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
def test_a_hang_up_during_the_challenge_rings_no_phone(
    pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone, spec: CallSpec, after: float
) -> None:
    before = calls_over(db)
    pbx.carrier.call(replace(spec, hang_up_after=after))
    assert ended_call(db, before) == ("challenge", ChallengeResult.ABANDONED, EndedBy.CALLER, (), False)
    assert alice.invites() == []
    if not spec.privacy:
        assert challenges_of(db, spec.caller)[-1] == (AuthClass.UNKNOWN, ALICE, "abandoned")
    assert challenges_of(db, HIDDEN) == [], "of a withheld number nothing is kept"


def test_a_passed_caller_rings_the_phone(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    before = calls_over(db)
    result = call_with_keys(pbx, CallSpec(caller=BY_DIGIT[2], did=ALICE, hang_up_after=None), True)
    known = ended_call(db, before)
    assert (result.bye_from, known.challenge, known.rung) == ("asterisk", ChallengeResult.PASSED, ("201",))
    assert challenges_of(db, BY_DIGIT[2]) == [(AuthClass.UNKNOWN, ALICE, "passed")]


@pytest.mark.parametrize(
    ("keys", "result", "caller"),
    [
        pytest.param((False, False), ChallengeResult.WRONG, BY_DIGIT[3], id="wrong"),
        pytest.param((), ChallengeResult.SILENT, BY_DIGIT[4], id="silent"),
    ],
)
def test_a_voicemail_after_a_failed_challenge_is_stored(
    pbx: ScreenedPbx,
    db: sqlite3.Connection,
    alice: Phone,
    keys: tuple[bool, ...],
    result: ChallengeResult,
    caller: str,
) -> None:
    before, recorded, heard = calls_over(db), len(messages(pbx)), len(played(pbx))
    call_with_keys(pbx, CallSpec(caller=caller, did=ALICE, voice=True, hang_up_after=22.0, timeout=60.0), *keys)
    assert ended_call(db, before) == ("challenge", result, EndedBy.CALLER, (), True)
    assert challenges_of(db, caller) == [(AuthClass.UNKNOWN, ALICE, result.value)], "a message takes nothing back"
    assert len(messages(pbx)) == recorded + 1
    assert {"caller-sorry", "appeal-how", "caller-message"} <= set(played(pbx)[heard:])
    assert alice.invites() == []


def messages(pbx: ScreenedPbx) -> list[str]:
    """Return the messages in Alice's voicemail that last at least a second."""
    folder = pbx.asterisk.directories.spool / "voicemail" / "default" / "201" / "INBOX"
    return [path.name for path in folder.glob("*.wav") if path.stat().st_size > 16_000]


def test_a_failed_caller_without_voicemail_hears_a_goodbye(
    pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone
) -> None:
    before, heard = calls_over(db), len(played(pbx))
    result = call_with_keys(pbx, CallSpec(caller=BY_DIGIT[5], did=SALES, hang_up_after=None), False, False)
    assert ended_call(db, before) == ("challenge", ChallengeResult.WRONG, EndedBy.SYSTEM, (), False)
    assert challenges_of(db, BY_DIGIT[5]) == [(AuthClass.UNKNOWN, SALES, "wrong")]
    told = [key for key in played(pbx)[heard:] if key.startswith(("caller", "appeal"))]
    assert told == ["caller-sorry", "appeal-how", "appeal-address", "caller-goodbye"]
    assert (result.bye_from, alice.invites()) == ("asterisk", [])


def test_without_our_prompts_asterisks_goodbye_is_heard(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    before = calls_over(db)
    folder = pbx.asterisk.directories.sounds / "callsieve"
    folder.rename(folder.with_name("away"))
    try:
        call_with_keys(pbx, CallSpec(caller=BY_DIGIT[6], did=SALES, hang_up_after=None), False, False)
    finally:
        folder.with_name("away").rename(folder)
    assert ended_call(db, before).challenge is ChallengeResult.WRONG
    assert any("Playing 'vm-goodbye" in line for line in pbx.asterisk.log_lines()[-200:])
    assert alice.invites() == []


def test_a_failed_caller_is_challenged_again(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    tries = ((SALES, (False, False), ChallengeResult.WRONG), (ALICE, (True,), ChallengeResult.PASSED))
    for did, keys, result in tries:
        before = calls_over(db)
        call_with_keys(pbx, CallSpec(caller=BY_DIGIT[7], did=did, hang_up_after=None), *keys)
        assert ended_call(db, before)[:2] == ("challenge", result)
    assert challenges_of(db, BY_DIGIT[7]) == [(AuthClass.UNKNOWN, SALES, "wrong"), (AuthClass.UNKNOWN, ALICE, "passed")]
    assert len(alice.invites()) == 1


def test_a_failed_caller_goes_to_the_route(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    """This test is the last, because it changes the settings."""
    pbx.daemon.stop()
    pbx.daemon.log.unlink()
    start_listening(pbx, BY_OFFICE + '\n[actions]\nroute = "spam-box,s,1"\n')
    before, logged = calls_over(db), len(pbx.asterisk.log_lines())
    result = call_with_keys(pbx, CallSpec(caller=BY_DIGIT[8], did=ALICE, hang_up_after=None), False, False)
    assert any("[s@spam-box:1]" in line for line in pbx.asterisk.log_lines()[logged:])
    assert (result.bye_from, ended_call(db, before).challenge, alice.invites()) == (
        "asterisk",
        ChallengeResult.WRONG,
        [],
    )
