"""People who do not want to be called, and complaints about our numbers: as `callsieve own dnc` and `own complaint`."""

from __future__ import annotations

from math import isfinite

from starlette.responses import Response

from callsieve.changes.names import WISHES
from callsieve.changes.operation import Refused
from callsieve.numbers.web.pages import LONGEST, number_in
from callsieve.own_numbers import do_not_call as operations
from callsieve.own_numbers.do_not_call import ComplaintRequest, TakeBackRequest, WishRequest
from callsieve.own_numbers.views import is_known
from callsieve.own_numbers.views_do_not_call import wishes_shown
from callsieve.own_numbers.web.pages import page_of_number, said_of
from callsieve.web.request import NotThere, Visit, take_back_named
from callsieve.web.routes import Page
from reputation.numbers import number_of
from reputation.users import Role
from reputation.wording import Wording


async def show(visit: Visit) -> Response:
    """The list."""
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """Nobody is to call the number again."""
    number, note = visit.form.get("number", "")[:LONGEST], visit.form.get("note", "")
    request = WishRequest(number, _given(visit, "after"), note, visit.me.extension or "")
    try:
        done = await visit.perform(operations.list_number, request)
    except Refused as refused:
        return await _page(visit, said_of(refused))
    if done.change_id is None:
        return await _page(visit, operations.listed_since(done.wish))
    return visit.go("/own/do-not-call", "do-not-call")


async def remove(visit: Visit) -> Response:
    """The number may be called again."""
    await visit.perform(operations.unlist, visit.form.get("number", "")[:LONGEST])
    return visit.go("/own/do-not-call", "may-call")


async def take_back(visit: Visit) -> Response:
    """One of the latest changes undone."""
    await take_back_named(visit, WISHES)
    return visit.go("/own/do-not-call", "undone")


async def complain(visit: Visit) -> Response:
    """A complaint about a number of ours reached us."""
    own = await _own(visit)
    try:
        request = ComplaintRequest(own, _given(visit, "from"), visit.form.get("note", ""))
        complaint = (await visit.perform(operations.complain, request)).complaint
    except Refused as refused:
        return await page_of_number(visit, said_of(refused))
    how = "counts" if complaint.is_of_called else "noted" if complaint.number else "of-nobody"
    return visit.go(f"/own/{own}", f"complaint-{how}")


async def take_complaint_back(visit: Visit) -> Response:
    """A complaint was none."""
    own = await _own(visit)
    try:
        at = float(visit.form.get("at", ""))
    except ValueError:
        raise NotThere from None
    if not isfinite(at):  # SQLite takes NaN for NULL, which is the latest
        raise NotThere
    try:
        request = TakeBackRequest(own, visit.form.get("from", "")[:LONGEST], at)
        await visit.perform(operations.take_back_complaint, request)
    except Refused as refused:
        return await page_of_number(visit, said_of(refused))
    return visit.go(f"/own/{own}", "complaint-gone")


async def _own(visit: Visit) -> str:
    """The number of the address, if it has a page."""
    number = number_in(visit)
    if not await visit.read(is_known, number, visit.now):
        raise NotThere
    return number


def _given(visit: Visit, field: str) -> str | None:
    """A number that may be left out."""
    return visit.form.get(field, "").strip()[:LONGEST] or None


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
