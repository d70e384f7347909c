"""API endpoints for the stream of events and for the receivers."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Annotated, Final, Protocol, TypeVar, TypeVarTuple

import msgspec
from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, Stream, endpoint
from callsieve.api.problem import ApiError
from callsieve.changes.operation import Refused
from callsieve.events import operations
from callsieve.events.kinds import Event, EventKind, as_sent, body_of
from callsieve.events.operations import ReplayRequest
from callsieve.text.times import day
from policies.files import nearest
from reputation.store.errors import StoreError
from reputation.store.outbox import STREAM_READ, event_of, events_after, places, set_state, use_stream
from reputation.users import Role, Scope
from reputation.weights import Weights

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

POLL_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
STREAM_SECONDS: Final = 300
AT_ONCE: Final = 200
MOST_STREAMS: Final = 50
MOST_OF_TOKEN: Final = 4
MEDIA_TYPE: Final = "text/event-stream"
# Sent to a reader whose starting point is no longer kept: events may be missing.
GAP: Final = b"event: gap\ndata: {}\n\n"


class Reads(Protocol):
    """The part of ApiRequest that a stream needs."""

    def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> Awaitable[T]:
        """Run `fn(db, *args)` and return its result. Raise StoreError if the store cannot be read in time."""
        ...


class EventStreams:
    """Counts the open streams, in total and per token."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def is_full(self, who: str) -> bool:
        """Return whether the limit of open streams is reached, in total or for this token."""
        return self._open.total() >= MOST_STREAMS or self._open[who] >= MOST_OF_TOKEN

    @contextmanager
    def open(self, who: str) -> Iterator[None]:
        """Count a stream as open during the block."""
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1


def keep_stream(db: sqlite3.Connection, weights: Weights, now: float) -> None:
    """Keep events for streams from now on, for a week. Each stream that is read renews the week."""
    use_stream(db, tuple(EventKind), weights)
    set_state(db, STREAM_READ, day(now), now)


class StreamPosition:
    """The position in the stream after the event `seq`. `has_gap`: whether some later events were already deleted."""

    __slots__ = ("has_gap", "seq")

    def __init__(self, seq: int, *, has_gap: bool) -> None:
        self.seq = seq
        self.has_gap = has_gap


def place_after(db: sqlite3.Connection, event_id: str) -> StreamPosition:
    """Return the position after the event with this id; for an empty id, the position after the latest event."""
    first, last = places(db)
    if not event_id:
        return StreamPosition(last, has_gap=False)
    event = event_of(db, event_id)
    return (
        StreamPosition(first - 1 if first else last, has_gap=True)
        if event is None
        else StreamPosition(event.seq, has_gap=False)
    )


async def stream(
    store: Reads,
    streams: EventStreams,
    who: str,
    place: StreamPosition,
    kinds: Collection[EventKind],
    until: float,
    ending: asyncio.Event,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Yield events of these kinds after `place`. End at `until`, when `ending` is set, or if the store fails."""
    with streams.open(who):
        sent_at = clock()
        yield b"retry: 1000\n\n" + (GAP if place.has_gap else b"")
        seq = place.seq
        while True:
            try:
                events = await store.read(events_after, seq, AT_ONCE)
            except StoreError:
                return
            if events:
                seq = events[-1].seq
            if chunk := b"".join(_as_message(event) for event in events if event.kind in kinds):
                sent_at = clock()
                yield chunk
            elif clock() - sent_at >= HEARTBEAT_SECONDS:
                sent_at = clock()
                yield b": still here\n\n"
            if len(events) < AT_ONCE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(POLL_SECONDS, max(0.0, until - clock()))):
                        await ending.wait()
            if ending.is_set() or clock() >= until:
                return


def _as_message(event: Event) -> bytes:
    body = body_of(as_sent(event))  # JSON without line breaks
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.kind.value.encode(), body)


FULL = "too many open streams, in total or of this token: close one"


class EventsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kinds of events to stream, and the event after which to start."""

    kinds: Annotated[str, Meta(max_length=500, description="Kinds of events, separated by commas. Default: all.")] = ""
    after: Annotated[
        str, Meta(max_length=64, description="Id of the event after which the stream starts. Default: Last-Event-ID.")
    ] = ""
    seconds: Annotated[int, Meta(ge=0, le=STREAM_SECONDS, description="Length of the stream in seconds.")] = (
        STREAM_SECONDS
    )


class StreamedEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message of the stream. Only `data` is always present."""

    data: Annotated[str, Meta(description="The event, as JSON.")]
    event: Annotated[str, Meta(description="The kind of the event, or `gap` if earlier events are missing.")] = ""
    id: Annotated[str, Meta(description="The id of the event.")] = ""


async def read_along(req: ApiRequest, request: EventsRequest) -> Stream[StreamedEvent]:
    """Stream events as they happen (server-sent events). Last-Event-ID continues an earlier stream."""
    kinds = kinds_named(request.kinds)
    streams = req.state.service(EventStreams)
    if streams.is_full(req.context.actor):
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-streams", FULL, headers={"Retry-After": "60"})
    await req.state.store.write(keep_stream, req.context.settings.reputation, req.context.at)
    place = await req.read(place_after, request.after or req.last_event_id)
    until = time.monotonic() + request.seconds
    return Stream(stream(req, streams, req.context.actor, place, kinds, until, req.state.ending), MEDIA_TYPE)


def kinds_named(text: str) -> frozenset[EventKind]:
    """Parse a text such as `call.ended,number.marked`; empty: all kinds. Raise Refused for an unknown kind."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [kind.value for kind in EventKind]
    for name in names:
        if name not in known:
            raise Refused("unknown-kind", f"unknown kind of event {name[:60]!r}{nearest(name, known)}", "kinds")
    return frozenset(map(EventKind, names or known))


ADMIN = (Scope.ADMIN, Role.ADMINISTRATOR)
ENDPOINTS = (
    endpoint("GET", "/events", read_along, Scope.EVENTS, Role.OPERATOR, media_type=MEDIA_TYPE),
    endpoint("GET", "/receivers", operations.find_receivers, *ADMIN),
    endpoint("POST", "/receivers/replay", operations.replay, *ADMIN, example=ReplayRequest(receiver="webhook/crm")),
)
