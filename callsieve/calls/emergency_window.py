"""Opening and closing the window after an emergency call, in which no call is screened.

open_window, close_window       operations (callsieve/changes/operation.py)
"""

from __future__ import annotations

import sqlite3

from callsieve.changes.operation import Context, change
from callsieve.emergency import EmergencyWindow, window_of
from reputation.store import emergencies


def open_window(db: sqlite3.Connection, context: Context, _request: None = None) -> EmergencyWindow:
    """Opens it now, as an emergency call from here does."""
    with change(db, context, "emergency open") as changed:
        changed.after = {"opened_at": context.at}
        emergencies.record_emergency(db, context.at, who="")
    return window_of(db, context.settings, context.at)


def close_window(db: sqlite3.Connection, context: Context, asterisk_at: float | None = None) -> EmergencyWindow:
    """Closes it: what opened it does so no more. What it was until then.

    `asterisk_at`: the emergency call that Asterisk's database knows.
    """
    window = window_of(db, context.settings, context.at, asterisk_at)
    with change(db, context, "emergency close") as changed:
        changed.before = {"opened_at": window.since} if window.is_open else None
        emergencies.close_window(db, context.at)
    return window
