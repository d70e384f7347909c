"""The API beside the pages of the console: on the same address, and where the settings say so also on one of its own.

On its own address there is nothing else: no page, no login, no cookie.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from callsieve.api.gate import Api
from callsieve.api.routing import ROOT
from callsieve.settings import address_of
from callsieve.web.app_state import AppState
from callsieve.web.connections import LOOPBACK, network_of

BEGINNING = "/api"


class WithApi:
    """The API where it is asked for, else the pages. It can be enabled while the console runs."""

    def __init__(self, pages: ASGIApp, api: Api, state: AppState) -> None:
        self._pages, self._api, self._state = pages, api, state
        listen = state.loaded.settings.api.listen
        self._own_port = address_of(listen)[1] if listen else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._for(scope)(scope, receive, send)

    def is_of_this_machine(self, scope: Scope) -> bool:
        """Whether it came to the API's own address from this machine: such a token goes over no network."""
        return self._is_to_own_port(scope) and network_of((scope.get("client") or ("", 0))[0]) == LOOPBACK

    def _is_to_own_port(self, scope: Scope) -> bool:
        return self._own_port is not None and (scope.get("server") or ("", None))[1] == self._own_port

    def _for(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._pages
        if self._is_to_own_port(scope):
            return self._api
        path = scope["path"]
        is_api = path in (BEGINNING, ROOT) or path.startswith(f"{BEGINNING}/")
        return self._api if is_api and self._state.loaded.settings.api.enabled else self._pages
