"""Events for programs that read along: where a stream begins, goes on and ends, and who may have one."""

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


def add(api: RunningApi, reference: str = "AP9E4100") -> Event:
    data = AppealOpened(reference=reference, number=CALLER, decision_id=None)
    event = api.office.write(add_event, OPENED, CALLER, 1.0, data)
    assert event is not None
    return event


def read(program: Program, headers: dict[str, str] | None = None, **query: Any) -> list[dict[str, str]]:
    """The messages of a stream that ends at once, each by its fields."""
    answer = program.client.get(
        "/api/v1/events", params={"seconds": 0, **query}, headers={**program.headers, **(headers or {})}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [fields_of(part) for part in answer.text.split("\n\n") if part]


def fields_of(message: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in message.splitlines())


def test_a_stream_begins_with_what_comes_then(api: RunningApi) -> None:
    program = api.program()
    assert read(program) == [{"retry": "1000"}]
    first, second = add(api, "AP000001"), add(api, "AP000002")
    assert read(program) == [{"retry": "1000"}]
    messages = read(program, after=first.id)[1:]
    assert [(message["id"], message["event"]) for message in messages] == [(second.id, "appeal.opened")]
    told = json.loads(messages[0]["data"])
    assert (told["type"], told["data"]["number"]) == ("appeal.opened", CALLER)


def test_last_event_id_goes_on_where_a_stream_ended(api: RunningApi) -> None:
    program = api.program()
    read(program)
    events = [add(api, f"AP00000{place}") for place in range(5)]
    messages = read(program, {"Last-Event-ID": events[1].id})[1:]
    assert [message["id"] for message in messages] == [event.id for event in events[2:]]


def test_what_is_no_longer_kept_is_said(api: RunningApi) -> None:
    program = api.program()
    read(program)
    kept = add(api)
    messages = read(program, {"Last-Event-ID": "evt_00000000000000000000000000"})
    assert [message.get("event") for message in messages] == [None, "gap", "appeal.opened"]
    assert messages[-1]["id"] == kept.id


def test_only_the_kinds_that_are_asked_for(api: RunningApi) -> None:
    program = api.program()
    read(program)
    first = add(api)
    api.office.write(add_event, EMERGENCY, "emergency", 2.0, EmergencyOpened(by="joe"))
    assert [item.get("event") for item in read(program, after=first.id, kinds="emergency.opened")] == [
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
def test_who_may_not_read_along(api: RunningApi, role: Role, scope: Scope, code: str) -> None:
    assert api.program(role, (scope,)).refused("GET", "/events?seconds=0") == (403, code)


def test_nothing_is_written_for_a_stream_that_nobody_reads(api: RunningApi) -> None:
    assert api.office.read(is_wanted, OPENED) is False
    read(api.program())
    assert api.office.read(is_wanted, OPENED) is True
    now = api.office.clock.now
    api.office.write(expire_events, now + KEPT_SECONDS - 1)
    assert api.office.read(is_wanted, OPENED) is True
    api.office.write(expire_events, now + KEPT_SECONDS + 1)
    assert api.office.read(is_wanted, OPENED) is False


@pytest.mark.parametrize(("streams", "is_full"), [(MOST_OF_TOKEN - 1, False), (MOST_OF_TOKEN, True)])
def test_a_token_has_so_many_streams(streams: int, is_full: bool) -> None:
    open_now = EventStreams()
    held = [open_now.open("token:crm") for _ in range(streams)]
    for item in held:
        item.__enter__()
    assert open_now.is_full("token:crm") is is_full
    assert open_now.is_full("token:other") is False
    for item in held:
        item.__exit__(None, None, None)
    assert open_now.is_full("token:crm") is False


def test_all_together_have_so_many() -> None:
    open_now = EventStreams()
    held = [open_now.open(f"token:{place}") for place in range(MOST_STREAMS)]
    for item in held:
        item.__enter__()
    assert open_now.is_full("token:crm") is True


class Reading:
    """The store as a stream asks it."""

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


class Seconds:
    """A clock that goes on by so much with every look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


async def test_whoever_hears_nothing_hears_that_we_are_there(api: RunningApi) -> None:
    place = api.office.read(place_after, "")
    going = stream(
        Reading(api.office.store), EventStreams(), "x", place, set(EventKind), 1e9, asyncio.Event(), Seconds(20.0)
    )
    assert await anext(going) == b"retry: 1000\n\n"
    assert await anext(going) == b": still here\n\n"
    await going.aclose()  # type: ignore[attr-defined]


async def test_what_nobody_takes_is_not_read(api: RunningApi) -> None:
    api.office.write(use_stream, [OPENED])
    for place in range(3):
        add(api, f"AP00000{place}")
    store, streams = Reading(api.office.store), EventStreams()
    going = stream(store, streams, "x", StreamPosition(0, has_gap=True), set(EventKind), 1e9, asyncio.Event())
    assert (await anext(going)).endswith(GAP)
    await asyncio.sleep(0.05)
    assert store.reads == 0
    assert (await anext(going)).count(b"\nevent: appeal.opened\n") == 3
    assert store.reads == 1
    await going.aclose()  # type: ignore[attr-defined]
    assert streams.is_full("x") is False


async def test_a_store_that_cannot_be_read_ends_it(api: RunningApi) -> None:
    store = Reading(api.office.store)
    store.fails = True
    going = stream(store, EventStreams(), "x", StreamPosition(0, has_gap=False), set(EventKind), 1e9, asyncio.Event())
    assert [chunk async for chunk in going] == [b"retry: 1000\n\n"]


async def test_it_ends_with_the_process(api: RunningApi) -> None:
    ending = asyncio.Event()
    place = StreamPosition(0, has_gap=False)
    going = stream(Reading(api.office.store), EventStreams(), "x", place, set(EventKind), 1e9, ending)
    assert await anext(going) == b"retry: 1000\n\n"
    ending.set()
    assert [chunk async for chunk in going] == []


@pytest.mark.slow
def test_an_event_arrives_as_it_happens(tmp_path: Path) -> None:
    """Of the real process, which ends its streams when it is stopped."""
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
