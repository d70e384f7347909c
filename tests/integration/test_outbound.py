"""The outbound guard on a real Asterisk: it allows, holds and refuses, and after a failure the call goes out."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from lab import Answering, CallSpec, Phone
from lab.screened import ROOT, SETTINGS, ScreenedPbx
from reputation.store.do_not_call import do_not_call_of
from tests.integration.office import install_prompts, start_listening
from tests.integration.outbound import (
    ACTING,
    BOUND,
    GUARDED,
    OWN,
    SLACK,
    count_requests,
    decided,
    dial,
    dial_frozen,
    dial_killed,
    later,
)
from tests.waiting import wait_until

NEW_JERSEY = "+12015550160"
UNWANTED, OFTEN, ASKED, NEXT = (f"+1201555016{n}" for n in range(1, 5))
PARIS = "+33140205050"
# What an administrator allows a call in all, before the guard is asked.
LIMITED = f"""exten => 33,1,Set(TIMEOUT(absolute)=1.5)
 same => n,Goto({PARIS},1)
"""
OWN_NUMBERS = (ROOT / "docs" / "how-to" / "own-numbers.md").read_text()
# What AMD() would leave behind, a person, and a dialplan that knows it by itself.
ANSWERED = """
exten => _7[01]+X.,1,Set(AMDSTATUS=${IF($["${EXTEN:1:1}" = "0"]?MACHINE:HUMAN)})
 same => n,Goto(${EXTEN:2},1)
exten => _72+X.,1,Gosub(callsieve-machine,s,1)
 same => n,Goto(${EXTEN:2},1)
exten => _73+X.,1,Set(CALLERID(num)=+442071838751)
 same => n,Dial(PJSIP/${EXTEN:2}@carrier,60,U(callsieve-machine))
exten => _75+X.,1,Set(CALLERID(num)=+442071838759)
 same => n,Dial(PJSIP/${EXTEN:2}@carrier,60)
exten => _76+X.,1,Set(CALLERID(num)=+442071838751)
 same => n,Dial(PJSIP/${EXTEN:2}@carrier,60,b(callsieve-call-id^s^1))
exten => _74+X.,1,Set(CALLERID(num)=+442071838751)
 same => n,Gosub(callsieve-outbound,s,1(${EXTEN:2},${CALLERID(num)},carrier))
 same => n,Dial(PJSIP/${EXTEN:2}@carrier,60,U(answered-by))

"""
ANSWERED += re.findall(r"^```\n(\[answered-by\]\n.*?)^```$", OWN_NUMBERS, re.MULTILINE | re.DOTALL)[0]
SCREENED_OWN = "+442071838759"
CALLEES = iter(f"+120155507{n:02d}" for n in range(100))


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(
        extensions=GUARDED + LIMITED + ANSWERED,
        start_daemon=False,
        config={"amd.conf": "[general]\ntotal_analysis_time = 5000\n"},
    ) as office:
        start_listening(office, SETTINGS + ACTING + later())
        install_prompts(office, {"outbound-refuse": 0.7, "outbound-hold": 0.7, "say-do-not-call": 0.7})
        yield office


@pytest.fixture
def carrier(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "carrier") as far_end:
        yield far_end


def test_an_allowed_call_goes_out(pbx: ScreenedPbx, carrier: Phone) -> None:
    assert dial(pbx, NEW_JERSEY).code == 200
    [record] = decided(pbx, NEW_JERSEY)
    assert (record.action, record.rule, record.own_number, record.person) == ("allow", "default", OWN, "201")


def test_a_call_to_a_do_not_call_number_is_refused(pbx: ScreenedPbx, carrier: Phone) -> None:
    pbx.daemon.callsieve("own", "dnc", "add", UNWANTED)
    result = dial(pbx, UNWANTED)
    assert result.code == 403
    assert result.heard.audible_seconds > 0.4, "the agent hears why"
    assert carrier.invites() == []
    assert decided(pbx, UNWANTED)[0].rule == "do-not-call"


def test_a_call_at_a_bad_hour_is_held_and_the_allowed_time_spoken(pbx: ScreenedPbx, carrier: Phone) -> None:
    result = dial(pbx, PARIS)
    assert result.code == 403
    assert result.heard.audible_seconds > 1.0, "the prompt and the time"
    assert carrier.invites() == []
    [record] = decided(pbx, PARIS)
    assert (record.action, record.rule) == ("hold", "hours")
    assert record.until is not None
    local = datetime.fromtimestamp(record.until, ZoneInfo("Europe/Paris"))
    assert (local.minute, record.until > time.time()) == (0, True)


def test_a_held_call_that_expires_does_not_go_out(pbx: ScreenedPbx, carrier: Phone) -> None:
    result = dial(pbx, "33", seconds=5.0)
    assert result.code != 200
    assert carrier.invites() == []


def test_the_fourth_call_to_a_person_waits_until_tomorrow(pbx: ScreenedPbx, carrier: Phone) -> None:
    codes = [dial(pbx, OFTEN).code for _ in range(3)]
    decided(pbx, OFTEN, 3)
    assert [*codes, dial(pbx, OFTEN).code] == [200, 200, 200, 403]
    assert len(carrier.invites()) == 3
    assert decided(pbx, OFTEN, 4)[0].rule == "person-day"


def test_the_dnc_code_refuses_further_calls_until_undone(pbx: ScreenedPbx, carrier: Phone) -> None:
    assert dial(pbx, ASKED).code == 200
    db = sqlite3.connect(pbx.daemon.store)
    over = "SELECT 1 FROM outcome WHERE dialled = ?"
    wait_until(lambda: db.execute(over, (ASKED,)).fetchone() is not None, "its end")
    assert dial(pbx, "*29", seconds=3.0).heard.audible_seconds > 0.4
    wish = do_not_call_of(db, ASKED)
    assert wish is not None
    assert (wish.person, wish.own_number) == ("201", OWN)
    assert dial(pbx, ASKED).code == 403
    dial(pbx, "*29", seconds=3.0)
    assert do_not_call_of(db, ASKED) is None
    assert dial(pbx, ASKED).code == 200
    db.close()


@pytest.mark.parametrize("number", ["911", "+358112"])
def test_an_emergency_call_skips_the_guard(pbx: ScreenedPbx, carrier: Phone, number: str) -> None:
    before = count_requests(pbx)
    result = dial_frozen(pbx, number)
    assert result.code == 200
    assert (result.ringing_seconds or 9) < SLACK
    assert dial(pbx, NEXT).code == 200, "after which the daemon has answered whatever waited for it"
    assert count_requests(pbx) == before + 1


@pytest.mark.parametrize(
    ("status", "disposition", "is_blocked"),
    [
        pytest.param("603 Decline", "rejected", False, id="a-person"),
        pytest.param(
            '603 Network Blocked\nReason: Q.850;cause=21;text="v=analytics1;url=https://a.example";location=LN',
            "rejected",
            True,
            id="603-plus",
        ),
        pytest.param("608 Rejected", "rejected", True, id="608"),
        pytest.param("607 Unwanted", "rejected", False, id="607-is-a-person"),
        pytest.param('603 " | ${SHELL(id)}, Refused: network', "rejected", False, id="hostile"),
        pytest.param("486 Busy Here", "busy", False, id="busy"),
        pytest.param("404 Not Found", "failed", False, id="no-such-number"),
    ],
)
def test_a_refusal_by_a_network_differs_from_one_by_a_person(
    pbx: ScreenedPbx, status: str, disposition: str, is_blocked: bool
) -> None:
    number = next(CALLEES)
    with Phone(pbx.asterisk, "carrier", Answering(status=status, ring_seconds=0.1)):
        dial(pbx, number)
    assert ending_of(pbx, number) == (disposition, is_blocked, False)


@pytest.mark.parametrize(
    ("code", "is_machine"),
    [
        pytest.param("70", True, id="amd"),
        pytest.param("71", False, id="a-person"),
        pytest.param("72", True, id="the-dialplan"),
        pytest.param("73", True, id="on-the-called-channel"),
    ],
)
def test_an_answering_machine_is_recorded(pbx: ScreenedPbx, carrier: Phone, code: str, is_machine: bool) -> None:
    number = next(CALLEES)
    dial(pbx, code + number)
    assert ending_of(pbx, number) == ("answered", False, is_machine)


def test_the_trunks_call_id_is_stored(pbx: ScreenedPbx, carrier: Phone) -> None:
    number = next(CALLEES)
    dial(pbx, f"76{number}")
    with closing(sqlite3.connect(pbx.daemon.store)) as db:
        found = "SELECT call_id FROM outcome WHERE dialled = ?"
        wait_until(lambda: db.execute(found, (number,)).fetchone() is not None, "its end")
        assert db.execute(found, (number,)).fetchone() == (carrier.invites()[-1].header("Call-ID"),)


def test_asterisks_amd_detects_a_machine(pbx: ScreenedPbx) -> None:
    """With the dialplan of docs/how-to/own-numbers.md: 2.5 s of silence are a machine."""
    assert "Loaded" in pbx.asterisk.cli("module load app_amd.so")
    number = next(CALLEES)
    with Phone(pbx.asterisk, "carrier", ears=True):
        assert dial(pbx, f"74{number}", seconds=1.0).code == 200
    assert ending_of(pbx, number) == ("answered", False, True)


RINGS, AUDIO = "180 Ringing", "183 Session Progress"


@pytest.mark.parametrize(
    ("how", "is_machine"),
    [
        pytest.param(Answering(ringing=AUDIO, ring_seconds=0.4), True, id="audio-and-an-answer"),
        pytest.param(Answering(before=((AUDIO, 2.0),), ring_seconds=0.4), True, id="rings-for-0.4-s-after-audio"),
        pytest.param(Answering(before=((RINGS, 5.3),), ringing=AUDIO, ring_seconds=0.3), True, id="diverted"),
        pytest.param(Answering(ringing=AUDIO, ring_seconds=2.0), False, id="a-ringing-tone-as-audio"),
        pytest.param(Answering(before=((RINGS, 0.1),), ringing=AUDIO, ring_seconds=2.0), False, id="rings-by-both"),
    ],
)
def test_an_answer_without_ringing_counts_as_a_machine(pbx: ScreenedPbx, how: Answering, is_machine: bool) -> None:
    number = next(CALLEES)
    before = days_of_own(pbx)
    with Phone(pbx.asterisk, "carrier", how):
        assert dial(pbx, number).code == 200
    ending_of(pbx, number)
    after = days_of_own(pbx)
    assert [now - then for then, now in zip(before, after, strict=True)] == [1, int(not is_machine), int(is_machine)]


def days_of_own(pbx: ScreenedPbx) -> list[int]:
    """Return how many calls were made with OWN, answered by a person, and answered by a machine."""
    with closing(sqlite3.connect(pbx.daemon.store)) as db:
        counted = "SELECT total(attempts), total(answered), total(machine) FROM own_day WHERE number = ?"
        return [int(total) for total in db.execute(counted, (OWN,)).fetchone()]


def test_machines_that_hang_up_on_time_are_no_short_calls(pbx: ScreenedPbx) -> None:
    """A call screener answers after a person's time, and ends each call 1.3 s later."""
    numbers = [f"+120155508{n:02d}" for n in range(20)]
    answers = Answering(ring_seconds=1.7, hang_up_after=1.3)
    with Phone(pbx.asterisk, "carrier", answers), Phone(pbx.asterisk, "201") as handset, ExitStack() as calls:
        for call in [
            calls.enter_context(handset.dial(f"75{number}", CallSpec(hang_up_after=None))) for number in numbers
        ]:
            assert call.result().code == 200
    for number in numbers:
        ending_of(pbx, number)
    health = json.loads(pbx.daemon.callsieve("own", "show", SCREENED_OWN, "--json").stdout)["health"]
    figures = health["windows"][-1]
    assert (figures["attempts"], figures["answered"], figures["short"], figures["machine"]) == (20, 0, 0, 20)
    assert "short" not in {reason["measure"] for reason in health["reasons"]}


def ending_of(pbx: ScreenedPbx, number: str) -> tuple[str, bool, bool]:
    """Return how the call ended, whether a network refused it, and whether a machine answered."""
    with closing(sqlite3.connect(pbx.daemon.store)) as db:
        found = "SELECT disposition, blocked = 1, machine = 1 FROM outcome WHERE dialled = ?"
        wait_until(lambda: db.execute(found, (number,)).fetchone() is not None, "its end")
        disposition, blocked, machine = db.execute(found, (number,)).fetchone()
    return disposition, bool(blocked), bool(machine)


def test_a_frozen_guard_lets_the_call_out(
    pbx: ScreenedPbx, carrier: Phone, record_delay: Callable[[float | None], None]
) -> None:
    result = dial_frozen(pbx, UNWANTED)
    assert result.code == 200
    assert BOUND - 0.1 < (result.ringing_seconds or 9) < BOUND + SLACK
    record_delay(result.ringing_seconds)


def test_a_guard_killed_while_deciding_lets_the_call_out(
    pbx: ScreenedPbx, carrier: Phone, record_delay: Callable[[float | None], None]
) -> None:
    result = dial_killed(pbx, UNWANTED)
    assert result.code == 200
    record_delay(result.ringing_seconds)
    again = dial(pbx, UNWANTED)
    assert again.code == 200
    assert (again.ringing_seconds or 9) < SLACK
    pbx.daemon.start()


def test_globals_send_held_and_refused_calls_elsewhere() -> None:
    desk = "\n[desk]\nexten => s,1,Answer()\n same => n,Playback(beep)\n same => n,Hangup()\n"
    places = {"CALLSIEVE_OUTBOUND_REFUSED": "desk,s,1", "CALLSIEVE_OUTBOUND_HELD": "desk,s,1"}
    settings = SETTINGS + ACTING + later()
    with ScreenedPbx(extensions=GUARDED + desk, settings=settings, globals=places) as office:
        office.daemon.callsieve("own", "dnc", "add", UNWANTED)
        with Phone(office.asterisk, "carrier") as far_end:
            assert [dial(office, number, seconds=5.0).code for number in (UNWANTED, PARIS)] == [200, 200]
            assert far_end.invites() == []
            office.daemon.write_settings(settings.replace("observe = false", "observe = true"))
            office.daemon.reload()

            def goes_out() -> bool:
                dial(office, UNWANTED)
                return bool(far_end.invites())

            wait_until(goes_out, "observing", 30.0)
        observed = decided(office, UNWANTED)[0]
        assert (observed.action, observed.would_be, observed.rule) == ("allow", "refuse", "do-not-call")
