"""Evidence of other sites in the console: sites are ignored and resumed, people joined, and both undone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.hub.incoming import ErasureRequest, request_erasure, waiting_erasures
from reputation.store.hub.link import note_standing, set_link
from reputation.store.marks import add_mark
from reputation.store.other_sites import all_same, ignored_of
from reputation.store.transaction import transaction
from tests.callsieve.browsing import Browser, Console, Office, changes_of
from tests.office import CALLER, SETTINGS


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    office = Office(tmp_path, SETTINGS)
    with open_store(office.store) as db, transaction(db):
        for who in ("berlin:305", "berlin:306", "paris:7"):
            add_mark(db, Mark(CALLER, AuthClass.UNKNOWN, who, Verdict.SPAM, time.time() - 60, MarkChannel.EXTENSION))
    with office.console() as console:
        yield console


def undo_latest(browser: Browser) -> None:
    made = re.search(r'action="/sites/evidence/undo".*?name="id" value="(\d+)"', browser.text("/sites/evidence"), re.S)
    assert made is not None
    browser.post("/sites/evidence/undo", id=made[1])


@pytest.mark.parametrize("is_central", [True, False], ids=["central", "another"])
def test_sites_menu_is_only_on_a_central_console(console: Console, is_central: bool) -> None:
    with open_store(console.office.store) as db, transaction(db):
        set_link(db, "center", "main", "hub")
        note_standing(db, 0, has_twin=False, is_central=is_central)
    console.wait_for_health()
    assert ('href="/sites"' in console.browser("viewer").text("/calls")) == is_central


def test_a_site_is_ignored_resumed_and_undone(console: Console) -> None:
    browser = console.browser("administrator")
    browser.post("/sites/evidence/ignore", site="berlin", reason="broken into")
    assert "broken into" in browser.text("/sites/evidence")
    assert [item.site for item in console.office.read(ignored_of)] == ["berlin"]
    browser.post("/sites/evidence/resume", site="berlin")
    assert console.office.read(ignored_of) == []
    undo_latest(browser)
    assert [item.reason for item in console.office.read(ignored_of)] == ["broken into"]
    assert [change[0] for change in changes_of(console.office)] == ["undo hub resume", "hub resume", "hub ignore"]


def test_waiting_erasure_is_listed_and_refused(console: Console) -> None:
    with open_store(console.office.store) as db, transaction(db):
        request_erasure(db, ErasureRequest(CALLER, "berlin", time.time()))
    assert CALLER in console.browser("operator").text("/sites/evidence")
    browser = console.browser("administrator")
    assert browser.post("/sites/evidence/keep", number="+12015550199").status_code == 422
    browser.post("/sites/evidence/keep", number=CALLER)
    assert console.office.read(waiting_erasures) == []
    assert [change[0] for change in changes_of(console.office)] == ["hub keep"]


def test_people_of_two_sites_are_joined_and_separated(console: Console) -> None:
    browser = console.browser("administrator")
    browser.post("/sites/evidence/same", person="201", other="berlin:305")
    assert [sorted(names) for names in console.office.read(all_same)] == [["201", "berlin:305"]]
    browser.post("/sites/evidence/apart", person="berlin:305")
    assert console.office.read(all_same) == []
    undo_latest(browser)
    assert len(console.office.read(all_same)) == 1


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("ignore", {"site": "rome", "reason": "x"}),
        ("ignore", {"site": "berlin", "reason": " "}),
        ("resume", {"site": "berlin"}),
        ("same", {"person": "berlin:305", "other": "berlin:306"}),
        ("apart", {"person": "201"}),
    ],
    ids=["no-such-site", "no-reason", "not-ignored", "people-of-one-site", "person-with-one-name"],
)
def test_refused_change_changes_nothing(console: Console, path: str, form: dict[str, str]) -> None:
    assert console.browser("administrator").post(f"/sites/evidence/{path}", **form).status_code == 422
    assert changes_of(console.office) == []


def test_operator_sees_no_forms(console: Console) -> None:
    page = console.browser("operator").text("/sites/evidence")
    assert "<strong>berlin</strong>" in page
    assert "/sites/evidence/" not in page
