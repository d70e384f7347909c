"""Between a request and the function of an endpoint: the API as one ASGI application, around a table of endpoints.

who asks (token) -> how often -> which endpoint -> may they -> what was sent -> its function, once -> JSON, or a problem

Where the API is served: beside the pages of the console, and by itself in the API process.

In the API process there is nothing else: no page, no login, no cookie.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from callsieve.api import idempotency
from callsieve.api.authentication import LOCAL, Authentication
from callsieve.api.endpoint import JSON, ROOT, ApiRequest, Endpoint, Route, Routes, Stream, query_from
from callsieve.api.idempotency import KeysInFlight, parse_key, request_digest
from callsieve.api.openapi import document_of
from callsieve.api.problem import UNPROCESSABLE, ApiError, error_of, problem_response
from callsieve.changes.operation import Context, Refused
from callsieve.web.app_state import AppState
from callsieve.web.connections import LOOPBACK, network_of
from callsieve.web.request import body_of
from callsieve.web.security_headers import POLICY_HEADER, policy_with
from callsieve.web.store_client import StoreClient
from callsieve.web.throttle import RateLimits
from reputation.encoding import encode
from reputation.store.errors import StoreError
from reputation.store.users import KeptAnswer, KeptToken

logger = logging.getLogger("callsieve.api")

DOCUMENT = f"{ROOT}/openapi.json"
DOCUMENTS = (DOCUMENT, ROOT)
THREADS = 2
MOST_FIELDS = 50
MOST_PART_CHARACTERS = 200
LAST_EVENT_CHARACTERS = 64
ACTOR = "token:"
SOCKET_ACTOR = "socket:"  # and the user of this machine
# The person behind a program, such as a user of FreePBX. The audit names that person.
PERSON = "CallSieve-Person"
PERSON_CHARACTERS = 64
REPLAYED = "Idempotency-Replayed"

NOT_FOUND = f"there is no such endpoint: GET {DOCUMENT} lists all"
WRONG_METHOD = "this address cannot be asked in this way"
TOO_MANY = "this token has asked too often: wait for as long as Retry-After says"
NOT_JSON = "send JSON, as Content-Type: application/json"
NO_TOKEN_FOR_KEY = "answers are kept for a token: send one, or no Idempotency-Key"
NO_BODY = "nothing is sent here: leave the body out"
TOO_LARGE = "this is more than is taken at once"
TOO_SLOW = "the body took too long to arrive: nothing was changed, send it again"
TOO_MANY_FIELDS = "too many fields behind the question mark"
NO_STORE = "the store cannot be used at the moment: try again; calls are not affected"
FAILED = "a part of the API failed, and its log says more; calls are not affected"


class ApiGate:
    """The application. `path` of a request begins with ROOT, or it is no endpoint.

    `load_all` returns all endpoints, where importing those takes longer than calls may wait: `endpoints` are answered
    meanwhile.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        state: AppState,
        load_all: Callable[[], tuple[Endpoint, ...]] | None = None,
    ) -> None:
        self._state = state
        self._endpoints = tuple(endpoints)
        self._routes = Routes(self._endpoints)
        self._load_all = load_all
        self._loading = asyncio.Lock()
        self._documents: dict[str, bytes] = {}
        self._authentication = Authentication(state)
        state.provide(self._authentication)
        self._limits = RateLimits()
        # A reader of its own: what programs look through for long keeps no page waiting.
        self._reads = StoreClient(state.loaded.store_path)
        state.provide(self._reads)
        self._in_flight = KeysInFlight()
        self._threads = asyncio.Semaphore(THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def load(self) -> None:
        """Make all endpoints answer."""
        async with self._loading:
            if self._load_all is not None:
                self._endpoints = await asyncio.to_thread(self._load_all)
                self._routes, self._load_all = Routes(self._endpoints), None

    async def _answer(self, request: Request) -> Response:
        endpoint = self._endpoint_of(request)
        if endpoint is None and self._load_all is not None:
            await self.load()
            endpoint = self._endpoint_of(request)
        if endpoint is None or endpoint.call_waits is None:
            return await self._said(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(endpoint.call_waits.seconds):
                response = await self._said(request)
                if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return response
        return _response(endpoint, endpoint.call_waits.otherwise())

    async def _said(self, request: Request) -> Response:
        headers: dict[str, str] = {}
        try:
            response = await self._admitted(request, headers)
        except ApiError as error:
            response = problem_response(error)
        except Refused as refused:
            response = problem_response(error_of(refused))
        except StoreError as error:
            logger.warning("%s", error)
            response = problem_response(
                ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "no-store", NO_STORE, headers={"Retry-After": "5"})
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            logger.exception("an endpoint failed")
            response = problem_response(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", FAILED))
        response.headers.update({name: text for name, text in headers.items() if name not in response.headers})
        return response

    async def _admitted(self, request: Request, headers: dict[str, str]) -> Response:
        if request.scope["path"] in DOCUMENTS:
            if request.method not in ("GET", "HEAD"):
                raise _wrong_method(("GET",))
            return await self._document_response(request.scope["path"])
        now = self._state.clock()
        kept = await self._authentication.token_of(request, now)
        request.state.logged_in = True  # connections.py closes others first
        waited_for = self._endpoint_of(request)
        if kept.id != LOCAL and (waited_for is None or waited_for.call_waits is None):
            self._check_quota(kept, headers)
        found = self._find(request)
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "no-such-endpoint", NOT_FOUND)
        route, parts = found
        endpoint = route.by_method.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            raise _wrong_method(route.by_method)
        _check_may(endpoint, kept)
        _check_parts(parts)
        return await self._asked(endpoint, request, kept, parts, now)

    def _endpoint_of(self, request: Request) -> Endpoint | None:
        """The endpoint that is asked, before anything else is known."""
        found = self._find(request)
        return None if found is None else found[0].by_method.get(request.method)

    def _find(self, request: Request) -> tuple[Route, Mapping[str, str]] | None:
        path: str = request.scope["path"]  # not of request.url, which is put together with the Host header
        return self._routes.find(path.removeprefix(ROOT)) if path.startswith(f"{ROOT}/") else None

    async def _document_response(self, path: str) -> Response:
        """Return the OpenAPI document, or the page that shows it, to anybody: both are in every copy of the source.

        They are made when they are first asked for: that takes longer than everything else of a start.
        """
        if not self._documents:
            await self.load()
            self._documents = await asyncio.to_thread(_documents, self._endpoints)
        content = self._documents[path]
        if path == DOCUMENT:
            return Response(content, media_type=JSON)
        style = content.decode().partition("<style>")[2].partition("</style>")[0]
        return HTMLResponse(content, headers={POLICY_HEADER: policy_with(style)})

    def _check_quota(self, kept: KeptToken, headers: dict[str, str]) -> None:
        per_minute = kept.token.per_minute or self._state.loaded.settings.api.per_minute
        quota = self._limits.ask(kept.id, per_minute, time.monotonic())
        headers.update(quota.headers)
        if quota.wait_seconds:
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", TOO_MANY)

    async def _asked(
        self, endpoint: Endpoint, request: Request, kept: KeptToken, parts: Mapping[str, str], now: float
    ) -> Response:
        key = parse_key(request.headers.get(idempotency.HEADER)) if endpoint.takes_key else None
        query = query_from(_pairs(request), endpoint.query)
        raw = await _body(endpoint, request)
        body = None if endpoint.body is None else endpoint.decode(raw, endpoint.body)
        context = Context(
            _actor_of(endpoint, kept, request),
            kept.token.role,
            now,
            self._state.loaded,
            changes=self._state.changes,
            scopes=kept.token.scopes,
        )
        last_event_id = request.headers.get("last-event-id", "")[:LAST_EVENT_CHARACTERS]
        req = ApiRequest(context, self._state, self._reads, self._threads, last_event_id)
        call = _Call(endpoint, req, endpoint.values(parts, query if body is None else body))
        if key is None:
            return _response(endpoint, await call.run())
        if kept.id == LOCAL:
            raise ApiError(HTTPStatus.BAD_REQUEST, "bad-idempotency-key", NO_TOKEN_FOR_KEY, idempotency.HEADER)
        digest = request_digest(request.method, f"{request.scope['path']}?{_query_of(request)}", raw)
        with self._in_flight.one(kept.id, key):
            answer, again = await call.run_once(kept.id, key, digest)
        return Response(answer.body, answer.status, {REPLAYED: "true"} if again else None, JSON)


class _Call:
    """One call of the function of an endpoint."""

    def __init__(self, endpoint: Endpoint, req: ApiRequest, values: tuple[Any, ...]) -> None:
        self._endpoint, self._req, self._values = endpoint, req, values

    async def run(self) -> object:
        """What it returns."""
        handler: Any = self._endpoint.handler
        if inspect.iscoroutinefunction(handler):
            return await handler(self._req, *self._values)
        run = self._req.reads.read if self._endpoint.method == "GET" else self._req.state.store.write
        return await run(handler, self._req.context, *self._values)

    async def run_once(self, token_id: int, key: str, digest: str) -> tuple[KeptAnswer, bool]:
        """What it answers, and whether it was answered before."""
        store, at = self._req.state.store, self._req.context.at
        handler: Any = self._endpoint.handler
        kept = await store.read(idempotency.earlier_answer, token_id, key, digest, at)
        if kept is not None:
            return kept, True
        if not inspect.iscoroutinefunction(handler):
            values = (self._req.context, *self._values)

            def write(db: sqlite3.Connection) -> tuple[KeptAnswer, bool]:
                return idempotency.once(db, token_id, key, digest, at, lambda: self._told(handler(db, *values)))

            return await store.write(write)
        status, body = self._told(await self.run())
        answer = KeptAnswer(digest, status, body.decode())
        await store.write(idempotency.keep, token_id, key, answer, at)
        return answer, False

    def _told(self, value: object) -> tuple[int, bytes]:
        return self._endpoint.status, encode(value)


def _documents(endpoints: Iterable[Endpoint]) -> dict[str, bytes]:
    from callsieve.api.reference import reference_page  # templates: no call waits for their import

    document = document_of(endpoints)
    return {DOCUMENT: encode(document), ROOT: reference_page(document).encode()}


def _check_may(endpoint: Endpoint, kept: KeptToken) -> None:
    token = kept.token
    if endpoint.scope not in token.scopes:
        words = f"this token has not the scope {endpoint.scope}"
        challenge = f'Bearer realm="callsieve", error="insufficient_scope", scope="{endpoint.scope}"'
        raise ApiError(HTTPStatus.FORBIDDEN, "wrong-scope", words, headers={"WWW-Authenticate": challenge})
    if token.role < endpoint.role:
        words = f"this takes the role {endpoint.role.word}, and this token has {token.role.word}"
        raise ApiError(HTTPStatus.FORBIDDEN, "wrong-role", words)


def _check_parts(parts: Mapping[str, str]) -> None:
    """That none is too long; what is in them is for the operation to say."""
    for name, text in parts.items():
        if len(text) > MOST_PART_CHARACTERS:
            raise ApiError(UNPROCESSABLE, "bad-path", f"takes at most {MOST_PART_CHARACTERS} characters", name)


def _actor_of(endpoint: Endpoint, kept: KeptToken, request: Request) -> str:
    """Return the name for the audit: the token or local user, and for a change the person behind it.

    Limits go by the name of who only asks, so that has no person.
    """
    actor = f"{SOCKET_ACTOR if kept.id == LOCAL else ACTOR}{kept.token.name}"
    if endpoint.method == "GET" or endpoint.call_waits is not None:
        return actor
    # A header is bytes, which Starlette reads as Latin-1: programs write UTF-8.
    raw = request.headers.get(PERSON, "").encode("latin-1").decode("utf-8", "replace").strip()
    person = "".join(filter(str.isprintable, raw))[:PERSON_CHARACTERS]
    return f"{actor}/{person}" if person else actor


def _wrong_method(allowed: Iterable[str]) -> ApiError:
    return ApiError(
        HTTPStatus.METHOD_NOT_ALLOWED, "wrong-method", WRONG_METHOD, headers={"Allow": ", ".join(sorted(allowed))}
    )


def _query_of(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


def _pairs(request: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(_query_of(request), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-query", TOO_MANY_FIELDS) from None


async def _body(endpoint: Endpoint, request: Request) -> bytes:
    """The bytes of the body. ApiError for what is too large, too slow, or not announced as JSON."""
    if request.method in ("GET", "HEAD"):
        return b""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if endpoint.body is not None and kind != JSON:
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", NOT_JSON, "Content-Type", {"Accept": JSON})
    try:
        raw = await body_of(request, endpoint.most_bytes)
    except HTTPException as error:
        if error.status_code == HTTPStatus.REQUEST_TIMEOUT:
            raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "too-slow", TOO_SLOW) from None
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", TOO_LARGE) from None
    if endpoint.body is None and raw.strip() not in (b"", b"{}"):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "no-body", NO_BODY)
    return raw


def _response(endpoint: Endpoint, value: object) -> Response:
    if isinstance(value, Stream):
        return StreamingResponse(value.chunks, media_type=value.media_type)
    return Response(encode(value), endpoint.status, media_type=JSON)


BEGINNING = "/api"


def with_api(pages: ASGIApp, api: ApiGate, state: AppState) -> ASGIApp:
    """Return the API where it is asked for, else the pages. The API can be enabled while the console runs."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        is_api = path in (BEGINNING, ROOT) or path.startswith(f"{BEGINNING}/")
        asked = api if is_api and state.loaded.settings.api.enabled else pages
        await asked(scope, receive, send)

    return answer


def is_of_this_machine(scope: Scope) -> bool:
    """Return whether a request came from this machine, so that its token went over no network."""
    client = scope.get("client")
    return client is None or network_of(client[0]) == LOOPBACK
