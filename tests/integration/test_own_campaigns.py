"""Campaigns after real calls: how a number calls decides its grade, and malicious complaints do not.

A few calls of each kind go through a real Asterisk. What the listener made of them is repeated over weeks with time
compressed (a second of talk stands for a minute, a second of ringing for twenty), and then the grades are asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lab import Answering, CallSpec, Phone
from lab.screened import SETTINGS, ScreenedPbx
from reputation.model import Direction, Disposition, EndedBy
from reputation.outcome import OutcomeRecord
from reputation.store.connection import open_store
from reputation.store.outcomes import outcomes_of_own
from tests.integration.office import start_listening
from tests.integration.outbound import ACTING, GUARDED
from tests.integration.outbound import OWN as LAB
from tests.reputation import own_campaigns
from tests.reputation.own_campaigns import CARELESS, CONSIDERATE, Shapes, campaign, run
from tests.reputation.store_builders import DAY
from tests.waiting import wait_until

INNOCENT, CARELESS_OWN, ROTATED_OWN = "+442071838756", "+442071838757", "+442071838758"
REAL, CUSTOMER = "+12015550170", "+12015550171"
TALK_FACTOR, RING_FACTOR = 60.0, 20.0
# The campaigns' numbers call out too, so that the guard is seen to go by their grades.
LINES = "".join(
    f"exten => {code},1,Set(CALLERID(num)={number})\n"
    f" same => n,Gosub(callsieve-outbound,s,1({callee},${{CALLERID(num)}},carrier))\n"
    f" same => n,Dial(PJSIP/{callee}@carrier,20)\n same => n,Hangup()\n"
    for code, number, callee in (
        ("7000", LAB, REAL),
        ("7001", INNOCENT, CUSTOMER),
        ("7002", CARELESS_OWN, CUSTOMER),
        ("7003", ROTATED_OWN, CUSTOMER),
    )
)


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    extensions = GUARDED.replace("[from-internal]\n", f"[from-internal]\n{LINES}")
    with ScreenedPbx(extensions=extensions, start_daemon=False) as office:
        start_listening(office, SETTINGS + ACTING)
        yield office


@pytest.fixture(scope="module")
def shapes(pbx: ScreenedPbx) -> Shapes:
    """One real call of each kind, as the listener recorded it, in compressed time."""
    talked = real_call(pbx, Answering(ring_seconds=1.0), talk=1.5)
    hung_up = real_call(pbx, Answering(ring_seconds=1.0, hang_up_after=2.0), talk=None)
    unanswered = real_call(pbx, Answering.never(), talk=None, gives_up=True)
    with Phone(pbx.asterisk, "201", Answering(ring_seconds=0.5)):
        pbx.carrier.call(CallSpec(caller=REAL, did=LAB, hang_up_after=1.2))
    call_back = recorded(pbx, Direction.INBOUND)
    assert (talked.disposition, talked.ended_by) == (Disposition.ANSWERED, EndedBy.CALLER)
    assert (hung_up.disposition, hung_up.ended_by) == (Disposition.ANSWERED, EndedBy.CALLEE)
    assert (unanswered.disposition, call_back.disposition) == (Disposition.NO_ANSWER, Disposition.ANSWERED)
    return Shapes(*map(compressed, (talked, hung_up, unanswered, call_back)))


def real_call(pbx: ScreenedPbx, answering: Answering, talk: float | None, gives_up: bool = False) -> OutcomeRecord:
    before = len(all_recorded(pbx, Direction.OUTBOUND))
    with Phone(pbx.asterisk, "carrier", answering), Phone(pbx.asterisk, "201") as phone:
        spec = CallSpec(hang_up_after=talk, cancel_after=1.0 if gives_up else None)
        with phone.dial("7000", spec) as call:
            call.result()
    wait_until(lambda: len(all_recorded(pbx, Direction.OUTBOUND)) > before, "the outcome", 10.0)
    return recorded(pbx, Direction.OUTBOUND)


def all_recorded(pbx: ScreenedPbx, direction: Direction) -> list[OutcomeRecord]:
    with open_store(pbx.daemon.store) as db:
        return [outcome for outcome in outcomes_of_own(db, LAB, 0.0, 100) if outcome.direction is direction]


def recorded(pbx: ScreenedPbx, direction: Direction) -> OutcomeRecord:
    """Return the latest outcome."""
    wait_until(lambda: bool(all_recorded(pbx, direction)), "the outcome", 10.0)
    return all_recorded(pbx, direction)[0]


def compressed(outcome: OutcomeRecord) -> OutcomeRecord:
    """Return an outcome with its time scaled up. A call that was hung up at once stays one."""
    is_hung_up = outcome.ended_by is EndedBy.CALLEE and outcome.direction is Direction.OUTBOUND
    talk = outcome.talk_seconds * (1.0 if is_hung_up else TALK_FACTOR)
    return outcome._replace(ring_seconds=outcome.ring_seconds * RING_FACTOR, talk_seconds=talk)


def shown(pbx: ScreenedPbx, number: str) -> dict[str, Any]:
    health: dict[str, Any] = json.loads(pbx.daemon.callsieve("own", "show", number, "--json").stdout)["health"]
    return health


def dial(pbx: ScreenedPbx, code: str) -> int | None:
    with (
        Phone(pbx.asterisk, "carrier"),
        Phone(pbx.asterisk, "202") as phone,
        phone.dial(code, CallSpec(hang_up_after=0.3)) as call,
    ):
        return call.result().code


def test_each_campaign_gets_its_grade(pbx: ScreenedPbx, shapes: Shapes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_campaigns, "MIDNIGHT", (time.time() // DAY - 40) * DAY)
    with open_store(pbx.daemon.store) as db:
        run(db, campaign(CONSIDERATE, range(40), INNOCENT, shapes=shapes))
        run(db, campaign(replace(CARELESS, calls_a_day=60), range(26, 40), CARELESS_OWN, first=2500, shapes=shapes))
        busy = replace(CONSIDERATE, calls_a_day=150)
        run(db, campaign(busy, range(36, 39), ROTATED_OWN, first=4000, shapes=shapes))

    pbx.daemon.callsieve("own", "add", INNOCENT)
    # Malice: a list, complaints of people who were never called, and colleagues who mark the innocent number.
    listed = pbx.state / "listed.csv"
    listed.write_text(f"number,category\n{INNOCENT},scam\n")
    pbx.daemon.callsieve("import", "numbers", str(listed), "--source", "complaints")
    for n in range(10):
        pbx.daemon.callsieve("own", "complaint", INNOCENT, "--from", f"+120155502{n:02d}")
    for colleague in ("201", "202"):
        refused = pbx.daemon.callsieve("mark", INNOCENT, "spam", "--as", colleague)
        assert (refused.returncode, "one of our own" in refused.stderr) == (2, True)

    considerate = shown(pbx, INNOCENT)
    assert (considerate["grade"], considerate["reasons"]) == ("healthy", [])
    assert considerate["seen_as"]["level"] == "none"
    assert considerate["notes"][-1].startswith("10 complaints do not count")

    careless = shown(pbx, CARELESS_OWN)
    assert careless["grade"] == "at_risk"
    assert {reason["measure"] for reason in careless["reasons"]} >= {"seen", "short", "repeated", "outside"}
    assert careless["seen_as"]["level"] == "challenge"

    rotated = shown(pbx, ROTATED_OWN)
    assert (rotated["grade"], [reason["measure"] for reason in rotated["reasons"]]) == ("watch", ["young"])

    # What the daemon does every hour; then the guard goes by it.
    graded = (sys.executable, "-m", "reputation.store.own_health", str(pbx.daemon.store), "{}")
    assert subprocess.run(graded, capture_output=True, check=True, env=pbx.daemon.environment).stdout == b"4\n"
    assert [dial(pbx, code) for code in ("7001", "7002", "7003")] == [200, 403, 200]
