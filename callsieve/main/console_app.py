"""The application: the table of all pages, each behind the gate, and the files that browsers fetch.

make_app(make_app_state(load)) -> an ASGI application, for uvicorn and for tests
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from callsieve.api.authentication import Authentication
from callsieve.api.gate import Api
from callsieve.api.rate_limit import RateLimits
from callsieve.api.server import with_api
from callsieve.appeals.web import pages as appeals
from callsieve.audit.web import pages as audit
from callsieve.call_lists.web import outbound
from callsieve.call_lists.web import pages as consents
from callsieve.calls.disputes import appeal_in_words
from callsieve.calls.live import LiveCalls
from callsieve.calls.views_overview import ActivityCache
from callsieve.calls.web import overview
from callsieve.calls.web import pages as calls
from callsieve.decide.daemon_client import DaemonClient
from callsieve.digest.web import pages as digest
from callsieve.doctor.watch import HealthWatch
from callsieve.events.stream import EventStreams
from callsieve.events.web import pages as events
from callsieve.evidence_packs.web import pages as packs
from callsieve.exchange.web import pages as exchange
from callsieve.hub.web import evidence as site_evidence
from callsieve.hub.web import pages as sites
from callsieve.identities.web import pages as identities
from callsieve.imports.web import feeds, people
from callsieve.lists.web import pages as lists
from callsieve.main.api_table import ENDPOINTS
from callsieve.mark_watch.web import pages as mark_watch
from callsieve.monitoring.web import probes
from callsieve.numbering.web import pages as plans
from callsieve.numbers.web import pages as numbers
from callsieve.own_numbers.web import do_not_call, guidance
from callsieve.own_numbers.web import pages as own
from callsieve.policy.web import drafts
from callsieve.policy.web import pages as policies
from callsieve.replay.trial_jobs import TrialJobs
from callsieve.reporting.web import pages as complaints
from callsieve.settings import Loaded
from callsieve.users.half_logins import HalfLogins
from callsieve.users.web import account, login, second_factor
from callsieve.users.web import pages as users
from callsieve.users.web.password_check import LoginTries
from callsieve.web.access import anonymous, error_page, guarded
from callsieve.web.app_state import AppState
from callsieve.web.rendering import Templates
from callsieve.web.routes import Page
from callsieve.web.security_headers import SecurityHeaders

# In the order of the navigation; each has its own table.
_PARTS = (
    *(login, probes, account, second_factor, overview, digest, calls, numbers, policies, drafts, lists, identities),
    *(do_not_call, consents, outbound, guidance, packs, mark_watch, own),
    *(appeals, complaints, feeds, exchange, plans, sites, site_evidence, people, users, events, audit),
)
PAGES: tuple[Page, ...] = tuple(page for part in _PARTS for page in part.PAGES)
# The capabilities that have templates: `lists/page.html` is in callsieve/lists/web/templates.
CAPABILITIES = (
    *(
        "appeals",
        "audit",
        "call_lists",
        "calls",
        "digest",
        "doctor",
        "events",
        "evidence_packs",
        "exchange",
        "hub",
        "identities",
        "imports",
        "lists",
        "numbering",
    ),
    *("numbers", "own_numbers", "policy", "reporting", "users"),
)
STATIC_SECONDS = 3600


class _Files(StaticFiles):
    """What never differs between visitors, and may be kept by browsers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = f"public, max-age={STATIC_SECONDS}"
        return response


def make_templates() -> Templates:
    """All templates of the console."""
    return Templates(CAPABILITIES, {"appeal": appeal_in_words})


def make_app_state(load: Callable[[], Loaded], clock: Callable[[], float] = time.time) -> AppState:
    """What the pages of a console with these settings share."""
    state = AppState(load, clock, make_templates(), HealthWatch(load))
    state.provide(LiveCalls(state.store, clock), ActivityCache(), TrialJobs(), HalfLogins(), LoginTries())
    state.provide(EventStreams(), DaemonClient.of(state.loaded), RateLimits(window_seconds=1.0))
    return state


def make_app(state: AppState) -> ASGIApp:
    """The console with this state, which it closes at its end."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await state.service(Authentication).open()
        yield
        await state.close()

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return error_page(anonymous(request, state), status)

    async def icon(_request: Request) -> Response:
        """Browsers ask for it here where a document names none: the guidance, or what is no page at all."""
        return RedirectResponse("/static/icon.svg", 301)

    static = Path(str(files("callsieve.web"))) / "static"
    routes = [Route(page.path, guarded(page, state), methods=[page.method]) for page in PAGES]
    app = Starlette(
        routes=[*routes, Route("/favicon.ico", icon), Mount("/static", _Files(directory=static))],
        lifespan=lifespan,
        exception_handlers={HTTPException: not_found},
    )
    web = state.loaded.settings.web
    return SecurityHeaders(with_api(app, Api(ENDPOINTS, state), state), web.hosts, https_only=web.behind_proxy)
