"""The gate of the API: every endpoint with every role and scope, without a token, and with hostile requests."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callsieve.api.authentication import TRIES_OF_AN_ADDRESS
from callsieve.api.endpoint import ROOT, Endpoint
from callsieve.main.capabilities import ALL, endpoints_of
from callsieve.main.console_server import PAGES, make_app, make_app_state
from callsieve.web import request as body
from reputation.store.users import add_token, remove_token, token_of, touch_token
from reputation.users import ApiToken, Role, Scope, digest_of, new_secret
from tests.callsieve.asking import ENABLED, EVERYTHING, ApiOffice, Program, RunningApi
from tests.callsieve.browsing import NOW, SETTINGS

WITH_BODY = [endpoint for endpoint in endpoints_of(ALL) if endpoint.body is not None]
# A value for each part of a path. None of them exists, so that nothing is changed.
NOTHING = {"change_id": "999999", "number": "+12015550123"}


def path_of(endpoint: Endpoint) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: NOTHING.get(part[1], "nothing"), endpoint.path)


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """The API for tests that change nothing."""
    settings = SETTINGS + ENABLED + "per_minute = 100000\n"
    with ApiOffice(tmp_path_factory.mktemp("office"), settings).api() as running:
        yield running


@pytest.fixture(scope="module")
def programs(api: RunningApi) -> dict[tuple[Role, Scope], Program]:
    return {(role, scope): api.program(role, (scope,)) for role in Role for scope in Scope}


@pytest.fixture(scope="module")
def administrator(api: RunningApi) -> Program:
    """A program whose token has every scope."""
    return api.program()


def malformed_request(endpoint: Endpoint) -> Any:
    """Return a request with invalid JSON: that error shows that the gate was passed."""
    if endpoint.media_type == "text/event-stream":
        return {"params": {"seconds": "0"}}
    return {"content": b"{", "headers": {"content-type": "application/json"}} if endpoint.body is not None else {}


@pytest.mark.parametrize("endpoint", endpoints_of(ALL), ids=name_of)
def test_endpoint_accepts_only_its_scope_and_roles(
    programs: dict[tuple[Role, Scope], Program], endpoint: Endpoint
) -> None:
    for (role, scope), program in programs.items():
        answer = program.client.request(
            endpoint.method, ROOT + path_of(endpoint), **with_headers(program, malformed_request(endpoint))
        )
        told = answer.json().get("code", "") if answer.status_code == 403 else ""
        if scope is not endpoint.scope:
            assert told == "wrong-scope", (role, scope)
        elif role < endpoint.role:
            assert told == "wrong-role", (role, scope)
        else:
            assert told not in ("wrong-scope", "wrong-role"), (role, scope)
            assert answer.status_code < 500 or answer.status_code == 503


def with_headers(program: Program, more: dict[str, Any]) -> dict[str, Any]:
    return {**more, "headers": {**program.headers, **more.get("headers", {})}}


@pytest.mark.parametrize("endpoint", endpoints_of(ALL), ids=name_of)
def test_requests_without_a_valid_token_all_get_the_same_401(api: RunningApi, endpoint: Endpoint) -> None:
    # Each endpoint uses its own address, because wrong tokens are counted by address.
    away = api.with_secret(None, f"2001:db8:{endpoints_of(ALL).index(endpoint):x}::1")
    nowhere = away.client.request(endpoint.method, f"{ROOT}/nowhere")
    for headers in (
        {},
        {"authorization": "Basic YWRhOnB3"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {'x' * 5000}"},
        {"cookie": f"callsieve={new_secret()[3:]}"},
    ):
        answer = away.client.request(endpoint.method, ROOT + path_of(endpoint), headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer realm="callsieve"')
        if not headers:
            assert answer.content == nowhere.content
            assert set(answer.headers) == set(nowhere.headers)


@pytest.mark.parametrize("endpoint", endpoints_of(ALL), ids=name_of)
def test_wrong_method_gets_405(administrator: Program, endpoint: Endpoint) -> None:
    there = {other.method for other in endpoints_of(ALL) if other.path == endpoint.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - there:
        answer = administrator.ask(method, path_of(endpoint))
        assert (answer.status, answer.code) == (405, "wrong-method")
        assert set(answer.headers["allow"].split(", ")) == there


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/openapi.json"])
def test_openapi_document_and_its_page_need_no_token(api: RunningApi, path: str) -> None:
    stranger = api.with_secret(None)
    for secret in (None, new_secret()):
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        answer = stranger.client.get(path, headers=headers)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert stranger.client.post(path).status_code == 405


def test_api_page_lists_every_endpoint_and_has_no_script(api: RunningApi) -> None:
    answer = api.with_secret(None).client.get(ROOT)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    for endpoint in endpoints_of(ALL):
        assert f"<code>{endpoint.method} {endpoint.path}</code>" in answer.text


def test_session_is_no_token_and_token_is_no_session(api: RunningApi) -> None:
    office = api.office
    with office.console() as console:
        browser = console.browser("administrator")
        assert browser.get(f"{ROOT}/lists/block/entries").status_code == 401
    program = api.program()
    for page in PAGES:
        if page.role is not None and page.method == "GET" and "{" not in page.path:
            answer = program.client.get(page.path, headers=program.headers, follow_redirects=False)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login")


def test_answers_set_no_cookie_and_no_cors_header(api: RunningApi) -> None:
    answer = api.program().ask("GET", "/lists/block/entries", headers={"origin": "https://evil.example"})
    assert answer.status == 200
    assert not {name for name in answer.headers if name.startswith("access-control") or name == "set-cookie"}
    assert answer.headers["cache-control"] == "no-store"


NESTED = b"[" * 60_000
HOSTILE = {
    "no-json": b"{",
    "nothing": b"",
    "nested": NESTED,
    "nested-objects": b'{"x":' * 12_000,
    "not-a-number": b'{"x": NaN}',
    "infinity": b'{"x": Infinity}',
    "invalid-utf-8": b'{"entry": "\xff\xfe"}',
    "half-a-surrogate": b'{"entry": "\\ud800"}',
    "two-documents": b"{} {}",
    "an-array": b"[]",
    "null": b"null",
    "a-text": b'"x"',
    "huge-integer": b"9" * 5000,
    "unknown-field": b'{"nobody_knows": 1}',
    "byte-order-mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
def test_hostile_body_is_refused(administrator: Program, endpoint: Endpoint, raw: bytes) -> None:
    headers = {**administrator.headers, "content-type": "application/json"}
    answer = administrator.client.request(endpoint.method, ROOT + path_of(endpoint), content=raw, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("bad-json", "bad-body")


def positions_in(example: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inner = example.items() if isinstance(example, dict) else enumerate(example) if isinstance(example, list) else ()
    for key, inner_value in inner:
        yield from positions_in(inner_value, (*place, key))


def with_value_at(example: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = json.loads(json.dumps(example))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
def test_no_body_value_causes_a_server_error(administrator: Program, endpoint: Endpoint) -> None:
    example = msgspec.to_builtins(endpoint.example)
    assert example is not None
    values: tuple[object, ...] = (
        "",
        " ",
        "\0",
        "x" * 5000,
        "\u202e",
        "+1" * 30,
        "’; DROP",
        10**400,
        -1,
        1e308,
        True,
        None,
        [],
        {},
    )
    for place in positions_in(example):
        for value in values:
            answer = administrator.ask(endpoint.method, path_of(endpoint), with_value_at(example, place, value))
            assert answer.status < 500 or answer.status == 503, (place, value, answer.response.text)


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in endpoints_of(ALL) if "{" in endpoint.path], ids=name_of)
@pytest.mark.parametrize(
    "text", ["%00", "%ff%fe", "%F0%9F%98%80", "x" * 3000, "%2e%2e", "%2F", "9" * 400, "-1", "1e3", "+", "%20", "'--"]
)
def test_no_path_text_causes_a_server_error(administrator: Program, endpoint: Endpoint, text: str) -> None:
    path = re.sub(r"\{\w+\}", text, endpoint.path)
    answer = administrator.ask(
        endpoint.method, path, None if endpoint.body is None else msgspec.to_builtins(endpoint.example)
    )
    assert answer.status < 500 or answer.status == 503, answer.response.text


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
def test_only_json_up_to_the_size_limit_is_accepted(administrator: Program, endpoint: Endpoint) -> None:
    path = path_of(endpoint)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""):
        headers = {"content-type": kind} if kind else {}
        assert administrator.refused(endpoint.method, path, content=b"{}", headers=headers) == (415, "not-json")
    large = b'"' + b"x" * (10 << 20) + b'"'
    headers = {"content-type": "application/json; charset=utf-8"}
    assert administrator.refused(endpoint.method, path, content=large, headers=headers) == (413, "too-large")


@pytest.mark.parametrize("endpoint", endpoints_of(ALL), ids=name_of)
def test_unknown_query_parameter_is_refused(administrator: Program, endpoint: Endpoint) -> None:
    body = None if endpoint.body is None else msgspec.to_builtins(endpoint.example)
    assert administrator.refused(endpoint.method, f"{path_of(endpoint)}?nobody_knows=1", body) == (422, "bad-query")
    many = "&".join(f"a{count}=1" for count in range(100))
    assert administrator.refused(endpoint.method, f"{path_of(endpoint)}?{many}", body) == (400, "bad-query")


def test_revoked_and_expired_tokens_get_401(api: RunningApi) -> None:
    program = api.program(expires_at=NOW + 60)
    program.get("/lists/block/entries")
    api.office.clock.now += 60
    assert program.refused("GET", "/lists/block/entries") == (401, "wrong-token")
    api.office.clock.now -= 60
    program.get("/lists/block/entries")
    api.office.write(remove_token, f"program-{api._made}")
    assert program.refused("GET", "/lists/block/entries") == (401, "wrong-token")


def test_last_use_of_a_token_is_recorded(api: RunningApi) -> None:
    program = api.program()
    name = f"program-{api._made}"
    program.get("/lists/block/entries")
    program.get("/lists/block/entries")
    api._client.portal.call(wait_for_background, api)  # type: ignore[union-attr]
    kept = api.office.read(token_of, name)
    assert kept is not None
    assert kept.used_at == api.office.clock.now


async def wait_for_background(api: RunningApi) -> None:
    await asyncio.gather(*api.state.background)


def test_wrong_tokens_block_new_tokens_from_their_address(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ApiOffice(tmp_path_factory.mktemp("tries")).api() as api:
        known, fresh = api.program(), api.program()
        known.get("/lists/block/entries")
        stranger = api.with_secret(new_secret())
        for _ in range(TRIES_OF_AN_ADDRESS):
            assert stranger.refused("GET", "/lists/block/entries") == (401, "wrong-token")
        answer = stranger.ask("GET", "/lists/block/entries")
        assert (answer.status, answer.code) == (429, "too-many-tries")
        assert int(answer.headers["retry-after"]) > 0
        assert fresh.refused("GET", "/lists/block/entries") == (429, "too-many-tries")
        assert api.with_secret(fresh.secret, "198.51.100.1").get("/lists/block/entries")
        known.get("/lists/block/entries")


def test_known_token_is_not_throttled_after_a_restart(tmp_path: Path) -> None:
    """Another program at the same address may use an expired token."""
    office = ApiOffice(tmp_path)
    with office.api() as api:
        used = api.program()
        used.get("/lists/block/entries")
    kept = office.read(token_of, "program-1")
    assert kept is not None
    office.write(touch_token, kept.id, NOW)
    with office.api() as api:
        stranger = api.with_secret(new_secret())
        while stranger.refused("GET", "/lists/block/entries")[0] != 429:
            pass
        api.with_secret(used.secret).get("/lists/block/entries")


@pytest.mark.parametrize(
    ("url", "address", "status"),
    [
        ("http://localhost:8481", "127.0.0.1", 200),
        ("http://localhost:8481", "::1", 200),
        ("http://localhost:8481", "192.0.2.7", 400),
        ("http://localhost:8481", "not an address", 400),
        ("http://localhost:8480", "127.0.0.1", 400),
        ("https://localhost:8480", "192.0.2.7", 200),
        ("https://localhost:8481", "192.0.2.7", 200),
    ],
)
def test_behind_a_proxy_only_localhost_may_use_http(tmp_path: Path, url: str, address: str, status: int) -> None:
    office = ApiOffice(tmp_path, f"{SETTINGS}\n[web]\nbehind_proxy = true\n{ENABLED}")
    with office.api_alone(url) if url.endswith("8481") else office.api(url) as api:
        program = api.program(address=address)
        assert program.client.get(f"{ROOT}/lists/block/entries", headers=program.headers).status_code == status


def test_host_header_does_not_change_the_path(api: RunningApi) -> None:
    """Starlette builds the URL from host and path."""
    program = api.program()
    answer = program.ask("GET", "/lists/block/entries", headers={"host": "localhost:1/api/v1/openapi.json?"})
    assert "items" in answer.json


def test_disabled_api_gets_404(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ApiOffice(tmp_path_factory.mktemp("off"), SETTINGS).api() as api:
        program = api.program()
        answer = program.client.get(f"{ROOT}/lists/block/entries", headers=program.headers, follow_redirects=False)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_admin_scope_does_not_include_read(api: RunningApi) -> None:
    assert len(EVERYTHING) == 6
    assert api.program(Role.ADMINISTRATOR, (Scope.ADMIN,)).refused("GET", "/lists/block/entries")[1] == "wrong-scope"


async def test_slow_body_gets_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.05)
    office, sent, secret = ApiOffice(tmp_path), [], new_secret()
    office.write(add_token, ApiToken("slow", Role.OPERATOR, (Scope.WRITE,), NOW), digest_of(secret) or "")
    pieces = iter([{"type": "http.request", "body": b'{"entry":', "more_body": True}])

    async def receive() -> Any:
        return next(pieces, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"host": "localhost", "content-type": "application/json", "authorization": f"Bearer {secret}"}
    scope = {
        **{"type": "http", "method": "POST", "path": f"{ROOT}/lists/block/entries", "query_string": b""},
        **{"scheme": "http", "root_path": "", "client": ("192.0.2.7", 1), "server": ("127.0.0.1", 80)},
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    state = make_app_state(office.load, office.clock)
    await make_app(state)(scope, receive, send)
    await state.close()
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (408, "too-slow")


@pytest.mark.parametrize(
    ("accepted", "is_chinese"), [("zh-CN,en;q=0.5", True), ("en", False), ("tlh", False), ("", False)]
)
def test_texts_are_in_the_accepted_language(administrator: Program, accepted: str, is_chinese: bool) -> None:
    headers = {"accept-language": accepted}
    refused = administrator.ask("GET", "/decisions/NONE0000", headers=headers)
    status = administrator.ask("GET", "/status", headers=headers)
    texts = (refused.json["detail"], *(check["detail"] for check in status.json["trouble"]))
    assert refused.code == "no-such-decision"
    assert len(texts) > 1
    assert any(not text.isascii() for text in texts) == (not texts[0].isascii()) == is_chinese
