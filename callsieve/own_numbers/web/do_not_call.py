"""People who do not want to be called, and complaints about our numbers: as `callsieve own dnc` and `own complaint`."""

from __future__ import annotations

import sqlite3
from math import isfinite

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.changes.undo import WISHES
from callsieve.lists.web.pages import take_back_named
from callsieve.numbers.web.pages import LONGEST, number_in
from callsieve.own_numbers.do_not_call import (
    WishError,
    check_not_ours,
    put_on_do_not_call,
    record_complaint,
    take_back_complaint,
    take_off_do_not_call,
)
from callsieve.own_numbers.register import FieldError, one_line
from callsieve.own_numbers.views import is_known
from callsieve.own_numbers.views_do_not_call import wishes_shown
from callsieve.own_numbers.web.pages import page_of_number
from callsieve.text.number_entry import EntryError, number_from
from callsieve.web.request import NotThere, Visit
from callsieve.web.routes import Page
from callsieve.web.words import N_
from callsieve.wiring import dids_of
from reputation.numbers import number_of
from reputation.store.audit import Change
from reputation.store.do_not_call import Complaint, DoNotCall
from reputation.store.people import own_numbers
from reputation.users import Role
from reputation.wording import Wording

NOTE = N_("note")


async def show(visit: Visit) -> Response:
    """The list."""
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """Nobody is to call the number again."""
    form = visit.form
    try:
        after = _number(visit, "after") if form.get("after", "").strip() else ""
        note = one_line("note", form.get("note", ""))
        wish = DoNotCall(_number(visit, "number"), visit.now, after, visit.me.extension or visit.who, note)

        def write(db: sqlite3.Connection, change: Change) -> None:
            check_not_ours(wish.number, _ours(visit, db))
            put_on_do_not_call(db, change, wish)

        await visit.change("own dnc add", write, wish.number)
    except (EntryError, FieldError, WishError) as error:
        return await _page(visit, _said(error))
    return visit.go("/own/do-not-call", "do-not-call")


async def remove(visit: Visit) -> Response:
    """The number may be called again."""
    number = visit.form.get("number", "")[:LONGEST]

    def write(db: sqlite3.Connection, change: Change) -> None:
        take_off_do_not_call(db, change, number)

    try:
        await visit.change("own dnc remove", write, number)
    except WishError as error:
        raise Refused("refused", error.words) from None
    return visit.go("/own/do-not-call", "may-call")


async def take_back(visit: Visit) -> Response:
    """One of the latest changes undone."""
    await take_back_named(visit, WISHES)
    return visit.go("/own/do-not-call", "undone")


async def complain(visit: Visit) -> Response:
    """A complaint about a number of ours reached us."""
    own = await _own(visit)
    try:
        other = _number(visit, "from") if visit.form.get("from", "").strip() else ""
        complaint = Complaint(own, other, visit.now, one_line("note", visit.form.get("note", "")))
    except (EntryError, FieldError) as error:
        return await page_of_number(visit, _said(error))

    def write(db: sqlite3.Connection, change: Change) -> bool:
        check_not_ours(other, _ours(visit, db))
        return record_complaint(db, change, complaint)

    try:
        counts = await visit.change("own complaint", write, own)
    except WishError as error:
        return await page_of_number(visit, _said(error))
    how = "counts" if counts else "noted" if other else "of-nobody"
    return visit.go(f"/own/{own}", f"complaint-{how}")


async def take_complaint_back(visit: Visit) -> Response:
    """A complaint was none."""
    own = await _own(visit)
    other = visit.form.get("from", "")[:LONGEST]
    try:
        at = float(visit.form.get("at", ""))
    except ValueError:
        raise NotThere from None
    if not isfinite(at):  # SQLite takes NaN for NULL, which is the latest
        raise NotThere

    def write(db: sqlite3.Connection, change: Change) -> None:
        take_back_complaint(db, change, own, other, at)

    try:
        await visit.change("own complaint", write, own)
    except WishError as error:
        return await page_of_number(visit, error.words)
    return visit.go(f"/own/{own}", "complaint-gone")


async def _own(visit: Visit) -> str:
    """The number of the address, if it has a page."""
    number = number_in(visit)
    if not await visit.read(is_known, number, visit.now):
        raise NotThere
    return number


def _number(visit: Visit, field: str) -> str:
    return number_from(visit.form.get(field, "")[:LONGEST], visit.desk.loaded.settings.numbers.region)


def _ours(visit: Visit, db: sqlite3.Connection) -> frozenset[str]:
    return frozenset((*own_numbers(db), *(did.number for did in dids_of(visit.desk.loaded.settings))))


def _said(error: EntryError | FieldError | WishError) -> str | Wording:
    if isinstance(error, FieldError):
        return Wording("{field} {problem}", {"field": Wording(NOTE), "problem": error.words})
    return error.words if isinstance(error, WishError) else str(error)


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    text = visit.query.get("q", "").strip()[:LONGEST]
    number = number_of(text, visit.desk.loaded.settings.numbers.region) if text else None
    shown = await visit.read(wishes_shown, text, number)
    typed = {field: visit.form.get(field, visit.query.get(field, "")) for field in ("number", "after", "note")}
    about = {"wishes": shown, "text": text, "typed": typed, "problem": problem}
    return visit.page("own_numbers/own_do_not_call.html", 422 if problem else 200, **about)


PAGES = (
    Page("GET", "/own/do-not-call", show, Role.OPERATOR),
    Page("POST", "/own/do-not-call/add", add, Role.OPERATOR),
    Page("POST", "/own/do-not-call/remove", remove, Role.OPERATOR),
    Page("POST", "/own/do-not-call/undo", take_back, Role.OPERATOR),
    Page("POST", "/own/{number}/complain", complain, Role.OPERATOR),
    Page("POST", "/own/{number}/no-complaint", take_complaint_back, Role.OPERATOR),
)
