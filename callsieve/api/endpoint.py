"""The table of API endpoints: path, required scope and role, and the operation that answers.

    ENDPOINTS = (
        endpoint("GET", "/lists/{list_name}/entries", views.find_entries, Scope.READ, Role.OPERATOR),
        endpoint("POST", "/lists/{list_name}/entries", operations.add, Scope.WRITE, Role.OPERATOR, status=201,
                 example=EntryRequest(ListName.BLOCK, "+1900*")),
    )

Everything else comes from the operation's signature, `(db, context, request) -> result`, and its docstring. The first
line of the docstring is the summary. Request fields that the path has in braces are read from the path. Other fields
are read from the query of a GET or DELETE, or from the body. Unknown or repeated fields and wrong types are errors.

A GET runs in a read transaction of the store. Other methods run in one write transaction, which also stores the answer
for an Idempotency-Key. An operation that needs more than the store is a coroutine `(req, request) -> result`. The
coroutine reads and writes through `req`, an ApiRequest. Every operation raises Refused if a request is not allowed.
"""

import asyncio
import inspect
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache, reduce
from http import HTTPStatus
from operator import or_
from types import NoneType
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, TypeVarTuple, get_args, get_origin, get_type_hints

import msgspec

from callsieve.api.problem import UNPROCESSABLE, ApiError
from callsieve.changes.operation import Context, Refused
from callsieve.web.app_state import AppState
from callsieve.web.store_client import StoreClient
from reputation.encoding import Fault, Misfit, fields_of, find_misfit, struct_of, words_of
from reputation.users import Role, Scope

SHOWN = 200
FIELD_CHARACTERS = 80
MESSAGES = {Fault.UNKNOWN_KEY: "unknown field", Fault.MISSING_KEY: "required"}


def body_from(raw: bytes, kind: Any) -> Any:
    """Return the JSON body `raw` as a value of type `kind`. Raise ApiError if the body is invalid."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid("bad-body", _misfit_in(raw, kind), error) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: of invalid UTF-8
        words = f"the body is not valid JSON: {str(error)[:SHOWN]}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-json", words) from None


def _misfit_in(raw: bytes, kind: Any) -> Misfit | None:
    # msgspec stops at the first misfit, so the rest of the body may not be JSON at all.
    try:
        return find_misfit(msgspec.json.decode(raw), kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def query_from(pairs: Iterable[tuple[str, str]], kind: type[msgspec.Struct] | None) -> Any:
    """Return the query parameters of a URL as a Struct of type `kind`. Raise ApiError if the query is invalid."""
    fields: dict[str, str] = {}
    for key, value in pairs:
        if key in fields:
            raise ApiError(UNPROCESSABLE, "bad-query", "given twice", key[:FIELD_CHARACTERS])
        fields[key] = value
    if kind is None:
        if fields:
            raise ApiError(
                UNPROCESSABLE,
                "bad-query",
                "this endpoint takes no query string: leave the query string out",
                next(iter(fields))[:FIELD_CHARACTERS],
            )
        return None
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("bad-query", find_misfit(fields, kind, strict=False), error) from None


def _invalid(code: str, misfit: Misfit | None, error: msgspec.ValidationError) -> ApiError:
    if misfit is None:
        return ApiError(UNPROCESSABLE, code, str(error)[:SHOWN])
    return ApiError(
        UNPROCESSABLE, code, (MESSAGES.get(misfit.fault) or misfit.words)[:SHOWN], misfit.place[:FIELD_CHARACTERS]
    )


R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BODY_BYTES = 64 * 1024
JSON = "application/json"
_PART = re.compile(r"\{(\w+)\}")
_NOT_IN_NAMES = str.maketrans("/-", "__", "{}")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """The settings, store client and thread limit that a coroutine operation can use.

    `threads`: limits how many threads run at once. `last_event_id`: the event after which a stream continues, or empty.
    """

    context: Context
    state: AppState
    reads: StoreClient
    threads: asyncio.Semaphore
    last_event_id: str = ""

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Run `fn(db, *args)` in a read transaction and return its result."""
        return await self.reads.read(fn, *args)

    async def perform(self, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
        """Run an operation in a write transaction and return its result."""
        return await self.state.store.write(operation, self.context, request)

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run a blocking function in a thread and return its result. `threads` limits how many threads run at once."""
        async with self.threads:
            return await asyncio.to_thread(fn, *args)


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """A streamed response that sends values of type T one after another."""

    chunks: AsyncIterator[bytes]
    media_type: str


@dataclass(frozen=True, slots=True)
class CallWaits:
    """Marks an endpoint that is queried while a telephone call waits for the answer.

    The endpoint answers within `seconds`. If it has no answer by then, it answers with `fallback`. It has no rate
    limit, because a request over the limit would let a call through unscreened.
    """

    seconds: float
    fallback: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API endpoint, as declared in a table ENDPOINTS. `scope`, `role`: the least rights that a token needs.

    `answer`: the type of the response. `most_bytes`: maximum size of the request's body, in bytes.
    `keeps_answer`: whether the answer to a request with an Idempotency-Key is stored. `parts`: a Struct of the fields
    in the path. `values`: returns the operation's arguments, from the path fields and the parsed query or body.
    """

    method: str
    path: str
    handler: Callable[..., object] | Callable[..., Awaitable[object]]
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
    tag: str = field(default="", kw_only=True)
    parts: Any = field(default=None, kw_only=True)
    values: Callable[[Mapping[str, str], Any], tuple[Any, ...]] = field(kw_only=True)

    @property
    def takes_key(self) -> bool:
        """Whether clients may send an Idempotency-Key to this endpoint."""
        return self.method != "GET" and self.keeps_answer

    @property
    def name(self) -> str:
        """The endpoint's `operationId` in the OpenAPI document, such as `get_lists_list_entries`."""
        words = (part.strip("{}").replace("-", "_") for part in self.path.split("/") if part)
        return "_".join((self.method.lower(), *words))

    @property
    def group(self) -> str:
        """The endpoint's tag in the OpenAPI document, which groups endpoints."""
        return self.tag or self.path.split("/")[1]


def endpoint(
    method: str,
    path: str,
    operation: Callable[..., Any],
    scope: Scope,
    role: Role,
    *,
    changes_nothing: bool = False,
    is_audited: bool = False,
    **more: Any,
) -> Endpoint:
    """Return an endpoint for an operation, using the operation's annotations and docstring.

    `changes_nothing`: whether this is a POST that only reads, because the request is too large for a query.
    `is_audited`: whether this is a GET that writes a row into the audit. `more`: other attributes of Endpoint.
    """
    hints = get_type_hints(operation, include_extras=True)
    is_coroutine = inspect.iscoroutinefunction(operation)
    names = list(inspect.signature(operation).parameters)[1 if is_coroutine else 2 :]
    kind = hints[names[0]] if names else None
    request = _Request(method, path, None if kind is NoneType else kind)
    answers = [
        answer_type for answer_type in get_args(hints["return"]) or (hints["return"],) if answer_type is not Refused
    ]
    may_refuse = Refused in get_args(hints["return"])
    summary = (operation.__doc__ or "").partition("\n")[0]
    sent = {"query" if method in ("GET", "DELETE") else "body": request.rest, "parts": request.parts}

    async def in_store(req: ApiRequest, *values: Any) -> object:
        result = (
            await req.perform(operation, *values)
            if not changes_nothing
            else await req.read(operation, req.context, *values)
        )
        if isinstance(result, Refused):
            raise result
        return result

    handler = in_store if not is_coroutine and (changes_nothing or is_audited or may_refuse) else operation
    answer = reduce(or_, answers) if may_refuse else hints["return"]
    if get_origin(answer) is Stream:
        (answer,) = get_args(answer)
    more.setdefault("keeps_answer", not changes_nothing)
    return Endpoint(method, path, handler, scope, role, answer, summary, **sent, values=request.values, **more)


class _Request:
    """The request type of an operation, split into fields from the path (`parts`) and all other fields (`rest`).

    If a request is a single text, number or enum, `parts` has only this value as a field, and `rest` is None.
    """

    def __init__(self, method: str, path: str, kind: Any) -> None:
        names = tuple(_PART.findall(path))
        self._kind = kind
        self._is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        self.parts: Any = None
        self.rest: Any = None
        if self._is_struct:
            self.parts, self.rest = _split_fields(kind, names)
        elif kind is not None:
            self.parts = msgspec.defstruct(f"{method}{path}".translate(_NOT_IN_NAMES), [(names[0], kind)])

    def values(self, path: Mapping[str, str], rest: Any) -> tuple[Any, ...]:
        """Return the operation's arguments: path fields and `rest`. Raise ApiError if a path field is invalid."""
        if self._kind is None:
            return ()
        parts = msgspec.structs.fields(self.parts) if self.parts else ()
        values = {part.name: _part(part.name, part.type, path[part.name]) for part in parts}
        if not self._is_struct:
            return tuple(values.values())
        if self.rest is self._kind:
            return (rest,)
        for name in self.rest.__struct_fields__ if self.rest else ():
            value = getattr(rest, name)
            values[name] = value.timestamp() if isinstance(value, datetime) else value
        return (msgspec.convert(values, self._kind, from_attributes=True),)


def _part(name: str, kind: Any, text: str) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if isinstance(kind, type) and issubclass(kind, Enum):
            known = ", ".join(member.value for member in kind)
            raise Refused(
                f"no-such-{name.removesuffix('_name')}", f"unknown value: use one of: {known}", name
            ) from None
        raise ApiError(UNPROCESSABLE, "bad-path", str(error), name) from None


@cache
def _split_fields(kind: type[msgspec.Struct], names: tuple[str, ...]) -> tuple[Any, Any]:
    """Return a Struct of the path fields and a Struct of all other fields. Each is None if it would be empty."""
    if not names and kind.__struct_config__.forbid_unknown_fields and not words_of(kind):
        return None, kind
    fields = fields_of(kind)
    in_path = [field_info._replace(default=msgspec.NODEFAULT) for field_info in fields if field_info.name in names]
    others = [field_info for field_info in fields if field_info.name not in names]
    missing = set(names) - {field_info.name for field_info in in_path}
    assert not missing, f"{kind.__name__} has no {missing}"
    return (
        struct_of(f"{kind.__name__}Path", kind, in_path, is_sent=True) if in_path else None,
        struct_of(kind.__name__, kind, others, is_sent=True) if others else None,
    )


ROOT = "/api/v1"


class Route(NamedTuple):
    """The endpoints with the same path, by method."""

    pattern: re.Pattern[str]
    by_method: dict[str, Endpoint]


class Routes:
    """All endpoints by path. If two patterns match a path, the pattern with fewer fields in braces wins."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        by_path: dict[str, Route] = {}
        for endpoint in endpoints:
            pattern = _PART.sub(r"(?P<\1>[^/]+)", re.sub(r"[.]", r"\\.", endpoint.path))
            route = by_path.setdefault(endpoint.path, Route(re.compile(pattern), {}))
            assert endpoint.method not in route.by_method, f"{endpoint.method} {endpoint.path} is declared twice"
            route.by_method[endpoint.method] = endpoint
        self._routes = [by_path[path] for path in sorted(by_path, key=lambda path: (path.count("{"), path))]

    def find(self, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Return the route for a path below ROOT, and the values of the path's fields. None if no route matches."""
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match:
                return route, match.groupdict()
        return None
