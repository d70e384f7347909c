"""The page of companies: subscribe with a confirmed key, pause, remove, undo."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.changes.operation import Context
from callsieve.exchange.operations import fetch_peer, known_peers
from callsieve.signing.keys import PublicKey
from reputation.store.database import open_store
from reputation.store.peers import peer_states, subscriptions
from reputation.users import Role
from tests.callsieve.browsing import Console, Office, changes_of
from tests.callsieve.exchange.companies import SPAMMER, Company
from tests.office import SETTINGS

URL = "https://example.com/callsieve/"
KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
KEY_ID = PublicKey.parse(KEY).id
ASKED = {"name": "partner", "url": URL, "key": KEY, "weight": "0.5"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with Office(tmp_path, SETTINGS).console() as console:
        yield console


def test_key_must_be_confirmed(console: Console) -> None:
    browser = console.browser("administrator")
    page = browser.post("/exchange/subscribe", **ASKED).text
    assert KEY_ID in page
    assert console.office.read(subscriptions) == [], "nothing is taken yet"
    browser.post("/exchange/subscribe", **ASKED, sure="0" * 16)
    assert console.office.read(subscriptions) == [], "another key was compared"
    browser.post("/exchange/subscribe", **ASKED, sure=KEY_ID)
    [one] = console.office.read(subscriptions)
    assert (one.name, one.url, one.key, one.weight) == ("partner", URL, KEY, 0.5)


def test_a_company_is_paused_resumed_and_removed(console: Console) -> None:
    browser = console.browser("administrator")
    browser.post("/exchange/subscribe", **ASKED, sure=KEY_ID)
    for what, off, named in (("pause", True, True), ("resume", False, True), ("remove", False, False)):
        browser.post(f"/exchange/{what}", name="partner")
        [state] = console.office.read(peer_states)
        assert (state.off_at is not None, state.in_settings) == (off, named), what
    made = re.search(r'action="/exchange/undo".*?name="id" value="(\d+)"', browser.text("/exchange"), re.DOTALL)
    assert made is not None
    browser.post("/exchange/undo", id=made[1])
    assert [subscription.name for subscription in console.office.read(subscriptions)] == ["partner"]
    assert [change[0] for change in changes_of(console.office)][:2] == ["undo exchange remove", "exchange remove"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param({"url": "http://example.com/"}, "plain http", id="no-tls"),
        pytest.param({"key": "abc"}, "44 characters", id="no-key"),
        pytest.param({"weight": "much"}, "must be a number from 0 to 1", id="no-weight"),
        pytest.param({"weight": "nan"}, "must be a number from 0 to 1", id="nan"),
        pytest.param({"name": '<script>"'}, "letters, digits", id="hostile-name"),
    ],
)
def test_invalid_subscription_shows_problem_and_input(console: Console, typed: dict[str, str], said: str) -> None:
    answer = console.browser("administrator").post("/exchange/subscribe", **(ASKED | typed))
    assert answer.status_code == 422
    assert said in answer.text
    assert "<script>" not in answer.text.partition("<main")[2]
    assert 'value="partner"' in answer.text or "name" in typed


def test_operator_sees_no_buttons(console: Console) -> None:
    console.browser("administrator").post("/exchange/subscribe", **ASKED, sure=KEY_ID)
    page = console.browser("operator").text("/exchange")
    assert "<strong>partner</strong>" in page
    assert "/exchange/pause" not in page
    assert "/exchange/subscribe" not in page


def test_page_shows_companies_of_the_settings_and_own_publication(tmp_path: Path) -> None:
    berlin = Company(tmp_path / "berlin", "Berlin Ltd")
    berlin.mark_as_spam()
    berlin.publish()
    folder = tmp_path / "office"
    folder.mkdir()
    office = Office(folder, f'{SETTINGS}[publish]\nname = "Ours"\ndirectory = "{folder / "out"}"\n')
    with office.console() as console:
        page = console.browser("viewer").text("/exchange")
        assert "No other company&#39;s evidence is used." in page.replace("'", "&#39;")
        assert "Nothing is published by us yet." in page
    with office.config.open("a") as file:
        file.write(f'[[exchange]]\nname = "Berlin"\npath = "{berlin.web}"\nkey = "{berlin.key}"\n')
    with office.console() as console:
        browser = console.browser("administrator")
        assert "callsieve-exchange.timer" in browser.text("/exchange")
        with open_store(office.store) as db:
            context = Context("joe", Role.ADMINISTRATOR, time.time(), office.load())
            fetch_peer(db, context, known_peers(db, context)["Berlin"])
        page = browser.text("/exchange")
        assert "callsieve-exchange.timer" not in page
        for text in ("<strong>Berlin</strong>", "too few calls", PublicKey.parse(berlin.key).id):
            assert text in page
        assert "/exchange/remove" not in page, "it is taken out of the settings"
        assert browser.post("/exchange/remove", name="Berlin").status_code == 422
        number = browser.text(f"/numbers/{SPAMMER}")
        assert '<a href="/exchange">Berlin</a>' in number, "whose word it is"
