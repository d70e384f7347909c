"""When a day is over: the digest of yesterday is ready once a day."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from callsieve.digest.operations import day_before
from callsieve.doctor.finding import ScheduledCheck
from callsieve.settings import Settings
from reputation.events import DigestReady, EventKind
from reputation.store.outbox import state_of, tell_change

DIGEST = "digest"


def _tell_ready(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """From the time of the settings on; not for a day that a clock which was set back comes to again."""
    yesterday = day_before(now).isoformat()
    clock = f"{datetime.fromtimestamp(now).astimezone():%H:%M}"
    if clock >= settings.digest.at and yesterday > (state_of(db, DIGEST) or ""):
        tell_change(db, DIGEST, yesterday, EventKind.DIGEST_READY, DIGEST, now, DigestReady(day=yesterday))


SCHEDULED = (ScheduledCheck((EventKind.DIGEST_READY,), _tell_ready),)
