"""`python -m tests.browser.screenshots FOLDER [NAME ...]`: a picture of every page, in every language, width and theme.

A name is that of a part (visitor, public, me, console) or of a page of the console: without one, everything.
With `docs` in the place of FOLDER: the pictures of the documentation, in docs/images. Faults that a machine can see
are printed: those of axe, English on Chinese pages, text that is cut, backticks, and what is wider than the screen.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page

from callsieve.changes.operation import Context
from callsieve.doctor.stored_findings import renew_finding
from callsieve.health import Check, CheckStatus
from callsieve.person_page.operations import make_link
from callsieve.web.i18n import LANGUAGES
from lab.ports import free_port
from lab.tools import use_fetched_tools
from reputation.appeals import AppealStep
from reputation.store.appeals import AppealRuling, all_appeals, decide, take_step
from reputation.users import Role
from reputation.wording import Wording
from tests.browser.chromium import MISSING, chromium_path, running_chromium
from tests.browser.looking import NAMES, looking, open_page, open_shown, token_of
from tests.browser.office import make_office
from tests.browser.serving import answers, running, serving, serving_public, web_settings
from tests.browser.test_pages import faults_on
from tests.browser.test_second_factor import code_of, send
from tests.callsieve.browsing import PASSWORD, SETTINGS, Office
from tests.callsieve.console_calls import make_decision

WIDTHS = (390, 1366)
THEMES = ("light", "dark")
LOOKS = tuple(product(LANGUAGES, WIDTHS, THEMES))
# What test_pages.py runs axe in.
SEEN_BY_TESTS = {("en", "light"), ("zh", "dark")}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "images"
DOCS_WIDTH = 1280
# The pictures of the documentation and the pages that they show, as far as a window shows them.
DOCS_PICTURES = {"console-today": "today", "console-calls": "calls", "console-rules": "policies", "console-own": "own"}
# Text that its box cuts off, though no ellipsis says so; the menus and the table's scrolling are meant.
CUT = """() => [...document.querySelectorAll('main *, header *, footer *')].filter((one) => {
  const style = getComputedStyle(one);
  return one.checkVisibility() && one.childElementCount === 0 && one.textContent.trim() &&
    ['hidden', 'clip'].includes(style.overflowX) && style.position !== 'absolute' &&
    style.textOverflow !== 'ellipsis' && one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.textContent.trim().slice(0, 60))"""
# Three Latin words in a row are English, unless they are what people, files or commands are called.
ENGLISH = """() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) {
    const text = walk.currentNode, box = text.parentElement;
    if (!box.checkVisibility() || box.closest('code, pre, kbd, textarea, option, [lang=en], script, style')) continue;
    if (/(?:\\b[A-Za-z]{2,}\\b[ ,]+){2}[A-Za-z]{2,}/.test(text.data)) found.push(text.data.trim().slice(0, 90));
  }
  return found;
}"""
BACKTICKS = "() => [...document.body.innerText.matchAll(/.{0,30}`.{0,30}/g)].map((one) => one[0])"

PUBLIC = """
[public]
enabled = true
listen = "{listen}"
address = "{address}"
name = "Example Ltd"
contact = "appeals@example.org"
"""

Pages = Mapping[tuple[str, int, str], Page]
Take = Callable[[Page, str], None]


def take_console(pages: Pages, office: Office, take: Take, names: Sequence[str]) -> None:
    """Take every page of the console, one page in every look after the other: the last ones change the store."""
    for name in names:
        for page in pages.values():
            open_shown(page, name)
            take(page, name)


def take_person(pages: Pages, office: Office, take: Take, names: Sequence[str]) -> None:
    """Take the pages of one person, from the link to a link that was used."""
    for page in pages.values():
        context = Context("ada", Role.ADMINISTRATOR, time.time(), office.load())
        link = office.write(make_link, context, "201").url
        for name, path in {"me-sign-in": "/me/sign-in", "me-link": link}.items():
            open_page(page, path)
            take(page, name)
        page.locator("main form button").click()
        page.wait_for_load_state("load")
        for name in ("me", "me-lists", "me-devices", "me-calls-none"):
            open_page(page, "/" + name.replace("-", "/"))
            for summary in page.locator("main summary").all()[:2]:
                summary.click()
            take(page, name)
        open_page(page, link)
        take(page, "me-link-used")


def take_visitor(pages: Pages, office: Office, take: Take, names: Sequence[str]) -> None:
    """Take what somebody sees who has not logged in: the two steps of the login, and a page that is not there."""
    secret = ""
    for page in pages.values():
        for name, path in {"login": "/login", "missing-visitor": "/no-such-page"}.items():
            open_page(page, path)
            take(page, name)
        open_page(page, "/login?next=/account/second-factor")
        send(page, name="otto", password="wrong")
        take(page, "login-refused")
        send(page, name="otto", password=PASSWORD)
        if not secret:
            secret = page.locator('input[name="secret"]').input_value()
            send(page, present=PASSWORD, code=code_of(secret, 0))
            page.context.clear_cookies(name="callsieve")
            open_page(page, "/login")
            send(page, name="otto", password=PASSWORD)
        take(page, "login-second-step")
        send(page, code="12345")
        take(page, "login-second-step-refused")


def take_public(pages: Pages, office: Office, take: Take, names: Sequence[str]) -> None:
    """Take what the owner of a number sees, from the reference to the ruling. One appeal: the page limits them."""
    stopped = make_decision("8KQ2M4XA", at=time.time(), caller="+12025550199")
    office.add_decisions(stopped)
    status = ""
    for (language, _, _), page in pages.items():
        for name, reference in {"public": "", "public-unknown": "ZZZZZZZZ", "public-call": stopped.id}.items():
            open_page(page, f"/?lang={language}")
            if reference:
                page.fill("#reference", reference)
                page.locator("main form button").click()
            take(page, name)
        if not status:
            for field, text in {"name": "Carol Ltd", "contact": "c@example.com", "statement": "Parcels. " * 20}.items():
                page.fill(f"#{field}", text)
            page.locator("main form button").click()
            status = page.locator("code").first.inner_text()
        open_page(page, f"/no-such-page?lang={language}")
        take(page, "public-missing")
    reference = max(office.read(all_appeals), key=lambda appeal: appeal.opened_at).reference
    for name, step in {
        "public-filed": None,
        "public-examined": (take_step, reference, AppealStep.ACCEPT, time.time()),
        "public-decided": (decide, reference, AppealRuling(True, "A parcel service."), time.time()),
    }.items():
        if step is not None:
            office.write(*step)
        for (language, _, _), page in pages.items():
            open_page(page, f"{status}?lang={language}")
            take(page, name)


@contextmanager
def looks(browser: Browser, url: str, token: str | None) -> Iterator[Pages]:
    """Open a page in each look."""
    with ExitStack() as stack:
        yield {
            (language, width, theme): stack.enter_context(
                looking(browser, url, token, language=language, theme=theme, width=width)
            )
            for language, width, theme in LOOKS
        }


def take_picture(folder: Path, pages: Pages, taken: list[str], page: Page, name: str) -> None:
    """Write the picture of a page and print its faults."""
    language, width, theme = next(look for look, shown in pages.items() if shown is page)
    page.screenshot(path=folder / f"{name}-{language}-{width}-{theme}.png", full_page=True)
    taken.append(name)
    for fault in faults(page, language, width, theme):
        print(f"{name} {language} {width} {theme}: {fault}", flush=True)


def faults(page: Page, language: str, width: int, theme: str) -> Iterator[str]:
    """Yield what is wrong with a page that a machine can see."""
    scripts = {"cut": CUT, "backtick": BACKTICKS} | ({"English": ENGLISH} if language == "zh" else {})
    if (language, theme) not in SEEN_BY_TESTS:
        yield from faults_on(page)
    for name, script in scripts.items():
        yield from (f"{name}: {text}" for text in page.evaluate(script))
    if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
        yield f"is {wide} px wide"


PARTS = {"visitor": take_visitor, "public": take_public, "me": take_person, "console": take_console}
CONSOLE_NAMES = [name for name in NAMES if name != "login"]


def main(folder: Path, names: Sequence[str]) -> int:
    """Write the pictures, one file a page and look, and print their faults."""
    use_fetched_tools()
    path = chromium_path()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    table, url = web_settings()
    public = f"http://127.0.0.1:{free_port('127.0.0.1', socket.SOCK_STREAM)}"
    table += PUBLIC.format(listen=public.removeprefix("http://"), address=public)
    console_names = [name for name in CONSOLE_NAMES if name in names] or CONSOLE_NAMES
    parts = [part for part in PARTS if part in names] or (["console"] if names else list(PARTS))
    taken: list[str] = []
    with tempfile.TemporaryDirectory() as state, ExitStack() as stack:
        office = make_office(Path(state), SETTINGS + table)
        stack.enter_context(serving(url, office.config, office.state))
        stack.enter_context(serving_public(public, office.config, office.state))
        browser = stack.enter_context(running_chromium(path))
        for part in parts:
            token = token_of(office, "ada") if part == "console" else None
            with looks(browser, public if part == "public" else url, token) as pages:
                PARTS[part](pages, office, partial(take_picture, folder, pages, taken), console_names)
    print(f"{len(taken)} pictures of {len(set(taken))} pages")
    return 0


def take_for_docs() -> int:
    """Write the pictures of the documentation."""
    use_fetched_tools()
    path = chromium_path()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 2
    table, url = web_settings()
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory() as state, ExitStack() as stack:
        office = make_office(Path(state), f'{SETTINGS}{table}\n[agi]\nlisten = "127.0.0.1:{port}"\n')
        trunks = Check("trunks", CheckStatus.OK, Wording("1 context asks CallSieve"), at=time.time())
        renew_finding(office.load().findings_path, trunks)
        token = token_of(office, "ada")
        serve = ("serve", "--config", str(office.config))
        stack.enter_context(running(serve, office.state, lambda: answers(f"http://127.0.0.1:{port}")))
        stack.enter_context(serving(url, office.config, office.state))
        browser = stack.enter_context(running_chromium(path))
        for picture, name in DOCS_PICTURES.items():
            with looking(browser, url, token, language="en", theme="light", width=DOCS_WIDTH) as page:
                open_shown(page, name)
                for _ in range(60):  # The console finds out how screening is while it serves.
                    if page.locator(".pill.t-good").count():
                        break
                    page.wait_for_timeout(500)
                    open_shown(page, name)
                page.screenshot(path=DOCS / f"{picture}.png")
    return 0


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["screenshots"]
    sys.exit(take_for_docs() if wanted[0] == "docs" else main(Path(wanted[0]), wanted[1:]))
