"""Today: what needs somebody, what was done, the latest calls and the health of every part."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from callsieve.calls.first_run import first_run
from callsieve.calls.history import DONE, NOT_DONE
from callsieve.calls.live import SPANS, ActivityShown
from callsieve.calls.operations import confirm
from callsieve.calls.web.pages import activity_of
from callsieve.today.views import MOST_LISTED, fixes_of, latest_calls, needs_now
from callsieve.web.request import Page, PageRequest
from reputation.store.calls import sites_seen
from reputation.users import Role


async def show(req: PageRequest) -> Response:
    """Return the page."""
    state, settings = req.state, req.state.loaded.settings
    health, screening = state.health.latest, state.screening.latest
    sites = await req.read(sites_seen)
    site = _site_of(req, sites)
    activity = await _activity(req, site)
    fixes = fixes_of(health, screening)
    return req.page(
        "today/today.html",
        sites=sites,
        activity=activity,
        lines=await req.read(latest_calls, settings, site, req.now),
        spans=SPANS.values(),
        needs=await req.read(needs_now, settings, activity.mistakes, fixes, req.now),
        most=MOST_LISTED,
        words=_words(req),
        health=health,
        is_part=True,
        first_run=await req.read(first_run, health, screening.state, settings, req.now),
    )


async def activity(req: PageRequest) -> Response:
    """Return the figures alone, for the page to bring them up to date."""
    activity = await _activity(req, _site_of(req, await req.read(sites_seen)))
    return req.page("today/_activity_alone.html", activity=activity, words=_words(req))


async def confirm_decisions(req: PageRequest) -> Response:
    """Say that the calls of a number were treated rightly."""
    await req.perform(confirm, req.form.get("number", ""))
    return req.go("/", "confirmed")


def _words(req: PageRequest) -> dict[str, str]:
    return {**DONE, **NOT_DONE} if req.state.observing else DONE


async def _activity(req: PageRequest, site: str) -> ActivityShown:
    return await activity_of(req, SPANS.get(req.query.get("over", ""), SPANS["day"]), site)


def _site_of(req: PageRequest, sites: Sequence[str]) -> str:
    site = req.query.get("site", "")
    return site if site in sites else ""


PAGES = (
    Page("GET", "/", show, Role.VIEWER),
    Page("GET", "/activity", activity, Role.VIEWER),
    Page("POST", "/calls/confirm", confirm_decisions, Role.OPERATOR),
)
