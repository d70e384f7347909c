"""The emergency window: for some time after an emergency call from this PBX, no call is screened.

The dialplan writes the time of each emergency call into Asterisk's database, and sends this time to the daemon with
every later call. So the window opens even if the daemon missed the emergency call. The console closes the window
without this database: it writes the closing time into the store. Emergency calls before this time are then ignored, and
a later emergency call opens the window again.
"""

import sqlite3
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from callsieve.changes.operation import Context, change
from callsieve.settings import Settings
from callsieve.text.times import when
from reputation.encoding import HIDDEN, Instant, encoded
from reputation.facts import opens_after_closing
from reputation.store import site
from reputation.store.audit import latest_of
from reputation.wording import Wording


@dataclass(frozen=True, slots=True)
class EmergencyWindow:
    """The emergency window, open or closed. While it is open, no call is screened.

    Attributes:
        since: When the window was last opened; null if the window was not opened since its last closing.
        closed_at: When somebody last closed the window; null if nobody ever did.
        opened_by: The user who opened the window by hand; empty for an emergency call.
    """

    since: Instant | None
    seconds: Annotated[float, HIDDEN]
    closed_at: Instant | None
    now: Annotated[float, HIDDEN]
    opened_by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the window is open, so that no call is screened now."""
        return self.since is not None and abs(self.now - self.since) < self.seconds

    @property
    @encoded
    def open(self) -> bool:
        """Whether the window is open, so that no call is screened now."""
        return self.is_open

    @property
    @encoded
    def until(self) -> Instant | None:
        """When the window ends; null if the window is not open."""
        return self.since + self.seconds if self.since is not None and self.is_open else None

    @property
    def description(self) -> Wording:
        """Description of the window: when and how it was opened, and when it ends."""
        if self.since is None or self.until is None:
            return Wording("not open")
        about = {"since": when(self.since), "until": when(self.until), "who": self.opened_by}
        if self.opened_by:
            return Wording("opened by {who} at {since}, until {until}", about)
        return Wording("opened by an emergency call at {since}, until {until}", about)


class OpenWindow(NamedTuple):
    """An open window, as the audit stores it. `since`: when the window was opened."""

    since: Instant


def window_of(
    db: sqlite3.Connection, settings: Settings, now: float, asterisk_at: float | None = None
) -> EmergencyWindow:
    """Return the emergency window. `asterisk_at`: the last emergency call in Asterisk's database; None if unknown."""
    since, closed_at = site.opened_and_closed_at(db, now)
    if asterisk_at is not None and opens_after_closing(asterisk_at, closed_at):
        since = max(asterisk_at, since or 0.0)
    by_hand = latest_of(db, ("emergency open",), 1) if since is not None else []
    opened_by = by_hand[0].row.who if by_hand and by_hand[0].row.at == since else ""
    return EmergencyWindow(since, 60.0 * settings.emergency.window_minutes, closed_at, now, opened_by)


def open_window(db: sqlite3.Connection, context: Context, _request: None = None) -> EmergencyWindow:
    """Open the emergency window by hand, with the same effect as an emergency call."""
    with change(db, context, "emergency open") as changed:
        changed.after = OpenWindow(context.at)
        site.record_emergency(db, context.at, who="")
    return window_of(db, context.settings, context.at)


def close_window(db: sqlite3.Connection, context: Context, asterisk_at: float | None = None) -> EmergencyWindow:
    """Close the window, and return its former state. `asterisk_at`: as for `window_of`."""
    window = window_of(db, context.settings, context.at, asterisk_at)
    with change(db, context, "emergency close") as changed:
        changed.before = window.since and OpenWindow(window.since) if window.is_open else None
        site.close_window(db, context.at)
    return window
