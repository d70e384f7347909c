"""Guidance with our own figures, and the leaflet for customers: documents by themselves, to be shown or sent on."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from callsieve.own_numbers.guidance import company_of, guidance_page, leaflet_page
from callsieve.web.request import PageRequest, as_file
from callsieve.web.routes import Page
from callsieve.web.security_headers import POLICY_HEADER, policy_with
from reputation.users import Role


async def guidance(req: PageRequest) -> Response:
    """How not to be marked, for those who lead people who call."""
    company = await req.state.slow_store.read(company_of, req.now, req.state.loaded.settings)
    return _document(req, guidance_page(company, req.language, req.now), "guidance")


async def leaflet(req: PageRequest) -> Response:
    """What customers may meet when they call, and what they can expect when they are called."""
    return _document(req, leaflet_page(req.language, req.state.loaded.settings), "leaflet")


def _document(req: PageRequest, page: str, name: str) -> Response:
    """To look at, or with `?download=` to keep: it needs nothing else, and so brings its style with it."""
    if req.query.get("download"):
        return as_file(page, f"{name}-{req.language}.html", "text/html; charset=utf-8")
    style = page.partition("<style>")[2].partition("</style>")[0]
    return HTMLResponse(page, headers={POLICY_HEADER: policy_with(style)})


PAGES = (
    Page("GET", "/own/guidance", guidance, Role.OPERATOR),
    Page("GET", "/own/leaflet", leaflet, Role.OPERATOR),
)
