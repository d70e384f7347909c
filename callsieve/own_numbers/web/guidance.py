"""Guidance with our own figures, and the leaflet for customers: documents by themselves, to be shown or sent on."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.own_numbers.guidance import company_of, guidance_page, leaflet_page
from callsieve.web.request import Page, PageRequest, document_response
from reputation.users import Role


async def guidance(req: PageRequest) -> Response:
    """How not to be marked, for those who lead people who call."""
    company = await req.state.slow_store.read(company_of, req.now, req.state.loaded.settings)
    return document_response(req, guidance_page(company, req.language, req.now), "guidance")


async def leaflet(req: PageRequest) -> Response:
    """What customers may meet when they call, and what they can expect when they are called."""
    return document_response(req, leaflet_page(req.language, req.state.loaded.settings), "leaflet")


PAGES = (
    Page("GET", "/own/guidance", guidance, Role.OPERATOR),
    Page("GET", "/own/leaflet", leaflet, Role.OPERATOR),
)
