"""Identities: who a number belongs to, and how well that is proven."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.changes.names import IDENTITIES
from callsieve.changes.operation import Refused
from callsieve.identities import operations
from callsieve.identities.operations import IdentityRequest
from callsieve.identities.views import identities_shown
from callsieve.web.request import Visit, take_back_named
from callsieve.web.routes import Page
from reputation.users import Role
from reputation.wording import Wording

LEVELS = {"1": 1, "2": 2}


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """Who a number belongs to; what is there already is replaced."""
    number, name, note, expires = (visit.form.get(key, "") for key in ("number", "name", "note", "expires"))
    level = LEVELS.get(visit.form.get("level", ""), 1)
    try:
        await visit.perform(operations.add, IdentityRequest(number, name, level, note, expires))
    except Refused as refused:
        return await _page(visit, refused.words)
    return visit.go("/identities", "identified")


async def remove(visit: Visit) -> Response:
    """It is forgotten who the number belongs to."""
    await visit.perform(operations.remove, visit.form.get("number", ""))
    return visit.go("/identities", "unidentified")


async def take_back(visit: Visit) -> Response:
    """One of the latest changes undone."""
    await take_back_named(visit, IDENTITIES)
    return visit.go("/identities", "undone")


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    text = visit.query.get("q", "").strip()[:80] if visit.sees_numbers else ""
    shown = await visit.read(identities_shown, text, visit.now)
    typed = {key: visit.form.get(key, "") for key in ("number", "name", "level", "note", "expires")}
    return visit.page(
        "identities/identities.html", 422 if problem else 200, identities=shown, text=text, problem=problem, typed=typed
    )


PAGES = (
    Page("GET", "/identities", show, Role.VIEWER),
    Page("POST", "/identities/add", add, Role.OPERATOR),
    Page("POST", "/identities/remove", remove, Role.OPERATOR),
    Page("POST", "/identities/undo", take_back, Role.OPERATOR),
)
