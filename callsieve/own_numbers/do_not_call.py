"""What people say of our calls: that they want no more of them, and complaints.

list_number, unlist, complain, take_back_complaint: operations (callsieve/changes/operation.py)
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, LineText, NumberText, number_field
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import Latest, latest_changes
from callsieve.own_numbers.capability import WISHES
from callsieve.own_numbers.fields import one_line
from callsieve.text.times import day
from callsieve.wiring import known_own_numbers
from reputation.law.loader import binding, law_of_number
from reputation.own.daily_counts import MONTH
from reputation.own.register import NumberState
from reputation.store.do_not_call import (
    Complaint,
    DoNotCallRequest,
    add_complaint,
    add_do_not_call,
    all_do_not_call,
    complaints_about,
    count_do_not_call,
    do_not_call_of,
    find_do_not_call,
    remove_complaint,
    remove_do_not_call,
    requests_after,
    was_called,
)
from reputation.store.own_register import own_of, register_of
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

MOST_WISHES = 100_000


class WishRequest(msgspec.Struct, frozen=True):
    """Who is not to be called.

    Attributes:
        after: The own number that had called.
        person: Who of us heard it; empty for who asks.
    """

    number: NumberText
    after: NumberText | None = None
    note: LineText = ""
    person: Annotated[str, Meta(max_length=64)] = ""


class WishesRequest(PageQuery, frozen=True, kw_only=True):
    """Which rows of the do-not-call list.

    Attributes:
        number: Only this number.
    """

    number: NumberText | None = None


class ComplaintRequest(NamedTuple):
    """A complaint about a number of ours. `sender`: who complains; None: nobody says so."""

    own_number: str
    sender: str | None = None
    note: str = ""


class TakeBackRequest(NamedTuple):
    """The complaint of this sender ('': nobody known; None: anybody) of that instant, or the latest."""

    own_number: str
    sender: str | None
    at: float | None = None


class WishChange(NamedTuple):
    """A change of the do-not-call list. What was noted of a number that was on it already stays.

    Attributes:
        wish: The row of the do-not-call list; the one that was removed.
    """

    change_id: ChangeId | None
    wish: DoNotCallRequest


class ComplaintChange(NamedTuple):
    """A complaint that was recorded, or taken back. `is_ours`: whether the number that it is about is registered."""

    change_id: int | None
    complaint: Complaint
    is_ours: bool


def find_wishes(db: sqlite3.Connection, context: Context, request: WishesRequest) -> ResultPage[DoNotCallRequest]:
    """Return who does not want to be called, the latest first."""
    if request.number is None:
        rows = all_do_not_call(db, MOST_WISHES)
    else:
        known = do_not_call_of(db, number_field(context, request.number, "number"))
        rows = [known] if known else []
    return page_from(rows, request, lambda one: (-one.at, one.number), lambda one: one)


def list_number(db: sqlite3.Connection, context: Context, request: WishRequest) -> WishChange:
    """Put a number on the do-not-call list: nobody here is to call it again."""
    number = number_field(context, request.number)
    own = number_field(context, request.after, "after") if request.after is not None else ""
    note = one_line("note", request.note)
    _check_not_ours(db, context, number)
    with whole(db):
        known = do_not_call_of(db, number)
        if known is not None:
            return WishChange(None, known)
        wish = DoNotCallRequest(number, context.at, own, request.person or context.actor, note)
        wish = wish._replace(is_of_called=was_called(db, own, number, context.at))
        with change(db, context, "own dnc add", number) as changed:
            changed.after = wish
            add_do_not_call(db, wish)
    return WishChange(changed.id, wish)


def unlist(db: sqlite3.Connection, context: Context, number: NumberText) -> WishChange:
    """Take a number off the do-not-call list: it may be called again."""
    number = number_field(context, number)
    with change(db, context, "own dnc remove", number) as changed:
        wish = remove_do_not_call(db, number)
        if wish is None:
            raise Refused("not-listed", Wording("{number} is not on the list", {"number": number}))
        changed.before = wish
    return WishChange(changed.id, wish)


def complain(db: sqlite3.Connection, context: Context, request: ComplaintRequest) -> ComplaintChange:
    """Records a complaint about a number of ours. It counts if that number called its sender within 28 days."""
    own = number_field(context, request.own_number)
    sender = number_field(context, request.sender, "from") if request.sender is not None else ""
    note = one_line("note", request.note)
    _check_not_ours(db, context, sender, "from")
    complaint = Complaint(own, sender, context.at, note, was_called(db, own, sender, context.at))
    with change(db, context, "own complaint", own) as changed:
        changed.after = complaint
        add_complaint(db, complaint)
    return ComplaintChange(changed.id, complaint, own_of(db, own) is not None)


def take_back_complaint(db: sqlite3.Connection, context: Context, request: TakeBackRequest) -> ComplaintChange:
    """A complaint was none."""
    own = number_field(context, request.own_number)
    sender = number_field(context, request.sender, "from") if request.sender else request.sender
    with change(db, context, "own complaint", own) as changed:
        removed = remove_complaint(db, own, sender, request.at)
        if removed is None:
            raise _no_complaint(own, sender)
        changed.before = removed
    return ComplaintChange(changed.id, removed, own_of(db, own) is not None)


def listed_since(wish: DoNotCallRequest) -> Wording:
    """That the number was on the list already."""
    places: Places = {"number": wish.number, "day": day(wish.at)}
    return Wording("{number} has been on the list since {day}: the earlier entry stays", places)


def held_by_law(wish: DoNotCallRequest, now: float) -> Wording | None:
    """That a law wants the wish to be kept for longer; None where it does not, or is not known."""
    law = law_of_number(wish.number)
    row = binding(law.refusal, wish.number, now) if law else None
    if law is None or row is None or now >= (until := wish.at + row.days * DAY_SECONDS):
        return None
    places: Places = {"law": law.cite(row), "until": day(until), "days": row.days}
    return Wording("{law} requires it to be kept for {days} days, until {until}", places)


def _check_not_ours(db: sqlite3.Connection, context: Context, number: str, option: str = "") -> None:
    """A number of ours is not one that we call, or that complains of us."""
    if number in known_own_numbers(db, context.loaded):
        raise Refused("own-number", Wording("{number} is one of our own numbers", {"number": number}), option)


def _no_complaint(own: str, sender: str | None) -> Refused:
    if not sender:
        return Refused("no-complaint", Wording("no complaint about {own_number} is recorded", {"own_number": own}))
    places: Places = {"number": sender, "own_number": own}
    return Refused("no-complaint", Wording("no complaint of {number} about {own_number} is recorded", places))


MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class WishesShown:
    """The list. `found`: how many match what was looked for; `all`: how many there are.

    `own_numbers`: those of the register, to choose from.
    """

    wishes: tuple[DoNotCallRequest, ...]
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
    found, wishes = complaints_about(db, own_number, 0.0), requests_after(db, own_number, month_ago)
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
