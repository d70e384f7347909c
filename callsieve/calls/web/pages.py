"""Calls: look for them, and look at one."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

from callsieve.calls.records import wanted_of
from callsieve.calls.views import call_shown, calls_shown, nothing_shown, place_of
from callsieve.changes.operation import Refused
from callsieve.web.i18n import N_
from callsieve.web.request import NotFound, Page, PageRequest
from policies.decision import ACTION_BY_WORD
from reputation.store.calls import ENDINGS
from reputation.users import Role
from reputation.wording import Wording

# What the fields of the filter are called on the page, where that is another word.
LABELS = {"number": N_("caller"), "did": N_("number dialled"), "action": N_("decision")}
LABELS |= {"ending": N_("how it ended"), "since": N_("from")}


async def show(req: PageRequest) -> Response:
    """The calls that are looked for; to htmx only the table."""
    typed = req.query
    if typed.get("number") and not req.sees_numbers:
        raise HTTPException(403)  # whoever sees them masked must not find out what they are by asking
    try:
        wanted = wanted_of(req.context, typed)
    except Refused as refused:
        field = Wording(LABELS.get(refused.field, refused.field))
        problem = Wording("{field}: {problem}", {"field": field, "problem": refused.words})
        shown = await req.read(nothing_shown, typed, problem)
        return req.page(_template(req), 422, calls=shown, actions=ACTION_BY_WORD, endings=ENDINGS)
    shown = await req.read(calls_shown, wanted, typed, place_of(typed.get("after")))
    return req.page(_template(req), calls=shown, actions=ACTION_BY_WORD, endings=ENDINGS)


async def show_one(req: PageRequest) -> Response:
    """One call, by the id of its decision."""
    shown = await req.read(call_shown, req.path("call"), req.me.extension, req.now)
    if shown is None:
        raise NotFound
    return req.page("calls/call.html", call=shown)


def _template(req: PageRequest) -> str:
    return "calls/_calls.html" if req.is_fragment else "calls/calls.html"


PAGES = (
    Page("GET", "/calls", show, Role.VIEWER),
    Page("GET", "/calls/{call}", show_one, Role.VIEWER),
)
