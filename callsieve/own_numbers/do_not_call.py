"""Operations and views of the do-not-call list and of complaints about own numbers."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, LineText, NumberText, number_field
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import Latest, latest_changes
from callsieve.own_numbers.capability import DO_NOT_CALL
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

MOST_REQUESTS = 100_000


class DoNotCallEntry(msgspec.Struct, frozen=True):
    """A number to add to the do-not-call list.

    Attributes:
        after: The own number whose call came before the request; null if unknown.
        person: The colleague who took the request; empty for the current user.
    """

    number: NumberText
    after: NumberText | None = None
    note: LineText = ""
    person: Annotated[str, Meta(max_length=64)] = ""


class DoNotCallFilter(PageQuery, frozen=True, kw_only=True):
    """A query for the do-not-call list. `number`: return only this number."""

    number: NumberText | None = None


class ComplaintRequest(NamedTuple):
    """A complaint about an own number. `sender`: the complaining number; None if unknown."""

    own_number: str
    sender: str | None = None
    note: str = ""


class ComplaintWithdrawal(NamedTuple):
    """A request to withdraw a complaint about an own number.

    `sender`: the number that complained; empty for a complaint without a number, None for any complaint. `at`: the time
    of the complaint; None for the latest one.
    """

    own_number: str
    sender: str | None
    at: float | None = None


class DoNotCallChange(NamedTuple):
    """The result of a change of the do-not-call list. `wish`: the number's entry, which may have existed before."""

    change_id: ChangeId | None
    wish: DoNotCallRequest


class ComplaintChange(NamedTuple):
    """A complaint that was recorded or withdrawn. `is_ours`: whether the own number is registered."""

    change_id: int | None
    complaint: Complaint
    is_ours: bool


def find_requests(db: sqlite3.Connection, context: Context, request: DoNotCallFilter) -> ResultPage[DoNotCallRequest]:
    """Return the do-not-call list, latest first."""
    if request.number is None:
        rows = all_do_not_call(db, MOST_REQUESTS)
    else:
        known = do_not_call_of(db, number_field(context, request.number, "number"))
        rows = [known] if known else []
    return page_from(rows, request, lambda row: (-row.at, row.number), lambda row: row)


def list_number(db: sqlite3.Connection, context: Context, request: DoNotCallEntry) -> DoNotCallChange:
    """Add a number to the do-not-call list, so that nobody here may call it."""
    number = number_field(context, request.number)
    own = number_field(context, request.after, "after") if request.after is not None else ""
    note = one_line("note", request.note)
    _check_not_ours(db, context, number)
    with whole(db):
        known = do_not_call_of(db, number)
        if known is not None:
            return DoNotCallChange(None, known)
        entry = DoNotCallRequest(number, context.at, own, request.person or context.actor, note)
        entry = entry._replace(is_of_called=was_called(db, own, number, context.at))
        with change(db, context, "own dnc add", number) as changed:
            changed.after = entry
            add_do_not_call(db, entry)
    return DoNotCallChange(changed.id, entry)


def unlist(db: sqlite3.Connection, context: Context, number: NumberText) -> DoNotCallChange:
    """Remove a number from the do-not-call list, so that it may be called again."""
    number = number_field(context, number)
    with change(db, context, "own dnc remove", number) as changed:
        entry = remove_do_not_call(db, number)
        if entry is None:
            raise Refused("not-listed", Wording("{number} is not on the do-not-call list", {"number": number}))
        changed.before = entry
    return DoNotCallChange(changed.id, entry)


def complain(db: sqlite3.Connection, context: Context, request: ComplaintRequest) -> ComplaintChange:
    """Record a complaint about an own number. It counts if the own number called the sender in the 28 days before."""
    own = number_field(context, request.own_number)
    sender = number_field(context, request.sender, "from") if request.sender is not None else ""
    note = one_line("note", request.note)
    _check_not_ours(db, context, sender, "from")
    complaint = Complaint(own, sender, context.at, note, was_called(db, own, sender, context.at))
    with change(db, context, "own complaint", own) as changed:
        changed.after = complaint
        add_complaint(db, complaint)
    return ComplaintChange(changed.id, complaint, own_of(db, own) is not None)


def withdraw_complaint(db: sqlite3.Connection, context: Context, request: ComplaintWithdrawal) -> ComplaintChange:
    """Withdraw a complaint that was recorded by mistake."""
    own = number_field(context, request.own_number)
    sender = number_field(context, request.sender, "from") if request.sender else request.sender
    with change(db, context, "own complaint", own) as changed:
        removed = remove_complaint(db, own, sender, request.at)
        if removed is None:
            raise _no_complaint(own, sender)
        changed.before = removed
    return ComplaintChange(changed.id, removed, own_of(db, own) is not None)


def listed_since_words(entry: DoNotCallRequest) -> Wording:
    """Return a sentence with the date on which the number was added to the list."""
    places: Places = {"number": entry.number, "day": day(entry.at)}
    return Wording("{number} has been on the do-not-call list since {day}: the earlier entry stays", places)


def retention_words(entry: DoNotCallRequest, now: float) -> Wording | None:
    """Return a sentence about a law that still requires keeping the entry; None if no law does."""
    law = law_of_number(entry.number)
    row = binding(law.refusal, entry.number, now) if law else None
    if law is None or row is None or now >= (until := entry.at + row.days * DAY_SECONDS):
        return None
    places: Places = {"law": law.cite(row), "until": day(until), "days": row.days}
    return Wording("{law} requires this entry to be kept for {days} days, until {until}", places)


def _check_not_ours(db: sqlite3.Connection, context: Context, number: str, option: str = "") -> None:
    if number in known_own_numbers(db, context.loaded):
        raise Refused("own-number", Wording("{number} is one of our own numbers", {"number": number}), option)


def _no_complaint(own: str, sender: str | None) -> Refused:
    if not sender:
        return Refused("no-complaint", Wording("no complaint about {own_number} is recorded", {"own_number": own}))
    places: Places = {"number": sender, "own_number": own}
    return Refused("no-complaint", Wording("no complaint by {number} about {own_number} is recorded", places))


MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class DoNotCallShown:
    """Content of the do-not-call page. `found`: how many entries match the search; `all`: how many entries exist.

    `own_numbers`: registered numbers, as choices in the form.
    """

    wishes: tuple[DoNotCallRequest, ...]
    found: int
    all: int
    own_numbers: tuple[str, ...]
    latest: tuple[Latest, ...]


@dataclass(frozen=True, slots=True)
class ComplaintsShown:
    """Complaints about an own number, and do-not-call requests after its calls.

    Attributes:
        complaints: Each complaint, latest first, with its state: `counts`, `past` (28 days or older) or `not called`.
        found: How many complaints exist.
        wishes: How many do-not-call requests followed calls of the number within the last 28 days.
        counting: How many of these requests count, because the number had called the person.
    """

    complaints: tuple[tuple[Complaint, str], ...]
    found: int
    wishes: int
    counting: int


def do_not_call_shown(db: sqlite3.Connection, text: str, number: str | None) -> DoNotCallShown:
    """Return the do-not-call entry of `number`; if this is None, the entries that contain `text`."""
    requests, count = find_do_not_call(db, text, number, MOST_SHOWN)
    own_numbers = tuple(own.number for own in register_of(db) if own.state is not NumberState.RETIRED)
    return DoNotCallShown(tuple(requests), count, count_do_not_call(db), own_numbers, latest_changes(db, DO_NOT_CALL))


def complaints_shown(db: sqlite3.Connection, own_number: str, now: float) -> ComplaintsShown:
    """Return the complaints about an own number, and the do-not-call requests after its calls."""
    month_ago = now - MONTH * DAY_SECONDS
    complaints, requests = complaints_about(db, own_number, 0.0), requests_after(db, own_number, month_ago)
    return ComplaintsShown(
        tuple((complaint, _weight(complaint, month_ago)) for complaint in reversed(complaints[-MOST_SHOWN:])),
        len(complaints),
        len(requests),
        sum(entry.is_of_called for entry in requests),
    )


def _weight(complaint: Complaint, month_ago: float) -> str:
    if complaint.at <= month_ago:
        return "past"
    return "counts" if complaint.is_of_called else "not called"
