"""The search in the head of every page: numbers, people, callers by name, and pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from reputation.store.lists import Contact, add_contacts
from tests.callsieve.browsing import Office, field_of
from tests.integration.test_hostile import PAYLOADS

NUMBER = "+12015550123"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.write(add_contacts, "book", [Contact(NUMBER, "Dr. Ray 100%"), Contact("+12015550124", "<b>Ray</b>")])
    return office


@pytest.mark.parametrize("typed", [NUMBER, "201-555-0123", "(201) 555 0123"])
def test_number_in_any_format_leads_to_its_page(office: Office, typed: str) -> None:
    with office.console() as console:
        answer = console.browser("operator").get("/search", params={"q": typed})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/numbers/{NUMBER}")
        assert console.browser("viewer").get("/search", params={"q": typed}).status_code == 200


@pytest.mark.parametrize("typed", ["+1206555*", "+12065550100-+12065550199"])
def test_prefix_or_range_leads_to_the_lists(office: Office, typed: str) -> None:
    with office.console() as console:
        otto = console.browser("operator")
        answer = otto.get("/search", params={"q": typed})
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/lists")
        assert field_of(otto.text(answer.headers["location"]), "entry").startswith("+1206555")
        assert console.browser("viewer").get("/search", params={"q": typed}).status_code == 200


def test_people_callers_and_pages_are_found_by_name(office: Office) -> None:
    with office.console() as console:
        otto, vera = console.browser("operator"), console.browser("viewer")
        assert f'href="/numbers/{NUMBER[:1]}'.replace("+", "%2B") in otto.text("/search?q=ray")
        assert "&lt;b&gt;Ray" in otto.text("/search?q=RAY")
        assert "Ray" not in vera.text("/search?q=ray").partition('id="q"')[2].partition(">")[2]
        assert "100%" in otto.text("/search", params={"q": "0%"})
        assert "/calls?callee=201" in otto.text("/search?q=201")
        for language, word in (("en", "appeal"), ("zh", "申诉")):
            page = otto.text("/search", params={"q": word}, headers={"accept-language": language})
            assert '<li><a href="/appeals">' in page.partition("<main")[2]
        assert 'href="/audit"' not in otto.text("/search?q=audit").partition("<main")[2]  # for administrators
        assert 'href="/audit"' in console.browser("administrator").text("/search?q=audit").partition("<main")[2]


def test_any_text_can_be_searched(office: Office) -> None:
    with office.console() as console:
        otto = console.browser("operator")
        plain = otto.text("/search").count("<script")
        for text in (*PAYLOADS, "%", "_", "*", "'", "x" * 500):
            answer = otto.get("/search", params={"q": text.encode("utf-8", "replace").decode()})
            assert answer.status_code in (200, 303), text
            assert answer.text.count("<script") in (0, plain)


def test_every_page_has_the_search_and_the_count_of_open_appeals(office: Office) -> None:
    with office.console() as console:
        otto = console.browser("operator")
        assert 'class="number-of"' not in otto.text("/account")
        otto.done(f"/numbers/{NUMBER}/appeal", name="Ray", contact="ray@example.com", statement="", back="/")
        page = otto.text("/account")
        assert '<form class="find" method="get" action="/search"' in page
        assert "1</span></a>" in page.partition('class="number-of"')[2]
