"""The public page for an owner: from the reference to the ruling, on a telephone, without scripts."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lab.ports import free_port
from reputation.appeals import AppealStep
from reputation.store.appeals import AppealRuling, all_appeals, decide, take_step
from tests.browser.chromium import patient, running_chromium
from tests.browser.serving import serving_public
from tests.browser.test_pages import faults_on
from tests.callsieve.browsing import SETTINGS, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision

WIDTH = 360
REFERENCE = "7KQ2M4XA"


@pytest.fixture
def url() -> str:
    return f"http://localhost:{free_port('127.0.0.1', socket.SOCK_STREAM)}"


@pytest.fixture
def office(tmp_path: Path, url: str) -> Iterator[Office]:
    port = url.rpartition(":")[2]
    table = f'''
[public]
enabled = true
listen = "127.0.0.1:{port}"
address = "{url}"
name = "Example Ltd"
contact = "appeals@example.org"
'''
    office = Office(tmp_path, SETTINGS + table)
    add_calls(office, make_decision(REFERENCE, at=time.time() - 600))
    with serving_public(f"http://127.0.0.1:{port}", office.config, office.state):
        yield office


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with running_chromium(chromium) as browser:
        yield browser


def check_page(page: Page, script: bool) -> None:
    if script:
        assert list(faults_on(page)) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


@pytest.mark.parametrize(("language", "script"), [("en", False), ("zh", True)])
def test_an_owner_gets_from_the_reference_to_the_ruling(
    browser: Browser, office: Office, url: str, language: str, script: bool
) -> None:
    context = patient(
        browser.new_context(base_url=url, viewport={"width": WIDTH, "height": 800}, java_script_enabled=script)
    )
    try:
        page = context.new_page()
        page.goto(f"/?lang={language}")
        check_page(page, script)
        page.fill("#reference", "ZZZZZZZZ")
        page.locator("main form button").click()
        expect(page.locator("[role=alert]")).to_be_visible()
        check_page(page, script)
        page.fill("#reference", REFERENCE.lower())
        page.locator("main form button").click()
        for field, text in {
            "name": "Carol Ltd",
            "contact": "carol@example.com",
            "statement": "Parcels. " * 200,
        }.items():
            page.fill(f"#{field}", text)
        check_page(page, script)
        page.locator("main form button").click()
        expect(page.locator("code")).to_have_text(page.url.partition("?")[0])
        check_page(page, script)
        assert CALLER not in page.content()
        assert context.cookies() == []
        (appeal,) = office.read(all_appeals)
        office.write(take_step, appeal.reference, AppealStep.ACCEPT, time.time())
        page.reload()
        check_page(page, script)
        office.write(decide, appeal.reference, AppealRuling(True, "A parcel service."), time.time())
        page.reload()
        expect(page.locator(".said").first).to_have_text("A parcel service.")
        check_page(page, script)
    finally:
        context.close()
