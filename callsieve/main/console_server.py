"""The console's process, which also serves the API at the console's address. The daemon starts and stops it."""

import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from callsieve.api.authentication import Authentication
from callsieve.api.gate import ApiGate, with_api
from callsieve.calls.live import ActivityCache, LiveCalls
from callsieve.calls.records import appeal_in_words
from callsieve.capability import Capabilities
from callsieve.changes.describe import sentence_of
from callsieve.cli.errors import errors_in_one_line
from callsieve.decide.operations import DaemonClient
from callsieve.doctor.checks import checks_of, system_health
from callsieve.events.api.endpoints import EventStreams
from callsieve.health import ScreeningState, ScreeningStatus, SystemHealth
from callsieve.logs import configure_logs
from callsieve.main.capabilities import ALL, CAPABILITIES, endpoints_of
from callsieve.main.http_server import listening, make_server, run_server
from callsieve.person_page.web.admission import PersonPageLimits
from callsieve.replay.trial_jobs import TrialJobs
from callsieve.settings import Loaded
from callsieve.status.views import screening_now
from callsieve.system.privileges import served_settings
from callsieve.users.passwords import HalfLogins
from callsieve.users.web.account import LoginTries
from callsieve.web.access import anonymous, error_page, guarded
from callsieve.web.app_state import AppState, BackgroundValue
from callsieve.web.rendering import Templates
from callsieve.web.request import Menu, Page
from callsieve.web.security_headers import SecurityHeaders
from callsieve.web.throttle import RateLimits

WITH_TEMPLATES = tuple(capability.name for capability in CAPABILITIES if capability.has_templates)
# Made once: compiled templates are cached by these.
FILTERS: Mapping[str, Callable[..., Any]] = {
    "appeal": appeal_in_words,
    "by": partial(sentence_of, sentences=ALL.sentences),
}
STATIC_SECONDS = 3600
SCREENING_SECONDS = 5.0


def pages_of(capabilities: Capabilities) -> list[Page]:
    """Return the pages of the given capabilities. The order matters: an address goes to the first page that matches."""
    modules = (
        import_module(f"callsieve.{capability.name}.{module}")
        for capability in capabilities.all
        for module in capability.pages
    )
    pages: Iterable[Page] = (page for module in modules for page in module.PAGES)
    # Fixed words come before parameters: /own/guidance before /own/{number}.
    return sorted(pages, key=lambda page: [part.startswith("{") for part in page.path.split("/")])


def menu_of(capabilities: Capabilities) -> Menu:
    """Return the navigation of the given capabilities. It also has the messages of all capabilities."""
    on = capabilities.all
    messages = {word: text for capability in CAPABILITIES for word, text in capability.messages.items()}
    return Menu(tuple(sorted(entry for item in on for entry in item.navigation)), messages, {item.name for item in on})


PAGES = pages_of(ALL)
MENU = menu_of(ALL)


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = f"public, max-age={STATIC_SECONDS}"
        return response


def make_templates() -> Templates:
    """Return all templates of the console."""
    return Templates(WITH_TEMPLATES, FILTERS)


def make_app_state(load: Callable[[], Loaded], clock: Callable[[], float] = time.time) -> AppState:
    """Return the state that all pages of the console share."""
    loaded = load()
    on = ALL.without(loaded.settings.capabilities.off)
    checks = checks_of(on)
    health = BackgroundValue(SystemHealth(), partial(system_health, load, checks))
    screening = BackgroundValue(
        ScreeningStatus(ScreeningState.UNKNOWN), partial(screening_now, load, checks), SCREENING_SECONDS
    )
    state = AppState(load, clock, make_templates(), health, screening)
    state.changes = on.changes
    state.provide(on, menu_of(on), LiveCalls(state.store, clock), ActivityCache(), TrialJobs(), HalfLogins())
    state.provide(LoginTries(), EventStreams(), DaemonClient.of(state.loaded), RateLimits(window_seconds=1.0))
    state.provide(PersonPageLimits())
    return state


def make_app(state: AppState) -> ASGIApp:
    """Return the console's web application. When it shuts down, it closes the state."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await state.service(Authentication).open()
        yield
        await state.close()

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return error_page(anonymous(request, state), status)

    async def icon(_request: Request) -> Response:
        return RedirectResponse("/static/icon.svg", 301)

    static = Path(str(files("callsieve.web"))) / "static"
    on = state.service(Capabilities)
    routes = [Route(page.path, guarded(page, state), methods=[page.method]) for page in pages_of(on)]
    app = Starlette(
        routes=[*routes, Route("/favicon.ico", icon), Mount("/static", _Files(directory=static))],
        lifespan=lifespan,
        exception_handlers={HTTPException: not_found},
    )
    web = state.loaded.settings.web
    return SecurityHeaders(
        with_api(app, ApiGate(endpoints_of(on), state), state), web.hosts, https_only=web.behind_proxy
    )


logger = logging.getLogger("callsieve.web")


def serve_console(load: Callable[[], Loaded], *, until_stdin_ends: bool = False) -> None:
    """Serve until a signal or, with `until_stdin_ends`, until the parent process ends. Raise SettingsError."""
    state = make_app_state(load)
    web = state.loaded.settings.web
    listener = listening(web.listen, "[web] listen", "the console")
    server = make_server(make_app(state), state.ending, web.proxies if web.behind_proxy else None)
    logger.info("console: http://%s", web.listen)
    run_server(server, [listener], until_stdin_ends=until_stdin_ends)
    logger.info("console: stopped")


def main() -> None:
    """Serve the console. The only argument, if given, is the path of the settings file."""
    config = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with errors_in_one_line():
        configure_logs()
        serve_console(partial(served_settings, config), until_stdin_ends=True)


if __name__ == "__main__":
    main()
