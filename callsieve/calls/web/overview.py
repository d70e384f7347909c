"""The overview: is everything as it must be, what happens, and what was probably wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from callsieve.calls.emergency_window import close_window
from callsieve.calls.live import LiveCalls
from callsieve.calls.views_overview import DRAWN, SPANS, ActivityCache, ActivityShown, activity_shown
from callsieve.web.access import stranger, with_session
from callsieve.web.request import Visit
from callsieve.web.routes import Page
from reputation.store.calls import CallFilter, CallRow, find_calls
from reputation.store.errors import StoreError
from reputation.users import Role

LIVE_CALLS = 20
HEARTBEAT_SECONDS = 15.0


async def show(visit: Visit) -> Response:
    """The page."""
    calls = await visit.read(find_calls, CallFilter(), None, LIVE_CALLS)
    return visit.page(
        "calls/overview.html",
        activity=await _activity_of(visit),
        calls=calls,
        spans=SPANS.values(),
        drawn=DRAWN,
        health=visit.desk.health.latest,
    )


async def activity(visit: Visit) -> Response:
    """The figures alone, for the page to bring them up to date."""
    return visit.page(
        "calls/_activity_alone.html", activity=await _activity_of(visit), drawn=DRAWN, health=visit.desk.health.latest
    )


async def _activity_of(visit: Visit) -> ActivityShown:
    """The figures that were counted last; while they are counted again, those of before."""
    desk, span, now = visit.desk, SPANS.get(visit.query.get("over", ""), SPANS["day"]), visit.now
    kept = desk.service(ActivityCache).kept
    return await kept.get(span.word, lambda: desk.slow_shelf.read(activity_shown, span, now))


async def health(visit: Visit) -> Response:
    """The state of every part: a fragment that is asked for again and again, and a page where there is no script."""
    template = "doctor/_health.html" if visit.is_fragment else "doctor/health.html"
    return visit.page(template, health=visit.desk.health.latest)


async def live(visit: Visit) -> Response:
    """Rows of calls as they happen, as server-sent events."""
    if visit.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    if visit.desk.service(LiveCalls).is_full(visit.me.name):
        raise HTTPException(503)
    return StreamingResponse(_events(visit), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(visit: Visit) -> AsyncIterator[str]:
    """Until the browser goes, or the session is over: who watches is still there, so it does not become idle."""
    async with visit.desk.service(LiveCalls).watching(visit.me.name) as calls:
        yield "retry: 3000\n\n"
        checked_at = visit.now
        while True:
            call = await _next_of(calls)
            now = visit.desk.clock()
            if now - checked_at >= HEARTBEAT_SECONDS:
                checked_at = now
                try:
                    still = await with_session(stranger(visit.request, visit.desk))
                except StoreError:
                    return  # the browser asks again, and is told
                if still.user != visit.user:
                    yield "event: over\ndata:\n\n"
                    return
            yield ": still here\n\n" if call is None else event_of(visit, call)


async def _next_of(calls: asyncio.Queue[CallRow]) -> CallRow | None:
    """The next call; None when there was none for a while."""
    try:
        return await asyncio.wait_for(calls.get(), HEARTBEAT_SECONDS)
    except TimeoutError:
        return None


def event_of(visit: Visit, call: CallRow) -> str:
    """The row of a call as an event; a line break in it would end the event."""
    row = " ".join(visit.render("calls/_live_row.html", call=call).split())
    return f"event: call\nid: {call.id}\ndata: {row}\n\n"


async def close_emergency_window(visit: Visit) -> Response:
    """Calls are screened again, until the next emergency call from here."""
    await visit.perform(close_window, None)
    return visit.go("/", "window-closed")


PAGES = (
    Page("GET", "/", show, Role.VIEWER),
    Page("GET", "/activity", activity, Role.VIEWER),
    Page("GET", "/health", health, Role.VIEWER),
    Page("GET", "/live", live, Role.VIEWER),
    Page("POST", "/emergency/close", close_emergency_window, Role.OPERATOR),
)
