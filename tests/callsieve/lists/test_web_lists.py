"""Lists and identities in the browser: added with a look before, removed, undone, and moved as CSV."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Callable
from functools import partial

import pytest
from httpx2 import Response

from callsieve.capability import NOT_KEPT
from callsieve.lists.views import COLUMNS, entries_in, from_text, list_as_csv
from callsieve.settings import Settings
from callsieve.text.csv_table import FORMULAS, CsvTable, as_text
from callsieve.web.tokens import form_token
from reputation.model import EntryKind, Identity, ListEntry, ListName
from reputation.store.audit import Change, add_audit, audit_rows
from reputation.store.identities import all_identities, raise_epoch, set_identity
from reputation.store.journal import record_decisions
from reputation.store.lists import add_entry, list_entries
from reputation.store.privacy import erase_number
from tests.callsieve.browsing import NOW, Browser, Console, Office, Ticking, field_of, problem_of, undo_of
from tests.callsieve.console_calls import make_decision
from tests.integration.test_hostile import PAYLOADS

NUMBER = "+12015550123"
OWN = "+12025550100"
DAY = 86_400.0


@pytest.fixture
def otto(console: Console) -> Browser:
    return console.browser("operator")


@pytest.fixture
def ada(console: Console) -> Browser:
    return console.browser("administrator")


def entries(office: Office) -> list[tuple[str, str, str | None, str]]:
    return [(entry.list_name.value, entry.text, entry.action, entry.note) for entry in office.read(list_entries)]


def upload(
    browser: Browser, content: bytes, path: str = "/lists/import", name: str = "x.csv", **fields: str
) -> Response:
    data = {"form_token": form_token(browser.token or ""), **fields}
    return browser.client.post(path, data=data, files={"file": (name, content)}, follow_redirects=False)


# Adding and removing.


def test_number_is_added_removed_and_restored_by_undo(console: Console, otto: Browser) -> None:
    fields = {"list": "allow", "entry": "201-555-0123", "note": "the bank", "expires": "30d", "action": "tag"}
    page = otto.done("/lists/add", **fields).text
    assert "from the next call" in page
    assert entries(console.office) == [("allow", NUMBER, "tag", "the bank")]
    assert console.office.read(list_entries)[0].expires_at == NOW + 30 * DAY
    page = otto.done("/lists/remove", list="allow", entry=NUMBER).text
    assert entries(console.office) == []
    page = otto.done("/lists/undo", id=undo_of(page)).text
    assert entries(console.office) == [("allow", NUMBER, "tag", "the bank")]
    assert [(row.what, row.who, row.number) for row in console.office.read(audit_rows)] == [
        ("undo list remove", "otto (console)", NUMBER),
        ("list remove", "otto (console)", NUMBER),
        ("list add", "otto (console)", NUMBER),
    ]


def test_undo_restores_a_replaced_entry(console: Console, otto: Browser) -> None:
    otto.done("/lists/add", list="block", entry=NUMBER, note="first")
    page = otto.done("/lists/add", list="block", entry=NUMBER, note="second").text
    assert entries(console.office) == [("block", NUMBER, None, "second")]
    otto.done("/lists/undo", id=undo_of(page))
    assert entries(console.office) == [("block", NUMBER, None, "first")]


def test_entry_changed_again_cannot_be_undone(console: Console, otto: Browser) -> None:
    change = undo_of(otto.done("/lists/add", list="block", entry=NUMBER, note="first").text)
    otto.done("/lists/add", list="block", entry=NUMBER, note="second")
    assert "changed again since" in problem_of(otto.post("/lists/undo", id=change).text)
    assert entries(console.office) == [("block", NUMBER, None, "second")]


def test_entry_for_many_numbers_must_be_confirmed(console: Console, otto: Browser) -> None:
    console.office.write(record_decisions, [make_decision(caller="+12015550123", at=NOW - DAY)])
    page = otto.post("/lists/add", list="block", entry="+12015550100-+12015550199", note="all of them").text
    assert "100 numbers" in page
    assert "1 call" in page
    assert entries(console.office) == []
    fields = {key: field_of(page, key) for key in ("list", "entry", "note", "expires", "action", "sure")}
    otto.done("/lists/add", **fields)
    assert entries(console.office) == [("block", "+12015550100-+12015550199", None, "all of them")]


@pytest.mark.parametrize("entry", [OWN, "+1*", "+120255501*"])
def test_only_an_administrator_blocks_our_own_numbers(
    console: Console, otto: Browser, ada: Browser, entry: str
) -> None:
    page = otto.post("/lists/add", list="block", entry=entry).text
    assert "would block" in problem_of(page)
    assert "anyway" not in page
    assert otto.post("/lists/add", list="block", entry=entry, sure="yes", force="yes").status_code == 422
    page = ada.post("/lists/add", list="block", entry=entry).text
    assert ada.post("/lists/add", list="block", entry=entry, sure="yes").status_code == 422
    assert entries(console.office) == []
    ada.done("/lists/add", list="block", entry=entry, sure="yes", force=field_of(page, "force"))
    assert len(entries(console.office)) == 1


@pytest.mark.parametrize("name", ["allow", "block"])
@pytest.mark.parametrize(
    "entry", ["+33*", "+1*", "+1876*", "+3*", "+33000000000-+33999999999", "+5999*", "+76*", "+1800*"]
)
def test_only_an_administrator_lists_a_whole_country(
    console: Console, otto: Browser, ada: Browser, name: str, entry: str
) -> None:
    page = otto.post("/lists/add", list=name, entry=entry).text
    assert 'name="sure"' not in page
    assert otto.post("/lists/add", list=name, entry=entry, sure="yes", force="yes").status_code == 422
    assert entries(console.office) == []
    ada.done("/lists/add", list=name, entry=entry, sure="yes", force="yes")
    change = undo_of(otto.done("/lists/remove", list=name, entry=entry).text)
    assert otto.post("/lists/undo", id=change).status_code == 422
    assert entries(console.office) == []


def test_an_operator_lists_part_of_a_country(console: Console, otto: Browser) -> None:
    otto.done("/lists/add", list="block", entry="+1900*", sure="yes")
    assert len(entries(console.office)) == 1


@pytest.mark.parametrize("entry", [OWN, "+1*"])
def test_only_an_administrator_restores_a_wide_entry_by_undo(
    console: Console, otto: Browser, ada: Browser, entry: str
) -> None:
    ada.done("/lists/add", list="block", entry=entry, sure="yes", force="yes")
    change = undo_of(otto.done("/lists/remove", list="block", entry=entry).text)
    assert "Only an administrator" in otto.post("/lists/undo", id=change).text
    assert entries(console.office) == []
    ada.done("/lists/undo", id=change)
    assert len(entries(console.office)) == 1


BAD = [
    pytest.param({"entry": "911"}, "emergency number", id="emergency"),
    pytest.param({"entry": "12"}, "too short", id="extension"),
    pytest.param({"entry": ""}, "not a telephone number", id="nothing"),
    pytest.param({"expires": "soon"}, "write it as 2h, 30d", id="no-time"),
    pytest.param({"expires": "2020-01-01"}, "in the past", id="past"),
    pytest.param({"action": "rejct"}, "did you mean reject?", id="no-action"),
    pytest.param({"action": "allow"}, "cannot allow", id="blocklist-that-allows"),
    pytest.param({"note": "x" * 201}, "at most 200 characters", id="long-note"),
    pytest.param({"note": "a\nb"}, "one line", id="two-lines"),
]


@pytest.mark.parametrize(("wrong", "problem"), BAD)
def test_bad_entry_shows_its_problem_and_keeps_the_form(
    console: Console, otto: Browser, wrong: dict[str, str], problem: str
) -> None:
    answer = otto.post("/lists/add", **{"list": "block", "entry": NUMBER, "note": "kept", **wrong})
    assert answer.status_code == 422
    assert problem in problem_of(answer.text).replace("&#39;", "'")
    if "note" not in wrong:
        assert field_of(answer.text, "note") == "kept"
    assert entries(console.office) == []


def test_malformed_forms_change_nothing(console: Console, otto: Browser) -> None:
    console.office.write(add_entry, ListEntry(ListName.BLOCK, EntryKind.EXACT, NUMBER))
    for path, fields, status in (
        ("/lists/add", {"list": "grey", "entry": NUMBER}, 404),
        ("/lists/remove", {"list": "block", "entry": "x"}, 422),
        ("/lists/remove", {"list": "", "entry": NUMBER}, 404),
        ("/lists/remove", {"list": "allow", "entry": NUMBER}, 422),
        ("/lists/undo", {"id": "1 OR 1=1"}, 404),
        ("/lists/undo", {"id": ""}, 404),
        ("/lists/undo", {"id": "٣"}, 404),
        ("/lists/undo", {"id": "999999999"}, 422),
    ):
        assert otto.post(path, **fields).status_code == status, (path, fields)
    assert len(entries(console.office)) == 1
    assert console.office.read(audit_rows) == []


def test_lists_page_undoes_only_list_changes(console: Console, otto: Browser) -> None:
    page = otto.done("/identities/add", number=NUMBER, name="Acme", level="1").text
    assert otto.post("/lists/undo", id=undo_of(page)).status_code == 422
    assert len(console.office.read(all_identities)) == 1


def test_erased_entry_cannot_be_restored(console: Console, otto: Browser) -> None:
    number = "+12125550187"
    otto.done("/lists/add", list="block", entry=number, note="x")
    change = undo_of(otto.done("/lists/remove", list="block", entry=number).text)
    console.office.write(erase_number, number)
    assert number not in otto.text("/lists")
    assert otto.post("/lists/undo", id=change).status_code == 422


# Looking.


def test_entries_are_found_by_number_note_and_list(console: Console, otto: Browser) -> None:
    for entry, note in ((NUMBER, "the bank"), ("+12015550124", "the school")):
        otto.done("/lists/add", list="allow", entry=entry, note=note)
    otto.done("/lists/add", list="block", entry="+12015550125")
    for query, found in (("q=0124", 1), ("q=BANK", 1), ("list=block", 1), ("list=allow", 2), ("", 3), ("q=%25", 0)):
        assert otto.text(f"/lists?{query}").count('action="/lists/remove"') == found, query
    assert "No entry matches." in otto.text("/lists?q=nothing")


def test_empty_lists_explain_their_use(otto: Browser) -> None:
    assert "always get through" in otto.text("/lists")


def test_viewer_sees_masked_entries_and_cannot_change_them(console: Console, otto: Browser) -> None:
    otto.done("/lists/add", list="block", entry=NUMBER, note=f"see {NUMBER}")
    viewer = console.browser("viewer")
    for query in ("", "?q=0123", f"?q={NUMBER[-4:]}", "?q=nothing"):
        page = viewer.text(f"/lists{query}")
        assert "2015550123" not in re.sub(r"[ ()-]", "", page).replace(query, "")
        assert page.count("<tr>") == 2, query
        assert "/lists/remove" not in page
    assert viewer.get("/lists/export.csv").status_code == 403


# Files.


def test_exported_lists_can_be_imported_again(console: Console, ada: Browser) -> None:
    for fields in (
        {"list": "allow", "entry": NUMBER, "note": "=HYPERLINK(1)", "expires": "30d"},
        {"list": "block", "entry": "+1900*", "note": 'it\'s "premium", mostly', "action": "challenge", "sure": "yes"},
        {"list": "block", "entry": "+12015550100-+12015550199", "note": "'quoted", "sure": "yes"},
    ):
        ada.done("/lists/add", **fields)
    before = entries(console.office)
    exported = ada.get("/lists/export.csv")
    assert exported.headers["content-disposition"].startswith('attachment; filename="callsieve-lists-')
    rows = list(csv.reader(io.StringIO(exported.text)))
    assert rows[0] == list(COLUMNS)
    assert not any(field.startswith(FORMULAS) for row in rows for field in row)
    for row in rows[1:]:
        ada.done("/lists/remove", list=row[1], entry=from_text(row[0]))
    assert entries(console.office) == []
    page = upload(ada, exported.content, list="block").text
    assert "3 entries were added" in page
    assert entries(console.office) == before


def test_an_import_is_undone_by_one_click(console: Console, ada: Browser) -> None:
    console.state.clock = Ticking()
    ada.done("/lists/add", list="block", entry=NUMBER, note="first")
    page = upload(ada, f"entry,note\n{NUMBER},second\n+12015550124,new\n".encode(), list="block").text
    assert "2 entries were added" in page
    assert "1 of these" in page
    change = undo_of(ada.text("/lists"))
    ada.done("/lists/undo", id=change)
    assert entries(console.office) == [("block", NUMBER, None, "first")]
    assert ada.post("/lists/undo", id=change).status_code == 422  # it is undone already


def test_undoing_an_import_needs_the_right_to_import(console: Console, ada: Browser, otto: Browser) -> None:
    upload(ada, f"entry\n{NUMBER}\n".encode(), list="block")
    assert 'action="/lists/undo"' not in otto.text("/lists")
    change = undo_of(ada.text("/lists"))
    assert otto.post("/lists/undo", id=change).status_code == 422
    assert len(entries(console.office)) == 1
    ada.done("/lists/undo", id=change)
    assert entries(console.office) == []


class Work:
    """What the connection that holds the store's write lock does: steps of SQLite's machine, and statements."""

    def __init__(self, console: Console, browser: Browser) -> None:
        self.steps, self.statements = 0, list[str]()
        assert browser.client.portal is not None
        browser.client.portal.call(console.state.store.write, self._watch)

    def _watch(self, db: sqlite3.Connection) -> None:
        db.set_progress_handler(self._step, 100)
        db.set_trace_callback(self.statements.append)

    def _step(self) -> int:
        self.steps += 100
        return 0

    def of(self, done: Callable[[], object]) -> int:
        """How many steps that took."""
        before = self.steps
        done()
        return self.steps - before


def test_import_and_undo_take_linear_time(console: Console, ada: Browser) -> None:
    """The store is locked for writing meanwhile."""
    console.state.clock = Ticking()
    work = Work(console, ada)
    steps = {}
    for count in (100, 800):
        rows = "".join(f"+1201{count}{place:04d}\n" for place in range(count))
        steps["import", count] = work.of(partial(upload, ada, f"entry\n{rows}".encode(), list="block"))
        steps["undo", count] = work.of(partial(ada.done, "/lists/undo", id=undo_of(ada.text("/lists"))))
    assert steps["import", 800] < 12 * steps["import", 100] > 0
    assert steps["undo", 800] < 12 * steps["undo", 100] > 0


def test_unusable_rows_are_named_with_their_lines(console: Console, ada: Browser) -> None:
    content = f"entry,list,action\n{NUMBER},,\nnobody,,\n+12015550124,grey,\n+12015550125,,explode\n{OWN},block,\n"
    page = upload(ada, content.encode(), list="block").text
    assert "1 entry was added" in page
    assert "4 rows were skipped" in page
    for text in ("line 3:", "line 4:", "line 5:", "our own numbers"):
        assert text in page
    assert entries(console.office) == [("block", NUMBER, None, "")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "Choose a file first.", id="empty"),
        pytest.param(b"PK\x03\x04zip", "Save it as CSV", id="spreadsheet"),
        pytest.param(b"\x1f\x8bgzip", "Unpack it first", id="packed"),
        pytest.param(b"colour\nred\n", "entry", id="no-such-column"),
        pytest.param(b"entry\nnobody\n", "line 2", id="nothing-usable"),
        pytest.param(b"entry\n" + b"+12015550123\n" * 5001, "More than 5000 rows", id="too-many"),
    ],
)
def test_unusable_file_changes_nothing(console: Console, ada: Browser, content: bytes, problem: str) -> None:
    answer = upload(ada, content, list="block")
    assert answer.status_code == 422
    assert problem in answer.text
    assert entries(console.office) == []


def test_oversized_file_is_not_read(ada: Browser) -> None:
    assert upload(ada, b"x" * (1 << 20)).status_code == 413


def test_name_of_an_uploaded_file_is_never_used_as_a_path(console: Console, ada: Browser) -> None:
    upload(ada, f"entry\n{NUMBER}\n".encode(), list="block")
    before = set(console.office.state.parent.rglob("*"))
    for name in ("../../etc/cron.d/x", "/etc/passwd", "..\\x", "<script>", "x" * 500):
        assert upload(ada, f"entry\n{NUMBER}\n".encode(), name=name, list="block").status_code == 200
    assert set(console.office.state.parent.rglob("*")) == before


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "'", "'=1", "''", "plain", "", "\tx", "\u202e"])
def test_exported_texts_survive_a_spreadsheet(text: str) -> None:
    assert from_text(as_text(text)) == text
    assert not as_text(text).startswith(FORMULAS)


def test_hostile_text_survives_export_and_import() -> None:
    notes = [text for text in ("".join(filter(str.isprintable, payload))[:100].strip() for payload in PAYLOADS) if text]
    kept = [ListEntry(ListName.BLOCK, EntryKind.EXACT, f"+1201555{n:04d}", note=note) for n, note in enumerate(notes)]
    table = CsvTable(io.BytesIO(list_as_csv(kept).encode("utf-8", "replace")), COLUMNS, "file")
    back = list(entries_in(table, None, Settings(), NOW))
    assert table.problems == []
    assert [item.note for item in back] == [item.note.encode("utf-8", "replace").decode() for item in kept]


# Identities.


def test_identity_is_recorded_removed_and_restored(console: Console, otto: Browser) -> None:
    page = otto.done("/identities/add", number=NUMBER, name="Acme", level="2", note="papers seen").text
    assert "papers seen" in page
    identity = Identity(NUMBER, "Acme", 2, NOW + 365 * DAY, "papers seen")
    assert console.office.read(all_identities) == [identity]
    page = otto.done("/identities/remove", number=NUMBER).text
    assert console.office.read(all_identities) == []
    page = otto.done("/identities/undo", id=undo_of(page)).text
    assert console.office.read(all_identities) == [identity]
    otto.done("/identities/add", number=NUMBER, name="Acme", level="2", note="papers lost")
    otto.done("/identities/undo", id=undo_of(otto.text("/identities")))
    assert console.office.read(all_identities) == [identity]


def test_undo_restores_an_expired_identity_as_expired(console: Console, otto: Browser) -> None:
    console.office.write(set_identity, Identity(NUMBER, "Acme", 2, NOW + 300 * DAY, "papers seen"), NOW - 10 * DAY)
    console.office.write(raise_epoch, NUMBER, NOW - 5 * DAY, "sold", "ada")
    page = otto.done("/identities/remove", number=NUMBER).text
    otto.done("/identities/undo", id=undo_of(page))
    assert [identity.expires_at for identity in console.office.read(all_identities)] == [NOW - 5 * DAY]


def test_identity_kept_without_proof_is_not_restored(console: Console, otto: Browser) -> None:
    old = {"number": NUMBER, "name": "Acme", "level": 2, "expires_at": NOW + DAY}
    console.office.write(add_audit, Change("identity remove", NUMBER, before=old), "joe", NOW)
    answer = otto.post("/identities/undo", id=undo_of(otto.text("/identities")))
    assert str(NOT_KEPT) in answer.text
    assert console.office.read(all_identities) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"name": " "}, "Enter the owner of"),
        ({"level": "2"}, "Level 2 needs a note"),
        ({"number": "911"}, "emergency number"),
        ({"expires": "never"}, "write it as"),
        ({"expires": "2y"}, "at most 12 months"),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"note": "a\nb"}, "one line of at most 200"),
    ],
)
def test_bad_identity_shows_its_problem(console: Console, otto: Browser, wrong: dict[str, str], problem: str) -> None:
    answer = otto.post("/identities/add", **{"number": NUMBER, "name": "Acme", "level": "1", **wrong})
    assert answer.status_code == 422
    assert problem in problem_of(answer.text)
    assert console.office.read(all_identities) == []


def test_viewer_sees_the_owner_but_not_the_number(console: Console) -> None:
    console.office.write(set_identity, Identity(NUMBER, "Acme", 1, NOW + DAY, f"called {NUMBER}"), NOW)
    page = console.browser("viewer").text(f"/identities?q={NUMBER[-4:]}")
    assert "Acme" in page
    assert "2015550123" not in page
    assert "/identities/remove" not in page


def test_hostile_text_stays_text(console: Console, ada: Browser) -> None:
    plain_page = ada.text("/identities")
    for place, text in enumerate(("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', *PAYLOADS)):
        shown = "".join(filter(str.isprintable, text))[:150].strip() or "x"
        number = f"+1201555{place:04d}"
        console.office.write(set_identity, Identity(number, shown, 1, NOW + DAY, shown), NOW)
        console.office.write(add_entry, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, note=shown, added_at=NOW))
    for path in ("/identities", "/lists"):
        page = ada.text(path)
        assert page.count("<script") == plain_page.count("<script")
        assert "onerror=alert" not in page.replace("onerror=alert(1)&gt;", "")


def test_start_of_a_number_must_be_confirmed(console: Console, otto: Browser) -> None:
    look = otto.post("/lists/add", list="block", entry="+442079461")
    assert (look.status_code, "+442079461*" in look.text) == (200, True)
    assert console.office.read(list_entries) == []
