"""Outcomes and feature codes on a real Asterisk change the decision on the next call."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from functools import partial

import pytest

from lab import Answering, CallSpec, Phone
from lab.configuration import PHONES
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import AuthClass, SignalCategory, Verdict
from reputation.scoring import families_of
from reputation.store.connection import open_store
from reputation.store.evidence_rows import answered_of, marks_of, signals_of
from reputation.store.lists import expected_call_of
from reputation.store.outcomes import outcomes
from reputation.store.site import latest_emergency
from tests.integration.office import STRANGER, decision_on, start_listening
from tests.waiting import wait_until

NUISANCE = "+12015550150"
CUSTOMER = "+12015550151"
PRESSED = "+12015550153"
WITHHOLDER = "+12015550152"
FOLLOWED = "+12015550154"

# +44 20 7183 8761 to 8766 ring the phones 201 to 206, and the phones know our codes.
LINES = {phone: f"+44207183876{phone[-1]}" for phone in PHONES}
DIALLED = "".join(
    f"exten => {did},1,Set(__DYNAMIC_FEATURES=callsieve-spam)\n same => n,Dial(PJSIP/{phone},20,${{CALLSIEVE_DIAL}})\n"
    for phone, did in LINES.items()
)
# What is decided must not depend on the time of day, nor on what the control sample draws.
NO_NIGHT = "[reputation.quiet]\nfirst_hour = 0\nlast_hour = 0\n[reputation.sample]\nevery = 0\n"
# As docs/how-to/codes.md has it.
FEATURES = "[applicationmap]\ncallsieve-spam => *9,self/callee,Gosub(callsieve-incall,spam,1)\n"
MENU, FOLLOW_ME = "+442071838770", "+442071838771"
BEHIND_A_MENU = f"exten => {MENU},1,Answer()\n same => n,Wait(1)\n same => n,Dial(PJSIP/201,20)\n"
WITH_A_MOBILE = f"exten => {FOLLOW_ME},1,Dial(PJSIP/201&PJSIP/+12015550160@carrier,20)\n"
OFFICE = EXTENSIONS.replace("[office]\n", f"[office]\n{DIALLED}{BEHIND_A_MENU}{WITH_A_MOBILE}").replace(
    "[from-internal]\n",
    "[from-internal]\ninclude => callsieve-codes\nexten => 911,1,Dial(PJSIP/911@carrier,20)\n",
)


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=OFFICE, start_daemon=False, config={"features.conf": FEATURES}, patient=True) as office:
        people = "".join(f'[[person]]\nextension = "{phone}"\n' for phone in PHONES[2:])
        dids = "".join(f'[[did]]\nnumber = "{did}"\ncallee = "{phone}"\n' for phone, did in LINES.items())
        start_listening(office, SETTINGS + people + dids + NO_NIGHT)
        yield office


def test_hang_ups_and_marks_of_people_raise_the_level(pbx: ScreenedPbx) -> None:
    with open_store(pbx.daemon.store) as db:
        for count, phone in enumerate(LINES, start=1):
            hang_up_on(pbx, db, phone, count)
        assert [call.action for call in outcomes(db, number=NUISANCE)] == ["allow"] * 6, "hang-ups alone label nobody"
        signals = signals_of(db, NUISANCE)
        assert {signal.category for signal in signals} == {SignalCategory.HUNG_UP_ON}
        assert {signal.callee for signal in signals} == set(PHONES)
        assert len(answered_of(db, NUISANCE)) == len(PHONES)

        dial(pbx, "202", "*37")
        [mark] = marks_of(db, NUISANCE)
        assert (mark.reporter, mark.verdict, mark.auth_class) == ("202", Verdict.SPAM, AuthClass.UNKNOWN)
        dial(pbx, "203", "*37")
        hang_up_on(pbx, db, "206", 7)
        assert decision_on(pbx.daemon.store, NUISANCE).action == "warn"
        assert signals_of(db, NUISANCE) == signals, "what people do when they are warned is no evidence"
        dial(pbx, "204", "*37")
        shown = json.loads(pbx.daemon.callsieve("lookup", NUISANCE, "--json").stdout)
        assert str(shown).count("hung-up-on") >= 2
        assert shown["reputation"]["level"] == "challenge"
        # The next call to the same person is no more than warned of so soon after the last one.
        hang_up_on(pbx, db, "206", 8)
    warned = decision_on(pbx.daemon.store, NUISANCE)
    assert (warned.action, warned.level, warned.rule) == ("warn", "challenge", "level-challenge")
    assert {family.name for family in families_of(warned.vector)} == {"marked", "unmarked", "hung up"}
    # Whoever marked it is not rung by it any more; the others are.
    assert pbx.carrier.call(CallSpec(caller=NUISANCE, did=LINES["204"])).code == 603
    wait_until(lambda: decision_on(pbx.daemon.store, NUISANCE).rule == "callee-blocklist", "the block in the journal")

    dial(pbx, "204", "*37")  # within a minute: taken back
    with open_store(pbx.daemon.store) as db:
        assert {mark.reporter: mark.verdict for mark in marks_of(db, NUISANCE)} == {
            "202": Verdict.SPAM,
            "203": Verdict.SPAM,
            "204": Verdict.RETRACTED,
        }


def hang_up_on(pbx: ScreenedPbx, db: sqlite3.Connection, phone: str, count: int) -> None:
    """The nuisance calls a phone, which hangs up at once. This is its call number `count`."""
    with Phone(pbx.asterisk, phone, Answering(hang_up_after=1.0)):
        spec = CallSpec(caller=NUISANCE, name="Offer", did=LINES[phone], hang_up_after=None)
        assert pbx.carrier.call(spec).bye_from == "asterisk"
    wait_until(partial(is_learnt, db, count), "an outcome of each")


def is_learnt(db: sqlite3.Connection, count: int) -> bool:
    """Return whether so many calls have ended and are joined with their decisions."""
    return len([outcome for outcome in outcomes(db, number=NUISANCE) if outcome.action]) >= count


def dial(pbx: ScreenedPbx, phone: str, code: str) -> None:
    """Dial a feature code and listen to what it says."""
    with Phone(pbx.asterisk, phone) as handset, handset.dial(code, CallSpec(hang_up_after=None)) as call:
        result = call.result()
    assert result.code == 200
    assert result.heard.audible_seconds > 0.5, "nothing was said"


def test_a_number_talked_to_is_allowed_for_that_callee(pbx: ScreenedPbx) -> None:
    pbx.daemon.callsieve("list", "add", "block", CUSTOMER, "--action", "tag")
    with Phone(pbx.asterisk, "carrier"), Phone(pbx.asterisk, "201") as alice:
        with alice.dial(CUSTOMER, CallSpec(hang_up_after=31.0, timeout=60.0)) as call:
            assert call.result().code == 200
        with open_store(pbx.daemon.store) as db:
            wait_until(lambda: bool(signals_of(db, CUSTOMER)), "the call-back")
            assert [s.category for s in signals_of(db, CUSTOMER)] == [SignalCategory.CALLED_BACK]
        pbx.daemon.callsieve("list", "remove", "block", CUSTOMER)
        pbx.carrier.call(CallSpec(caller=CUSTOMER, did=ALICE))
        wait_until(lambda: decision_on(pbx.daemon.store, CUSTOMER).rule == "talked", "the relationship in the journal")


def test_a_key_during_the_call_marks_its_caller(pbx: ScreenedPbx) -> None:
    with (
        Phone(pbx.asterisk, "204") as phone,
        pbx.carrier.start(CallSpec(caller=PRESSED, did=LINES["204"], hang_up_after=25.0)) as call,
    ):
        call.wait_until_answered()
        wait_until(lambda: " 2 " in pbx.asterisk.cli("bridge show all"), "the two talking")
        decision_on(pbx.daemon.store, PRESSED)
        with open_store(pbx.daemon.store) as db:

            def pressed() -> bool:  # as people do: again, when nothing beeps
                phone.press("*9")
                time.sleep(1.0)
                return bool(marks_of(db, PRESSED))

            wait_until(pressed, "the mark")
            [mark] = marks_of(db, PRESSED)
            assert (mark.reporter, mark.verdict) == ("204", Verdict.SPAM)


def test_the_expect_code_opens_and_closes_a_window(pbx: ScreenedPbx) -> None:
    dial(pbx, "203", "*35")
    with open_store(pbx.daemon.store) as db:
        window = expected_call_of(db, "203")
        assert window is not None
        assert window.until > time.time() + 7000
        dial(pbx, "203", "*35")
        assert expected_call_of(db, "203") is None


def test_a_withheld_number_is_not_stored(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201"):
        pbx.carrier.call(CallSpec(caller=WITHHOLDER, privacy=True, did=ALICE))
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: any(o.did == ALICE and o.caller is None for o in outcomes(db)), "the outcome")
        assert WITHHOLDER not in {o.caller for o in outcomes(db)}


def test_a_call_cut_by_a_killed_asterisk_is_incomplete(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201"):
        with pbx.carrier.start(CallSpec(caller=STRANGER, did=ALICE, hang_up_after=20.0)) as call:
            call.wait_until_answered()
            logins = count_logins(pbx)
            pbx.asterisk.kill()
        pbx.daemon.wait_for_log("gap in Asterisk's events")
        pbx.asterisk.start()
        wait_until(lambda: count_logins(pbx) > logins, "a new login", 20)
        with open_store(pbx.daemon.store) as db:
            wait_until(lambda: any(o.caller == STRANGER for o in outcomes(db)), "the incomplete outcome", 20.0)
            assert [o.complete for o in outcomes(db) if o.caller == STRANGER] == [False]
            assert signals_of(db, STRANGER) == []


def count_logins(pbx: ScreenedPbx) -> int:
    """Return how often the daemon has begun to listen."""
    return pbx.daemon.log.read_text().count("listening to Asterisk")


def test_an_emergency_call_through_a_trunk_opens_the_window(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "carrier"), Phone(pbx.asterisk, "205") as phone:
        with phone.dial("911", CallSpec(hang_up_after=0.5)) as call:
            assert call.result().code == 200
        pbx.daemon.wait_for_log("emergency call made from this site")
        with open_store(pbx.daemon.store) as db:
            wait_until(lambda: latest_emergency(db) is not None, "the window")


def test_a_call_to_a_desk_phone_and_a_mobile_counts_if_answered(pbx: ScreenedPbx) -> None:
    with (
        Phone(pbx.asterisk, "carrier", Answering.never()),
        Phone(pbx.asterisk, "201", Answering(ring_seconds=1.0, hang_up_after=1.0)),
    ):
        pbx.carrier.call(CallSpec(caller=FOLLOWED, did=FOLLOW_ME, hang_up_after=None))
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: bool(signals_of(db, FOLLOWED)), "the hang-up")
        [outcome] = outcomes(db, number=FOLLOWED)
        assert (outcome.answered_by, outcome.transferred, len(outcome.rung)) == ("201", False, 1)


def test_phones_are_known_by_name_and_menus_ring_no_phone() -> None:
    """`asterisk install` describes no trunk and no person."""
    with ScreenedPbx(extensions=OFFICE, start_daemon=False, patient=True) as office:
        start_listening(office, NO_NIGHT)
        with Phone(office.asterisk, "201", Answering(hang_up_after=1.0)):
            office.carrier.call(CallSpec(caller=NUISANCE, did=ALICE, hang_up_after=None))
        with open_store(office.daemon.store) as db:
            wait_until(partial(is_learnt, db, 1), "the outcome")
            [outcome] = outcomes(db, number=NUISANCE)
            assert (outcome.answered_by, outcome.transferred) == ("PJSIP/201", False)
            [signal] = signals_of(db, NUISANCE)
            assert (signal.category, signal.callee) == (SignalCategory.HUNG_UP_ON, "PJSIP/201")
            dial(office, "201", "*37")
            [mark] = marks_of(db, NUISANCE)
            assert (mark.reporter, mark.verdict) == ("PJSIP/201", Verdict.SPAM)

            with Phone(office.asterisk, "201", Answering.never()):
                assert office.carrier.call(CallSpec(caller=CUSTOMER, did=MENU, hang_up_after=4.0)).code == 200
            wait_until(lambda: bool(outcomes(db, number=CUSTOMER)), "the outcome")
            [outcome] = outcomes(db, number=CUSTOMER)
            assert (outcome.answered_by, outcome.answered_by_pbx, outcome.complete) == (None, True, True)
            waiting = "SELECT count(*) FROM outcome WHERE waits_since IS NOT NULL"
            wait_until(lambda: db.execute(waiting).fetchone() == (0,), "the decision beside its outcome")
            assert SignalCategory.ONE_RING not in {signal.category for signal in signals_of(db, CUSTOMER)}
