"""A number's page: everything that is known about it, and what is done to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callsieve.plan_files import plan_folder
from reputation.model import (
    AuthClass,
    ChallengeResult,
    EntryKind,
    Identity,
    ListEntry,
    ListName,
    Mark,
    MarkChannel,
    Person,
    Verdict,
)
from reputation.store.appeals import appeals_of
from reputation.store.audit import audit_rows
from reputation.store.evidence import record_challenge
from reputation.store.identities import set_identity
from reputation.store.imports import import_numbers
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, set_personal_entry
from reputation.store.marks import add_mark
from reputation.store.people import upsert_people
from reputation.store.standing import numbers_to_review
from tests.callsieve.browsing import NOW, Console, Office, problem_of
from tests.callsieve.console_calls import CALLER, add_calls, make_decision

NEIGHBOUR = "+12015550177"


def make_mark(reporter: str, at: float = NOW - 3600, number: str = CALLER) -> Mark:
    return Mark(number, AuthClass.UNKNOWN, reporter, Verdict.SPAM, at, MarkChannel.EXTENSION, category="scam")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """All that can be known about CALLER."""
    office = Office(tmp_path)
    add_calls(office, make_decision(), make_decision("N0000000", caller=NEIGHBOUR))
    office.write(add_mark, make_mark("201"))
    office.write(add_mark, make_mark("203"))
    office.write(set_identity, Identity(CALLER, "Springfield Motors", 1, NOW + 1e6, "called back"), NOW - 10)
    office.write(record_challenge, "1.9", CALLER, AuthClass.UNKNOWN, ChallengeResult.SILENT, NOW - 90)
    office.write(add_contacts, "crm", [Contact(CALLER, "Joe of Springfield")])
    office.write(upsert_people, [Person("202", "PJSIP/202", name="Bob")], "settings")
    office.write(set_personal_entry, PersonalEntry("202", CALLER, ListName.ALLOW, NOW - 50))
    office.write(add_entry, ListEntry(ListName.BLOCK, EntryKind.PREFIX, "+1201555", note="the whole exchange"))
    office.read(lambda db: import_numbers(db, "ftc", "spam", [(CALLER, "telemarketing", None, "a note")]))
    return office


def test_number_page_shows_all_evidence(console: Console) -> None:
    page = console.browser("operator").text(f"/numbers/{CALLER}")
    for text in (
        "2 marked the number",
        "2 independent witnesses (people, DIDs or other sites) speak against the number",
        "challenge-silent",
        "203",
        "Springfield Motors",
        "Joe of Springfield",
        "on the personal allowlist of",
        "202 (Bob)",
        "the whole exchange",
        "telemarketing",
        "7KQ2M4XA",
        NEIGHBOUR,
        'id="history-table"',
    ):
        assert text in page, text


def test_people_of_other_sites_are_named_with_their_site(office: Office, console: Console) -> None:
    office.write(add_mark, make_mark("berlin:305"))
    browser = console.browser("operator")
    assert "305 at berlin" in browser.text(f"/numbers/{CALLER}")
    assert "berlin 的 305" in browser.text(f"/numbers/{CALLER}", headers={"accept-language": "zh"})


# What stands there as somebody wrote it, and what is typed as it stands.
NOT_OURS = re.compile(
    "Springfield Motors|Joe of Springfield|called back|Alice|Bob|the whole exchange|a note|ftc|crm|scam"
    "|telemarketing|survey|robocall|cautious|strong evidence against this number"
)


def test_number_page_in_chinese_is_fully_translated(console: Console) -> None:
    browser = console.browser("operator")
    browser.done(f"/numbers/{CALLER}/allow", note="Bob")
    page = browser.text(f"/numbers/{CALLER}", headers={"accept-language": "zh"})
    shown = re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("</main>")[0].partition(">")[2])
    assert re.findall(r"[A-Za-z]{3,}", NOT_OURS.sub("", shown)) == ["DID", "otto"]
    assert "+1201555* 在阻止名单中；机主是 Springfield Motors（级别 1）；" in shown
    assert "；它是公司的联系人。" in shown


def test_unknown_number_has_a_page_without_evidence(console: Console) -> None:
    page = console.browser("operator").text("/numbers/+442071839499")
    assert "Nothing is known" in page
    assert "There is no evidence" in page
    assert "Nobody has changed" in page


def test_number_page_shows_the_purpose_of_its_range(console: Console) -> None:
    browser = console.browser("operator")
    page = browser.text("/numbers/+33162123456")
    assert "FR, fixed: telemarketing" in page
    assert "telemarketing-range" in page
    assert "营销" in browser.text("/numbers/+33162123456", headers={"accept-language": "zh"})
    assert "银行服务专线" in browser.text("/numbers/+8695588", headers={"accept-language": "zh"})


def test_note_of_an_own_range_is_escaped(console: Console) -> None:
    folder = plan_folder(console.office.load())
    folder.mkdir()
    head = 'adds_to = "GB"\ncalling_code = 44\nread = 2026-11-27\n[[range]]\nprefix = "+442071839"\n'
    (folder / "gb-own.toml").write_text(head + 'purpose = "service"\nnote = "<script>alert(1)</script>"\n')
    page = console.browser("operator").text("/numbers/+442071839499")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_number_in_local_format_leads_to_its_page(console: Console) -> None:
    browser = console.browser("operator")
    assert browser.get("/numbers?number=201-555-0123").headers["location"] == f"/numbers/{CALLER}"
    wrong = browser.get("/numbers?number=911")
    assert wrong.status_code == 422
    assert "emergency number" in problem_of(wrong.text)


def test_burst_of_marks_waits_for_a_review(console: Console) -> None:
    for reporter in range(300, 306):
        console.office.write(add_mark, make_mark(str(reporter), NOW - 60, NEIGHBOUR))
    assert [burst.number for burst in console.office.read(numbers_to_review)] == [NEIGHBOUR]
    browser = console.browser("operator")
    assert "Reviewed: the marks count" in browser.text(f"/numbers/{NEIGHBOUR}")
    assert "marks count from now" in browser.done(f"/numbers/{NEIGHBOUR}/review").text
    assert console.office.read(numbers_to_review) == []
    browser.done(f"/numbers/{NEIGHBOUR}/unreview")
    assert len(console.office.read(numbers_to_review)) == 1


def test_only_an_administrator_records_a_new_owner(console: Console) -> None:
    assert console.browser("operator").post(f"/numbers/{CALLER}/owner", reason="reassigned").status_code == 403
    browser = console.browser("administrator")
    page = browser.done(f"/numbers/{CALLER}/owner", reason="the carrier says so")
    assert "counts less" in page.text
    assert "the carrier says so" in page.text
    assert "earlier owner again" in browser.done(f"/numbers/{CALLER}/same-owner").text
    assert [row.what for row in console.office.read(audit_rows)] == ["reassigned remove", "reassigned add"]


def test_appeal_is_filed_for_a_caller(console: Console) -> None:
    browser = console.browser("operator")
    fields = {"name": "Springfield Motors", "contact": "joe@springfield.example", "statement": "We sell cars."}
    page = browser.done(f"/numbers/{CALLER}/appeal", decision="7KQ2M4XA", **fields)
    assert "The appeal is filed." in page.text
    (appeal,) = console.office.read(appeals_of, CALLER)
    assert (appeal.name, appeal.decision_id, appeal.state.value) == ("Springfield Motors", "7KQ2M4XA", "open")
    assert f'<a href="/appeals/{appeal.reference}">' in page.text
    assert "Springfield Motors: open" in page.text
    again = browser.post(f"/numbers/{CALLER}/appeal", **fields)
    assert again.status_code == 422
    assert len(console.office.read(appeals_of, CALLER)) == 1
