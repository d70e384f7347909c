"""Every page in a real browser: it passes axe-core, fits a telephone, and no script or request fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from callsieve.main.console_server import PAGES
from callsieve.web.i18n import LANGUAGES
from tests.browser.chromium import running_chromium
from tests.browser.looking import NAMES, PATHS, looking, open_page, open_shown, token_of
from tests.browser.office import make_office
from tests.browser.serving import serving, web_settings
from tests.callsieve.browsing import SETTINGS
from tests.waiting import wait_until

GRAVE = ("serious", "critical")
# Files, parts of pages, and what machines read.
NO_PAGES = {
    "/live",
    "/calls/{call}/recordings/{name}",
    "/activity",
    "/screening",
    "/livez",
    "/readyz",
    "/metrics",
    "/lists/export.csv",
    "/own/export.csv",
    "/people/export.csv",
    "/people/dids.csv",
    "/appeals/{reference}/evidence/{place}",
    "/own/{number}/screenshots/{digest}",
}
# Pages whose status is no success, which the browser notes as a failure.
REFUSED = {"missing": "404", "own-refused": "422"}
# Cumulative layout shift, as https://web.dev/articles/cls counts it: what moved without a click or a key.
WATCH_SHIFTS = """new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted = (window.shifted ?? 0) + one.value;
}).observe({type: 'layout-shift', buffered: true});"""
LEAST_SHIFT = 0.01
MOST_BYTES = 150_000
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"width": 1920, "theme": "light", "language": "en"},
    "narrow": {"width": 360, "theme": "dark", "language": "zh"},
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user at a screen. `failures`: errors of scripts, and requests that the browser refused."""

    page: Page
    failures: list[str]


@pytest.fixture(scope="module")
def visitors(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, bool], Visitor]]:
    """Visitors by look, and by whether they are logged in."""
    table, url = web_settings()
    office = make_office(tmp_path_factory.mktemp("office"), SETTINGS + table)
    token = token_of(office, "ada")
    with ExitStack() as stack:
        stack.enter_context(serving(url, office.config, office.state))
        browser = stack.enter_context(running_chromium(chromium))
        yield {
            (look, known): visitor(stack.enter_context(looking(browser, url, token if known else None, **how)))
            for look, how in LOOKS.items()
            for known in (False, True)
        }


def visitor(page: Page) -> Visitor:
    failures: list[str] = []
    page.add_init_script(WATCH_SHIFTS)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda said: failures.append(said.text) if said.type == "error" else None)
    return Visitor(page, failures)


def test_every_page_has_a_test_path() -> None:
    patterns = {
        page.path: re.compile(re.sub(r"\{\w+\}", "[^/]+", page.path))
        for page in PAGES
        # Those of people are looked at in test_person_page.py.
        if page.method == "GET" and page.path not in NO_PAGES and page.admit is None
    }
    shown = [path.partition("?")[0] for path in PATHS.values()]
    assert [path for path, pattern in patterns.items() if not any(map(pattern.fullmatch, shown))] == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_accessible_and_fits_the_screen(
    visitors: dict[tuple[str, bool], Visitor], name: str, look: str
) -> None:
    visitor = visitors[look, name != "login"]
    visitor.failures.clear()
    open_shown(visitor.page, name)
    assert list(faults_on(visitor.page)) == []
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["width"]
    assert [text for text in visitor.failures if REFUSED.get(name, "no status") not in text] == []
    assert visitor.page.evaluate("window.shifted ?? 0") < LEAST_SHIFT
    assert len(visitor.page.content().encode()) < MOST_BYTES


# Of these the tables have to fit: a figure that is cut or covered is one that cannot be read.
CELLS_CUT = """() => [...document.querySelectorAll('main td, main th')].filter((cell) =>
  cell.checkVisibility() && getComputedStyle(cell.closest('tr').parentElement).position !== 'absolute' &&
  (cell.scrollWidth > cell.clientWidth + 1 ||
   cell.getBoundingClientRect().right > cell.closest('.card').getBoundingClientRect().right + 1)
).map((cell) => cell.textContent.trim())"""
WIDTHS = (360, 700, 1000, 1100, 1200, 1280, 1366, 1440, 1920)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_figure_of_an_own_number_is_cut_or_covered(
    visitors: dict[tuple[str, bool], Visitor], language: str, width: int
) -> None:
    page = visitors["wide" if language == "en" else "narrow", True].page
    before = page.viewport_size
    assert before is not None
    page.set_viewport_size({"width": width, "height": before["height"]})
    try:
        # The register may scroll where it is narrow: seven columns are too many.
        for name in ("own-stranger", "own-number", "own-resting", *(("own",) if width >= 1000 else ())):
            open_shown(page, name)
            assert page.evaluate(CELLS_CUT) == [], name
    finally:
        page.set_viewport_size(before)


@pytest.mark.parametrize("name", ["today", "calls"])
def test_a_narrow_screen_shows_the_action_of_a_call(visitors: dict[tuple[str, bool], Visitor], name: str) -> None:
    """As a card that fits the screen."""
    page = visitors["narrow", True].page
    open_shown(page, name)
    rights = page.evaluate(
        """() => [...document.querySelectorAll('.history tr td .action')].map((one) =>
          one.getBoundingClientRect().right - one.closest('.card').getBoundingClientRect().right)"""
    )
    assert rights
    assert max(rights) <= 0


def test_an_accessibility_fault_is_found(visitors: dict[tuple[str, bool], Visitor]) -> None:
    page = visitors["wide", False].page
    open_page(page, "/login")
    page.evaluate("document.querySelectorAll('main label').forEach((one) => one.remove())")
    assert {fault.partition(" ")[0] for fault in faults_on(page)} == {"label"}


def test_a_layout_shift_is_found(visitors: dict[tuple[str, bool], Visitor]) -> None:
    page = visitors["wide", False].page
    open_page(page, "/login")
    page.evaluate("document.querySelector('main').style.paddingTop = '20rem'")
    wait_until(
        lambda: page.evaluate("window.shifted ?? 0") > LEAST_SHIFT
    )  # the policy forbids what wait_for_function evaluates


def faults_on(page: Page) -> Iterator[str]:
    """Yield the serious and critical faults of axe-core, each with its place and remedy."""
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] in GRAVE:
            for node in violation["nodes"]:
                yield f"{violation['id']} at {node['target']}: {node['failureSummary']}"
