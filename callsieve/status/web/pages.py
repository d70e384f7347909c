"""The state of screening in the head of every page: its pill and its banners, asked for again and again."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.web.request import Page, PageRequest
from reputation.users import Role


async def screening(req: PageRequest) -> Response:
    """Return the pill and the banners alone; a browser without htmx is sent to the page of all checks."""
    return req.page("_screening_alone.html") if req.is_fragment else req.go("/health")


PAGES = (Page("GET", "/screening", screening, Role.VIEWER, is_poll=True),)
