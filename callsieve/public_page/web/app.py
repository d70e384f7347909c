"""The public page as an application: a handful of pages without login, script or cookie.

make_public_app(PublicState(load)) -> an ASGI application, for uvicorn and for tests
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from callsieve.public_page.web.pages import PAGES
from callsieve.public_page.web.visit import POLICY, PublicPage, PublicState, Visit, answering
from callsieve.web.security_headers import POLICY_HEADER, SecurityHeaders


async def not_found(visit: Visit) -> Response:
    """Whatever was asked for."""
    return visit.error(404)


MISSING = PublicPage("GET", "", not_found)
STYLE = files("callsieve.public_page.web") / "static" / "public.css"


def make_public_app(state: PublicState) -> ASGIApp:
    """The public page with this state, which it closes at its end."""
    from_settings = state.public

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await state.backend.open()
        yield
        await state.backend.close()

    async def style(_request: Request) -> Response:
        headers = {"cache-control": "public, max-age=3600", POLICY_HEADER: POLICY}
        return Response(STYLE.read_bytes(), media_type="text/css", headers=headers)

    async def failed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return await answering(MISSING, state)(request) if status == 404 else Response(status_code=status)

    routes = [
        *(Route(page.path, answering(page, state), methods=[page.method]) for page in PAGES),
        Route("/public.css", style, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: failed})
    return SecurityHeaders(
        app,
        [urlsplit(from_settings.address).hostname or ""],
        https_only=from_settings.behind_proxy,
        other_name="This page has another address.\n",
    )
