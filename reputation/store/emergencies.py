"""Emergency calls from this PBX: after one, screening is open for a while (docs/policy-reference.md)."""

from __future__ import annotations

import sqlite3

from reputation.events import EmergencyClosed, EmergencyOpened, EventKind
from reputation.store.audit import Change, add_audit
from reputation.store.outbox import is_wanted, state_of, tell_change, telling

# The clock may have been ahead. An emergency call more than two hours away is not believed; a closing that lies ahead
# is never believed, for it would keep the window closed after an emergency call that is made before that.
CLOSED_AT = "(SELECT max(at) FROM emergency_close WHERE at <= :now)"
OPENED_AT = f"(SELECT max(at) FROM emergency_call WHERE at < :now + 7200 AND at > coalesce({CLOSED_AT}, 0))"


# Whether receivers were told that the window is open; the sender looks whether its time is over.
WINDOW, OPEN, CLOSED = "emergency", "open", "closed"
BY_HAND, BY_TIME = "hand", "time"


def record_emergency(db: sqlite3.Connection, at: float, who: str = "Asterisk") -> None:
    """An emergency number was dialled. The instant is kept, and in the audit who opened the window by it.

    `who` is empty where the caller writes a row of its own.
    """
    opened = db.execute("INSERT INTO emergency_call (at) VALUES (?) ON CONFLICT DO NOTHING", (at,)).rowcount
    if opened and who:
        add_audit(db, Change("emergency call"), who, at)
    with telling(db):
        if opened and is_wanted(db, EventKind.EMERGENCY_OPENED, EventKind.EMERGENCY_CLOSED):
            data = EmergencyOpened(by=who or BY_HAND)
            tell_change(db, WINDOW, OPEN, EventKind.EMERGENCY_OPENED, WINDOW, at, data)


def close_window(db: sqlite3.Connection, at: float) -> None:
    """Emergency calls until this instant open the window no more; those of a clock that was ahead are forgotten."""
    db.execute("DELETE FROM emergency_call WHERE at > ?", (at,))
    db.execute("INSERT OR REPLACE INTO emergency_close (only_row, at) VALUES (1, ?)", (at,))
    tell_closed(db, at, BY_HAND)


def tell_closed(db: sqlite3.Connection, at: float, by: str) -> None:
    """The event that the window is closed, if it was told that it is open. Call it in a transaction."""
    with telling(db):
        if state_of(db, WINDOW) == OPEN:
            tell_change(db, WINDOW, CLOSED, EventKind.EMERGENCY_CLOSED, WINDOW, at, EmergencyClosed(by=by))


def reopen_window(db: sqlite3.Connection, at: float) -> None:
    """It was closed in error: what opened it at this instant does so again, until its window ends."""
    db.execute("DELETE FROM emergency_close")
    record_emergency(db, at, who="")


def latest_emergency(db: sqlite3.Connection) -> float | None:
    """When the latest emergency call was made."""
    (at,) = db.execute("SELECT max(at) FROM emergency_call").fetchone()
    return None if at is None else float(at)


def opened_and_closed_at(db: sqlite3.Connection, now: float) -> tuple[float | None, float | None]:
    """The latest emergency call that opens the window, as far as the store knows, and when it was closed last."""
    row: tuple[float | None, float | None] = db.execute(f"SELECT {OPENED_AT}, {CLOSED_AT}", {"now": now}).fetchone()
    return row
