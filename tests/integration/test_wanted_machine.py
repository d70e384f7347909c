"""A wanted automated caller on a real Asterisk: it cannot press a digit, leaves its message, and then rings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from lab import Answering, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, ScreenedPbx
from reputation.model import AuthClass, ChallengeResult, ListName, Verdict
from reputation.store.evidence_rows import marks_of
from reputation.store.lists import list_entries
from reputation.store.marks import last_caller_of
from reputation.store.outcomes import outcomes
from tests.integration.office import ASKS_FOR_DIGIT, asking_office, decision_on
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("leaves_nothing")
LIFT, REMINDER, SIREN = "+12015550490", "+12015550491", "+12015550492"
BOB = "+442071838754"
DIALPLAN = EXTENSIONS.replace("[from-internal]\n", "[from-internal]\ninclude => callsieve-codes\n").replace(
    "[office]\n", f"[office]\nexten => {BOB},1,Dial(PJSIP/202,20,${{CALLSIEVE_DIAL}})\n"
)


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    bob = f'\n[[did]]\nnumber = "{BOB}"\ncallee = "202"\n'
    with asking_office(ASKS_FOR_DIGIT, bob, ("challenge", "caller", "say"), DIALPLAN) as office:
        yield office


def does_ring(pbx: ScreenedPbx, caller: str, phone: str, did: str) -> bool:
    """Return whether a call that presses nothing rings the phone."""
    with Phone(pbx.asterisk, phone, Answering(hang_up_after=0.5)) as handset:
        pbx.carrier.call(CallSpec(caller=caller, did=did, hang_up_after=4.0))
        return bool(handset.invites())


def leave_message(pbx: ScreenedPbx, db: sqlite3.Connection, caller: str) -> None:
    """Let a machine talk to whatever answers, and check that its message is stored."""
    spec = CallSpec(caller=caller, did=ALICE, voice=True, hang_up_after=24.0, timeout=60.0)
    pbx.carrier.call(spec)
    wait_until(lambda: any(call.action for call in outcomes(db, number=caller)), "the outcome")
    [call] = outcomes(db, number=caller)
    assert (call.challenge, call.voicemail_left, call.rung) == (ChallengeResult.SILENT, True, ())


def dial(pbx: ScreenedPbx, phone: str, code: str) -> None:
    with Phone(pbx.asterisk, phone) as handset, handset.dial(code, CallSpec(hang_up_after=None)) as call:
        assert call.result().code == 200


def test_star_38_after_its_message_lets_a_machine_ring_that_callee(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    leave_message(pbx, db, LIFT)
    last = last_caller_of(db, "201")
    assert last is not None
    assert last.number == LIFT
    dial(pbx, "201", "*38")
    [mark] = marks_of(db, LIFT)
    assert (mark.reporter, mark.verdict, mark.auth_class) == ("201", Verdict.OK, AuthClass.UNKNOWN)
    assert does_ring(pbx, LIFT, "201", ALICE)
    wait_until(lambda: decision_on(pbx.daemon.store, LIFT).action == "allow", "the decision in the journal")
    assert not does_ring(pbx, LIFT, "202", BOB), "what one callee says lets nobody else's phone ring"
    dial(pbx, "201", "*38")
    assert not does_ring(pbx, LIFT, "201", ALICE), "taken back"


def test_star_33_after_its_message_lets_a_machine_ring_that_callee(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    leave_message(pbx, db, REMINDER)
    dial(pbx, "201", "*33")
    assert does_ring(pbx, REMINDER, "201", ALICE)
    assert not does_ring(pbx, REMINDER, "202", BOB)


def test_an_allowlist_entry_lets_a_machine_ring_every_phone(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    assert not does_ring(pbx, SIREN, "201", ALICE)
    added = pbx.daemon.callsieve("list", "add", "allow", SIREN, "--note", "machine, wanted")
    [entry] = list_entries(db)
    assert (entry.list_name, entry.text, entry.note) == (ListName.ALLOW, SIREN, "machine, wanted")
    assert does_ring(pbx, SIREN, "201", ALICE)
    assert does_ring(pbx, SIREN, "202", BOB)
    pbx.daemon.callsieve(*added.stdout.split("callsieve ")[-1].split()[:2])
    assert not does_ring(pbx, SIREN, "201", ALICE)
