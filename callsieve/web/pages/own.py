"""Our own numbers: the register, how each is doing, and what is due. What is changed is changed by `callsieve own`."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.web.pages.numbers import number_in
from callsieve.web.shown.own import one_shown, own_shown
from callsieve.web.table import Page
from callsieve.web.visit import NotThere, Visit
from reputation.users import Role


async def show(visit: Visit) -> Response:
    """The list."""
    return visit.page("own.html", own=await visit.read(own_shown, visit.desk.loaded, visit.now))


async def show_one(visit: Visit) -> Response:
    """One number."""
    shown = await visit.read(one_shown, visit.desk.loaded, number_in(visit), visit.now)
    if shown is None:
        raise NotThere
    return visit.page("own_number.html", one=shown)


PAGES = (
    Page("GET", "/own", show, Role.OPERATOR),
    Page("GET", "/own/{number}", show_one, Role.OPERATOR),
)
