"""What people say of our calls: that they want no more of them, and complaints. Each with what the audit keeps of it.

The command and the console share it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container

from callsieve.text.times import day
from reputation.store.audit import Change
from reputation.store.do_not_call import (
    Complaint,
    DoNotCall,
    add_complaint,
    add_do_not_call,
    do_not_call_of,
    remove_complaint,
    remove_do_not_call,
    was_called,
)
from reputation.wording import Places, Wording


class WishError(ValueError):
    """It is so already, or it never was. `words` say which."""

    def __init__(self, words: Wording) -> None:
        super().__init__(str(words))
        self.words = words


class ListedAlready(WishError):
    """Nobody is to call the number since then; what was noted first stays."""


class OneOfOurs(WishError):
    """A number of ours is not one that we call, or that complains of us."""


def check_not_ours(number: str, ours: Container[str]) -> None:
    """OneOfOurs, where it is."""
    if number in ours:
        raise OneOfOurs(Wording("{number} is one of our own numbers", {"number": number}))


def put_on_do_not_call(db: sqlite3.Connection, change: Change, wish: DoNotCall) -> None:
    """The number is not to be called. ListedAlready."""
    known = do_not_call_of(db, wish.number)
    if known is not None:
        places: Places = {"number": wish.number, "day": day(known.at)}
        raise ListedAlready(Wording("{number} has been on the list since {day}: what was noted then stays", places))
    wish = wish._replace(is_of_called=was_called(db, wish.own_number, wish.number, wish.at))
    add_do_not_call(db, wish)
    change.after = wish._asdict()


def take_off_do_not_call(db: sqlite3.Connection, change: Change, number: str) -> None:
    """The number may be called again. WishError."""
    wish = remove_do_not_call(db, number)
    if wish is None:
        raise WishError(Wording("{number} is not on the list", {"number": number}))
    change.before = wish._asdict()


def record_complaint(db: sqlite3.Connection, change: Change, complaint: Complaint) -> bool:
    """Whether the complaint counts: its sender was called by our number within 28 days."""
    counts = was_called(db, complaint.own_number, complaint.number, complaint.at)
    complaint = complaint._replace(is_of_called=counts)
    add_complaint(db, complaint)
    change.after = _kept(complaint)
    return counts


def take_back_complaint(
    db: sqlite3.Connection, change: Change, own_number: str, number: str | None, at: float | None = None
) -> Complaint:
    """The complaint of this number (`''`: nobody known; None: whoever it was) of that instant, or the latest; returns
    it. WishError.
    """
    removed = remove_complaint(db, own_number, number, at)
    if removed is None:
        if number:
            places: Places = {"number": number, "own_number": own_number}
            raise WishError(Wording("no complaint of {number} about {own_number} is recorded", places))
        raise WishError(Wording("no complaint about {own_number} is recorded", {"own_number": own_number}))
    change.before = _kept(removed)
    return removed


def _kept(complaint: Complaint) -> dict[str, object]:
    """For the audit, whose row is about our number. Who complains is found there when that number is erased."""
    about = {"from": complaint.number, "note": complaint.note, "at": complaint.at}
    return about | {"is_of_called": complaint.is_of_called}
