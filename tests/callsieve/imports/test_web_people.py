"""People, DIDs and feeds in the browser: list, export, import and removal."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from httpx2 import Response

from callsieve.imports.feed_health import FAILURES
from callsieve.imports.fetch import due, kind_of
from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.source_health import failure_of
from callsieve.web.tokens import form_token
from reputation.model import Did, Person
from reputation.store.audit import audit_rows
from reputation.store.imports import Feed, import_numbers
from reputation.store.lists import Contact, add_contacts
from reputation.store.lookups import replace_sources, switch_off
from reputation.store.people import (
    all_dids,
    all_people,
    replace_settings_dids,
    replace_settings_people,
    upsert_dids,
    upsert_people,
)
from reputation.store.sources import FeedFetch, feed_fetches, record_failure, set_feed_fetch
from tests.callsieve.browsing import NOW, SETTINGS, Browser, Console, Office, changes_of, problem_of
from tests.integration.test_hostile import PAYLOADS

DID = "+442071838750"


@pytest.fixture
def ada(console: Console) -> Browser:
    console.office.write(replace_settings_people, [Person("201", "PJSIP/201", "sales", "en", "Alice")])
    console.office.write(replace_settings_dids, [Did(DID, ("sales",), None, True)])
    return console.browser("administrator")


def upload(browser: Browser, path: str, content: str, source: str = "hr") -> Response:
    data = {"form_token": form_token(browser.token or ""), "source": source}
    return browser.client.post(path, data=data, files={"file": ("x.csv", content.encode())}, follow_redirects=False)


def test_people_are_shown_with_their_source(console: Console, ada: Browser) -> None:
    page = ada.text("/people")
    for text in ("201", "Alice", "PJSIP/201", DID, "settings"):
        assert text in page
    viewer = console.browser("viewer").text("/people")
    assert DID not in viewer
    assert "Import…" not in viewer
    assert console.browser("viewer").get("/people/dids.csv").status_code == 403


def test_empty_pages_show_a_hint(console: Console) -> None:
    viewer = console.browser("viewer")
    assert "name them in the settings" in viewer.text("/people")
    assert "callsieve import feed" in viewer.text("/feeds")


def test_people_are_exported_and_imported_and_settings_win(console: Console, ada: Browser) -> None:
    page = upload(ada, "/people/import", "extension,name,group\n301,=1+1,sales\n302,Wei,support\n201,Mallory,\n")
    assert "3 rows were imported." in page.text
    assert "and take precedence: 201" in page.text
    assert [(person.extension, person.name) for person in console.office.read(all_people)] == [
        ("201", "Alice"),
        ("301", "=1+1"),
        ("302", "Wei"),
    ]
    exported = ada.get("/people/export.csv").text
    assert "301,PJSIP/301,sales,,'=1+1" in exported
    ada.done("/people/remove", source="hr")
    assert [person.extension for person in console.office.read(all_people)] == ["201"]
    assert [(row.what, row.name) for row in console.office.read(audit_rows)] == [
        ("import remove", "hr"),
        ("import remove", "302"),
        ("import remove", "301"),
        ("people export", ""),
        ("import people", "hr"),
        ("import people", "302"),
        ("import people", "301"),
    ]


def test_dids_are_exported_and_imported_and_settings_win(console: Console, ada: Browser) -> None:
    content = f"number,group,callee,screen\n+12025550111,support; sales,,no\n(202) 555-0112,,301,\n{DID},other,,no\n"
    assert "3 rows were imported." in upload(ada, "/people/dids/import", content).text
    expected = [
        Did("+12025550111", ("support", "sales"), None, False),
        Did("+12025550112", (), "301", True),
        Did(DID, ("sales",), None, True),
    ]
    assert console.office.read(all_dids) == expected
    rows = list(csv.reader(io.StringIO(ada.get("/people/dids.csv").text)))
    assert rows[1:] == [
        ["+12025550111", "support;sales", "", "no"],
        ["+12025550112", "", "301", "yes"],
        [DID, "sales", "", "yes"],
    ]
    ada.done("/people/dids/remove", source="hr")
    assert console.office.read(all_dids) == expected[2:]


@pytest.mark.parametrize(
    ("path", "content", "source", "problem"),
    [
        ("/people/import", "extension\n301\n", "../x", "Enter a name for this import"),
        ("/people/import", "extension\n301\n", "settings", "use another"),
        ("/people/import", "", "hr", "Choose a file first."),
        ("/people/import", "colour\nred\n", "hr", "extension"),
        ("/people/import", "extension\n<b>\n", "hr", "line 2"),
        ("/people/dids/import", "number\nnobody\n", "hr", "line 2"),
        ("/people/dids/import", f"number,screen\n{DID},perhaps\n", "hr", "write yes or no"),
        ("/people/dids/import", f"number,callee\n{DID},<b>\n", "hr", "line 2"),
        ("/people/import", "extension\n" + "301\n" * 250_001, "hr", "More than 250,000 rows"),
    ],
)
def test_invalid_import_shows_the_problem(
    console: Console, ada: Browser, path: str, content: str, source: str, problem: str
) -> None:
    answer = upload(ada, path, content, source)
    assert answer.status_code == 422
    assert problem in problem_of(answer.text)
    assert len(console.office.read(all_people)) + len(console.office.read(all_dids)) == 2
    assert console.office.read(audit_rows) == []


def test_oversized_file_gets_413(ada: Browser) -> None:
    assert upload(ada, "/people/import", "x" * (3 << 20)).status_code == 413


def test_unknown_import_cannot_be_removed(console: Console, ada: Browser) -> None:
    for source in ("settings", "nobody", "", "' OR 1=1"):
        assert ada.post("/people/remove", source=source).status_code == 422
        assert ada.post("/people/dids/remove", source=source).status_code == 422
    assert len(console.office.read(all_people)) == 1


def test_feed_is_shown_with_age_and_last_failure(console: Console) -> None:
    office = console.office
    office.read(lambda db: import_numbers(db, "ftc", "spam", [("+12015550123", None, None, None)], feed=Feed("CSV")))
    office.read(lambda db: import_numbers(db, "old list", "ok", [("+12015550124", None, None, None)]))
    office.write(add_contacts, "crm", [Contact("+12015550125", "Carol")])
    viewer = console.browser("viewer")
    page = viewer.text("/feeds")
    for text in ("ftc", "CSV", "old list", "crm", ">1<", "not known yet"):
        assert text in page
    office.write(record_failure, "ftc", 4e9, "it has 1 number, less than half of the 500 in force")
    page = viewer.text("/feeds")
    assert "failed" in page
    assert "500" in page


def test_feed_of_the_settings_is_shown_before_its_import(office: Office) -> None:
    with office.config.open("a") as file:
        file.write('[[feed]]\nname = "theirs"\nurl = "https://example.com/list.csv"\n')
    with office.console() as console:
        viewer = console.browser("viewer")
        page = viewer.text("/feeds")
        for text in ("theirs", "waiting", "not imported yet", "callsieve-feeds.timer"):
            assert text in page
        failure = failure_of(OutsideError(OutsideProblem.TIMEOUT, host="example.com", seconds=300), FAILURES)
        fetch = FeedFetch("theirs", "", 86_400.0, NOW, NOW + 900, failed_at=NOW, failure=failure, failures=1)
        office.write(set_feed_fetch, fetch)
        page = viewer.text("/feeds")
        assert "example.com: no complete answer within 300 seconds" in page
        assert "callsieve-feeds.timer" not in page


def test_lookup_services_are_shown_beside_the_feeds(office: Office) -> None:
    with office.config.open("a") as file:
        file.write('[[lookup]]\nname = "block"\nkind = "phoneblock"\ntoken = "env:T"\n')
    with office.console() as console:
        viewer = console.browser("viewer")
        assert "No look-up service is set up." in viewer.text("/feeds")
        office.write(replace_sources, {"block": True})
        page = viewer.text("/feeds")
        for text in ("block", "0 / 500", "not known yet", "too few calls"):
            assert text in page
        office.write(switch_off, "block", NOW, '{"code": "worse-than-chance", "right": 9, "told": 60}')
        page = viewer.text("/feeds")
        for text in ("switched off", "worse than chance: right about 9 of 60 numbers"):
            assert text in page


def test_hostile_text_is_escaped(console: Console, ada: Browser) -> None:
    plain = ada.text("/people").count("<script")
    office = console.office
    for n, text in enumerate(("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "%s %(x)s", *PAYLOADS)):
        shown = text.encode("utf-8", "replace").decode()
        office.write(upsert_people, [Person(f"4{n:03d}", shown, shown, shown, shown)], shown[:60] or "x")
        office.write(add_contacts, shown, [Contact("+12015550125", shown)])
    office.read(
        lambda db: import_numbers(db, "<script>%s", "spam", [("+12015550123", None, None, None)], feed=Feed("<b>%s"))
    )
    office.write(record_failure, "<script>%s", NOW, "<img src=x> %s")
    for path in ("/people", "/feeds"):
        page = ada.text(path)
        assert page.count("<script") == plain
        assert "<img" not in page
        assert "<b>" not in page


def test_source_of_people_and_dids_is_shown(console: Console, ada: Browser) -> None:
    console.office.write(upsert_people, [Person("301", "PJSIP/301", "600")], "freepbx")
    console.office.write(upsert_dids, [Did("+442071838751", ("600", "700"))], "freepbx")
    page = ada.get("/people").text
    by = [re.sub("<[^<>]*>", " ", row).split() for row in re.findall(r"<tr><td[^>]*>(.*?)</td></tr>", page)]
    assert {row[0]: row[-1] for row in by} == {
        "201": "settings",
        "301": "freepbx",
        DID: "settings",
        "+442071838751": "freepbx",
    }
    assert "600, 700" in page


def test_feed_can_be_fetched_at_once(tmp_path: Path) -> None:
    office = Office(tmp_path, SETTINGS + '\n[[feed]]\nname = "theirs"\nurl = "https://example.com/spam.csv"\n')
    [feed] = office.load().settings.feed
    waiting = FeedFetch("theirs", kind_of(feed), 86400.0, NOW - 600, NOW + 85800)
    office.write(set_feed_fetch, waiting)
    with office.console() as console:
        assert 'action="/feeds/fetch"' not in console.browser("operator").text("/feeds")
        ada = console.browser("administrator")
        assert 'name="feed" value="theirs"' in ada.text("/feeds")
        assert ada.post("/feeds/fetch", feed="theirs").status_code == 303
        ada.post("/feeds/fetch", feed="theirs")  # pressed twice
        assert due(feed, office.read(feed_fetches)["theirs"], NOW)
        for other in ("", "nosuch"):
            assert problem_of(ada.post("/feeds/fetch", feed=other).text)
    assert changes_of(office) == [("feed fetch", "ada (console)", None)]
