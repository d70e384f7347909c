"""How screening is now, for whoever watches it from elsewhere: a home automation, by MQTT.

Asterisk is not asked: whoever reaches its console has a shell as Asterisk. What only it knows, root's doctor has found.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from callsieve.doctor.finding import CheckContext
from callsieve.doctor.service import read_only
from callsieve.pbx.cli_client import NotAllowed
from callsieve.settings import Loaded
from callsieve.status.views import Status, status_of
from reputation.numbers import masked
from reputation.store.activity import counts_over
from reputation.store.errors import StoreError

STOPPED = ("challenge", "route", "reject")
AHEAD_SECONDS = 60.0


def screening_state(loaded: Loaded, *, mask: bool) -> dict[str, Any]:
    """All that is told, by key; None: not known. It reads files and the store, and asks the daemon: 3 s at most."""
    now = time.time()
    status = status_of(CheckContext(loaded, _not_asked, now), loaded)
    counted: Counter[str] | None = None
    with suppress(StoreError, OSError, sqlite3.Error), read_only(loaded.store_path) as db:
        counted = _calls_today(db, now)
    return {
        "screening": status.screening.value,
        "trouble": _trouble(status),
        "calls_today": None if counted is None else counted.total(),
        "warned_today": None if counted is None else counted["warn"],
        "stopped_today": None if counted is None else sum(counted[action] for action in STOPPED),
        **_last_call(status, mask=mask),
    }


def _calls_today(db: sqlite3.Connection, now: float) -> Counter[str]:
    """By what was ordered, or in observe mode would have been."""
    midnight = datetime.fromtimestamp(now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    counted: Counter[str] = Counter()
    for one in counts_over(db, midnight.timestamp(), now + AHEAD_SECONDS, timedelta(days=2).total_seconds()):
        counted[one.action] += one.calls
    return counted


def _trouble(status: Status) -> str:
    """What has to be put right, the worst first; empty: nothing."""
    return "; ".join(f"{check.name}: {check.detail}" for check in status.trouble)[:1000]


def _last_call(status: Status, *, mask: bool) -> dict[str, Any]:
    last = status.journal.last_call if status.journal is not None else None
    if last is None:
        return dict.fromkeys(("last_call", "last_caller", "last_action"))
    caller = last.caller or last.caller_kind.value
    return {
        "last_call": datetime.fromtimestamp(last.at, UTC).isoformat(timespec="seconds"),
        "last_caller": masked(caller) if mask else caller,
        "last_action": last.action,
    }


def _not_asked(_command: str) -> str:
    raise NotAllowed("Asterisk is not asked for what is told to others")
