"""What a line of the table of endpoints is: what can be asked for, who may, and which function answers.

    def add(db, context, asked: Asked[None, NewEntry]) -> EntryAdded: ...
    async def status(req: ApiRequest[None, None]) -> dict: ...

    ENDPOINTS = (
        Endpoint("POST", "/lists/{list}/entries", add, Scope.WRITE, Role.OPERATOR, EntryAdded, "Add an entry.",
                 body=NewEntry, example=NewEntry(entry="+1900*"), status=201),
    )

A function of `(db, context, asked)` runs in the store: of a GET among the reads, of all else in one transaction, in
which the answer of an Idempotency-Key is kept, too. One of `(req)` is for what needs more than the store; it writes
with `req.perform`. Both raise Refused; what they return is written as JSON.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, TypeVarTuple

import msgspec

from callsieve.api.decoding import body_from
from callsieve.changes.operation import Context
from callsieve.web.app_state import AppState
from callsieve.web.store_client import StoreClient
from reputation.api_tokens import Scope
from reputation.users import Role

Q = TypeVar("Q")
B = TypeVar("B")
R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BODY_BYTES = 64 * 1024
JSON = "application/json"


class ApiStruct(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is sent to an endpoint, or said by it. A field that nobody knows is an error, on both sides."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[Q, B]):
    """A request as its endpoint declares it. `path`: the parts in braces, as text: operations know what is allowed.

    `scopes`: all of the token, for what one endpoint does in the name of several.

    `last_event_id`: where a stream is to go on, empty for no stream. `seen`: what `reads_first` returned.
    """

    path: Mapping[str, str]
    query: Q
    body: B
    scopes: tuple[Scope, ...] = ()
    last_event_id: str = ""
    seen: Any = None


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[Q, B]):
    """For what needs more than the store. `reads`: the store's reader, `threads` bounds what runs beside it."""

    asked: Asked[Q, B]
    context: Context
    state: AppState
    reads: StoreClient
    threads: asyncio.Semaphore

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """What `fn(db, *args)` returns. StoreError."""
        return await self.reads.read(fn, *args)

    async def perform(self, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
        """What the operation returns. Refused, StoreError."""
        return await self.state.store.write(operation, self.context, request)

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """What `fn(*args)` returns, which waits for something; only a few do so at once."""
        async with self.threads:
            return await asyncio.to_thread(fn, *args)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on. `media_type`: what it is."""

    chunks: AsyncIterator[bytes]
    media_type: str


@dataclass(frozen=True, slots=True)
class CallWaits:
    """Of an endpoint that a telephone call waits for: it is answered within `seconds`, whatever state we are in.

    `otherwise`: what is answered where nothing else can be said in time. No token may ask it too often: what was not
    asked would go on unscreened.
    """

    seconds: float
    otherwise: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One line. `scope`, `role`: the token must have the one, and at least the other.

    `answer`: the type of what is said, for the OpenAPI document and the tests; `query` and `body`: of what is asked.
    `example`: a body. `media_type`: of the answer, where that is no JSON. `keeps_answer`: whether an Idempotency-Key is
    taken: by all but GET, unless nothing is changed. `decode`: how a body is read. `reads_first`: reads what
    takes long, before the write lock is taken.
    """

    method: str
    path: str
    handler: Callable[[sqlite3.Connection, Context, Asked[Any, Any]], object] | Callable[[Any], Awaitable[object]]
    scope: Scope
    role: Role
    answer: Any
    summary: str
    query: type[msgspec.Struct] | None = None
    body: Any = None
    example: object = None
    status: int = 200
    most_bytes: int = BODY_BYTES
    media_type: str = JSON
    keeps_answer: bool = True
    decode: Callable[[bytes, Any], Any] = body_from
    call_waits: CallWaits | None = None
    reads_first: Callable[[sqlite3.Connection, Context, Asked[Any, Any]], object] | None = None
    tag: str = field(default="", kw_only=True)

    @property
    def takes_key(self) -> bool:
        """Whether it takes an Idempotency-Key."""
        return self.method != "GET" and self.keeps_answer

    @property
    def name(self) -> str:
        """What it is called in the OpenAPI document: `get_lists_list_entries`."""
        words = (part.strip("{}").replace("-", "_") for part in self.path.split("/") if part)
        return "_".join((self.method.lower(), *words))

    @property
    def group(self) -> str:
        """Its part of the OpenAPI document."""
        return self.tag or self.path.split("/")[1]
