"""Whether calls are screened, in the head of every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callsieve.health import Check, CheckStatus, ScreeningState, ScreeningStatus, SystemHealth
from callsieve.web.access import TOUCH_SECONDS
from callsieve.web.app_state import BackgroundValue
from callsieve.web.i18n import LANGUAGES
from reputation.store.users import sessions_of
from reputation.wording import Wording
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import add_calls, make_decision

BROKEN = (ScreeningState.DOWN, ScreeningState.NOT_CONNECTED, ScreeningState.FAILING)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def pill_of(page: str) -> tuple[str, str]:
    """The class of the pill, and whether it says that the daemon answers."""
    found = re.search(r'<a class="pill p-([a-z_]+) t-[a-z]+" id="screening"[^>]* data-answers="(yes|no)"', page)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize("state", list(ScreeningState))
def test_every_page_shows_the_screening_state(office: Office, state: ScreeningState) -> None:
    why = Wording("the daemon: {trouble}", {"trouble": HOSTILE})
    with office.console() as console:
        console.state.screening = BackgroundValue(
            ScreeningStatus(state, NOW, HOSTILE, NOW - 60, NOW + 60, why, HOSTILE)
        )
        browser = console.browser("viewer")
        texts = set()
        for language in LANGUAGES:
            for path in ("/", "/calls", "/policies", "/health"):
                page = browser.text(path, headers={"accept-language": language})
                name, answers = pill_of(page)
                assert name == state
                assert (answers == "no") == (
                    state in (ScreeningState.DOWN, ScreeningState.FAILING, ScreeningState.UNKNOWN)
                )
                assert ('class="banner broken"' in page) == (state in BROKEN)
                assert HOSTILE not in page
            texts.add(re.sub(r"<[^>]*>", "", page.partition('id="screening"')[2].partition("</a>")[0]))
        assert len(texts) == len(LANGUAGES)


def test_open_page_refreshes_without_keeping_the_session(office: Office) -> None:
    """And asking for it keeps nobody logged in."""
    with office.console() as console:
        browser = console.browser("viewer")
        office.clock.now += 2 * TOUCH_SECONDS
        console.state.screening = BackgroundValue(ScreeningStatus(ScreeningState.DOWN))
        part = browser.text("/screening", headers={"hx-request": "true"})
        assert pill_of(part) == ("down", "no")
        assert 'hx-swap-oob="true"' in part
        assert [session.seen_at for session in office.read(sessions_of, "vera")] == [NOW]
        assert browser.get("/screening").headers["location"] == "/health"
        assert console.browser(None).get("/screening").headers["location"].startswith("/login")


def test_central_console_and_visitors_see_no_state(office: Office) -> None:
    """A central console, and a visitor who is not logged in."""
    with office.console() as console:
        assert 'id="screening"' not in console.browser(None).text("/login")
        console.state.health = BackgroundValue(SystemHealth(is_central=True))
        assert 'id="screening"' not in console.browser("viewer").text("/calls")


def test_form_that_changes_the_state_refreshes_it(office: Office) -> None:
    found = iter((ScreeningState.OFF, ScreeningState.ON))
    with office.console() as console:
        console.state.screening = BackgroundValue(
            ScreeningStatus(ScreeningState.UNKNOWN), lambda: ScreeningStatus(next(found)), every_seconds=3600
        )
        browser = console.browser("operator")
        assert pill_of(browser.text("/calls")) == ("off", "yes")
        assert pill_of(browser.text("/calls")) == ("off", "yes")
        browser.post("/preferences", theme="dark")
        browser.post("/emergency/close")
        assert pill_of(browser.text("/calls"))[0] == "on"


def steps_of(page: str) -> list[str]:
    """What each step of the first run is: `done` or `open`; none where the page has no such list."""
    return re.findall(r'<li class="(done|open)"><span class="tick"', page)


def test_new_administrator_sees_the_first_steps(office: Office) -> None:
    """The ticks come by themselves; what is left out of empty tables comes with the first call."""
    with office.console() as console:
        console.state.screening = BackgroundValue(ScreeningStatus(ScreeningState.UNKNOWN))
        browser = console.browser("administrator")
        page = browser.text("/")
        assert steps_of(page) == ["open", "open", "done", "open", "open", "open"]
        assert all(f'href="{path}"' in page for path in ("/lists", "/feeds", "/policies"))
        assert 'id="activity"' not in page
        browser.done("/lists/add", list="block", entry="+12065550100")
        checks = (Check("manager login", CheckStatus.OK, ""), Check("trunks", CheckStatus.FAIL, "", HOSTILE))
        console.state.health = BackgroundValue(SystemHealth(NOW, checks))
        page = browser.text("/")
        assert steps_of(page) == ["done", "open", "done", "open", "done", "done"]
        assert HOSTILE not in page
        console.state.screening = BackgroundValue(ScreeningStatus(ScreeningState.WAITING))
        assert steps_of(browser.text("/"))[1] == "done"  # as the pill on the page says
        add_calls(office, make_decision())
        page = browser.text("/")
        assert steps_of(page) == []
        assert 'id="activity"' in page
