"""An owner's way from the reference that a rejected caller hears to a signed statement.

With a real Asterisk, daemon, public page, call-back helper and browser.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from agi.speech import reference_keys
from callsieve.prompts.catalogue import prompts_of
from callsieve.settings import load_settings
from callsieve.signing.keys import PublicKey
from callsieve.signing.statements import verify
from callsieve.simulate import Question, SettingsFacts, call_of, opinion_of, situation_about
from callsieve.wiring import policies_of, site_of
from lab import Answering, CallSpec, Phone, ensure_pbx
from lab.ports import free_port
from lab.screened import ALICE, ScreenedPbx
from policies.decision import Action
from reputation.store.database import open_store
from tests.browser.chromium import patient, running_chromium
from tests.browser.serving import serving_public
from tests.callsieve.call_back.helping import call_files, helper_process, settings_text
from tests.integration.office import asking_office, decision_on, install_prompts, played
from tests.waiting import wait_until

RULE = """\
[[rule]]
name = "turned-away"
when = { prefix = ["+1201555048", "+861380013"] }
action = "reject"
reason = "turned away"
"""
SCENES = ("appeal", "caller", "challenge", "proof", "digit", "letter")
HELPER = 'channel = "PJSIP/{number}@carrier"\ncountries = ["US", "CN"]\nseconds = 120\n'
REASON = "It is a parcel service."


@dataclass(frozen=True, slots=True)
class Site:
    """The running system. `url` is that of the public page."""

    pbx: ScreenedPbx
    url: str
    spool: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ensure_pbx()
    folder = tmp_path_factory.mktemp("helper")
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    url = f"http://localhost:{port}"
    settings = f"""
[actions]
appeal = true

[public]
enabled = true
listen = "127.0.0.1:{port}"
address = "{url}"
name = "Example Ltd"
contact = "appeals@example.org"
call_back = "{folder}/door"
"""
    with asking_office(RULE, settings, SCENES) as pbx:
        for language in ("en", "zh"):
            keys = (key for key in prompts_of(language) if key.partition("-")[0] in SCENES)
            install_prompts(pbx, dict.fromkeys(keys, 0.2), language)
        spool = pbx.asterisk.directories.spool
        with (
            serving_public(f"http://127.0.0.1:{port}", pbx.daemon.config, pbx.state),
            helper_process(
                folder, settings_text(spool, f'{HELPER}sounds = "{pbx.asterisk.directories.data}/sounds"\n')
            ),
        ):
            yield Site(pbx, url, spool)
        assert pbx.asterisk.warnings() == []


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with running_chromium(chromium) as browser:
        yield browser


def spoken_reference(pbx: ScreenedPbx, caller: str) -> str:
    """Return the reference as a rejected caller hears it, letter by letter."""
    before = len(played(pbx))
    result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE))
    assert (result.code, result.early_media) == (603, True)
    heard = played(pbx)[before:]
    assert (heard[0], heard[-1]) == ("appeal-how", "appeal-address")
    return "".join(key.rpartition("-")[2] for key in heard[1:-1])


def verdict_on(page: Page) -> tuple[str, str]:
    """Return the action and its cause that the page shows, as codes."""
    place = page.locator("[data-call]")
    return place.get_attribute("data-call") or "", place.get_attribute("data-by") or ""


def simulated(pbx: ScreenedPbx, caller: str) -> tuple[str, str]:
    """Return what `simulate` says about a call to Alice."""
    loaded = load_settings(pbx.daemon.config, {"CALLSIEVE_STATE": str(pbx.state)})
    with open_store(pbx.daemon.store) as db:
        call = call_of(Question(caller, did=ALICE), site_of(loaded.settings))
        situation = situation_about(db, call, time.time(), SettingsFacts.of(loaded), at_its_hour=False)
    facts = situation.facts._replace(callee=None)
    decision = opinion_of(replace(situation, facts=facts), policies_of(loaded)).decision
    stops = decision.action > Action.WARN
    return decision.action.word, "" if not stops else "list" if decision.step == 4 else "policy"


def picture(page: Page, name: str) -> None:
    """Write a screenshot if CALLSIEVE_PICTURES names a folder."""
    folder = os.environ.get("CALLSIEVE_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"owner-{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("caller", "language"),
    [pytest.param("+12015550480", "en", id="en"), pytest.param("+8613800138000", "zh", id="zh")],
)
def test_an_owner_gets_from_the_reference_to_a_statement(
    site: Site, browser: Browser, tmp_path: Path, caller: str, language: str
) -> None:
    pbx = site.pbx
    reference = spoken_reference(pbx, caller)
    assert reference_keys(reference) == reference_keys(decision_on(pbx.daemon.store, caller).id)
    context = patient(
        browser.new_context(base_url=site.url, viewport={"width": 360, "height": 800}, java_script_enabled=False)
    )
    try:
        page = context.new_page()
        page.goto(f"/?lang={language}")
        page.fill("#reference", reference)
        page.locator("main form button").click()
        for field, text in {"name": "Carol Ltd", "contact": "carol@example.com", "statement": "Parcels."}.items():
            page.fill(f"#{field}", text)
        page.locator("main form button").click()
        status = page.url
        assert caller not in page.content()

        with Phone(pbx.asterisk, "carrier", Answering(), echo=False) as owner:
            before = len(played(pbx))
            page.locator("form[action*='/call'] button").click()
            code = page.locator(".mono").inner_text().replace(" ", "")
            assert caller in owner.wait_for_invite().start_line
            wait_until(lambda: "proof-ask" in played(pbx)[before:], "being asked")
            owner.press(code)
            wait_until(lambda: "caller-goodbye" in played(pbx)[before:], "the end of the call")
            assert "proof-right" in played(pbx)[before:]
            pbx.asterisk.wait_until_idle()
        assert call_files(site.spool) == []
        page.goto(status)
        expect(page.locator("dt")).to_have_count(2)  # filed, in force since
        pbx.carrier.call(CallSpec(caller=caller, did=ALICE, cancel_after=2.0, hang_up_after=2.0))
        wait_until(lambda: decision_on(pbx.daemon.store, caller).action != "reject", "another decision")

        page.goto(status)
        assert verdict_on(page) == ("allow", "") == simulated(pbx, caller)  # control was proven: the rule is capped
        picture(page, f"{language}-rule")
        for words in (("list", "add", "block", caller), ("list", "add", "block", caller, "--person", "201")):
            done = pbx.daemon.callsieve(*words)
            assert done.returncode == 0, done.stderr
        page.reload()
        assert verdict_on(page) == ("reject", "list") == simulated(pbx, caller)
        assert page.locator("[data-people='1']").count() == 1
        picture(page, f"{language}-list")
        assert pbx.carrier.call(CallSpec(caller=caller, did=ALICE)).code == 603

        kinds = [word for kind in ("list", "policy", "people") for word in ("--remove", kind)]
        done = pbx.daemon.callsieve("appeal", "decide", caller, "uphold", "--reason", REASON, *kinds)
        assert done.returncode == 0, done.stderr
        page.reload()
        assert verdict_on(page) == ("allow", "") == simulated(pbx, caller)
        picture(page, f"{language}-upheld")
        pbx.carrier.call(CallSpec(caller=caller, did=ALICE, cancel_after=2.0, hang_up_after=2.0))
        wait_until(lambda: decision_on(pbx.daemon.store, caller).action == "allow", "a call that rings")
        expect(page.locator(".said").first).to_have_text(REASON)
        with page.expect_download() as download:
            page.locator("a[href*='cleared.json']").click()
        file = tmp_path / "cleared.json"
        download.value.save_as(file)
        page.locator("a[href*='cleared.html']").click()
        expect(page.locator("svg")).to_be_visible()
        expect(page.locator("main")).to_contain_text(caller)
        picture(page, f"{language}-statement")
        page.go_back()

        link = json.loads(file.read_text())["statement"]["about"]["check"]
        page.goto(link)
        text = page.locator("main").inner_text()
        key = re.search(r"[A-Za-z0-9+/]{43}=", text)
        assert key is not None
        statement = verify(file.read_text(), PublicKey.parse(key[0]))
        assert (statement.kind, statement.issuer) == ("number-cleared", "Example Ltd")
        assert (statement.about["number"], statement.about["proven"]) == (caller, True)
        assert caller in text
    finally:
        context.close()
