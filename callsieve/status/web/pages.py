"""The state of screening in the head of every page, asked for again and again; and the settings in force."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from starlette.responses import Response

from callsieve.status.settings_view import settings_shown
from callsieve.web.request import Page, PageRequest
from reputation.users import Role


async def screening(req: PageRequest) -> Response:
    """Return the pill and the banners alone; a browser without htmx is sent to the page of all checks."""
    return req.page("_screening_alone.html") if req.is_fragment else req.go("/health")


async def settings(req: PageRequest) -> Response:
    """Show the settings in force, or those whose key has a text, and the switch."""
    text = req.query.get("key", "").strip()[:60]
    shown = await asyncio.to_thread(settings_shown, req.state.loaded)
    written, defaults = (
        tuple(row for row in found if text.casefold() in f"{row.table}.{row.name}".casefold())
        for found in (shown.written, shown.defaults)
    )
    return req.page("status/settings.html", settings=replace(shown, written=written, defaults=defaults), text=text)


PAGES = (
    Page("GET", "/screening", screening, Role.VIEWER, is_poll=True),
    Page("GET", "/settings", settings, Role.ADMINISTRATOR),
)
