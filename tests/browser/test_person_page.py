"""A person who knows nothing gets a link and does four tasks on a phone of 390 px, and every page is checked.

With `-s` the clicks are printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from callsieve.changes.operation import Context
from callsieve.person_page.operations import make_link
from callsieve.web.access import LANGUAGE_COOKIE, THEME_COOKIE
from policies.reasons import PresetReason, Why
from reputation.model import Disposition, ListName, Person, PhoneSetting, Verdict
from reputation.store.evidence_rows import live_marks_of
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, add_contacts, personal_entries, phone_settings_of
from reputation.store.outcomes import record_outcomes
from reputation.store.people import SETTINGS as OF_SETTINGS
from reputation.store.people import upsert_people
from reputation.users import Role
from tests.browser.chromium import patient, running_chromium
from tests.browser.serving import serving, web_settings
from tests.browser.test_pages import faults_on
from tests.callsieve.browsing import SETTINGS, Office
from tests.callsieve.console_calls import make_decision, make_ending

DR_RAY, SALES = "+17025554207", "+17189215318"
HOSTILE = "<script>alert(1)</script> \u202e" + "x" * 60
PATHS = ("/me", "/me/lists", "/me/devices", "/me/sign-in")


@dataclass(slots=True)
class Clicks:
    """A user at a phone whose clicks are counted."""

    page: Page
    made: list[str] = field(default_factory=list)

    def press(self, name: str, within: str = "main") -> None:
        """Press the button or link of this name."""
        self.made.append(name)
        self.page.locator(within).get_by_text(name, exact=True).first.click()
        self.page.wait_for_load_state("load")


@dataclass(frozen=True, slots=True)
class Site:
    """The console's process, its office and a browser."""

    office: Office
    url: str
    browser: Browser

    def link(self) -> str:
        """Return a link to Alice's page."""
        context = Context("ada", Role.ADMINISTRATOR, time.time(), self.office.load())
        return self.office.write(make_link, context, "201").url

    @contextmanager
    def phone(
        self, width: int = 390, language: str = "en", theme: str = "light", *, has_script: bool = True
    ) -> Iterator[Page]:
        """Open a browser of that width."""
        size = ViewportSize(width=width, height=844)
        context = patient(self.browser.new_context(base_url=self.url, viewport=size, java_script_enabled=has_script))
        cookies = {LANGUAGE_COOKIE: language, THEME_COOKIE: theme}
        context.add_cookies([{"name": name, "value": value, "url": self.url} for name, value in cookies.items()])
        try:
            yield context.new_page()
        finally:
            context.close()


@pytest.fixture(scope="module")
def site(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    table, url = web_settings()
    office = Office(tmp_path_factory.mktemp("office"), SETTINGS + table)
    now = time.time()
    why = Why(PresetReason.STRONG_EVIDENCE).kept
    ray = make_decision("7KQ2M4XA", at=now - 7200, caller=DR_RAY, callee="201", reason=why)
    sales = make_decision("8KQ2M4XA", at=now - 600, caller=SALES, callee="201", action="tag", rule="level-tag")
    hidden = make_decision("9KQ2M4XA", at=now - 300, caller=None, caller_kind="withheld", callee="201", action="allow")
    hostile = make_decision("6KQ2M4XA", at=now - 86400 * 3, callee="201", rule=HOSTILE, reason=HOSTILE)
    office.write(upsert_people, [Person("201", "PJSIP/201", "sales", "en", "Alice")], OF_SETTINGS)
    office.write(record_decisions, [ray, sales, hidden, hostile._replace(caller_text=HOSTILE)])
    endings = [make_ending(ray, disposition=Disposition.FAILED, answered_by=None), make_ending(sales)]
    office.write(record_outcomes, endings, now)
    office.write(add_contacts, "crm", [Contact(DR_RAY, "Dr. Ray", ""), Contact(hostile.caller or "", HOSTILE, "201")])
    with serving(url, office.config, office.state), running_chromium(chromium) as browser:
        yield Site(office, url, browser)


def test_a_person_does_four_tasks_on_a_phone(site: Site) -> None:
    with site.phone(has_script=False) as page:
        clicks = Clicks(page)
        page.goto(site.link())
        clicks.press("Open my page")
        print(f"\nto the page: {clicks.made}")

        clicks.made.clear()
        card = page.locator("#call-7KQ2M4XA")
        expect(card).to_contain_text("Dr. Ray")
        expect(card.locator(".own-why")).to_contain_text("strong evidence against this number")
        print(f"why did Dr. Ray not reach me: {clicks.made}")

        clicks.press("This decision was wrong", "#call-7KQ2M4XA")
        print(f"never again: {clicks.made}")
        assert clicks.made == ["This decision was wrong"]
        assert [(entry.number, entry.verdict) for entry in site.office.read(personal_entries, "201")] == [
            (DR_RAY, ListName.ALLOW)
        ]
        assert [item.verdict for item in site.office.read(live_marks_of, DR_RAY, "201")] == [Verdict.OK]

        clicks.made.clear()
        clicks.press("Block", "#call-8KQ2M4XA")
        print(f"block this one: {clicks.made}")
        assert clicks.made == ["Block"]
        assert {entry.number: entry.verdict for entry in site.office.read(personal_entries, "201")}[
            SALES
        ] is ListName.BLOCK

        clicks.made.clear()
        clicks.press("Switch warnings off")
        print(f"no warnings: {clicks.made}")
        assert clicks.made == ["Switch warnings off"]
        assert site.office.read(phone_settings_of, "201") == {PhoneSetting.NO_WHISPER}

        clicks.press("Undo")
        assert site.office.read(phone_settings_of, "201") == set()


TARGETS = """() => [...document.querySelectorAll('a, button, summary, input:not([type=hidden])')].filter((one) => {
  const box = one.getBoundingClientRect();
  return one.checkVisibility() && box.width > 0 && !one.closest('.skip') && (box.width < 24 || box.height < 24);
}).map((one) => one.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1366])
def test_every_page_is_accessible_in_every_look(
    site: Site, width: int, language: str, theme: str, tmp_path: Path
) -> None:
    with site.phone(width, language, theme) as phone:
        link = site.link()
        phone.goto(link)
        assert list(faults_on(phone)) == []
        phone.locator("main form button").click()
        for path in PATHS:
            phone.goto(path)
            if path == "/me":
                phone.locator("#call-8KQ2M4XA summary").click()
            assert list(faults_on(phone)) == [], path
            assert phone.evaluate("document.documentElement.scrollWidth") <= width, path
            assert phone.evaluate(TARGETS) == [], path
            assert phone.locator("main script").count() == 0
            phone.screenshot(path=tmp_path / f"{path.replace('/', '-')[1:]}-{language}-{width}.png", full_page=True)
        phone.goto(link)
        assert list(faults_on(phone)) == []
