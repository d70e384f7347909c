"""The table of endpoints: what can be asked for, who may, and which operation answers.

    ENDPOINTS = (
        endpoint("GET", "/lists/{list_name}/entries", views.find_entries, Scope.READ, Role.OPERATOR),
        endpoint("POST", "/lists/{list_name}/entries", operations.add, Scope.WRITE, Role.OPERATOR, status=201,
                 example=EntryRequest(ListName.BLOCK, "+1900*")),
    )

All else is read from the operation: `(db, context, request) -> result`. Fields of the request that the path has in
braces come from the path, the others from the query of a GET or DELETE, or from the body. The summary is the first
line of its docstring. It runs in the store: of a GET among the reads, of all else in one transaction, in which the
answer of an Idempotency-Key is kept, too. What needs more than the store is a coroutine `(req, request) -> result`,
which reads and writes with `req`. All raise Refused; what they return is written as JSON by reputation/encoding.py.

What was sent, as its endpoint declares it. Strict: an unknown field, a wrong type or a second value is refused.

Which endpoint a path is. Pure.
"""

from __future__ import annotations

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
WORDS = {Fault.UNKNOWN_KEY: "no such field", Fault.MISSING_KEY: "required"}


def body_from(raw: bytes, kind: Any) -> Any:
    """The value of a JSON body. ApiError."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid("bad-body", _misfit_in(raw, kind), error) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: of invalid UTF-8
        words = f"the body is no JSON: {str(error)[:SHOWN]}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-json", words) from None


def _misfit_in(raw: bytes, kind: Any) -> Misfit | None:
    """Return what does not fit; None where what comes after it is no JSON."""
    try:
        return find_misfit(msgspec.json.decode(raw), kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def query_from(pairs: Iterable[tuple[str, str]], kind: type[msgspec.Struct] | None) -> Any:
    """The value of what stands behind the question mark. ApiError."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if key in found:
            raise ApiError(UNPROCESSABLE, "bad-query", "it is there twice", key[:FIELD_CHARACTERS])
        found[key] = value
    if kind is None:
        if found:
            raise ApiError(
                UNPROCESSABLE, "bad-query", "nothing is asked for here", next(iter(found))[:FIELD_CHARACTERS]
            )
        return None
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("bad-query", find_misfit(found, kind, strict=False), error) from None


def _invalid(code: str, misfit: Misfit | None, error: msgspec.ValidationError) -> ApiError:
    if misfit is None:
        return ApiError(UNPROCESSABLE, code, str(error)[:SHOWN])
    return ApiError(
        UNPROCESSABLE, code, (WORDS.get(misfit.fault) or misfit.words)[:SHOWN], misfit.place[:FIELD_CHARACTERS]
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
    """For what needs more than the store. `reads`: the store's reader, `threads` bounds what runs beside it.

    `last_event_id`: where a stream is to go on, empty for no stream.
    """

    context: Context
    state: AppState
    reads: StoreClient
    threads: asyncio.Semaphore
    last_event_id: str = ""

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
class Stream(Generic[T]):
    """An answer that goes on, one T after the other. `media_type`: what it is."""

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
    taken: by all but GET, unless nothing is changed. `decode`: how a body is read.
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
    parts: Any = field(default=None, kw_only=True)  # a Struct of the parts of the path
    # What the operation is called with, of the parts and of what the query or the body has.
    values: Callable[[Mapping[str, str], Any], tuple[Any, ...]] = field(kw_only=True)

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


def endpoint(
    method: str,
    path: str,
    operation: Callable[..., Any],
    scope: Scope,
    role: Role,
    *,
    changes_nothing: bool = False,
    is_noted: bool = False,
    **more: Any,
) -> Endpoint:
    """Return the endpoint of an operation, described by its annotations and its docstring.

    Args:
        changes_nothing: of a POST whose request is too large for a query; it runs among the reads.
        is_noted: of a GET that leaves a row in the audit.
        more: `example`, `status`, `most_bytes`, `media_type`, `tag`, `call_waits` of Endpoint.
    """
    hints = get_type_hints(operation, include_extras=True)
    is_coroutine = inspect.iscoroutinefunction(operation)
    names = list(inspect.signature(operation).parameters)[1 if is_coroutine else 2 :]
    kind = hints[names[0]] if names else None
    request = _Request(method, path, None if kind is NoneType else kind)
    answers = [one for one in get_args(hints["return"]) or (hints["return"],) if one is not Refused]
    may_refuse = Refused in get_args(hints["return"])
    summary = (operation.__doc__ or "").partition("\n")[0]
    sent = {"query" if method in ("GET", "DELETE") else "body": request.rest, "parts": request.parts}

    async def outside(req: ApiRequest, *values: Any) -> object:
        result = (
            await req.perform(operation, *values)
            if not changes_nothing
            else await req.read(operation, req.context, *values)
        )
        if isinstance(result, Refused):
            raise result
        return result

    handler = outside if not is_coroutine and (changes_nothing or is_noted or may_refuse) else operation
    answer = reduce(or_, answers) if may_refuse else hints["return"]
    if get_origin(answer) is Stream:
        (answer,) = get_args(answer)
    more.setdefault("keeps_answer", not changes_nothing)
    return Endpoint(method, path, handler, scope, role, answer, summary, **sent, values=request.values, **more)


class _Request:
    """What an operation is asked for, taken apart. `parts`, `rest`: Structs of what the path has, and of all else.

    An operation that takes a text, a number or a word gets the one part of its path.
    """

    def __init__(self, method: str, path: str, kind: Any) -> None:
        names = tuple(_PART.findall(path))
        self._kind = kind
        self._is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        self.parts: Any = None
        self.rest: Any = None
        if self._is_struct:
            self.parts, self.rest = _taken_apart(kind, names)
        elif kind is not None:
            self.parts = msgspec.defstruct(f"{method}{path}".translate(_NOT_IN_NAMES), [(names[0], kind)])

    def values(self, path: Mapping[str, str], rest: Any) -> tuple[Any, ...]:
        """Return the request that the operation is called with, if it takes one.

        Args:
            path: The parts in braces, as text.
            rest: What the query or the body has.

        Raises:
            ApiError: a part of the path is not what it has to be.
        """
        if self._kind is None:
            return ()
        parts = msgspec.structs.fields(self.parts) if self.parts else ()
        values = {one.name: _part(one.name, one.type, path[one.name]) for one in parts}
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
            known = ", ".join(one.value for one in kind)
            raise Refused(f"no-such-{name.removesuffix('_name')}", f"there are: {known}", name) from None
        raise ApiError(UNPROCESSABLE, "bad-path", str(error), name) from None


@cache
def _taken_apart(kind: type[msgspec.Struct], names: tuple[str, ...]) -> tuple[Any, Any]:
    """Return the Struct of the fields in the path, and that of all others; None for no fields."""
    if not names and kind.__struct_config__.forbid_unknown_fields and not words_of(kind):
        return None, kind
    fields = fields_of(kind)
    in_path = [one._replace(default=msgspec.NODEFAULT) for one in fields if one.name in names]
    others = [one for one in fields if one.name not in names]
    missing = set(names) - {one.name for one in in_path}
    assert not missing, f"{kind.__name__} has no {missing}"
    return (
        struct_of(f"{kind.__name__}Path", kind, in_path, is_sent=True) if in_path else None,
        struct_of(kind.__name__, kind, others, is_sent=True) if others else None,
    )


ROOT = "/api/v1"


class Route(NamedTuple):
    """All that can be asked of a path, by method."""

    pattern: re.Pattern[str]
    by_method: dict[str, Endpoint]


class Routes:
    """The table, by path. Where a path fits two, the one without a part in braces is meant."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        by_path: dict[str, Route] = {}
        for one in endpoints:
            pattern = _PART.sub(r"(?P<\1>[^/]+)", re.sub(r"[.]", r"\\.", one.path))
            route = by_path.setdefault(one.path, Route(re.compile(pattern), {}))
            assert one.method not in route.by_method, f"{one.method} {one.path} is there twice"
            route.by_method[one.method] = one
        self._routes = [by_path[path] for path in sorted(by_path, key=lambda path: (path.count("{"), path))]

    def find(self, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route, and the parts of the path. `path`: below ROOT."""
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match:
                return route, match.groupdict()
        return None
