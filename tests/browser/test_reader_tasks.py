"""Five tasks of a user who knows nothing, with only the browser, in good and in bad states.

Only what the pages show is used. With `-s` the answers, the clicks and the pages opened are printed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Locator, Page, expect

from callsieve.doctor.finding import ok
from callsieve.doctor.stored_findings import Findings, findings_of, read_findings, store_findings
from lab.ports import free_port
from tests.browser.chromium import running_chromium
from tests.browser.looking import TRIAL_MS, looking, open_page, token_of
from tests.browser.office import make_office
from tests.browser.serving import running, serving, web_settings
from tests.callsieve.browsing import SETTINGS, Office

# How each state of the system is called on every page, in the pill of the header.
PILLS = {"well": "Screening", "daemon-dead": "Down", "no-trunk": "Not connected", "empty": "Not known"}
WITH_CALLS = tuple(state for state in PILLS if state != "empty")
RANGE = "+1206555*"


@dataclass(slots=True)
class Reader:
    """A user at a screen whose clicks and pages are counted."""

    page: Page
    state: str
    clicks: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Open the first page."""
        open_page(self.page, "/")
        self.clicks.clear()
        self.pages.clear()

    def click(self, target: Locator, name: str = "") -> None:
        """Click on something that is shown, and wait for its page."""
        expect(target.first).to_be_visible()
        self.clicks.append(name or target.first.inner_text())
        target.first.click()
        self.page.wait_for_load_state("load")

    def answer(self, answer: str, most_clicks: int) -> None:
        """Print the answer and how it was reached, which must not take more clicks."""
        print(f"\n{self.state}: {len(self.clicks)} clicks ({' > '.join(self.clicks)}), {len(self.pages)} pages")
        print(answer)
        assert len(self.clicks) <= most_clicks


@pytest.fixture(scope="module", params=PILLS)
def reader(request: pytest.FixtureRequest, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    state: str = request.param
    table, url = web_settings()
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    settings = f'{SETTINGS}{table}\n[agi]\nlisten = "127.0.0.1:{port}"\n'
    folder = tmp_path_factory.mktemp("office")
    office = Office(folder, settings) if state == "empty" else make_office(folder, settings)
    if state != "empty":
        check_trunks(office, ask=state != "no-trunk")
    with ExitStack() as stack:
        if state != "daemon-dead":
            serve = ("serve", "--config", str(office.config))
            stack.enter_context(running(serve, office.state, lambda: answers(port)))
        stack.enter_context(serving(url, office.config, office.state))
        browser = stack.enter_context(running_chromium(chromium))
        page = stack.enter_context(looking(browser, url, token_of(office, "ada"), width=1366))
        reader = Reader(page, state)
        page.on("load", lambda shown: reader.pages.append(shown.url))
        yield reader


def check_trunks(office: Office, *, ask: bool) -> None:
    """Store what root's doctor found just now: whether the trunks ask CallSieve."""
    path, at = office.load().findings_path, time.time()
    found = read_findings(path)
    assert isinstance(found, Findings)
    checks = [replace(check, at=at) for check in found.checks]
    if ask:
        good = ok("1 trunk asks CallSieve")
        checks = [
            replace(check, status=good.status, detail=good.detail, remedy="") if check.name == "trunks" else check
            for check in checks
        ]
    store_findings(path, findings_of(checks, at, at))


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def for_states(*states: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize("reader", states, indirect=True)


def test_the_first_page_shows_whether_screening_works(reader: Reader) -> None:
    reader.start()
    pill = reader.page.locator("#screening")
    expect(pill).to_contain_text(PILLS[reader.state])
    banner = reader.page.locator("#banners .broken")
    expect(banner).to_have_count(int(reader.state in ("daemon-dead", "no-trunk")))
    remedy = banner.inner_text() if banner.count() else ""
    assert bool(remedy) == ("callsieve" in remedy), "what is broken names a command"
    reader.answer(f"{pill.inner_text()} | {remedy}", 0)


def test_the_first_page_shows_the_next_step(reader: Reader) -> None:
    reader.start()
    main = reader.page.locator("main")
    expect(main).to_contain_text("Getting started")
    step = main.locator("code").first
    expect(step).to_contain_text("callsieve")
    reader.answer(f"{main.inner_text()[:200]!r} {step.inner_text()}", 1)


@for_states(*WITH_CALLS)
def test_a_stopped_call_is_explained_and_undone(reader: Reader) -> None:
    reader.start()
    page = reader.page
    reader.click(page.locator(".places").get_by_text("Calls", exact=True))
    reader.click(page.locator(".history a.action").filter(has_text="Challenged"))
    why = page.locator("main .lead").inner_text()
    assert "evidence against this number" in why
    reader.click(page.get_by_role("button", name="Let this caller through"))
    expect(page.locator(".said")).to_contain_text("allowlist")
    reader.answer(f"{why} | {page.locator('.said').inner_text()}", 3)
    page.locator(".said").get_by_role("button", name="Undo").click()
    expect(page.locator(".said")).to_contain_text("Undone")


def test_a_range_is_blocked_for_a_month(reader: Reader) -> None:
    reader.start()
    page = reader.page
    page.locator(".find input").fill(RANGE)
    page.keyboard.press("Enter")
    page.wait_for_url("**/lists?**")
    reader.click(page.get_by_text("1 month", exact=True))
    reader.click(page.locator('form[action="/lists/add"] button', has_text="Add it"))
    page.locator('input[name="sure"]').wait_for(state="attached")
    reader.click(page.locator('form[action="/lists/add"] button', has_text="Add it"))
    expect(page.locator(".said")).to_contain_text(f"You blocked {RANGE} until")
    reader.answer(page.locator(".said").inner_text(), 4)
    page.locator(".said").get_by_role("button", name="Undo").click()
    expect(page.locator(".said")).to_contain_text("Undone")


@for_states(*WITH_CALLS)
def test_a_stricter_preset_is_tried_and_undone(reader: Reader) -> None:
    reader.start()
    page = reader.page
    reader.click(page.locator(".places").get_by_text("Rules", exact=True))
    card = page.locator(".presets li").filter(has_text="strict").first
    reader.click(card.get_by_text("Try on my calls"))
    use = page.get_by_role("button", name="Use strict")
    use.wait_for(timeout=TRIAL_MS)
    trial = page.locator("main .lead").inner_text()
    reader.click(use)
    expect(page.locator(".said")).to_contain_text("strict")
    reader.click(page.locator(".said").get_by_role("button", name="Undo"))
    expect(page.locator(".said")).to_contain_text("Undone")
    reader.answer(trial, 4)


@for_states("empty")
def test_an_empty_page_names_the_next_step(reader: Reader) -> None:
    """In a link, a button, a form or a command."""
    for path in ("/calls", "/lists", "/own", "/appeals", "/feeds", "/identities", "/events", "/people"):
        open_page(reader.page, path)
        assert reader.page.locator("main .empty a, main .empty code, main .empty ~ pre, main pre, main form").count(), (
            path
        )
