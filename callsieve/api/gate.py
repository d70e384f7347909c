"""The ASGI application of the API, which serves a table of endpoints.

    token -> rate limit -> endpoint -> scope and role -> query and body -> operation (once per Idempotency-Key) -> JSON

The console serves the API beside its pages. The API process serves only the API: no pages, no login, no cookies.
"""

import asyncio
import inspect
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
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
from callsieve.web.i18n import translated, translations_of, wanted_language
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
PATH_CHARACTERS = 200
ACTOR = "token:"
SOCKET_ACTOR = "socket:"  # followed by the name of the local user
# The person behind a program, such as a user of FreePBX. The audit names that person.
PERSON = "CallSieve-Person"
PERSON_CHARACTERS = 64
REPLAYED = "Idempotency-Replayed"

NOT_FOUND = f"no such endpoint: `GET {DOCUMENT}` lists all endpoints"
WRONG_METHOD = "this address does not support the method: the header Allow lists the supported methods"
TOO_MANY = "too many requests with this token: wait as many seconds as the header Retry-After says"
NOT_JSON = "the body must be JSON: send Content-Type: application/json"
NO_TOKEN_FOR_KEY = "the header Idempotency-Key needs a token: send a token, or leave this header out"
NO_BODY = "this endpoint takes no body: send the request without a body"
TOO_LARGE = "the body is larger than {limit} bytes: send the data in several requests"
TOO_SLOW = "the body took too long to arrive, nothing was changed: send the request again"
TOO_MANY_FIELDS = f"more than {MOST_FIELDS} fields in the query: send fewer fields"
NO_STORE = "the store cannot be used at the moment: try again in 5 seconds. Calls are not affected"
FAILED = "internal error: the log of the API has the details. Calls are not affected"


class ApiGate:
    """The ASGI application of the API. At first it serves only `endpoints`.

    The other endpoints follow later, because importing them (`load_all`) takes longer than a call may wait.
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
        # A separate reader, so that pages do not wait for long reads of API clients.
        self._reads = StoreClient(state.loaded.store_path)
        state.provide(self._reads)
        self._in_flight = KeysInFlight()
        self._threads = asyncio.Semaphore(THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        self._state.refresh()
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def load(self) -> None:
        """Load the endpoints that were not loaded at the start."""
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
            return await self._respond(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(endpoint.call_waits.seconds):
                response = await self._respond(request)
                if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return response
        return _response(endpoint, endpoint.call_waits.fallback())

    async def _respond(self, request: Request) -> Response:
        headers: dict[str, str] = {}
        try:
            response = await self._admit(request, headers)
        except ApiError as error:
            response = problem_response(error, _translate_for(request))
        except Refused as refused:
            response = problem_response(error_of(refused), _translate_for(request))
        except StoreError as error:
            logger.warning("API: the store cannot be used: %s", error)
            response = problem_response(
                ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "no-store", NO_STORE, headers={"Retry-After": "5"})
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            logger.exception("API: an endpoint failed: %s %s", request.method, request.scope["path"][:PATH_CHARACTERS])
            response = problem_response(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", FAILED))
        response.headers.update({name: text for name, text in headers.items() if name not in response.headers})
        return response

    async def _admit(self, request: Request, headers: dict[str, str]) -> Response:
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
        match = self._find(request)
        if match is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "no-such-endpoint", NOT_FOUND)
        route, parts = match
        endpoint = route.by_method.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            raise _wrong_method(route.by_method)
        _check_may(endpoint, kept)
        _check_parts(parts)
        return await self._run(endpoint, request, kept, parts, now)

    def _endpoint_of(self, request: Request) -> Endpoint | None:
        # The token is not known yet, so only the method decides.
        match = self._find(request)
        return None if match is None else match[0].by_method.get(request.method)

    def _find(self, request: Request) -> tuple[Route, Mapping[str, str]] | None:
        path: str = request.scope["path"]  # not request.url, which contains the Host header
        return self._routes.find(path.removeprefix(ROOT)) if path.startswith(f"{ROOT}/") else None

    async def _document_response(self, path: str) -> Response:
        """Return the OpenAPI document or its HTML page, generated at the first request. Anyone may read both."""
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

    async def _run(
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
            return _response(endpoint, await call.run(), _translate_for(request))
        if kept.id == LOCAL:
            raise ApiError(HTTPStatus.BAD_REQUEST, "bad-idempotency-key", NO_TOKEN_FOR_KEY, idempotency.HEADER)
        digest = request_digest(request.method, f"{request.scope['path']}?{_query_of(request)}", raw)
        with self._in_flight.reserve(kept.id, key):
            answer, again = await call.run_once(kept.id, key, digest)
        return Response(answer.body, answer.status, {REPLAYED: "true"} if again else None, JSON)


class _Call:
    def __init__(self, endpoint: Endpoint, req: ApiRequest, values: tuple[Any, ...]) -> None:
        self._endpoint, self._req, self._values = endpoint, req, values

    async def run(self) -> object:
        handler: Any = self._endpoint.handler
        if inspect.iscoroutinefunction(handler):
            return await handler(self._req, *self._values)
        run = self._req.reads.read if self._endpoint.method == "GET" else self._req.state.store.write
        return await run(handler, self._req.context, *self._values)

    async def run_once(self, token_id: int, key: str, digest: str) -> tuple[KeptAnswer, bool]:
        """Return the answer for an Idempotency-Key, and whether an earlier request had stored that answer."""
        store, at = self._req.state.store, self._req.context.at
        handler: Any = self._endpoint.handler
        kept = await store.read(idempotency.earlier_answer, token_id, key, digest, at)
        if kept is not None:
            return kept, True
        if not inspect.iscoroutinefunction(handler):
            values = (self._req.context, *self._values)

            def write(db: sqlite3.Connection) -> tuple[KeptAnswer, bool]:
                return idempotency.once(db, token_id, key, digest, at, lambda: self._encoded(handler(db, *values)))

            return await store.write(write)
        status, body = self._encoded(await self.run())
        answer = KeptAnswer(digest, status, body.decode())
        await store.write(idempotency.keep, token_id, key, answer, at)
        return answer, False

    def _encoded(self, value: object) -> tuple[int, bytes]:
        return self._endpoint.status, encode(value)


def _documents(endpoints: Iterable[Endpoint]) -> dict[str, bytes]:
    from callsieve.api.reference import reference_page  # templates: no call waits for their import

    document = document_of(endpoints)
    return {DOCUMENT: encode(document), ROOT: reference_page(document).encode()}


def _check_may(endpoint: Endpoint, kept: KeptToken) -> None:
    token = kept.token
    if endpoint.scope not in token.scopes:
        words = f"this token lacks the scope {endpoint.scope}: `callsieve token add` makes a token with this scope"
        challenge = f'Bearer realm="callsieve", error="insufficient_scope", scope="{endpoint.scope}"'
        raise ApiError(HTTPStatus.FORBIDDEN, "wrong-scope", words, headers={"WWW-Authenticate": challenge})
    if token.role < endpoint.role:
        words = (
            f"this endpoint needs a token with the role {endpoint.role.word}, but this token has the "
            f"role {token.role.word}"
        )
        raise ApiError(HTTPStatus.FORBIDDEN, "wrong-role", words)


def _check_parts(parts: Mapping[str, str]) -> None:
    # Only the length is checked here. The operation checks the content.
    for name, text in parts.items():
        if len(text) > MOST_PART_CHARACTERS:
            raise ApiError(UNPROCESSABLE, "bad-path", f"must have at most {MOST_PART_CHARACTERS} characters", name)


def _actor_of(endpoint: Endpoint, kept: KeptToken, request: Request) -> str:
    """Return the actor for the audit: the token or local user.

    For a change, the client may name a person, who is added. Other requests leave out this person: rate limits are per
    actor, and a client could evade them with new names.
    """
    actor = f"{SOCKET_ACTOR if kept.id == LOCAL else ACTOR}{kept.token.name}"
    if endpoint.method == "GET" or endpoint.call_waits is not None:
        return actor
    # Starlette decodes headers as Latin-1, but programs write UTF-8.
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
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", TOO_LARGE.format(limit=endpoint.most_bytes)
        ) from None
    if endpoint.body is None and raw.strip() not in (b"", b"{}"):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "no-body", NO_BODY)
    return raw


def _translate_for(request: Request) -> Callable[[str], str]:
    language = wanted_language(None, request.headers.get("accept-language", ""))
    return partial(translated, catalogue=translations_of(language))


def _response(endpoint: Endpoint, value: object, translate: Callable[[str], str] = str) -> Response:
    if isinstance(value, Stream):
        return StreamingResponse(value.chunks, media_type=value.media_type)
    return Response(encode(value, translate), endpoint.status, media_type=JSON)


BEGINNING = "/api"


def with_api(pages: ASGIApp, api: ApiGate, state: AppState) -> ASGIApp:
    """Return an application that serves pages and, if the settings enable the API, serves the API below /api."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        state.refresh()
        path = scope["path"] if scope["type"] == "http" else ""
        is_api = path in (BEGINNING, ROOT) or path.startswith(f"{BEGINNING}/")
        application = api if is_api and state.loaded.settings.api.enabled else pages
        await application(scope, receive, send)

    return answer


def is_local_request(scope: Scope) -> bool:
    """Return whether a request came from this server, so its token was not sent over a network."""
    client = scope.get("client")
    return client is None or network_of(client[0]) == LOOPBACK
