"""The console with a real Asterisk: a change on its pages decides the next call."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lab import CallSpec, Phone
from lab.result import CallResult
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.model import AuthClass, EntryKind, ListEntry, ListName, Mark, MarkChannel, Verdict
from reputation.numbers import spaced
from reputation.store.connection import open_store, transaction
from reputation.store.lists import add_entry
from reputation.store.marks import add_mark
from reputation.store.outcomes import outcomes
from reputation.store.own_register import unregistered
from reputation.store.users import add_user
from reputation.users import ConsoleUser, Role
from tests.browser.chromium import patient, running_chromium
from tests.browser.looking import TRIAL_MS
from tests.browser.serving import serving, web_settings
from tests.callsieve.browsing import PASSWORD, hashed_password
from tests.integration.office import STRANGER, journal, start_listening
from tests.integration.outbound import ACTING, GUARDED, OWN, dial
from tests.integration.outbound import decided as decided_outbound
from tests.waiting import wait_until

PREFIX = "+12015559"
WANTED = "+12015559123"
ACCUSED = "+12015550150"
CUSTOMER, UNWANTED = "+12015550176", "+12015550177"
# What is decided must not depend on the time of day.
NO_NIGHT = "[reputation.quiet]\nfirst_hour = 0\nlast_hour = 0\n[reputation.sample]\nevery = 0\n"
REPORTERS = {"201": "sales", "202": "support", "203": "office", "204": "lab"}
POLICY_SECONDS = 20.0


@pytest.fixture(scope="module")
def address() -> tuple[str, str]:
    return web_settings()


@pytest.fixture(scope="module")
def pbx(chromium: str, address: tuple[str, str]) -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=GUARDED, start_daemon=False, patient=True) as office:
        start_listening(office, SETTINGS + ACTING + NO_NIGHT + address[0])
        fill(office.daemon.store)
        yield office


def fill(store: Path) -> None:
    """Add the users of the console, a blocked prefix, and a number with marks."""
    now = time.time()
    with open_store(store) as db, transaction(db):
        add_user(db, ConsoleUser("ada", Role.ADMINISTRATOR, "202", now, now), hashed_password())
        add_user(db, ConsoleUser("otto", Role.OPERATOR, "201", now, now), hashed_password())
        add_entry(db, ListEntry(ListName.BLOCK, EntryKind.PREFIX, PREFIX, added_at=now))
        for reporter, group in REPORTERS.items():
            mark = Mark(ACCUSED, AuthClass.UNKNOWN, reporter, Verdict.SPAM, now - 86400, MarkChannel.EXTENSION, group)
            add_mark(db, mark)


@pytest.fixture(scope="module")
def browser(chromium: str, pbx: ScreenedPbx, address: tuple[str, str]) -> Iterator[Browser]:
    with serving(address[1], pbx.daemon.config, pbx.state), running_chromium(chromium) as browser:
        yield browser


@contextmanager
def logged_in(browser: Browser, url: str, name: str) -> Iterator[Page]:
    """Yield a browser on the first page, with a logged-in user."""
    context = patient(browser.new_context(base_url=url, locale="en-US"))
    try:
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Today")).to_be_visible()
        yield page
    finally:
        context.close()


@pytest.fixture
def page(browser: Browser, address: tuple[str, str]) -> Iterator[Page]:
    """The page of an administrator."""
    with logged_in(browser, address[1], "ada") as page:
        yield page


@pytest.fixture
def operators_page(browser: Browser, address: tuple[str, str]) -> Iterator[Page]:
    with logged_in(browser, address[1], "otto") as page:
        yield page


def open_part(page: Page, name: str) -> None:
    """Open a part of the console from its navigation."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=re.compile(rf"^{name}\b")).click()


def call(pbx: ScreenedPbx, caller: str, *, privacy: bool = False) -> CallResult:
    """Call Alice, whose phone answers."""
    with Phone(pbx.asterisk, "201"):
        return pbx.carrier.call(CallSpec(caller=caller, privacy=privacy, did=ALICE, hang_up_after=0.5))


def decided(pbx: ScreenedPbx, place: Callable[[], CallResult]) -> tuple[int, str, str]:
    """Return the final answer to a call, its action and its policy, once it is in the journal."""
    before = len(journal(pbx.daemon.store))
    code = place().code
    wait_until(lambda: len(journal(pbx.daemon.store)) > before, "the decision in the journal")
    latest = journal(pbx.daemon.store)[0]
    assert code is not None
    return code, latest.action, latest.policy


def test_an_undone_block_lets_the_next_call_ring(pbx: ScreenedPbx, page: Page) -> None:
    expect(page.locator("#live-state.on")).to_be_visible()
    assert call(pbx, WANTED).code == 603
    row = page.locator("#live tr", has_text=spaced(WANTED))
    expect(row.locator(".a-reject")).to_be_visible()
    expect(row).to_contain_text("blocklist")
    row.locator(".what a").click()
    page.get_by_role("button", name="Let this caller through").click()
    expect(page.get_by_role("status")).to_contain_text("on the allowlist")

    open_part(page, "Today")
    expect(page.locator("#live-state.on")).to_be_visible()
    assert call(pbx, WANTED).code == 200
    expect(page.locator("#live tr", has_text=spaced(WANTED))).to_have_count(2)
    expect(page.locator("#live tr", has_text=spaced(WANTED)).first.locator(".a-allow")).to_be_visible()


def test_a_policy_is_drafted_tried_activated_and_undone(pbx: ScreenedPbx, page: Page) -> None:
    place = partial(call, pbx, STRANGER, privacy=True)
    assert decided(pbx, place) == (200, "tag", "cautious")
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: any(outcome.caller is None for outcome in outcomes(db)), "how the call ended")

    open_part(page, "Rules")
    page.locator("#advanced > summary").click()
    page.locator("#advanced").get_by_role("link", name="Write a draft").click()
    draft = page.get_by_role("textbox", name="The policy as TOML")
    draft.fill(rule("rejct"))
    expect(page.locator("#checked")).to_contain_text("line 6")
    expect(page.locator("#checked")).to_contain_text("reject")  # what was meant
    draft.fill(rule("reject"))
    expect(page.locator("#checked")).to_contain_text("The draft is valid.")
    page.get_by_role("button", name="Try it on recent calls").click()
    expect(page.locator(".answer")).to_have_attribute("data-changed", "1", timeout=TRIAL_MS)
    page.get_by_role("button", name="Activate the draft").click()
    expect(page.get_by_role("heading", name="In force: console-1")).to_be_visible()
    pbx.daemon.wait_for_log("policy activated: console-1", POLICY_SECONDS)
    assert decided(pbx, place) == (603, "reject", "console-1")

    page.get_by_role("button", name="Return to cautious from the settings").click()
    expect(page.get_by_role("heading", name="In force: cautious")).to_be_visible()
    # By calls: the log may have named this policy before, when the daemon saw the draft.
    wait_until(lambda: decided(pbx, place) == (200, "tag", "cautious"), "the policy of the settings decides again")


def rule(action: str) -> str:
    """Return a draft with one rule on top of the preset. The action is in its sixth line."""
    return f"""\
extends = "cautious"

[[rule]]
name = "nobody"
when = {{ caller_kind = "withheld" }}
action = "{action}"
reason = "the caller withholds the number"
"""


def test_an_upheld_appeal_lets_the_number_ring_again(pbx: ScreenedPbx, page: Page) -> None:
    place = partial(call, pbx, ACCUSED)
    assert decided(pbx, place)[1] != "allow"
    page.goto(f"/calls?number={ACCUSED.replace('+', '%2B')}")
    page.locator("#found .what a").first.click()
    page.get_by_text("More", exact=True).click()
    page.get_by_text("File an appeal…").click()
    page.get_by_label("Name of the owner").fill("Carol Ltd")
    page.get_by_label("How to reach them").fill("carol@example.com")
    page.get_by_role("button", name="File the appeal").click()
    expect(page.get_by_role("status")).to_contain_text("The appeal is filed.")

    open_part(page, "Appeals")
    page.locator("tr", has_text=ACCUSED).get_by_role("link").click()
    page.get_by_role("button", name="Accept without proof").click()
    page.get_by_label(re.compile("Uphold")).check()
    page.get_by_label("Reason (the owner will read it)").fill("Its call records show it.")
    page.get_by_role("button", name="Decide the appeal").click()
    expect(page.get_by_role("heading", name="Closed")).to_be_visible()

    page.goto(f"/numbers/{ACCUSED.replace('+', '%2B')}")
    expect(page.locator("#reputation")).to_contain_text("none")
    assert decided(pbx, place) == (200, "allow", "cautious")


def test_the_guard_follows_the_state_of_an_own_number(pbx: ScreenedPbx, operators_page: Page) -> None:
    page = operators_page
    with Phone(pbx.asterisk, "carrier") as far_end:
        assert dial(pbx, CUSTOMER).code == 200
        with closing(sqlite3.connect(pbx.daemon.store)) as db:
            wait_until(lambda: [item.number for item in unregistered(db, 0.0)] == [OWN], "the stranger")
        open_part(page, "Own numbers")
        page.get_by_role("link", name=f"Register {OWN}").click()
        expect(page.get_by_label("Number, as it is dialled here")).to_have_value(OWN)
        page.get_by_label("Name that called people should see").fill("Lamps Ltd")
        page.get_by_role("button", name="Register").click()
        expect(page.get_by_role("status")).to_contain_text("The number is registered")

        page.get_by_text("Let the number rest…").click()
        page.get_by_role("button", name=f"Let {OWN} rest").click()
        expect(page.get_by_role("status")).to_contain_text("rests for 45 days")
        assert (dial(pbx, CUSTOMER).code, guarded(pbx, CUSTOMER, 2)) == (403, "resting")
        page.get_by_role("button", name=f"Undo: own rest {OWN}").first.click()
        expect(page.get_by_role("status")).to_contain_text("Undone.")
        assert (dial(pbx, CUSTOMER).code, guarded(pbx, CUSTOMER, 3)) == (200, "default")

        page.get_by_role("link", name="Record a do-not-call request…").click()
        expect(page.get_by_label("Own number that called")).to_have_value(OWN)
        page.get_by_label("Number not to call").fill("201-555-0177")
        page.get_by_role("button", name="Add to the do-not-call list").click()
        expect(page.get_by_role("status")).to_contain_text("on the do-not-call list")
        calls = len(far_end.invites())
        assert (dial(pbx, UNWANTED).code, guarded(pbx, UNWANTED, 1)) == (403, "do-not-call")
        assert len(far_end.invites()) == calls == 2
        page.get_by_role("button", name=f"Undo: own dnc add {UNWANTED}").first.click()
        expect(page.get_by_role("status")).to_contain_text("Undone.")
        assert (dial(pbx, UNWANTED).code, guarded(pbx, UNWANTED, 2)) == (200, "default")


def guarded(pbx: ScreenedPbx, callee: str, count: int) -> str:
    """Return the rule of the guard's latest decision, once there are `count`."""
    return decided_outbound(pbx, callee, count)[0].rule
