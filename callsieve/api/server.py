"""Where the API is served: beside the pages of the console, and by itself in the API process.

In the API process there is nothing else: no page, no login, no cookie.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from callsieve.api.gate import ApiGate
from callsieve.api.routing import ROOT
from callsieve.web.app_state import AppState
from callsieve.web.connections import LOOPBACK, network_of

BEGINNING = "/api"


def with_api(pages: ASGIApp, api: ApiGate, state: AppState) -> ASGIApp:
    """Return the API where it is asked for, else the pages. The API can be enabled while the console runs."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        is_api = path in (BEGINNING, ROOT) or path.startswith(f"{BEGINNING}/")
        asked = api if is_api and state.loaded.settings.api.enabled else pages
        await asked(scope, receive, send)

    return answer


def is_of_this_machine(scope: Scope) -> bool:
    """Return whether a request came from this machine, so that its token went over no network."""
    client = scope.get("client")
    return client is None or network_of(client[0]) == LOOPBACK
