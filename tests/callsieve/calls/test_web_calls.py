"""The pages of calls: filters, paging, and one call with its actions."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from callsieve.calls.records import FIELDS, caller_words
from callsieve.calls.views import place_of, query_of
from policies.decision import ACTION_BY_WORD
from policies.reasons import CODES, PLACES, PresetReason, Reason, Why, why_of
from reputation.model import CallerKind, Disposition, ListEntry, ListName, Verdict, Voice
from reputation.store.audit import audit_rows
from reputation.store.calls import ENDINGS, CallCursor, CallFilter, find_calls, rules_seen, statement
from reputation.store.evidence_rows import marks_of
from reputation.store.hub.sites import SiteState, note_sites
from reputation.store.lists import list_entries
from reputation.store.migrations import migrate
from reputation.store.transcripts import Transcript, record_transcript
from tests.callsieve.browsing import NOW, Console, Office, problem_of
from tests.callsieve.console_calls import CALLER, DID, add_calls, add_ending, make_decision, make_ending


def ids_on(page: str) -> list[str]:
    return re.findall(r'<tr id="call-(\w+)"', page)


@pytest.fixture(scope="module")
def store_with_calls(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Six calls, the latest first: A warned and observed only, B challenged and answered, and so on."""
    office = Office(tmp_path_factory.mktemp("office"))
    made = [
        make_decision("A0000000", action="allow", would_be="warn", rule="level-warn", at=NOW - 100),
        make_decision("B0000000", at=NOW - 200),
        make_decision("C0000000", caller="+12015550199", action="allow", rule="default", at=NOW - 300, log_odds=0.0),
        make_decision("D0000000", caller=None, caller_kind=CallerKind.WITHHELD, did="+442071838751", at=NOW - 400),
        make_decision("E0000000", callee="202", action="reject", rule="blocklist", at=NOW - 90_000),
        make_decision("F0000000", action="allow", rule="default", at=NOW - 100_000),
    ]
    add_calls(office, *made)
    add_ending(office, make_ending(made[1]))
    add_ending(office, make_ending(made[2], disposition=Disposition.BUSY, answered_by=None, talk_seconds=0.0))
    voicemail = make_ending(made[5], disposition=Disposition.NO_ANSWER, answered_by=None, voicemail_left=True)
    add_ending(office, voicemail._replace(talk_seconds=0.0))
    return office.store.read_bytes()


@pytest.fixture
def office(tmp_path: Path, store_with_calls: bytes) -> Office:
    office = Office(tmp_path)
    office.store.write_bytes(store_with_calls)
    return office


def test_site_filter_is_shown_if_other_sites_have_calls(office: Office, console: Console) -> None:
    browser = console.browser("operator")
    assert 'name="site"' not in browser.text("/calls")
    add_calls(office, make_decision("G0000000", linkedid="berlin:17.1", callee="berlin:201", at=NOW - 50))
    add_calls(office, make_decision("H0000000", linkedid="paris:17.1", at=NOW - 40))
    page = browser.text("/calls")
    assert re.findall(r'<option value="(berlin|paris)">', page) == ["berlin", "paris"]
    assert ids_on(page)[:2] == ["H0000000", "G0000000"]
    assert ids_on(browser.text("/calls?site=berlin")) == ["G0000000"]
    assert '<option value="berlin" selected>' in browser.text("/calls?site=berlin")
    assert browser.get("/calls?site=Berlin%22%3E").status_code == 422
    assert 'href="/calls?site=berlin"' in browser.text("/calls/G0000000")
    assert "?site=" not in browser.text("/calls/A0000000")


def test_sites_page_shows_up_and_down(office: Office, console: Console) -> None:
    browser = console.browser("viewer")
    assert "callsieve hub status" in browser.text("/sites")
    up = SiteState("berlin", False, NOW, None, NOW - 1, NOW - 1, NOW - 7, 3, 4711, "<b>1.0</b>", 0.0, NOW)
    with closing(sqlite3.connect(office.store)) as db, db:
        note_sites(db, [up, replace(up, name="paris", seen_at=NOW - 900.0)])
    page = browser.text("/sites")
    assert re.findall(r'<td class="s-(\w+)">(\w+)</td>', page) == [("ok", "up"), ("fail", "down")]
    assert "4,711" in page
    assert "<b>1.0" not in page
    assert "离线" in browser.text("/sites", headers={"accept-language": "zh"})


def test_calls_of_a_site_use_their_index(office: Office) -> None:
    sql, parameters = statement(CallFilter(site="berlin"), None, 50)
    with closing(sqlite3.connect(office.store)) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert any("decision_elsewhere" in step for step in plan)


def test_hang_up_in_a_menu_is_not_shown_as_failed(office: Office, console: Console) -> None:
    made = make_decision("G0000000", at=NOW - 50)
    add_calls(office, made)
    add_ending(office, make_ending(made, disposition=Disposition.FAILED, answered_by=None, talk_seconds=0.0))
    for path in ("/calls", "/calls/G0000000", "/calls?ending=failed"):
        page = console.browser("operator").text(path)
        assert "reached nobody" in page
        assert "failed<" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "ABCDEF"),
        ("number=%2B12015550123", "ABEF"),
        ("number=201-555-0123", "ABEF"),
        ("callee=202", "E"),
        ("callee=201", "B"),
        ("did=%2B442071838751", "D"),
        ("action=warn", "A"),
        ("action=allow", "CF"),
        ("rule=blocklist", "E"),
        ("rule=default", "CF"),
        ("ending=answered", "B"),
        ("ending=busy", "C"),
        ("ending=voicemail", "F"),
        ("since=2025-12-29T09:00", "ABCD"),
        ("until=2025-12-29T09:00", "EF"),
        ("number=%2B12015550123&action=reject&rule=blocklist", "E"),
        ("rule=nothing", ""),
    ],
)
def test_calls_are_filtered(console: Console, query: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = console.browser("operator").text(f"/calls?{query}")
    assert "".join(id_[0] for id_ in ids_on(page)) == found
    assert bool(ids_on(page)) != ("No call matches." in page)


@pytest.mark.parametrize(
    ("query", "field", "problem"),
    [
        ("number=abc", "caller", "is not a telephone number"),
        ("action=explode", "decision", "allowed: allow"),
        ("ending=never", "how it ended", "allowed: answered"),
        ("since=yesterday", "from", "is not a time"),
        ("until=2026-13-45", "until", "is not a time"),
    ],
)
def test_invalid_filter_names_its_field(console: Console, query: str, field: str, problem: str) -> None:
    answer = console.browser("operator").get(f"/calls?{query}")
    assert answer.status_code == 422
    assert problem in problem_of(answer.text)
    assert problem_of(answer.text).startswith(field)


def test_pages_have_no_gap_and_no_repetition(tmp_path: Path) -> None:
    office = Office(tmp_path)
    at_once = [make_decision(f"{number:08d}", at=NOW - number // 7) for number in range(173)]  # seven at each instant
    add_calls(office, *at_once)
    with office.console() as console:
        browser = console.browser("operator")
        seen, path, pages = [], "/calls", 0
        while path:
            page = browser.text(path)
            seen += ids_on(page)
            older = re.search(r'rel="next" href="([^"]+)"', page)
            path, pages = unescape(older[1]) if older else "", pages + 1
    assert (len(seen), len(set(seen)), pages) == (173, 173, 4)
    assert seen == [item.id for item in sorted(at_once, key=lambda item: (-item.at, tuple(-ord(c) for c in item.id)))]


@pytest.mark.parametrize("after", ["", "x", "1;DROP TABLE decision", "1e99-A", "-1-A", "1-a' OR 1=1--", "9" * 400])
def test_invalid_cursor_shows_the_first_page(console: Console, after: str) -> None:
    assert place_of(after) is None
    assert ids_on(console.browser("operator").text("/calls", params={"after": after}))[0] == "A0000000"


def test_cursor_round_trips() -> None:
    place = CallCursor(1767000000.123457, "7KQ2M4XA")
    query = query_of({"action": "warn"}, place)
    assert query == "action=warn&after=1767000000.123457-7KQ2M4XA"
    assert place_of(query.rpartition("=")[2]) == place


INJECTIONS = ["' OR 1=1 --", "1; DROP TABLE decision", "at DESC", '"', "%' --", "\\", "a\x00b", "${jndi:ldap://x}"]


@pytest.mark.parametrize("field", [*FIELDS, "order", "sort", "limit"])
def test_sql_injection_is_impossible(console: Console, field: str) -> None:
    browser = console.browser("operator")
    for text in INJECTIONS:
        answer = browser.get("/calls", params={field: text})
        assert answer.status_code in (200, 422), text
        assert field in ("order", "sort", "limit") or ids_on(answer.text) == []
    assert len(ids_on(browser.text("/calls"))) == 6


EVERYTHING = {
    "number": CALLER,
    "callee": "201",
    "did": DID,
    "action": "warn",
    "rule": "level-warn",
    "since": 1.0,
    "until": 2.0,
    "ending": "answered",
}


@pytest.fixture(scope="module")
def in_memory() -> Iterator[sqlite3.Connection]:
    """An empty store."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        yield db


@pytest.mark.parametrize("after", [None, CallCursor(NOW, "A")], ids=["first", "later"])
@pytest.mark.parametrize(
    "wanted",
    [CallFilter(), *(CallFilter(**{name: value}) for name, value in EVERYTHING.items())]  # type: ignore[arg-type]
    + [CallFilter(action=word) for word in ACTION_BY_WORD]
    + [CallFilter(ending=word) for word in ENDINGS]
    + [CallFilter(rule="default"), CallFilter(number=CALLER, action="warn"), CallFilter(action="warn", since=1.0)],
    ids=lambda wanted: "-".join(f"{name}={value}" for name, value in wanted._asdict().items() if value) or "all",
)
def test_every_search_uses_an_index(
    in_memory: sqlite3.Connection, wanted: CallFilter, after: CallCursor | None
) -> None:
    sql, parameters = statement(wanted, after, 51)
    steps = [detail for *_, detail in in_memory.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    # Indexes in the order of time, which end at the limit, and what such a subquery found.
    walked = ("INDEX decision_at", "INDEX decision_group_stop", "SCAN (subquery")
    scans = [step for step in steps if step.startswith("SCAN ") and not any(name in step for name in walked)]
    assert set(scans) <= {"SCAN did"}, steps  # own numbers are few, and each is looked up once
    # Calls of one callee or of a rare ending are few and sorted. All others come in index order.
    sorted_anyway = wanted.callee is not None or wanted.ending not in (None, "answered", "no-answer")
    assert sorted_anyway or "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_calls_of_a_person_use_the_index_of_stopped_calls(in_memory: sqlite3.Connection) -> None:
    """The index of all calls to the group's numbers took seconds with a million calls."""
    sql, parameters = statement(CallFilter(callee="201"), None, 51)
    steps = [detail for *_, detail in in_memory.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert any("decision_group_stop" in step for step in steps)
    assert not any("decision_did" in step for step in steps)


def test_calls_of_the_default_rule_use_the_index_by_time(in_memory: sqlite3.Connection) -> None:
    sql, parameters = statement(CallFilter(rule="default"), None, 51)
    steps = [detail for *_, detail in in_memory.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert steps[0].startswith("SEARCH d USING INDEX decision_at")


def test_list_of_rules_is_complete(office: Office) -> None:
    assert office.read(rules_seen) == ["blocklist", "default", "level-challenge", "level-warn"]


def test_htmx_gets_only_the_table(console: Console) -> None:
    part = console.browser("operator").text("/calls?action=warn", headers={"hx-request": "true"})
    assert part.lstrip().startswith('<section class="card" id="found"')
    assert ids_on(part) == ["A0000000"]


def test_viewer_sees_and_searches_no_number(console: Console) -> None:
    browser = console.browser("viewer")
    page = browser.text("/calls")
    assert "+1201*****23" in page
    assert CALLER not in page
    assert CALLER[1:] not in page
    assert browser.get("/calls?number=%2B12015550123").status_code == 403
    assert CALLER not in browser.text("/calls/B0000000")
    assert browser.get("/numbers/%2B12015550123").status_code == 403


def test_empty_journal_shows_a_hint(tmp_path: Path) -> None:
    with Office(tmp_path).console() as console:
        assert "No calls yet." in console.browser("viewer").text("/calls")


# One call.


def test_call_page_shows_evidence_rule_and_ending(console: Console) -> None:
    page = console.browser("operator").text("/calls/B0000000")
    for text in (
        "level-challenge",
        "strong evidence against this number",
        "2 of 3 colleagues who answered marked the number",
        "one of our people calls the number back and talks for 30 s",
        "answered by",
        "+22 points",
    ):
        assert text in page, text
    assert '<rect class="toward" x="50.0" y="2" width="50.0"' in page
    assert '<rect class="away" x="43.3" y="2" width="6.7"' in page


@pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("operator", True)])
def test_transcript_is_shown_to_operators_only(console: Console, office: Office, role: str, sees: bool) -> None:
    office.write(
        record_transcript, Transcript("B0000000", NOW, "1.1", CALLER, "It is <b>Tom</b>.", "en", Voice.UNCLEAR)
    )
    browser = console.browser(role)
    for path in ("/calls", "/calls/B0000000"):
        assert ("It is &lt;b&gt;Tom&lt;/b&gt;." in browser.text(path)) is sees


def test_misread_letters_of_an_id_are_accepted(console: Console) -> None:
    assert "level-challenge" in console.browser("operator").text("/calls/b0OOo000")


@pytest.mark.parametrize("name", ["ZZZZZZZZ", "0", "' OR 1=1", "%2e%2e", "B0000000x", "%00"])
def test_unknown_call_gets_404(console: Console, name: str) -> None:
    assert console.browser("operator").get(f"/calls/{name}").status_code == 404


def test_damaged_vector_is_reported(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for place, vector in enumerate(("", "[]", "{", '{"families": 7}', '{"families": [{"family": "marks"}]}', "null")):
        add_calls(office, make_decision(f"A000000{place}", vector=vector))
    with office.console() as console:
        for place in range(6):
            assert "damaged" in console.browser("viewer").text(f"/calls/A000000{place}")


def test_wanted_automated_caller_is_allowed_by_one_click(console: Console) -> None:
    browser = console.browser("operator")
    page = browser.text("/calls/B0000000")
    [form] = re.findall(r'<form method="post" action="([^"]+)">(?:(?!</form>).)*value="(machine, wanted)"', page)
    browser.done(unescape(form[0]), note=form[1], back="/calls/B0000000")
    [entry] = console.office.read(list_entries)
    assert (entry.list_name, entry.text, entry.note, entry.expires_at) == (ListName.ALLOW, CALLER, form[1], None)
    assert "machine, wanted" not in browser.text("/calls/B0000000"), "it is on the list now"


@pytest.mark.parametrize(("action", "is_stopped"), [("tag", False), ("warn", False), ("challenge", True)])
def test_labelled_call_is_not_noted_as_stopped(office: Office, console: Console, action: str, is_stopped: bool) -> None:
    add_calls(office, make_decision("G0000000", action=action, at=NOW - 50))
    browser = console.browser("operator")
    (note,) = re.findall(r'name="note"[^>]* value="(call G0000000[^"]*)"', browser.text("/calls/G0000000"))
    assert ("stopped" in note) is is_stopped
    browser.done(f"/numbers/{CALLER}/allow", note=note, back="/calls/G0000000")
    assert ("stopped" in (office.read(audit_rows)[0].after or "")) is is_stopped


def test_operator_adds_and_removes_an_allowlist_entry(console: Console) -> None:
    browser = console.browser("operator")
    page = browser.done(f"/numbers/{CALLER}/allow", note="our dentist", expires="30d", back="/calls/B0000000")
    assert "on the allowlist" in page.text
    assert "Remove from the allowlist" in page.text
    (entry,) = console.office.read(list_entries)
    assert entry == ListEntry(
        ListName.ALLOW, entry.kind, CALLER, note="our dentist", expires_at=NOW + 30 * 86400, added_at=NOW
    )
    browser.done(f"/numbers/{CALLER}/unlist", list="allow", back="/calls/B0000000")
    assert console.office.read(list_entries) == []
    removed, added = console.office.read(audit_rows)
    assert (removed.who, removed.what, removed.number, removed.after) == ("otto (console)", "list remove", CALLER, None)
    assert removed.before is not None
    assert added.before is None
    assert added.after is not None
    assert "our dentist" in added.after


def test_operator_makes_and_retracts_a_mark(console: Console) -> None:
    browser = console.browser("operator")
    browser.done(f"/numbers/{CALLER}/spam", category="Scam", reason="car warranty", back="/calls/B0000000")
    (mark,) = console.office.read(marks_of, CALLER)
    assert (mark.reporter, mark.verdict, mark.category, mark.channel.value) == ("201", Verdict.SPAM, "scam", "web")
    assert "Remove my mark" in browser.text("/calls/B0000000")
    browser.done(f"/numbers/{CALLER}/ok", back="/calls/B0000000")
    browser.done(f"/numbers/{CALLER}/unmark", back="/calls/B0000000")
    (mark,) = console.office.read(marks_of, CALLER)
    assert mark.verdict is Verdict.RETRACTED
    assert [row.what for row in console.office.read(audit_rows)] == ["unmark", "mark", "mark"]


def test_user_without_extension_cannot_mark(office: Office) -> None:
    office.write(lambda db: db.execute("UPDATE console_user SET extension = NULL"))
    with office.console() as console:
        answer = console.browser("operator").post(f"/numbers/{CALLER}/ok")
    assert answer.status_code == 422
    assert "--person" in problem_of(answer.text)
    assert office.read(marks_of, CALLER) == []


@pytest.mark.parametrize(
    ("path", "fields", "problem"),
    [
        ("+12025550100/block", {}, "our own numbers"),
        (f"{CALLER}/block", {"expires": "soon"}, "is not an expiry"),
        (f"{CALLER}/unlist", {"list": "block"}, "is not on the blocklist"),
        (f"{CALLER}/unmark", {}, "there is no mark to remove"),
        (f"{CALLER}/owner", {"reason": " "}, "write one line"),
    ],
)
def test_refused_change_is_neither_made_nor_audited(
    console: Console, path: str, fields: dict[str, str], problem: str
) -> None:
    answer = console.browser("administrator").post(f"/numbers/{path}", **fields)
    assert answer.status_code == 422
    assert problem in unescape(problem_of(answer.text))
    assert console.office.read(audit_rows) == []
    assert console.office.read(list_entries) == []


@pytest.mark.parametrize("number", ["+1201555012a", "12015550123", "+", "+0", "+1 201 555 0123", "+1201555012345678"])
def test_invalid_number_gets_404(console: Console, number: str) -> None:
    browser = console.browser("administrator")
    assert browser.get(f"/numbers/{number}").status_code == 404
    assert browser.post(f"/numbers/{number}/allow").status_code == 404


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_redirect_never_leaves_the_console(console: Console, back: str) -> None:
    answer = console.browser("operator").post(f"/numbers/{CALLER}/allow", back=back)
    assert answer.headers["location"].partition("&")[0] == f"/numbers/{CALLER}?said=on-allowlist"


def test_find_calls_respects_its_limit(office: Office) -> None:
    assert len(office.read(find_calls, CallFilter(), None, 2)) == 2


def reasons_on(page: str) -> list[str]:
    """Return the reasons on the page, that of the shown decision first."""
    return [
        unescape(text)
        for text in re.findall(r'<span class="why">(.*?)</span>|<td class="text">(.*?)</td></tr>', page)[0]
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        *((Why(code).kept, None) for code in CODES if not PLACES[code]),
        (Why(Reason.ON_BLOCKLIST, {"entry": "+1900*"}).kept, "+1900* 在阻止名单中"),
        (Why(PresetReason.COMPLAINTS, {}, Reason.VERIFIED).kept, "有人投诉过该号码（主叫身份已核实）"),
        (
            Why("they sell lamps", {"reference": "AP9E4100"}, Reason.APPEALED).kept,
            "they sell lamps（有申诉正在生效：AP9E4100）",
        ),
        (
            "they sell <b>lamps</b>; 3 people did not answer; failed 2 times",
            "they sell <b>lamps</b>; 3 people did not answer; failed 2 times",
        ),
        ("withheld", "withheld"),
        ("no rule of the policy matches the call", "no rule of the policy matches the call"),  # of an older version
    ],
)
def test_reason_is_shown_in_chinese(console: Console, office: Office, reason: str, said: str | None) -> None:
    add_calls(office, make_decision("ZH000000", reason=reason))
    found = reasons_on(console.browser("viewer").text("/calls/ZH000000", headers={"accept-language": "zh"}))[0]
    assert found == said or (said is None and not re.search("[A-Za-z]{2}", found.replace("Asterisk", ""))), found
    assert reasons_on(console.browser("viewer").text("/calls/ZH000000"))[0] == str(why_of(reason))


@pytest.mark.parametrize("text", ["", "anonymous", "Unavailable"])
def test_withheld_caller_is_shown_as_withheld(office: Office, text: str) -> None:
    record = make_decision("G0000000", caller=None, caller_kind=CallerKind.WITHHELD, caller_text=text, at=NOW - 1)
    add_calls(office, record)
    assert caller_words(record) == "withheld"
    with office.console() as console:
        for path in ("/calls", "/calls/G0000000"):
            assert not text or f"“{text}”" not in console.browser("operator").text(path)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_unreadable_caller_is_shown_as_received(office: Office, role: str) -> None:
    record = make_decision("G0000000", caller=None, caller_kind=CallerKind.INVALID, caller_text="0x1A<b>", at=NOW - 1)
    add_calls(office, record)
    with office.console() as console:
        for path in ("/calls", "/calls/G0000000"):
            page = console.browser(role).text(path)
            assert ("0x1A&lt;b&gt;" in page) == (role == "operator")
            assert "0x1A<b>" not in page
