"""What the do-not-call list shows, and what a number's page shows of complaints."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from callsieve.changes.undo import Latest, latest_changes
from callsieve.own_numbers.capability import WISHES
from reputation.own.figures import MONTH
from reputation.own.register import NumberState
from reputation.store.do_not_call import (
    Complaint,
    DoNotCall,
    complaints_about,
    count_do_not_call,
    find_do_not_call,
    wishes_after,
)
from reputation.store.own_register import register_of
from reputation.weights import DAY_SECONDS

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class WishesShown:
    """The list. `found`: how many match what was looked for; `all`: how many there are.

    `own_numbers`: those of the register, to choose from.
    """

    wishes: tuple[DoNotCall, ...]
    found: int
    all: int
    own_numbers: tuple[str, ...]
    latest: tuple[Latest, ...]


@dataclass(frozen=True, slots=True)
class ComplaintsShown:
    """Complaints about a number, the latest first, each with whether it counts; and how many want no more calls of it.

    `found`: how many complaints there are, `counting`: how many of those wishes count. Both count for 28 days;
    complaints are shown for as long as they are kept.
    """

    complaints: tuple[tuple[Complaint, str], ...]
    found: int
    wishes: int
    counting: int


def wishes_shown(db: sqlite3.Connection, text: str, number: str | None) -> WishesShown:
    """Those with the text in one of their fields, or of this number."""
    wishes, found = find_do_not_call(db, text, number, MOST_SHOWN)
    ours = tuple(own.number for own in register_of(db) if own.state is not NumberState.RETIRED)
    return WishesShown(tuple(wishes), found, count_do_not_call(db), ours, latest_changes(db, WISHES))


def complaints_shown(db: sqlite3.Connection, own_number: str, now: float) -> ComplaintsShown:
    """What people said of the number."""
    month_ago = now - MONTH * DAY_SECONDS
    found, wishes = complaints_about(db, own_number, 0.0), wishes_after(db, own_number, month_ago)
    return ComplaintsShown(
        tuple((one, _weight(one, month_ago)) for one in reversed(found[-MOST_SHOWN:])),
        len(found),
        len(wishes),
        sum(wish.is_of_called for wish in wishes),
    )


def _weight(complaint: Complaint, month_ago: float) -> str:
    if complaint.at <= month_ago:
        return "past"
    return "counts" if complaint.is_of_called else "not called"
