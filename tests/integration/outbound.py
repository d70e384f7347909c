"""Shared by the tests of the outbound guard: settings, calls by a phone, and decisions about them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from lab import Asterisk, CallResult, CallSpec, Phone
from lab.daemon import Daemon
from lab.screened import EXTENSIONS
from reputation.own.outbound_types import OutboundRecord
from reputation.store.outbound import outbound_decisions
from tests.waiting import wait_until

OWN = "+442071838751"
# The office's dialplan with the guard before every call that leaves, all with the number OWN.
GUARDED = EXTENSIONS.replace(
    "exten => _+X.,1,Dial(PJSIP/${EXTEN}@carrier,60)",
    "exten => 911,1,Gosub(callsieve-outbound,s,1(${EXTEN},+442071838751))\n same => n,Dial(PJSIP/${EXTEN}@carrier,20)\n"
    "include => callsieve-codes\n"
    "exten => _+X.,1,Set(CALLERID(num)=+442071838751)\n"
    " same => n,Gosub(callsieve-outbound,s,1(${FILTER(0-9+,${EXTEN})},${FILTER(0-9+,${CALLERID(num)})},carrier))\n"
    " same => n,Dial(PJSIP/${EXTEN}@carrier,60)",
)
assert GUARDED != EXTENSIONS
# What the dialplan allows us, and what a call may take on top of it on a busy machine with two cores.
BOUND, SLACK = 0.6, 0.5
# What is decided must not depend on the time of day, but where that is what a test is about.
ACTING = "[outbound]\nobserve = false\nfirst_hour = 0\nlast_hour = 24\nlocal_rules = false\n"


class Pbx(Protocol):
    """An office of the lab, however CallSieve was installed into it."""

    asterisk: Asterisk
    daemon: Daemon


def later() -> str:
    """Return settings of a country in which people may be called in an hour or two, and not now."""
    hour = (datetime.now(ZoneInfo("Europe/Paris")).hour + 2) % 24
    span = f"{hour:02d}:00-{hour:02d}:59"
    return f'[[hours]]\nregion = "FR"\nweekdays = "{span}"\nsaturday = "{span}"\nsunday = "{span}"\n'


def dial(pbx: Pbx, number: str, phone: str = "201", seconds: float = 0.3) -> CallResult:
    with Phone(pbx.asterisk, phone) as handset, handset.dial(number, CallSpec(hang_up_after=seconds)) as call:
        return call.result()


def dial_frozen(pbx: Pbx, number: str) -> CallResult:
    """Call while the daemon is frozen."""
    pbx.daemon.freeze()
    try:
        return dial(pbx, number)
    finally:
        pbx.daemon.thaw()


def dial_killed(pbx: Pbx, number: str) -> CallResult:
    """Call while the daemon is killed. It is not started again."""
    pbx.daemon.freeze()
    with Phone(pbx.asterisk, "202") as handset, handset.dial(number, CallSpec(hang_up_after=0.3)) as call:
        time.sleep(0.2)  # within the 0.6 s that the dialplan waits
        pbx.daemon.kill()
        return call.result()


def count_requests(pbx: Pbx) -> int:
    """Return how often the guard was asked so far."""
    return pbx.daemon.log.read_text().count("outbound call ")


def decided(pbx: Pbx, callee: str, count: int = 1) -> list[OutboundRecord]:
    """Return the decisions about calls to this number, once there are `count`, the latest first."""
    found: list[OutboundRecord] = []

    def there() -> bool:
        with closing(sqlite3.connect(pbx.daemon.store)) as db:
            found[:] = outbound_decisions(db, callee=callee)
        return len(found) >= count

    wait_until(there, f"{count} decisions about {callee}")
    return found
