"""Proof of control by calling in, on a real Asterisk: the code as tones, in a challenge and at its own extension."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

import pytest

from lab import Answering, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, ScreenedPbx
from reputation.appeals import CODE_TRIES, Appeal, AppealState
from reputation.model import AuthClass
from reputation.store.appeals import appeal_of, open_appeal
from reputation.store.audit import audit_rows
from reputation.store.connection import transaction
from reputation.store.evidence import latest_challenge_pass
from reputation.store.identities import identity_of
from reputation.store.public_appeals import add_public_appeal, called_in_at, code_of, keep_code, shown_code
from tests.integration.office import ASKS_FOR_DIGIT, ASKS_FOR_NAME, asking_office, heard_digits, played
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("leaves_nothing")
LIFTS = [f"+120155504{n:02d}" for n in range(70, 90)]
BY_NAME = "+12015550449"
PROVING = "+442071838753"
RIGHT, WRONG = "314159", "271828"
DIALPLAN = EXTENSIONS.replace("[office]\n", f"[office]\nexten => {PROVING},1,Goto(callsieve-prove,s,1)\n")


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    proving = f'\n[[did]]\nnumber = "{PROVING}"\nscreen = false\n'
    scenes = ("challenge", "caller", "screening")
    with asking_office(ASKS_FOR_NAME + ASKS_FOR_DIGIT, proving, scenes, DIALPLAN) as office:
        yield office


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201", Answering(hang_up_after=0.5)) as phone:
        yield phone


def make_code(db: sqlite3.Connection, number: str, name: str = "Lift 3") -> None:
    """Make a code as `callsieve identity code` does, but known to the test."""
    with transaction(db):
        keep_code(db, number, number, RIGHT, time.time(), name)


def test_a_challenged_caller_keys_a_code_and_rings(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    make_code(db, LIFTS[0])
    began, before = time.time(), len(heard_digits(pbx))
    with pbx.carrier.start(CallSpec(caller=LIFTS[0], did=ALICE, hang_up_after=None)) as call:
        wait_until(lambda: len(heard_digits(pbx)) > before, "the question")
        call.press(f"*{RIGHT}")
        alice.wait_for_invite()
        assert call.result().code == 200
    identity = identity_of(db, LIFTS[0])
    assert identity is not None
    assert (identity.name, identity.level) == ("Lift 3", 1)
    [(added_at,)] = db.execute("SELECT added_at FROM identity WHERE number = ?", (LIFTS[0],))
    assert began <= added_at <= time.time()
    assert [(row.what, row.who) for row in audit_rows(db, LIFTS[0])] == [("identity prove", "a call from the number")]
    wait_until(lambda: latest_challenge_pass(db, LIFTS[0], AuthClass.UNKNOWN) is not None, "the pass")
    assert code_of(db, LIFTS[0]) is None, "used up"


def test_a_caller_asked_for_a_name_can_key_the_code(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    make_code(db, BY_NAME)
    before = played(pbx).count("screening-ask")
    with pbx.carrier.start(CallSpec(caller=BY_NAME, did=ALICE, hang_up_after=None)) as call:
        wait_until(lambda: played(pbx).count("screening-ask") > before, "the question")
        time.sleep(1.0)  # the tone
        call.press(f"*{RIGHT}")
        alice.wait_for_invite()
        call.result()
    assert identity_of(db, BY_NAME) is not None


def test_a_wrong_code_fails_the_challenge(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    make_code(db, LIFTS[1])
    before = len(heard_digits(pbx))
    with pbx.carrier.start(CallSpec(caller=LIFTS[1], did=ALICE, hang_up_after=4.0)) as call:
        wait_until(lambda: len(heard_digits(pbx)) > before, "the question")
        call.press(f"*{WRONG}")
        wait_until(lambda: len(heard_digits(pbx)) > before + 1, "being asked again")
        call.press(heard_digits(pbx)[-1])
        alice.wait_for_invite()
        call.result()
    assert identity_of(db, LIFTS[1]) is None
    kept = code_of(db, LIFTS[1])
    assert kept is not None
    assert kept.tries == 1


def call_proof_extension(pbx: ScreenedPbx, caller: str, *keys: str, **more: object) -> list[str]:
    """Call the extension where codes are keyed, and return which of Asterisk's sounds were heard."""
    logged = len(pbx.asterisk.log_lines())
    spec = CallSpec(caller=caller, did=PROVING, hang_up_after=None, timeout=60.0, **more)  # type: ignore[arg-type]

    def heard() -> list[str]:
        lines = pbx.asterisk.log_lines()[logged:]
        return [line.split("Playing '")[1].split(".")[0] for line in lines if "Playing '" in line]

    with pbx.carrier.start(spec) as call:
        for count, key in enumerate(keys, start=1):
            wait_until(lambda count=count: len(heard()) >= count, "being asked")  # type: ignore[misc]
            call.press(key)
        result = call.result()
    assert (result.code, result.bye_from) == (200, "asterisk")
    return heard()


def test_the_proof_extension_takes_the_code(pbx: ScreenedPbx, db: sqlite3.Connection, alice: Phone) -> None:
    make_code(db, LIFTS[2], "")
    assert call_proof_extension(pbx, LIFTS[2], WRONG, RIGHT) == [
        "agent-pass",
        "auth-incorrect",
        "auth-thankyou",
        "callsieve/caller-goodbye",
    ]
    identity = identity_of(db, LIFTS[2])
    assert identity is not None
    assert (identity.name, identity.level) == (LIFTS[2], 1), "nobody said whose it is"
    pbx.carrier.call(CallSpec(caller=LIFTS[2], did=ALICE, hang_up_after=None))
    assert len(alice.invites()) == 1, "a proof counts as a challenge that was passed"


def test_a_code_is_valid_once_and_only_for_its_number(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    make_code(db, LIFTS[3])
    refused = ["agent-pass", *["auth-incorrect"] * 2, "im-sorry", "callsieve/caller-goodbye"]
    assert call_proof_extension(pbx, LIFTS[4], *[RIGHT] * 3) == refused
    assert call_proof_extension(pbx, LIFTS[3], RIGHT)[1] == "auth-thankyou"
    assert call_proof_extension(pbx, LIFTS[3], *[RIGHT] * 3) == refused
    assert [row.number for row in audit_rows(db) if row.number in LIFTS[3:5]] == [LIFTS[3]]
    assert identity_of(db, LIFTS[4]) is None


def test_five_wrong_guesses_spend_the_code(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    make_code(db, LIFTS[5])
    for _ in range(2):
        call_proof_extension(pbx, LIFTS[5], *[WRONG] * 3)
    assert len(audit_rows(db, LIFTS[5])) == CODE_TRIES
    assert "auth-thankyou" not in call_proof_extension(pbx, LIFTS[5], *[RIGHT] * 3)
    assert identity_of(db, LIFTS[5]) is None


def test_a_frozen_daemon_accepts_no_code(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    make_code(db, LIFTS[6])
    logged = len(pbx.asterisk.log_lines())
    with pbx.carrier.start(CallSpec(caller=LIFTS[6], did=PROVING, hang_up_after=None, timeout=60.0)) as call:
        wait_until(
            lambda: any("Playing 'agent-pass" in line for line in pbx.asterisk.log_lines()[logged:]), "being asked"
        )
        pbx.daemon.freeze()
        try:
            call.press(RIGHT)
            wait_until(lambda: any("Playing 'auth-inc" in line for line in pbx.asterisk.log_lines()[logged:]), "no")
        finally:
            pbx.daemon.thaw()
        call.close()


def test_a_public_page_code_in_an_unsigned_call_proves_nothing(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    appeal = Appeal(
        reference="AP000001", number=LIFTS[8], name="Lift Ltd", contact="lift@example.com", opened_at=time.time()
    )
    with transaction(db):
        open_appeal(db, appeal)
        add_public_appeal(db, appeal.reference, "link", time.time())
        keep_code(db, shown_code(appeal.reference), appeal.number, RIGHT, time.time())
    assert call_proof_extension(pbx, LIFTS[8], RIGHT)[1] == "auth-thankyou"
    assert called_in_at(db, appeal.reference) is not None
    filed = appeal_of(db, appeal.reference)
    assert filed is not None
    assert filed.state is AppealState.OPEN
    assert identity_of(db, LIFTS[8]) is None
