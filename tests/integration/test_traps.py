"""Calls to traps on a real Asterisk: silent, ended by us, and no phone rings."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import CallResult, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.store.connection import open_store
from reputation.store.evidence_rows import rows_of
from tests.integration.office import STRANGER, ami_settings, decision_on
from tests.waiting import wait_until

TRAP, SECOND = "+442071838790", "+442071838791"
OFFICE = EXTENSIONS.replace(
    "[from-carrier]\n",
    """[from-carrier]
exten => _+44207183879[01],1,Gosub(callsieve-trap,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Dial(PJSIP/201,20)
""",
)
TRAPS = "".join(f'\n[[did]]\nnumber = "{did}"\ntrap = true\n' for did in (TRAP, SECOND))


@pytest.fixture
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, extensions=OFFICE) as office:
        office.daemon.write_settings(f"{SETTINGS}{TRAPS}\n{ami_settings(office)}")
        office.daemon.start()
        office.daemon.wait_for_log("listening to Asterisk")
        yield office


def call(pbx: ScreenedPbx, did: str, caller: str = STRANGER) -> CallResult:
    return pbx.carrier.call(CallSpec(caller=caller, did=did, hang_up_after=9.0))


def is_silent(result: CallResult) -> bool:
    return not result.answered and result.ringing_seconds is None and (result.final_seconds or 0) > 3


def trap_calls(pbx: ScreenedPbx) -> int:
    with open_store(pbx.daemon.store) as db:
        return len(rows_of(db, STRANGER).traps)


def test_two_trap_calls_lead_to_a_challenge(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201"):
        assert is_silent(call(pbx, TRAP))
        assert is_silent(call(pbx, SECOND))
        wait_until(lambda: trap_calls(pbx) == 2, "both calls", 60.0)  # a carrier may offer a call again
        pbx.carrier.call(CallSpec(caller=STRANGER, did=ALICE, hang_up_after=2.0))
        decision = decision_on(pbx.daemon.store, STRANGER)
    assert (decision.level, decision.action) == ("challenge", "challenge")


def test_a_trap_is_silent_while_the_daemon_is_stopped(pbx: ScreenedPbx) -> None:
    pbx.daemon.stop()
    with Phone(pbx.asterisk, "201"):
        assert is_silent(call(pbx, TRAP))


@pytest.mark.parametrize("alive", [True, False])
def test_after_an_emergency_call_a_trap_rings(pbx: ScreenedPbx, alive: bool) -> None:
    """An emergency service may call back to any of our numbers."""
    if not alive:
        pbx.daemon.stop()
    with Phone(pbx.asterisk, "201") as alice:
        pbx.asterisk.cli(f"database put callsieve emergency {int(time.time())}")
        assert call(pbx, TRAP).answered
        assert alice.wait_for_invite()
