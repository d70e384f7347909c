"""The API process: `/decide` and `/outcomes` for other switches, and the whole API, independent of the console.

The process listens before it imports other modules, so that early requests wait and do not fail.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.routing import Router
from starlette.types import ASGIApp

from callsieve.api.authentication import Authentication
from callsieve.api.endpoint import Endpoint
from callsieve.api.gate import ApiGate, is_local_request
from callsieve.decide.api.endpoints import ENDPOINTS
from callsieve.decide.operations import DaemonClient
from callsieve.logs import configure_logs, flush_logs
from callsieve.main.http_server import listening, listening_unix, make_server, run_server
from callsieve.settings import Loaded
from callsieve.system import service_process
from callsieve.system.privileges import served_settings
from callsieve.web.app_state import AppState
from callsieve.web.security_headers import SecurityHeaders
from callsieve.web.throttle import RateLimits

logger = logging.getLogger("callsieve.api")


def serve_api(config: Path | None, *, log_json: bool) -> None:
    """Serve the API until SIGTERM or SIGINT. Raise SettingsError or OSError if the process cannot listen."""

    def load() -> Loaded:
        return served_settings(config)

    configure_logs(as_json=log_json)
    try:
        _serve(load)
    finally:
        flush_logs()


def _serve(load: Callable[[], Loaded]) -> None:
    loaded = load()
    api, web = loaded.settings.api, loaded.settings.web
    sockets = [listening_unix(loaded.api_socket_path)]
    if api.enabled and api.listen:
        sockets.append(listening(api.listen, "[api] listen", "the API"))
        logger.info("API: http://%s/api/v1", api.listen)
    logger.info("API: %s", loaded.api_socket_path)

    from callsieve.main.api_process import make_api_app

    app, state = make_api_app(load)
    run_server(make_server(app, state.ending, web.proxies if web.behind_proxy else None), sockets, nice=0)
    logger.info("API: stopped")


def make_api_app(load: Callable[[], Loaded], clock: Callable[[], float] = time.time) -> tuple[ASGIApp, AppState]:
    """Return the application and its state. The application reports to systemd that it is ready and alive."""
    state = AppState(load, clock)
    state.provide(DaemonClient.of(state.loaded), RateLimits(window_seconds=1.0))

    def load_all() -> tuple[Endpoint, ...]:
        from callsieve.events.api.endpoints import EventStreams
        from callsieve.main.capabilities import ALL, endpoints_of

        on = ALL.without(state.loaded.settings.capabilities.off)
        state.changes = on.changes
        state.provide(on, EventStreams())
        return endpoints_of(on)

    api = ApiGate(ENDPOINTS, state, load_all)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await state.service(Authentication).open()
        service_process.ready()
        background = [asyncio.ensure_future(api.load()), asyncio.ensure_future(service_process.run_watchdog())]
        yield
        service_process.stopping()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await state.close()

    web = state.loaded.settings.web
    app = Router(default=api, lifespan=lifespan)  # a Mount takes no path with a line break
    guarded = SecurityHeaders(app, web.hosts, https_only=web.behind_proxy, may_be_plain=is_local_request)
    return guarded, state
