"""The overview: is everything as it must be, and what happens."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.web.table import Page
from callsieve.web.visit import Visit
from reputation.users import Role


async def show(visit: Visit) -> Response:
    """The page."""
    return visit.page("overview.html", health=visit.desk.health.latest)


async def health(visit: Visit) -> Response:
    """The state of every part: a fragment that is asked for again and again, and a page where there is no script."""
    template = "_health.html" if visit.is_fragment else "health.html"
    return visit.page(template, health=visit.desk.health.latest)


PAGES = (
    Page("GET", "/", show, Role.VIEWER),
    Page("GET", "/health", health, Role.VIEWER),
)
