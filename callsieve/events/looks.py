"""What the sender of events looks for every half minute: the scheduled checks of all capabilities, and the daemon."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Final

from callsieve.capability import Capabilities
from callsieve.doctor.finding import ScheduledCheck
from callsieve.events.event import EventKind
from callsieve.settings import Settings
from callsieve.telemetry import Telemetry, is_fresh
from reputation.events import DaemonTrouble
from reputation.store.outbox import is_wanted, state_of, tell_change

DAEMON: Final = "daemon"
NOT_RUNNING: Final = "the daemon does not run"
_FIGURES = re.compile(r"[0-9][0-9.,:]*")


def scheduled_checks(capabilities: Capabilities) -> list[ScheduledCheck]:
    """Return those that the capabilities declare."""
    return [check for checks in capabilities.load("scheduled") for check in checks]


def look(
    db: sqlite3.Connection,
    settings: Settings,
    telemetry: Telemetry | None,
    now: float,
    scheduled: Iterable[ScheduledCheck],
) -> None:
    """Tell what has changed since the last look. Call it in a transaction."""
    for check in scheduled:
        if is_wanted(db, *check.kinds):
            check.run(db, settings, now)
    if is_wanted(db, EventKind.DAEMON_TROUBLE) and telemetry is not None:
        _look_at_daemon(db, telemetry, now)


def _look_at_daemon(db: sqlite3.Connection, telemetry: Telemetry, now: float) -> None:
    """Tell once of each trouble, whatever its figures, and once when there is none any more."""
    running = is_fresh(telemetry, now)
    trouble = telemetry.trouble if running else NOT_RUNNING
    if not trouble and state_of(db, DAEMON) is None:
        return
    data = DaemonTrouble(trouble=trouble, running=running)
    tell_change(db, DAEMON, _FIGURES.sub("N", trouble), EventKind.DAEMON_TROUBLE, DAEMON, now, data)
