"""Signing in to one's own page: by link and by passcode, once, in time, and from no other page's form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from httpx2 import Response

from callsieve.changes.operation import Context
from callsieve.doctor.stored_findings import findings_of, store_findings
from callsieve.person_page.operations import make_link
from callsieve.person_page.web.admission import REQUESTS_A_MINUTE
from reputation.feature_codes import make_passcode
from reputation.model import Person
from reputation.store.audit import audit_rows
from reputation.store.devices import DEVICE_SECONDS, LINK_SECONDS, PASSCODE_SECONDS, devices_of
from reputation.store.people import SETTINGS, remove_person, upsert_people
from reputation.users import Role
from tests.callsieve.browsing import Browser, Office
from tests.callsieve.person_page.phones import cookie_of, form_of

PASSCODE = "40815162"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.write(upsert_people, [Person("201", "PJSIP/201", "sales", "en", "Alice")], SETTINGS)
    return office


def link_to(office: Office, person: str = "201") -> str:
    """The path of a link that ada has made."""
    context = Context("ada", Role.ADMINISTRATOR, office.clock.now, office.load())
    return office.write(make_link, context, person).url.removeprefix("http://127.0.0.1:8480")


def press(browser: Browser, path: str, page: Response | None = None, **fields: str) -> Response:
    """Send the form of a page that nobody is signed in to."""
    page = browser.get(path) if page is None else page
    return browser.client.post(path, data={"form_token": form_of(page), **fields}, follow_redirects=False)


def enter(browser: Browser, passcode: str, person: str = "201") -> Response:
    return press(browser, "/me/sign-in", browser.get("/me/sign-in"), person=person, passcode=passcode)


def dial(office: Office) -> None:
    office.write(make_passcode, "PJSIP/201", PASSCODE, office.clock.now)


@pytest.mark.parametrize(("configured", "shown"), [("*77", "*77"), ("", "*39")], ids=["changed", "not-known"])
def test_sign_in_page_names_the_configured_feature_code(office: Office, configured: str, shown: str) -> None:
    path = office.load().findings_path
    path.parent.mkdir()
    store_findings(path, findings_of([], office.clock.now, office.clock.now, configured))
    with office.console() as console:
        page = console.browser().text("/me/sign-in")
    assert re.findall(r"\*\d\d", page) == [shown]


def test_opening_a_link_does_not_use_it(office: Office) -> None:
    with office.console() as console:
        path = link_to(office)
        for _ in range(3):
            assert "Alice" in console.browser().text(path)
            assert console.browser().client.head(path).status_code in (200, 405)
        answer = press(console.browser(), path)
    assert answer.status_code == 303
    assert answer.headers["location"].partition("?")[0] == "/me"
    assert len(office.read(devices_of, "201", office.clock.now)) == 1


def test_a_link_signs_in_once(office: Office) -> None:
    with office.console() as console:
        path, browser = link_to(office), console.browser()
        page = browser.get(path)
        assert press(browser, path, page).status_code == 303
        assert "Alice" in browser.text("/me")
        assert console.browser().get(path).status_code == 410
        assert press(browser, path, browser.get("/me/sign-in")).status_code == 410
    (row, *_) = office.read(audit_rows)
    assert (row.what, row.who, row.name) == ("sign in", "201 (own page)", "201")


def test_link_opened_in_two_browsers_signs_in_one(office: Office) -> None:
    with office.console() as console:
        path, first, second = link_to(office), console.browser(), console.browser()
        pages = [browser.get(path) for browser in (first, second)]
        answers = [press(browser, path, page) for browser, page in zip((first, second), pages, strict=True)]
    assert [answer.status_code for answer in answers] == [303, 410]
    assert not cookie_of(answers[1])


def test_expired_link_is_refused(office: Office) -> None:
    with office.console() as console:
        path, browser = link_to(office), console.browser()
        page = browser.get(path)
        office.clock.now += LINK_SECONDS
        assert press(browser, path, page).status_code == 410
        assert browser.get(path).status_code == 410


def test_cross_site_form_does_not_use_a_link(office: Office) -> None:
    with office.console() as console:
        path, browser = link_to(office), console.browser()
        page = browser.get(path)
        data = {"form_token": form_of(page)}
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            assert browser.client.post(path, data=data, headers=headers, follow_redirects=False).status_code == 419
        assert browser.client.post(path, data={"form_token": ""}, follow_redirects=False).status_code == 419
        assert press(browser, path, page).status_code == 303


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookie_is_http_only_and_lasts_90_days(tmp_path: Path, scheme: str) -> None:
    proxy = '\n[web]\nbehind_proxy = true\nhosts = ["localhost"]\n' if scheme == "https" else ""
    office = Office(tmp_path, f'[[person]]\nextension = "201"\n{proxy}')
    with office.console(f"{scheme}://localhost") as console:
        context = Context("ada", Role.ADMINISTRATOR, office.clock.now, office.load())
        url = office.write(make_link, context, "201").url
        assert url.startswith("https://localhost/me/" if scheme == "https" else "http://127.0.0.1:8480/me/")
        cookie = cookie_of(press(console.browser(), "/me" + url.partition("/me")[2]))
    attributes = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "path=/", f"max-age={DEVICE_SECONDS:.0f}"} <= attributes
    assert ("secure" in attributes, cookie.startswith("__Host-")) == ((True, True) if proxy else (False, False))


def test_a_passcode_signs_in_once(office: Office) -> None:
    with office.console() as console:
        dial(office)
        browser = console.browser()
        assert enter(browser, "4081 5162").status_code == 303
        assert "Alice" in browser.text("/me")
        assert enter(console.browser(), PASSCODE).status_code == 401
    (device,) = office.read(devices_of, "201", office.clock.now)
    assert (device.address, device.expires_at) == ("192.0.2.7", office.clock.now + DEVICE_SECONDS)


def test_expired_passcode_is_refused(office: Office) -> None:
    with office.console() as console:
        dial(office)
        office.clock.now += PASSCODE_SECONDS
        assert enter(console.browser(), PASSCODE).status_code == 401


def test_five_wrong_passcodes_from_anywhere_revoke_it(office: Office) -> None:
    """Each from an address of its own: what ends it is not the limit of an address."""
    with office.console() as console:
        dial(office)
        for number in range(5):
            answer = enter(console.browser(address=f"198.51.100.{number}"), "00000000")
            assert (answer.status_code, cookie_of(answer)) == (401, "")
        assert enter(console.browser(), PASSCODE).status_code == 401
    assert office.read(devices_of, "201", office.clock.now) == []


def test_failed_sign_in_does_not_reveal_extensions(office: Office) -> None:
    with office.console() as console:
        dial(office)
        answers = [enter(console.browser(), "00000000", person) for person in ("201", "202", "999", "", "'; --")]
    assert {answer.status_code for answer in answers} == {401}


def test_guesses_of_an_address_are_limited(office: Office) -> None:
    with office.console() as console:
        dial(office)
        assert [enter(console.browser(), "00000000", "999").status_code for _ in range(6)] == [401] * 5 + [429]
        assert enter(console.browser(), PASSCODE).status_code == 429
        assert enter(console.browser(address="198.51.100.1"), PASSCODE).status_code == 303


def test_requests_of_an_address_are_rate_limited(office: Office) -> None:
    with office.console() as console:
        browser = console.browser()
        codes = [browser.get("/me/sign-in").status_code for _ in range(REQUESTS_A_MINUTE + 1)]
        assert (codes[-2], codes[-1]) == (200, 429)
        assert console.browser(address="198.51.100.1").get("/me/sign-in").status_code == 200
        assert browser.get("/login").status_code == 200
        office.clock.now += 60
        assert browser.get("/me/sign-in").status_code == 200


def test_link_of_a_removed_person_is_refused(office: Office) -> None:
    office.write(upsert_people, [Person("303", "PJSIP/303", name="Eve")], "hr")
    with office.console() as console:
        path, browser = link_to(office, "303"), console.browser()
        page = browser.get(path)
        office.write(remove_person, "303")
        assert press(browser, path, page).status_code == 410


def test_a_device_ends_after_90_days(office: Office) -> None:
    with office.console() as console:
        path, browser = link_to(office), console.browser()
        assert press(browser, path).status_code == 303
        office.clock.now += DEVICE_SECONDS - 1
        assert browser.get("/me").status_code == 200
        office.clock.now += 1
        assert browser.get("/me").headers["location"] == "/me/sign-in"


def test_administrator_makes_a_link_on_a_person_page(office: Office) -> None:
    with office.console() as console:
        ada = console.browser("administrator")
        assert 'href="/people/201"' in ada.text("/people")
        answer = ada.post("/people/201/link")
        assert answer.status_code == 200
        url = answer.text.partition('<code class="long">')[2].partition("<")[0]
        assert press(console.browser(), "/me" + url.partition("/me")[2]).status_code == 303
        assert url.rpartition("/")[2] not in ada.text("/people/201")
        assert 'name="id" value="' in ada.text("/people/201")
        ada.done("/people/201/sign-out")
        assert ada.post("/people/999/link").status_code == 404
    assert office.read(devices_of, "201", office.clock.now) == []
    assert [row.what for row in office.read(audit_rows)] == ["people sign-out", "sign in", "people link"]


def test_audit_and_store_contain_no_secret(office: Office) -> None:
    with office.console() as console:
        path, browser = link_to(office), console.browser()
        dial(office)
        assert press(browser, path).status_code == 303
        cookie = browser.client.cookies["callsieve-me"]
    content = b"".join(file.read_bytes() for file in office.state.glob("callsieve.db*"))
    for secret in (path.rpartition("/")[2], PASSCODE, cookie):
        assert secret.encode() not in content
