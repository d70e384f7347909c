"""Events for programs that read along."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, Stream, endpoint
from callsieve.api.problem import ApiError
from callsieve.changes.operation import Refused
from callsieve.events import operations
from callsieve.events.kinds import EventKind
from callsieve.events.operations import ReplayRequest
from callsieve.events.stream import MEDIA_TYPE, STREAM_SECONDS, EventStreams, keep_stream, place_after, stream
from policies.files import nearest
from reputation.users import Role, Scope

FULL = "too many programs read along already, or this token does so too often: close one"


class EventsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events, and after which."""

    kinds: Annotated[str, Meta(max_length=500, description="Kinds with commas between them; all if not given.")] = ""
    after: Annotated[
        str, Meta(max_length=64, description="The id of an event: the stream begins after it. Else Last-Event-ID.")
    ] = ""
    seconds: Annotated[int, Meta(ge=0, le=STREAM_SECONDS, description="How long the stream goes on.")] = STREAM_SECONDS


class StreamedEvent(msgspec.Struct, frozen=True):
    """An event of the stream.

    Attributes:
        data: The event, as JSON.
        event: Its kind, or `gap`: some are missing before it.
        id: Its id.
    """

    data: str
    event: str = ""
    id: str = ""


async def read_along(req: ApiRequest[Any, Any], request: EventsRequest) -> Stream[StreamedEvent]:
    """Read events as they happen (server-sent events); Last-Event-ID goes on where a stream ended."""
    kinds = kinds_named(request.kinds)
    streams = req.state.service(EventStreams)
    if streams.is_full(req.context.actor):
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-streams", FULL, headers={"Retry-After": "60"})
    await req.state.store.write(keep_stream, req.context.settings.reputation, req.context.at)
    place = await req.read(place_after, request.after or req.asked.last_event_id)
    until = time.monotonic() + request.seconds
    return Stream(stream(req, streams, req.context.actor, place, kinds, until, req.state.ending), MEDIA_TYPE)


def kinds_named(text: str) -> frozenset[EventKind]:
    """`call.ended,number.marked`; nothing: all. Refused."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [kind.value for kind in EventKind]
    for name in names:
        if name not in known:
            raise Refused("unknown-kind", f"there are no events {name[:60]!r}{nearest(name, known)}", "kinds")
    return frozenset(map(EventKind, names or known))


ADMIN = (Scope.ADMIN, Role.ADMINISTRATOR)
ENDPOINTS = (
    endpoint("GET", "/events", read_along, Scope.EVENTS, Role.OPERATOR, media_type=MEDIA_TYPE),
    endpoint("GET", "/receivers", operations.find_receivers, *ADMIN),
    endpoint("POST", "/receivers/replay", operations.replay, *ADMIN, example=ReplayRequest(receiver="webhook/crm")),
)
