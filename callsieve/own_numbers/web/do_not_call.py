"""People who do not want to be called, and complaints about our numbers: as `callsieve own dnc` and `own complaint`."""

from __future__ import annotations

from math import isfinite

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.numbers.web.pages import LONGEST, number_in
from callsieve.own_numbers import do_not_call as operations
from callsieve.own_numbers.capability import WISHES
from callsieve.own_numbers.do_not_call import ComplaintRequest, TakeBackRequest, WishRequest, wishes_shown
from callsieve.own_numbers.views import is_known
from callsieve.own_numbers.web.pages import page_of_number, said_of
from callsieve.web.request import NotFound, Page, PageRequest, undoing
from reputation.numbers import number_of
from reputation.users import Role
from reputation.wording import Wording


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """The list, with what was wrong of what was asked."""
    text = req.query.get("q", "").strip()[:LONGEST]
    number = number_of(text, req.state.loaded.settings.numbers.region) if text else None
    shown = await req.read(wishes_shown, text, number)
    typed = {field: req.form.get(field, req.query.get(field, "")) for field in ("number", "after", "note")}
    about = {"wishes": shown, "text": text, "typed": typed, "problem": problem}
    return req.page("own_numbers/own_do_not_call.html", 422 if problem else 200, **about)


async def add(req: PageRequest) -> Response:
    """Nobody is to call the number again."""
    number, note = req.form.get("number", "")[:LONGEST], req.form.get("note", "")
    request = WishRequest(number, _given(req, "after"), note, req.me.extension or "")
    try:
        done = await req.perform(operations.list_number, request)
    except Refused as refused:
        return await show(req, said_of(refused))
    if done.change_id is None:
        return await show(req, operations.listed_since(done.wish))
    return req.go("/own/do-not-call", "do-not-call")


async def remove(req: PageRequest) -> Response:
    """The number may be called again."""
    await req.perform(operations.unlist, req.form.get("number", "")[:LONGEST])
    return req.go("/own/do-not-call", "may-call")


async def complain(req: PageRequest) -> Response:
    """A complaint about a number of ours reached us."""
    own = await _own(req)
    try:
        request = ComplaintRequest(own, _given(req, "from"), req.form.get("note", ""))
        complaint = (await req.perform(operations.complain, request)).complaint
    except Refused as refused:
        return await page_of_number(req, said_of(refused))
    how = "counts" if complaint.is_of_called else "noted" if complaint.number else "of-nobody"
    return req.go(f"/own/{own}", f"complaint-{how}")


async def take_complaint_back(req: PageRequest) -> Response:
    """A complaint was none."""
    own = await _own(req)
    try:
        at = float(req.form.get("at", ""))
    except ValueError:
        raise NotFound from None
    if not isfinite(at):  # SQLite takes NaN for NULL, which is the latest
        raise NotFound
    try:
        request = TakeBackRequest(own, req.form.get("from", "")[:LONGEST], at)
        await req.perform(operations.take_back_complaint, request)
    except Refused as refused:
        return await page_of_number(req, said_of(refused))
    return req.go(f"/own/{own}", "complaint-gone")


async def _own(req: PageRequest) -> str:
    """The number of the address, if it has a page."""
    number = number_in(req)
    if not await req.read(is_known, number, req.now):
        raise NotFound
    return number


def _given(req: PageRequest, field: str) -> str | None:
    """A number that may be left out."""
    return req.form.get(field, "").strip()[:LONGEST] or None


PAGES = (
    Page("GET", "/own/do-not-call", show, Role.OPERATOR),
    Page("POST", "/own/do-not-call/add", add, Role.OPERATOR),
    Page("POST", "/own/do-not-call/remove", remove, Role.OPERATOR),
    Page("POST", "/own/do-not-call/undo", undoing("/own/do-not-call", WISHES), Role.OPERATOR),
    Page("POST", "/own/{number}/complain", complain, Role.OPERATOR),
    Page("POST", "/own/{number}/no-complaint", take_complaint_back, Role.OPERATOR),
)
