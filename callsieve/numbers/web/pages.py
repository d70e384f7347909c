"""Pages of a number: all information about the number, and actions for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from callsieve.lists import operations as lists
from callsieve.lists.operations import EntryKey, EntryRequest
from callsieve.numbers import operations
from callsieve.numbers.mark_effects import effects_page, mark_effects_here, owner_page
from callsieve.numbers.operations import MarkRequest, OwnerRequest
from callsieve.numbers.owner_view import owner_view_of
from callsieve.numbers.views import number_shown
from callsieve.text.number_entry import EntryError, number_from
from callsieve.web.request import NotFound, Page, PageRequest, document_response, expiry_in, local_path
from reputation.model import ListName, MarkChannel, Verdict
from reputation.users import Role
from reputation.wording import Wording

if TYPE_CHECKING:
    from callsieve.web.request import Handler

LONGEST = 80


async def find(req: PageRequest) -> Response:
    """Redirect to the page of the number that the visitor typed, or show the search."""
    typed = req.query.get("number", "").strip()[:LONGEST]
    problem: Wording | None = None
    if typed:
        try:
            return req.go(f"/numbers/{number_from(typed, req.state.loaded.settings.numbers.region)}")
        except EntryError as error:
            problem = error.words
    return req.page("numbers/numbers.html", 422 if problem else 200, typed=typed, problem=problem)


async def show(req: PageRequest) -> Response:
    """Show the page of a number."""
    number = number_in(req)
    shown = await req.read(number_shown, req.state.loaded, number, req.now, req.me.extension)
    return req.page("numbers/number.html", number=shown)


async def explain_marks(req: PageRequest) -> Response:
    """Show how many marks each action needs, as a page to print or pass on."""
    shown = await req.read(mark_effects_here, req.state.loaded)
    return document_response(req, effects_page(shown, req.language), "marks")


async def explain(req: PageRequest) -> Response:
    """Show the information for a number's owner, as a page to print or send."""
    view = await req.read(owner_view_of, req.state.loaded, number_in(req), req.now)
    return document_response(req, owner_page(view, req.language), "number")


def number_in(req: PageRequest) -> str:
    """Return the number in the page's address. Raise NotFound if the text is not a number in E.164."""
    text = req.path("number")
    try:
        if len(text) <= LONGEST and text.startswith("+") and number_from(text, "ZZ") == text:
            return text
    except EntryError:
        pass
    raise NotFound


def listing(list_name: ListName) -> Handler:
    """Return the handler of a form that adds the number to a list."""

    async def handle(req: PageRequest) -> Response:
        form = req.form
        await req.perform(lists.add, EntryRequest(list_name, number_in(req), form.get("note", ""), expiry_in(form)))
        return _back(req, f"on-{list_name.value}list")

    return handle


async def unlist(req: PageRequest) -> Response:
    """Remove the number from a list."""
    number = number_in(req)
    try:
        list_name = ListName(req.form.get("list", ""))
    except ValueError:
        raise NotFound from None
    await req.perform(lists.remove, EntryKey(list_name, number))
    return _back(req, "off-list")


def marking(verdict: Verdict, message: str) -> Handler:
    """Return the handler of a form that marks the number on behalf of the visitor."""

    async def handle(req: PageRequest) -> Response:
        category, reason = req.form.get("category", "").strip() or None, req.form.get("reason", "")
        request = MarkRequest(number_in(req), req.me.extension, verdict, MarkChannel.WEB, category, reason)
        await req.perform(operations.mark, request)
        return _back(req, message)

    return handle


async def review(req: PageRequest) -> Response:
    """Confirm a burst of marks of the number after a review, so that the marks count."""
    await req.perform(operations.review, number_in(req))
    return _back(req, "reviewed")


async def unreview(req: PageRequest) -> Response:
    """Undo the review of the number's marks."""
    await req.perform(operations.forget_review, number_in(req))
    return _back(req, "unreviewed")


async def change_owner(req: PageRequest) -> Response:
    """Record that the number has a new owner."""
    await req.perform(operations.new_owner, OwnerRequest(number_in(req), req.form.get("reason", "")))
    return _back(req, "new-owner")


async def keep_owner(req: PageRequest) -> Response:
    """Remove the latest recorded change of the number's owner."""
    await req.perform(operations.same_owner, number_in(req))
    return _back(req, "same-owner")


def _back(req: PageRequest, message: str) -> Response:
    back = local_path(req.form.get("back"), f"/numbers/{req.path('number')}")
    return req.go(back.partition("?")[0], message)


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
    Page("GET", "/numbers/marks", explain_marks, Role.VIEWER),
    Page("GET", "/numbers/{number}", show, Role.OPERATOR),
    Page("GET", "/numbers/{number}/for-owner", explain, Role.OPERATOR),
    *(Page("POST", f"/numbers/{{number}}/{name}", handler, role) for name, handler, role in _ACTIONS),
)
