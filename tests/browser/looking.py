"""Every page of the console as a user sees it: logged in, in a language, a theme and a width."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from callsieve.web.access import COOKIE, LANGUAGE_COOKIE, THEME_COOKIE
from callsieve.web.tokens import hash_of, new_token
from reputation.store.users import Lifetime, start_session
from reputation.users import Session
from tests.browser.chromium import patient
from tests.browser.office import (
    APPEAL,
    BUSINESS,
    CLOSED_APPEAL,
    GOOD_DRAFT,
    NUISANCE,
    OPEN_APPEAL,
    OWN,
    OWN_RESTING,
    OWN_STRANGER,
    SHOWN_CALL,
    STOPPED_APPEAL,
)
from tests.callsieve.browsing import Office

HEIGHT = 900
TRIAL_MS = 180_000.0
# What each page is called, and the path that shows it.
NEW_KEY = "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8="
PATHS = {
    "login": "/login",
    "today": "/",
    "calls": "/calls",
    "calls-found": "/calls?action=warn",
    "sites": "/sites",
    "sites-told": "/sites/evidence",
    "calls-none": "/calls?rule=no-such-rule",
    "call": f"/calls/{SHOWN_CALL}",
    "numbers": "/numbers",
    "number": f"/numbers/{quote(NUISANCE)}",
    "complaint": f"/numbers/{quote(NUISANCE)}/complaint?to=ftc",
    "complaint-none": f"/numbers/{quote(NUISANCE)}/complaint",
    "marks": "/numbers/marks",
    "number-for-owner": f"/numbers/{quote(NUISANCE)}/for-owner",
    "number-verified": f"/numbers/{quote(BUSINESS)}",
    "policies": "/policies",
    "policy": "/policies/named/balanced",
    "policy-compare": "/policies/compare?from=cautious&to=balanced",
    "draft": "/policies/draft",
    "settings": "/settings",
    "search": "/search?q=al",
    "draft-begun": "/policies/draft?from=cautious",
    "trial-none": "/policies/trial",
    "lists": "/lists",
    "identities": "/identities",
    "own": "/own",
    "own-do-not-call": "/own/do-not-call",
    "own-consents": "/own/consents",
    "own-outbound": "/own/outbound",
    "own-outbound-page": "/own/outbound/page",
    "own-guidance": "/own/guidance",
    "own-leaflet": "/own/leaflet",
    "own-new": f"/own/new?number={quote(OWN_STRANGER)}",
    "own-number": f"/own/{quote(OWN)}?do=change",
    "own-resting": f"/own/{quote(OWN_RESTING)}?do=use",
    "own-pack": f"/own/{quote(OWN)}/pack",
    "own-stranger": f"/own/{quote(OWN_STRANGER)}",
    "feeds": "/feeds",
    "exchange": "/exchange",
    "plans": "/plans",
    "plans-country": "/plans?country=IN",
    "people": "/people",
    "person": "/people/201",
    "appeals": "/appeals",
    "appeal-open": f"/appeals/{OPEN_APPEAL}",
    "appeal": f"/appeals/{APPEAL}",
    "appeal-stopped": f"/appeals/{STOPPED_APPEAL}",
    "appeal-closed": f"/appeals/{CLOSED_APPEAL}",
    "users": "/users",
    "events": "/events",
    "audit": "/audit",
    "account": "/account",
    "second-factor": "/account/second-factor",
    "health": "/health",
    "missing": "/no-such-page",
}


def token_of(office: Office, user: str) -> str:
    """Log this user in, and return the token of the cookie."""
    token, now = new_token(), time.time()
    office.write(start_session, Session(hash_of(token), user, now, now, "127.0.0.1", "test"), Lifetime(3600.0, 43200.0))
    return token


@contextmanager
def looking(
    browser: Browser, url: str, token: str | None, *, language: str = "en", theme: str = "light", width: int = 1920
) -> Iterator[Page]:
    """Yield a page of a browser of that width. `token` is that of the logged-in user."""
    cookies = {LANGUAGE_COOKIE: language, THEME_COOKIE: theme} | ({COOKIE: token} if token else {})
    scheme: Literal["dark", "light"] = "dark" if theme == "dark" else "light"  # the public page has no theme of its own
    size: ViewportSize = {"width": width, "height": HEIGHT}
    context: BrowserContext = patient(browser.new_context(base_url=url, viewport=size, color_scheme=scheme))
    try:
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
        yield context.new_page()
    finally:
        context.close()


def open_page(page: Page, path: str) -> None:
    """Open a page, and wait until it is drawn. The first page never stops loading, because it listens.

    The guidance and the leaflet are documents without a script.
    """
    page.goto(path, wait_until="load")
    page.wait_for_function("!document.scripts.length || document.documentElement.classList.contains('js')")
    page.wait_for_function("[...document.querySelectorAll('.chart')].every((one) => one.dataset.drawn)")


def open_shown(page: Page, name: str) -> None:
    """Open the page of that name, through forms if no path leads to it."""
    step = STEPS.get(name)
    if step is None:
        open_page(page, PATHS[name])
    else:
        step(page)


def before_it_is_added(page: Page) -> None:
    """Show the question before a prefix is put on a list."""
    open_page(page, "/lists")
    page.fill("#entry", "+1201555*")
    page.locator('form[action="/lists/add"] button').click()
    page.locator('input[name="sure"]').wait_for(state="attached")


def after_a_trial(page: Page) -> None:
    """Show what a draft would have changed in the calls of the office."""
    open_page(page, "/policies/draft")
    page.fill("#text", GOOD_DRAFT)
    page.click('button[formaction="/policies/draft/try"]')
    # It gives way to everything else: on a busy machine it gets little of the processor.
    page.locator('form[action="/policies/draft/activate"]').wait_for(timeout=TRIAL_MS)


def after_an_import_of_own_numbers(page: Page) -> None:
    """Show the result of a file with an unusable row."""
    open_page(page, "/own")
    file = f"number,name,state\n{OWN_RESTING},Lamps Ltd,resting\n12,,\n{OWN},,restig\n".encode()
    page.set_input_files("#file", {"name": "own.csv", "mimeType": "text/csv", "buffer": file})
    page.locator('form[action="/own/import"] button').click()
    page.locator("main li").first.wait_for()


def before_a_company_is_believed(page: Page) -> None:
    """Show the key to compare before a company's evidence is taken."""
    open_page(page, "/exchange")
    for field, text in (("name", "partner two"), ("url", "https://example.com/callsieve/"), ("key", NEW_KEY)):
        page.fill(f"#{field}", text)
    page.locator('form[action="/exchange/subscribe"] button').click()
    page.locator('button[name="sure"]').wait_for()


def after_a_refusal(page: Page) -> None:
    """Show the error when an own number cannot be stored."""
    open_page(page, f"/own/{quote(OWN)}?do=check")
    page.fill("#check-next", "soon")
    page.locator("#check button").click()
    page.locator("main .problem").wait_for()


# What only a form leads to.
STEPS: dict[str, Callable[[Page], None]] = {
    "list-look": before_it_is_added,
    "exchange-key": before_a_company_is_believed,
    "own-imported": after_an_import_of_own_numbers,
    "own-refused": after_a_refusal,
    "trial": after_a_trial,
}
# The trial comes last: it replaces the draft.
NAMES = (*PATHS, *STEPS)
