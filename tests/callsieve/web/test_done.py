"""After a change: what was done, by name, and its undo, on the page that follows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from callsieve.changes.describe import sentence_of
from callsieve.changes.undo import OFFERED_SECONDS
from callsieve.main.capabilities import CHANGES, SENTENCES
from reputation.store.audit import AuditRow
from reputation.store.lists import list_entries
from tests.callsieve.browsing import NOW, Console, Office, changes_of, problem_of

PREFIX = "+1206555*"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def done_of(page: str) -> str:
    """The message about the change that was just made."""
    found = re.search(r'<div class="said" role="status">.*?</div>', page, re.DOTALL)
    return found[0] if found else ""


def undo_id(page: str) -> str:
    found = re.search(r'action="/changes/undo".*?name="id" value="(\d+)"', done_of(page), re.DOTALL)
    return found[1] if found else ""


def block(console: Console, role: str = "operator", **more: str) -> tuple[str, str]:
    """The address after the change, and its page."""
    browser = console.browser(role)
    answer = browser.post("/lists/add", list="block", entry=PREFIX, sure="yes", **more)
    assert answer.status_code == 303, problem_of(answer.text)
    return answer.headers["location"], browser.text(answer.headers["location"])


def test_a_change_is_named_and_undone_from_the_message(office: Office) -> None:
    with office.console() as console:
        where, page = block(console, note=HOSTILE)
        assert PREFIX in done_of(page)
        assert HOSTILE not in page
        answer = console.browser("operator").post("/changes/undo", id=undo_id(page), back=where)
        assert answer.headers["location"].startswith("/lists?said=undone")
        after = console.browser("operator").text(answer.headers["location"])
    assert PREFIX in done_of(after)
    assert not undo_id(after)  # an undoing is final
    assert list(office.read(list_entries)) == []
    assert [what for what, _, _ in changes_of(office)] == ["undo list add", "list add"]


@pytest.mark.parametrize("role", ["viewer", "administrator"])
def test_other_users_do_not_see_the_change_message(office: Office, role: str) -> None:
    with office.console() as console:
        where, _ = block(console)
        page = console.browser(role).text(where)
        assert PREFIX not in done_of(page)
        assert not undo_id(page)


def test_change_message_disappears_after_a_while(office: Office) -> None:
    with office.console() as console:
        where, _ = block(console)
        office.clock.now += OFFERED_SECONDS + 1
        page = console.browser("operator").text(where)
        assert not undo_id(page)
        assert PREFIX not in done_of(page)


@pytest.mark.parametrize("change", ["", "0", "999999", "-1", "1e3", "9" * 40, "x"])
def test_page_with_a_bad_change_id_is_shown(office: Office, change: str) -> None:
    with office.console() as console:
        assert not undo_id(console.browser("operator").text(f"/lists?change={change}"))


def test_a_times_element_has_the_exact_instant(office: Office) -> None:
    with office.console() as console:
        block(console)
        page = console.browser("operator").text("/lists")
    found = re.search(r'<time class="ago" datetime="([^"]*)" title="([^"]*)">', page)
    assert found
    assert found[1].startswith("2025-12-29T")
    assert found[1][-6:] == "+00:00" or found[1][-6] in "+-"


def test_every_change_has_a_sentence_that_names_the_user() -> None:
    for what in CHANGES:
        keys = [key for key in SENTENCES if key.partition("/")[0] == what]
        assert what in keys, what
        assert all("{who}" in SENTENCES[key] for key in keys)
    assert {key.partition("/")[0] for key in SENTENCES} <= CHANGES.keys()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        pytest.param(
            {"what": "list add", "name": "+1900*", "after": {"list_name": "block", "note": "premium rate"}},
            "ada blocked +1900* (premium rate)",
            id="note",
        ),
        pytest.param(
            {"what": "list add", "number": "+12015550123", "after": {"verdict": "allow", "person": "201"}},
            "ada allowed +12015550123 for 201",
            id="of-a-person",
        ),
        pytest.param({"what": "list import", "after": {"entries": 3}}, "ada imported list entries", id="all-of-a-file"),
        pytest.param(
            {"what": "undo list add", "name": "+1900*"}, "ada undid a change of +1900*: list add", id="undoing"
        ),
        pytest.param({"what": "of an older version", "name": "x"}, "ada: of an older version x", id="unknown"),
        pytest.param(
            {"what": "list add", "name": "{who}", "after": {"note": "{x}"}},
            "ada added {who} to a list ({x})",
            id="braces",
        ),
    ],
)
def test_a_row_of_the_audit_is_a_sentence(row: dict[str, Any], sentence: str) -> None:
    after = json.dumps(row["after"]) if "after" in row else None
    kept = AuditRow(NOW, "ada (console)", row["what"], row.get("number"), row.get("name", ""), None, after)
    assert str(sentence_of(kept, SENTENCES, "ada")) == sentence
