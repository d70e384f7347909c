"""The event stream of the API: begin, resume, end and limits."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import httpx2
import pytest

from callsieve.events.api.endpoints import (
    GAP,
    MOST_OF_TOKEN,
    MOST_STREAMS,
    EventStreams,
    StreamPosition,
    place_after,
    stream,
)
from callsieve.events.kinds import Event, EventKind
from reputation.events import AppealOpened, EmergencyOpened
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.store.outbox import KEPT_SECONDS, add_event, expire_events, is_wanted, use_stream
from reputation.users import Role, Scope
from tests.callsieve.api.serving import serving_api
from tests.callsieve.asking import ApiOffice, Program, RunningApi

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
CALLER = "+12017421834"
OPENED, EMERGENCY = EventKind.APPEAL_OPENED, EventKind.EMERGENCY_OPENED


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with ApiOffice(tmp_path).api() as running:
        yield running


def add_appeal_event(api: RunningApi, reference: str = "AP9E4100") -> Event:
    data = AppealOpened(reference=reference, number=CALLER, decision_id=None)
    event = api.office.write(add_event, OPENED, CALLER, 1.0, data)
    assert event is not None
    return event


def read_stream(program: Program, headers: dict[str, str] | None = None, **query: Any) -> list[dict[str, str]]:
    """Return the messages of a stream that ends at once, as fields."""
    answer = program.client.get(
        "/api/v1/events", params={"seconds": 0, **query}, headers={**program.headers, **(headers or {})}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [fields_of(part) for part in answer.text.split("\n\n") if part]


def fields_of(message: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in message.splitlines())


def test_stream_begins_with_the_next_event(api: RunningApi) -> None:
    program = api.program()
    assert read_stream(program) == [{"retry": "1000"}]
    first, second = add_appeal_event(api, "AP000001"), add_appeal_event(api, "AP000002")
    assert read_stream(program) == [{"retry": "1000"}]
    messages = read_stream(program, after=first.id)[1:]
    assert [(message["id"], message["event"]) for message in messages] == [(second.id, "appeal.opened")]
    told = json.loads(messages[0]["data"])
    assert (told["type"], told["data"]["number"]) == ("appeal.opened", CALLER)


def test_last_event_id_resumes_a_stream(api: RunningApi) -> None:
    program = api.program()
    read_stream(program)
    events = [add_appeal_event(api, f"AP00000{place}") for place in range(5)]
    messages = read_stream(program, {"Last-Event-ID": events[1].id})[1:]
    assert [message["id"] for message in messages] == [event.id for event in events[2:]]


def test_missed_events_are_announced_as_a_gap(api: RunningApi) -> None:
    program = api.program()
    read_stream(program)
    kept = add_appeal_event(api)
    messages = read_stream(program, {"Last-Event-ID": "evt_00000000000000000000000000"})
    assert [message.get("event") for message in messages] == [None, "gap", "appeal.opened"]
    assert messages[-1]["id"] == kept.id


def test_stream_is_filtered_by_kind(api: RunningApi) -> None:
    program = api.program()
    read_stream(program)
    first = add_appeal_event(api)
    api.office.write(add_event, EMERGENCY, "emergency", 2.0, EmergencyOpened(by="joe"))
    assert [item.get("event") for item in read_stream(program, after=first.id, kinds="emergency.opened")] == [
        None,
        "emergency.opened",
    ]
    assert program.refused("GET", "/events?kinds=appeal.opend&seconds=0") == (422, "unknown-kind")


@pytest.mark.parametrize("seconds", ["-1", "301", "soon"])
def test_a_stream_lasts_five_minutes_at_most(api: RunningApi, seconds: str) -> None:
    assert api.program().refused("GET", f"/events?seconds={seconds}") == (422, "bad-query")


@pytest.mark.parametrize(
    ("role", "scope", "code"),
    [
        pytest.param(Role.OPERATOR, Scope.READ, "wrong-scope", id="scope"),
        pytest.param(Role.VIEWER, Scope.EVENTS, "wrong-role", id="role"),
    ],
)
def test_missing_scope_or_role_is_refused(api: RunningApi, role: Role, scope: Scope, code: str) -> None:
    assert api.program(role, (scope,)).refused("GET", "/events?seconds=0") == (403, code)


def test_events_are_not_stored_without_readers(api: RunningApi) -> None:
    assert api.office.read(is_wanted, OPENED) is False
    read_stream(api.program())
    assert api.office.read(is_wanted, OPENED) is True
    now = api.office.clock.now
    api.office.write(expire_events, now + KEPT_SECONDS - 1)
    assert api.office.read(is_wanted, OPENED) is True
    api.office.write(expire_events, now + KEPT_SECONDS + 1)
    assert api.office.read(is_wanted, OPENED) is False


@pytest.mark.parametrize(("streams", "is_full"), [(MOST_OF_TOKEN - 1, False), (MOST_OF_TOKEN, True)])
def test_streams_of_a_token_are_limited(streams: int, is_full: bool) -> None:
    open_now = EventStreams()
    held = [open_now.open("token:crm") for _ in range(streams)]
    for item in held:
        item.__enter__()
    assert open_now.is_full("token:crm") is is_full
    assert open_now.is_full("token:other") is False
    for item in held:
        item.__exit__(None, None, None)
    assert open_now.is_full("token:crm") is False


def test_streams_of_all_tokens_are_limited() -> None:
    open_now = EventStreams()
    held = [open_now.open(f"token:{place}") for place in range(MOST_STREAMS)]
    for item in held:
        item.__enter__()
    assert open_now.is_full("token:crm") is True


class CountingStore:
    """A store that counts reads and can fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0
        self.fails = False

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        if self.fails:
            raise StoreError("locked")
        self.reads += 1
        with open_store(self.path) as db:
            return fn(db, *args)


class TickingClock:
    """A clock that advances by `step` with every call."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


async def test_idle_stream_sends_keep_alives(api: RunningApi) -> None:
    place = api.office.read(place_after, "")
    going = stream(
        CountingStore(api.office.store),
        EventStreams(),
        "x",
        place,
        set(EventKind),
        1e9,
        asyncio.Event(),
        TickingClock(20.0),
    )
    assert await anext(going) == b"retry: 1000\n\n"
    assert await anext(going) == b": still here\n\n"
    await going.aclose()  # type: ignore[attr-defined]


async def test_store_is_not_read_ahead_of_the_client(api: RunningApi) -> None:
    api.office.write(use_stream, [OPENED])
    for place in range(3):
        add_appeal_event(api, f"AP00000{place}")
    store, streams = CountingStore(api.office.store), EventStreams()
    going = stream(store, streams, "x", StreamPosition(0, has_gap=True), set(EventKind), 1e9, asyncio.Event())
    assert (await anext(going)).endswith(GAP)
    await asyncio.sleep(0.05)
    assert store.reads == 0
    assert (await anext(going)).count(b"\nevent: appeal.opened\n") == 3
    assert store.reads == 1
    await going.aclose()  # type: ignore[attr-defined]
    assert streams.is_full("x") is False


async def test_store_error_ends_the_stream(api: RunningApi) -> None:
    store = CountingStore(api.office.store)
    store.fails = True
    going = stream(store, EventStreams(), "x", StreamPosition(0, has_gap=False), set(EventKind), 1e9, asyncio.Event())
    assert [chunk async for chunk in going] == [b"retry: 1000\n\n"]


async def test_stream_ends_with_the_process(api: RunningApi) -> None:
    ending = asyncio.Event()
    place = StreamPosition(0, has_gap=False)
    going = stream(CountingStore(api.office.store), EventStreams(), "x", place, set(EventKind), 1e9, ending)
    assert await anext(going) == b"retry: 1000\n\n"
    ending.set()
    assert [chunk async for chunk in going] == []


@pytest.mark.slow
def test_event_arrives_at_once(tmp_path: Path) -> None:
    """Uses the real process, which ends its streams when it is stopped."""
    with serving_api(tmp_path) as served, httpx2.Client(timeout=30.0) as client:
        headers = {"Authorization": f"Bearer {served.secret}"}
        with client.stream("GET", f"{served.url}/events", headers=headers) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 1000"
            data = AppealOpened(reference="AP9E4100", number=CALLER, decision_id=None)
            event = served.office.write(add_event, OPENED, CALLER, 1.0, data)
            assert event is not None
            assert next(line for line in lines if line.startswith("id: ")) == f"id: {event.id}"
            served.process.terminate()
            assert list(lines)[-1] == ""  # a whole answer: without its end the client would raise
        assert served.process.wait(20) == -signal.SIGTERM
