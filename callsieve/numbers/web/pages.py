"""A number: all that is known about it, and what an operator does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from callsieve.lists import operations as lists
from callsieve.lists.operations import EntryRequest
from callsieve.numbers import operations
from callsieve.numbers.operations import MarkRequest, OwnerRequest
from callsieve.numbers.views import number_shown
from callsieve.text.number_entry import EntryError, number_from
from callsieve.web.request import NotThere, Visit, local_path
from callsieve.web.routes import Page
from reputation.model import ListName, MarkChannel, Verdict
from reputation.users import Role

if TYPE_CHECKING:
    from callsieve.web.routes import Handler

LONGEST = 80


async def find(visit: Visit) -> Response:
    """To the page of the number that was typed; or where to type one."""
    typed = visit.query.get("number", "").strip()[:LONGEST]
    problem = ""
    if typed:
        try:
            return visit.go(f"/numbers/{number_from(typed, visit.desk.loaded.settings.numbers.region)}")
        except EntryError as error:
            problem = str(error)
    return visit.page("numbers/numbers.html", 422 if problem else 200, typed=typed, problem=problem)


async def show(visit: Visit) -> Response:
    """The page of a number."""
    number = number_in(visit)
    shown = await visit.read(number_shown, visit.desk.loaded, number, visit.now, visit.me.extension)
    return visit.page("numbers/number.html", number=shown)


def number_in(visit: Visit) -> str:
    """The number of the address, which is E.164: anything else is no page."""
    text = visit.path("number")
    try:
        if len(text) <= LONGEST and text.startswith("+") and number_from(text, "ZZ") == text:
            return text
    except EntryError:
        pass
    raise NotThere


def listing(list_name: ListName) -> Handler:
    """Puts the number on a list."""

    async def handle(visit: Visit) -> Response:
        form = visit.form
        expires = form.get("expires", "").strip()[:LONGEST] or None
        await visit.perform(lists.add, EntryRequest(list_name, number_in(visit), form.get("note", ""), expires))
        return _back(visit, f"on-{list_name.value}list")

    return handle


async def unlist(visit: Visit) -> Response:
    """Takes the number off a list."""
    number = number_in(visit)
    try:
        list_name = ListName(visit.form.get("list", ""))
    except ValueError:
        raise NotThere from None
    await visit.perform(lists.remove, EntryRequest(list_name, number))
    return _back(visit, "off-list")


def marking(verdict: Verdict, said: str) -> Handler:
    """What the visitor's person says about the number."""

    async def handle(visit: Visit) -> Response:
        category, reason = visit.form.get("category", "").strip() or None, visit.form.get("reason", "")
        request = MarkRequest(number_in(visit), visit.me.extension, verdict, MarkChannel.WEB, category, reason)
        await visit.perform(operations.mark, request)
        return _back(visit, said)

    return handle


async def review(visit: Visit) -> Response:
    """Somebody has looked at the many marks: they count from now on."""
    await visit.perform(operations.review, number_in(visit))
    return _back(visit, "reviewed")


async def unreview(visit: Visit) -> Response:
    """Nobody has looked."""
    await visit.perform(operations.forget_review, number_in(visit))
    return _back(visit, "unreviewed")


async def change_owner(visit: Visit) -> Response:
    """The number has another owner."""
    await visit.perform(operations.new_owner, OwnerRequest(number_in(visit), visit.form.get("reason", "")))
    return _back(visit, "new-owner")


async def keep_owner(visit: Visit) -> Response:
    """It has the owner that it had."""
    await visit.perform(operations.same_owner, number_in(visit))
    return _back(visit, "same-owner")


def _back(visit: Visit, said: str) -> Response:
    """To the page that the form was on: the number's, or a call's."""
    back = local_path(visit.form.get("back"), f"/numbers/{visit.path('number')}")
    return visit.go(back.partition("?")[0], said)


_ACTIONS: tuple[tuple[str, Handler, Role], ...] = (
    ("allow", listing(ListName.ALLOW), Role.OPERATOR),
    ("block", listing(ListName.BLOCK), Role.OPERATOR),
    ("unlist", unlist, Role.OPERATOR),
    ("spam", marking(Verdict.SPAM, "marked-spam"), Role.OPERATOR),
    ("ok", marking(Verdict.OK, "marked-ok"), Role.OPERATOR),
    ("unmark", marking(Verdict.RETRACTED, "unmarked"), Role.OPERATOR),
    ("review", review, Role.OPERATOR),
    ("unreview", unreview, Role.OPERATOR),
    ("owner", change_owner, Role.ADMINISTRATOR),
    ("same-owner", keep_owner, Role.ADMINISTRATOR),
)
PAGES = (
    Page("GET", "/numbers", find, Role.OPERATOR),
    Page("GET", "/numbers/{number}", show, Role.OPERATOR),
    *(Page("POST", f"/numbers/{{number}}/{name}", handler, role) for name, handler, role in _ACTIONS),
)
