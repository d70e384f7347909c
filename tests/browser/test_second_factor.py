"""The second factor: turned on and used at a login, at the width of a telephone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pyotp import TOTP

from callsieve.users.passwords import STEP_SECONDS
from callsieve.web.access import LANGUAGE_COOKIE
from tests.browser.chromium import patient, running_chromium
from tests.browser.serving import serving, web_settings
from tests.browser.test_pages import faults_on
from tests.callsieve.browsing import PASSWORD, SETTINGS, Office

WIDTH = 360


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    table, url = web_settings()
    office = Office(tmp_path, SETTINGS + table)
    with serving(url, office.config, office.state):
        yield url


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with running_chromium(chromium) as browser:
        yield browser


def code_of(secret: str, steps: int) -> str:
    return TOTP(secret).generate_otp(int(time.time() // STEP_SECONDS) + steps)


def send(page: Page, **fields: str) -> None:
    for field, text in fields.items():
        page.fill(f"#{field}", text)
    page.locator("main form button").click()


def check_page(page: Page, script: bool) -> None:
    if script:
        assert list(faults_on(page)) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


@pytest.mark.parametrize(("language", "script"), [("en", False), ("zh", True)])
def test_the_second_factor_is_needed_at_the_next_login(browser: Browser, url: str, language: str, script: bool) -> None:
    context = patient(
        browser.new_context(base_url=url, viewport={"width": WIDTH, "height": 800}, java_script_enabled=script)
    )
    try:
        context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": url}])
        page = context.new_page()
        page.goto("/login?next=/account")
        send(page, name="ada", password=PASSWORD)
        page.locator('main a[href="/account/second-factor"]').click()
        check_page(page, script)
        secret = page.locator('input[name="secret"]').input_value()
        send(page, present=PASSWORD, code=code_of(secret, 0))
        expect(page).to_have_url(re.compile(re.escape(f"{url}/account?said=second-factor-on")))
        check_page(page, script)

        context.clear_cookies(name="callsieve")
        page.goto("/login?next=/account/second-factor")
        send(page, name="ada", password=PASSWORD)
        expect(page.locator("#code")).to_be_focused()
        check_page(page, script)
        send(page, code="12345")
        expect(page.locator("main .problem")).to_be_visible()
        send(page, code=code_of(secret, 1))  # that of this step counted when it was turned on
        expect(page).to_have_url(f"{url}/account/second-factor")
        check_page(page, script)
        expect(page.locator("main")).not_to_contain_text(secret)
    finally:
        context.close()
