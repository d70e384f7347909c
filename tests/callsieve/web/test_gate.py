"""Every page and every role; forms from elsewhere; and what happens when the store cannot be used."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from callsieve.main.console_server import MENU, WITH_TEMPLATES, make_app, make_app_state
from callsieve.main.console_server import PAGES as ALL_PAGES
from callsieve.web import request as body
from callsieve.web.rendering import loader_of
from callsieve.web.request import Page
from callsieve.web.security_headers import HEADERS, host_of
from callsieve.web.tokens import form_token
from reputation.users import ROLE_BY_WORD
from tests.callsieve.browsing import ROLES, Browser, Console, Office

# Something for each part of a path; none of it is there, so that nothing is changed.
PARTS = {"number": "+12015550123", "call": "ZZZZZZZZ"}
LETS_IN = "in"
# The others are tried in tests/callsieve/person_page/test_web_bounds.py.
PAGES = [page for page in ALL_PAGES if page.admit is None]


def path_of(page: Page) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: PARTS.get(part[1], "nothing"), page.path)


def name_of(page: Page) -> str:
    return f"{page.method} {page.path}"


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One console for all tests that change nothing in it: to start one takes longer than they do."""
    with Office(tmp_path_factory.mktemp("office")).console() as console:
        yield console


def outcome(browser: Browser, page: Page) -> str:
    """What the gate does: `login`, `forbidden`, `form`, or it lets in, whatever the page then says."""
    if "event-stream" in page.path or page.path == "/live":
        answer = browser.client.head(page.path, follow_redirects=False)  # the stream itself does not end
        return {303: "login", 403: "forbidden"}.get(answer.status_code, LETS_IN)
    path = path_of(page)
    answer = browser.get(path) if page.method == "GET" else browser.post(path)
    if answer.status_code == 303 and re.match(r"/login(\?next=|$)", answer.headers["location"]):
        return "login"
    assert answer.status_code < 500, (page, answer.status_code)
    return {403: "forbidden", 419: "form"}.get(answer.status_code, LETS_IN)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_admits_only_its_roles(unchanged: Console, page: Page) -> None:
    for role in ROLES:
        allowed = page.role is None or ROLE_BY_WORD[role] >= page.role
        assert outcome(unchanged.browser(role), page) == (LETS_IN if allowed else "forbidden"), role
    assert outcome(unchanged.browser(), page) == (
        "login" if page.role is not None else "form" if page.method == "POST" else LETS_IN
    )


@pytest.mark.parametrize("page", [page for page in PAGES if page.method == "POST"], ids=name_of)
def test_every_cross_site_form_is_refused(unchanged: Console, page: Page) -> None:
    browser = unchanged.browser("administrator")
    token = form_token(browser.token or "")
    forged: tuple[dict[str, str], ...] = (
        {},
        {"form_token": ""},
        {"form_token": form_token("A" * 43)},
        {"form_token": browser.token or ""},
        {"form_token": token[:-1] + ("0" if token[-1] != "0" else "1")},
    )
    for fields in forged:
        answer = browser.client.post(path_of(page), data=fields, follow_redirects=False)
        assert answer.status_code in (400, 419), fields
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        answer = browser.client.post(path_of(page), data={"form_token": token}, headers=headers, follow_redirects=False)
        assert answer.status_code == 419, headers


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_other_http_methods_are_refused(unchanged: Console, page: Page) -> None:
    browser = unchanged.browser("administrator")
    others = {"GET", "POST"} - {page_.method for page_ in PAGES if page_.path == page.path}
    for method in others | {"PUT", "DELETE", "TRACE"}:
        answer = browser.client.request(method, path_of(page), follow_redirects=False)
        assert answer.status_code in (404, 405)  # 404 where another page has a place for anything there


def test_every_answer_has_the_security_headers(console: Console) -> None:
    browser = console.browser("viewer")
    for path in ("/", "/login", "/nowhere", "/account", "/static/console.css", "/static/nothing"):
        answer = browser.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        assert "unsafe" not in answer.headers["content-security-policy"]
        cached = answer.status_code == 200 and path.startswith("/static/")
        assert answer.headers["cache-control"] == ("public, max-age=3600" if cached else "no-store"), path


def test_templates_comply_with_the_content_security_policy() -> None:
    loader = loader_of(WITH_TEMPLATES)
    texts = {name: loader.get_source(Environment(), name)[0] for name in loader.list_templates()}
    assert len(texts) > 40
    for name, text in texts.items():
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style|javascript:|\|\s*safe\b|hx-on|autoescape", text), name
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), name
        assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", text), name


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example", "[::2]"])
def test_unknown_host_name_is_refused(console: Console, host: str) -> None:
    assert console.browser("administrator").get("/account", headers={"host": host}).status_code == 400


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost:8480", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8480", "::1"),
        ("PBX.example", "pbx.example"),
    ],
)
def test_host_header_is_parsed(header: str, host: str) -> None:
    assert host_of(header) == host


def test_console_behind_a_proxy_uses_https_only(tmp_path: Path) -> None:
    settings = '[web]\nlisten = "192.0.2.1:8480"\nbehind_proxy = true\nhosts = ["pbx.example"]\n'
    office = Office(tmp_path, settings)
    with office.console("http://pbx.example") as console:
        assert console.browser().get("/login").status_code == 400
    with office.console("https://pbx.example") as console:
        assert console.browser().get("/login").status_code == 200


def test_oversized_form_is_refused(console: Console) -> None:
    assert console.browser("viewer").post("/preferences", next="x" * 100_000).status_code == 413


def test_browsers_find_the_icon_where_they_look_for_it(console: Console) -> None:
    answer = console.browser().client.get("/favicon.ico", follow_redirects=True)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"]
)
def test_files_outside_of_the_static_ones_are_not_served(console: Console, path: str) -> None:
    assert console.browser().get(path).status_code == 404


def test_console_without_a_store_says_so(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with office.console() as console:
        browser = console.browser("administrator")
        office.store.rename(office.store.with_suffix(".away"))
        answer = browser.get("/account")
        assert answer.status_code == 503
        assert "Calls are not affected" in answer.text
        office.store.with_suffix(".away").rename(office.store)
        assert browser.get("/account").status_code == 200


def test_a_store_that_is_locked_for_writing_is_still_read(office: Office) -> None:
    with office.console() as console:
        browser = console.browser("administrator")
        lock = sqlite3.connect(office.store, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            office.clock.now += 300  # so that the session would be touched
            assert browser.get("/account").status_code == 200
        finally:
            lock.execute("ROLLBACK")
            lock.close()


def test_every_place_of_the_navigation_is_a_page() -> None:
    paths = {page.path: page for page in PAGES if page.method == "GET"}
    for place in MENU.entries:
        assert paths[place.path].role == place.role


def test_only_known_messages_are_shown(console: Console) -> None:
    page = console.browser("viewer").text("/account?said=<b>hello</b>")
    assert "hello" not in re.sub(r'<input type="hidden" name="next"[^>]*>', "", page)
    for word in MENU.messages:
        assert 'class="said"' in console.browser("viewer").text(f"/account?said={word}")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_language_and_theme_are_remembered_in_the_browser(console: Console, lang: str) -> None:
    browser = console.browser("viewer")
    browser.done("/preferences", language=lang, theme="dark", next="/account")
    page = browser.text("/account")
    assert f'<html lang="{"zh-Hans" if lang == "zh" else "en"}" data-theme="dark">' in page


def test_default_language_is_that_of_the_browser(console: Console) -> None:
    headers = {"accept-language": "fr, zh-CN;q=0.8, en;q=0.5"}
    assert '<html lang="zh-Hans"' in console.browser("viewer").text("/account", headers=headers)


def test_observe_mode_is_shown_on_every_page(tmp_path: Path) -> None:
    with Office(tmp_path, '[policy]\nname = "observe"\n').console() as console:
        for path in ("/", "/account"):
            assert "Observe mode." in console.browser("viewer").text(path)


def test_unusable_policy_is_shown_on_every_page(tmp_path: Path) -> None:
    with Office(tmp_path, '[policy]\nname = "nowhere"\n').console() as console:
        assert "policy cannot be used" in console.browser("viewer").text("/account")


async def status_of_form(folder: Path, receive: Callable[[], Awaitable[Any]]) -> int:
    """What is answered to a login that arrives in the pieces that `receive` gives."""
    office, sent = Office(folder), []
    state = make_app_state(office.load, office.clock)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/login", "query_string": b"", "headers": headers}
    await make_app(state)({**scope, "scheme": "http", "root_path": "", "client": ("192.0.2.7", 1)}, receive, send)
    await state.close()
    return int(sent[0]["status"])


async def test_endless_form_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.05)
    pieces = iter([{"type": "http.request", "body": b"name=", "more_body": True}])

    async def receive() -> Any:
        return next(pieces, None) or await asyncio.Event().wait()

    assert await status_of_form(tmp_path, receive) == 408


async def test_slowly_arriving_form_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece gives it as much time as the whole of it takes."""
    monkeypatch.setattr(body, "BODY_SECONDS", 1.0)
    monkeypatch.setattr(body, "BODY_BYTES_A_SECOND", 10)
    left = 15

    async def receive() -> Any:
        nonlocal left
        left -= 1
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": b"name=nobody&" * 2, "more_body": left > 0}

    assert await status_of_form(tmp_path, receive) == 419
