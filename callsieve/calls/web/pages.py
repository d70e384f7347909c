"""Pages of calls: the overview, the history, and the page of a call."""

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from callsieve.calls.history import CallLine, call_lines
from callsieve.calls.live import (
    SPANS,
    ActivityCache,
    ActivityShown,
    ActivitySpan,
    LiveCalls,
    activity_shown,
)
from callsieve.calls.records import wanted_of
from callsieve.calls.spoken_names import read_recording
from callsieve.calls.views import CallsContext, call_shown, calls_shown, empty_page, place_of
from callsieve.changes.operation import Refused
from callsieve.emergency_window import close_window
from callsieve.web.access import anonymous, with_session
from callsieve.web.i18n import N_
from callsieve.web.request import NotFound, Page, PageRequest
from policies.decision import ACTION_BY_WORD
from reputation.site_names import parse_id
from reputation.store.calls import ENDINGS, CallRow
from reputation.store.errors import StoreError
from reputation.users import Role
from reputation.wording import Wording

# The labels of the filter's fields, if they differ from their names.
LABELS = {"number": N_("caller"), "did": N_("number dialled"), "action": N_("decision")}
LABELS |= {"ending": N_("how it ended"), "since": N_("from")}


async def show(req: PageRequest) -> Response:
    """Show the calls that match the filter. A request by htmx (part of a page) gets only the table."""
    typed = req.query
    if typed.get("number") and not req.sees_numbers:
        raise HTTPException(403)  # users who see masked numbers must not learn them by searching
    try:
        wanted = wanted_of(req.context, typed)
    except Refused as refused:
        field = Wording(LABELS.get(refused.field, refused.field))
        problem = Wording("{field}: {problem}", {"field": field, "problem": refused.words})
        shown = await req.read(empty_page, await _calls_context(req), typed, problem)
        return req.page(_template(req), 422, calls=shown, actions=ACTION_BY_WORD, endings=ENDINGS)
    shown = await req.read(calls_shown, await _calls_context(req), wanted, typed, place_of(typed.get("after")))
    return req.page(_template(req), calls=shown, actions=ACTION_BY_WORD, endings=ENDINGS)


async def _calls_context(req: PageRequest) -> CallsContext:
    activity = await activity_of(req, SPANS["day"], "")
    return CallsContext(req.state.loaded, req.now, activity.mistakes)


async def show_one(req: PageRequest) -> Response:
    """Show the call with the requested decision."""
    calls_context = CallsContext(req.state.loaded, req.now)
    shown = await req.read(call_shown, calls_context, req.path("call"), req.me.extension)
    if shown is None:
        raise NotFound
    return req.page("calls/call.html", call=shown)


async def recording(req: PageRequest) -> Response:
    """Return the recording of a caller's name."""
    decision_id = parse_id(req.path("call"))
    state = req.state.loaded.state
    content = await asyncio.to_thread(read_recording, state, decision_id or "", req.path("name"))
    if not content:
        raise NotFound
    return Response(content, media_type="audio/wav")


def _template(req: PageRequest) -> str:
    return "calls/_calls.html" if req.is_fragment else "calls/calls.html"


HEARTBEAT_SECONDS = 15.0
HEALTH_SECONDS = 2.0


async def activity_of(req: PageRequest, span: ActivitySpan, site: str) -> ActivityShown:
    """Return the cached counts for the overview page. If the counts are old, update the cache in the background."""
    state, now = req.state, req.now
    kept = state.service(ActivityCache).kept
    return await kept.get(f"{span.word} {site}", lambda: state.slow_store.read(activity_shown, span, now, site))


async def health(req: PageRequest) -> Response:
    """Show the health of all parts of the system, as a whole page or as a part to insert into a page."""
    part = bool(req.query.get("part"))
    if req.is_fragment:
        return req.page("doctor/_health.html", health=req.state.health.latest, is_part=part)
    req.state.health.forget()  # the page shows the present state
    return req.page("doctor/health.html", health=await req.state.health.first(HEALTH_SECONDS), is_part=False)


async def live(req: PageRequest) -> Response:
    """Send new calls as rows of HTML by server-sent events, while the live page is open."""
    if req.http.method == "HEAD":
        return Response(media_type="text/event-stream")
    if req.state.service(LiveCalls).is_full(req.me.name):
        raise HTTPException(503)
    return StreamingResponse(_events(req), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(req: PageRequest) -> AsyncIterator[str]:
    """Yield events until the browser disconnects or the session ends. An open live page does not extend the session."""
    site = req.query.get("site", "")
    async with req.state.service(LiveCalls).watching(req.me.name) as calls:
        yield "retry: 3000\n\n"
        checked_at = req.now
        while True:
            call = await _next_of(calls, req.state.ending)
            if req.state.ending.is_set():
                return
            now = req.state.clock()
            if now - checked_at >= HEARTBEAT_SECONDS:
                checked_at = now
                try:
                    still = await with_session(anonymous(req.http, req.state))
                except StoreError:
                    return  # the browser tries again and gets the error
                if still.user != req.user:
                    yield "event: over\ndata:\n\n"
                    return
            if call is None:
                yield ": still here\n\n"
            elif site in ("", call.site):
                [line] = await req.read(call_lines, req.state.loaded.settings, [call], now)
                yield event_of(req, line)


async def _next_of(calls: asyncio.Queue[CallRow], ending: asyncio.Event) -> CallRow | None:
    call, end = asyncio.create_task(calls.get()), asyncio.create_task(ending.wait())
    try:
        await asyncio.wait((call, end), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return call.result() if call.done() else None
    finally:
        call.cancel()
        end.cancel()


def event_of(req: PageRequest, line: CallLine) -> str:
    """Return the HTML row of a call as a server-sent event. Line breaks, which would end the event, are removed."""
    row = " ".join(req.render("calls/_live_row.html", line=line).split())
    return f"event: call\nid: {line.call.id}\ndata: {row}\n\n"


async def close_emergency_window(req: PageRequest) -> Response:
    """Close the emergency window, so that calls are screened again until the next emergency call."""
    await req.perform(close_window, None)
    return req.go("/", "window-closed")


PAGES = (
    Page("GET", "/health", health, Role.VIEWER),
    Page("GET", "/live", live, Role.VIEWER),
    Page("POST", "/emergency/close", close_emergency_window, Role.OPERATOR),
    Page("GET", "/calls", show, Role.VIEWER),
    Page("GET", "/calls/{call}", show_one, Role.VIEWER),
    Page("GET", "/calls/{call}/recordings/{name}", recording, Role.OPERATOR),
)
