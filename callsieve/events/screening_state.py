"""How screening is now, for whoever watches it from elsewhere: a home automation, by MQTT.

Asterisk is not asked: whoever reaches its console has a shell as Asterisk. What only it knows, root's doctor has found.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from callsieve.doctor.finding import CheckContext, HealthCheck, not_asked, read_store
from callsieve.settings import Loaded
from callsieve.status.views import ScreeningState, Status, status_of
from reputation.numbers import masked, spaced
from reputation.store.activity import counts_over
from reputation.store.event_names import name_of_number

# Sentences for people who use the phone and know no term of this project.
SCREENING_TEXTS = {
    ScreeningState.ON: "Calls are screened.",
    ScreeningState.OBSERVING: "CallSieve only watches: every call rings.",
    ScreeningState.OFF: "Screening is switched off: every call rings.",
    ScreeningState.EMERGENCY: "Somebody called an emergency number: for a while every call rings.",
    ScreeningState.FAILING: "Something is wrong with CallSieve: every call rings.",
    ScreeningState.DOWN: "CallSieve does not run: every call rings.",
    ScreeningState.UNKNOWN: "Nobody knows whether calls are screened.",
}
ACTION_TEXTS = {
    "allow": "{caller} called, and the phone rang.",
    "tag": "{caller} called, and the phone showed that it may be spam.",
    "warn": "{caller} called, and whoever picked up was warned.",
    "challenge": "{caller} called, and had to show first that they are no machine.",
    "route": "{caller} called, and was sent to voicemail.",
    "reject": "{caller} called, and was turned away.",
}
STOPPED = ("challenge", "route", "reject")
AHEAD_SECONDS = 60.0


def screening_state(loaded: Loaded, checks: Iterable[HealthCheck], *, mask: bool) -> dict[str, Any]:
    """All that is told, by key; None: not known. It reads files and the store, and asks the daemon: 3 s at most."""
    now = time.time()
    status = status_of(CheckContext(loaded, not_asked, now), loaded, checks)
    counted = read_store(loaded.store_path, lambda db: _calls_today(db, now), None)
    last = status.journal.last_call if status.journal is not None else None
    caller = last.caller if last is not None else None
    name = read_store(loaded.store_path, lambda db: name_of_number(db, caller, now), "") if caller else ""
    return {
        "screening": status.screening.value,
        "screening_text": SCREENING_TEXTS[status.screening],
        "trouble": _trouble(status),
        "calls_today": None if counted is None else counted.total(),
        "warned_today": None if counted is None else counted["warn"],
        "stopped_today": None if counted is None else sum(counted[action] for action in STOPPED),
        **_last_call(status, name, mask=mask),
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


def _last_call(status: Status, name: str, *, mask: bool) -> dict[str, Any]:
    last = status.journal.last_call if status.journal is not None else None
    if last is None:
        return dict.fromkeys(("last_call", "last_caller", "last_action", "last_call_text"))
    caller = last.caller or last.caller_kind.value
    text = "Somebody" if last.caller is None else masked(caller) if mask else name or spaced(caller)
    return {
        "last_call": datetime.fromtimestamp(last.at, UTC).isoformat(timespec="seconds"),
        "last_caller": masked(caller) if mask else caller,
        "last_action": last.action,
        "last_call_text": ACTION_TEXTS[last.action].format(caller=text),
    }
