"""Appeals in the browser: call-back, evidence, decision and undo."""

from __future__ import annotations

import re
from typing import Any

import pytest
from httpx2 import Response

from callsieve.appeals.views import case_shown
from callsieve.numbers.profile import profile_of
from callsieve.web.tokens import form_token
from reputation.appeals import ATTACHMENT_BYTES, ATTACHMENTS, Appeal, AppealState, AppealStep
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.appeals import AppealRuling, appeal_of, decide, open_appeal, take_step
from reputation.store.audit import audit_rows
from reputation.store.facts import standing
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.public_appeals import NewAttachment, attach, attachments_of
from tests.callsieve.browsing import NOW, Browser, Console, Office, problem_of, undo_of
from tests.integration.test_hostile import PAYLOADS
from tests.reputation.store_builders import make_outcome

NUMBER = "+12015550123"
REFERENCE = "AP9E4100"
DAY = 86_400.0
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "%(x)s %s {}", "</blockquote><b>", *PAYLOADS]


@pytest.fixture
def otto(console: Console) -> Browser:
    return console.browser("operator")


def file(office: Office, reference: str = REFERENCE, **fields: Any) -> Appeal:
    known = {"number": NUMBER, "name": "Carol Ltd", "contact": "carol@example.com", "opened_at": NOW - DAY}
    return office.write(open_appeal, Appeal(reference=reference, **{**known, **fields}))


def mark_spam(office: Office, *reporters: str) -> None:
    for n, reporter in enumerate(reporters):
        one = Mark(
            NUMBER, AuthClass.UNKNOWN, reporter, Verdict.SPAM, NOW - 2 * DAY + n, MarkChannel.WEB, f"group{n}", "scam"
        )
        office.write(add_mark, one)


def file_and_accept(office: Office) -> None:
    file(office)
    office.write(take_step, REFERENCE, AppealStep.ACCEPT, NOW - DAY)


def appeal_state(office: Office) -> AppealState:
    appeal = office.read(appeal_of, REFERENCE)
    assert appeal is not None
    return appeal.state


def spam_marks(office: Office) -> int:
    found = office.read(standing, NUMBER, AuthClass.UNKNOWN)
    return 0 if found is None else found.reporters


def upload(browser: Browser, content: bytes, filename: str = "x.csv", **fields: str) -> Response:
    data = {"form_token": form_token(browser.token or ""), **fields}
    path = f"/appeals/{REFERENCE}/evidence"
    return browser.client.post(path, data=data, files={"file": (filename, content)}, follow_redirects=False)


# The queue.


def test_empty_queue_shows_a_hint(console: Console) -> None:
    assert "No appeal is waiting" in console.browser("viewer").text("/appeals")


def test_queue_is_sorted_by_deadline_and_shows_overdue(console: Console, otto: Browser) -> None:
    for n, days in enumerate((2, 20, 9)):
        reference = f"AP00000{n}"
        file(console.office, reference, number=f"+1201555012{n}", opened_at=NOW - days * DAY)
        console.office.write(take_step, reference, AppealStep.ACCEPT, NOW - days * DAY)
    file(console.office, "AP000009", number="+12015550129")
    page = otto.text("/appeals")
    assert re.findall(r'href="/appeals/(\w+)"', page) == ["AP000001", "AP000002", "AP000000", "AP000009"]
    assert page.count("overdue") == 2
    assert "filed, without effect yet" in page


def test_viewer_sees_masked_numbers_and_opens_no_case(console: Console) -> None:
    file(console.office, name=f"call {NUMBER}")
    viewer = console.browser("viewer")
    assert "2015550123" not in viewer.text("/appeals")
    assert viewer.get(f"/appeals/{REFERENCE}").status_code == 403


# From the filing to the decision.


def test_appeal_from_call_back_to_decision_and_undo(console: Console, otto: Browser) -> None:
    mark_spam(console.office, "201", "202")
    file(console.office, statement="We call our own customers.")
    page = otto.text(f"/appeals/{REFERENCE}")
    assert "Marks alone never stop your calls, however many there are." in page
    assert "We call our own customers." in page
    assert "Not in force yet" in page
    made = otto.post(f"/appeals/{REFERENCE}/code").text
    code = re.search(r'<strong class="mono">([0-9 ]{7})<', made)
    assert code
    assert code[1] not in otto.text(f"/appeals/{REFERENCE}")
    wrong = "000000" if code[1] != "000 000" else "111111"
    assert "code is wrong" in otto.post(f"/appeals/{REFERENCE}/prove", code=wrong).text
    page = otto.done(f"/appeals/{REFERENCE}/prove", code=code[1]).text
    assert "is proven" in page
    assert "2 spam marks" in page
    assert "count a little less from then on: 201, 202." in page
    page = otto.done(f"/appeals/{REFERENCE}/decide", ruling="uphold", reason="Its records show it.").text
    assert "Tell the owner." in page
    assert "Its records show it." in page
    assert (appeal_state(console.office), spam_marks(console.office)) == (AppealState.UPHELD, 0)
    otto.done(f"/appeals/{REFERENCE}/undo", id=undo_of(otto.text(f"/appeals/{REFERENCE}")))
    assert (appeal_state(console.office), spam_marks(console.office)) == (AppealState.IN_FORCE, 2)
    assert [(row.what, row.number, row.who) for row in console.office.read(audit_rows)] == [
        (what, NUMBER, "otto (console)")
        for what in ("undo appeal decide", "appeal decide", "appeal prove", "appeal prove", "appeal code")
    ]


def test_predicted_effect_equals_the_real_one(console: Console) -> None:
    office = console.office
    mark_spam(office, "201", "202", "301")
    for n in range(3):
        office.write(record_outcome, make_outcome(f"c{n}", NOW - DAY + n, caller=NUMBER, talk=2.0, by=f"20{n}"), NOW)
    file_and_accept(office)
    before = office.read(profile_of, office.load(), NUMBER, NOW).facts.reputation
    case = office.read(case_shown, office.load(), REFERENCE, NOW)
    assert case is not None
    foreseen = case.if_upheld
    office.write(decide, REFERENCE, AppealRuling(True, "x"), NOW)
    after = office.read(profile_of, office.load(), NUMBER, NOW).facts.reputation
    assert foreseen.log_odds == pytest.approx(after.log_odds)
    assert foreseen.level is after.level
    assert foreseen.log_odds < before.log_odds
    assert spam_marks(office) == 0


def test_denied_appeal_stores_its_reason(console: Console, otto: Browser) -> None:
    mark_spam(console.office, "201")
    file_and_accept(console.office)
    otto.done(f"/appeals/{REFERENCE}/decide", ruling="deny", template="Nobody proved it.", reason="They did call.")
    denied = console.office.read(appeal_of, REFERENCE)
    assert denied is not None
    assert denied.reason == "Nobody proved it.\nThey did call."
    assert (appeal_state(console.office), spam_marks(console.office)) == (AppealState.DENIED, 1)
    assert "They did call." in otto.text("/appeals")


def test_acceptance_and_withdrawal_can_be_undone(console: Console, otto: Browser) -> None:
    file(console.office)
    for path, expected in (
        ("accept", AppealState.IN_FORCE),
        ("undo", AppealState.OPEN),
        ("withdraw", AppealState.WITHDRAWN),
        ("undo", AppealState.OPEN),
    ):
        fields = {"id": undo_of(otto.text(f"/appeals/{REFERENCE}"))} if path == "undo" else {}
        otto.done(f"/appeals/{REFERENCE}/{path}", **fields)
        assert appeal_state(console.office) is expected
    assert "/undo" not in otto.text(f"/appeals/{REFERENCE}")


@pytest.mark.parametrize(
    ("path", "fields", "problem"),
    [
        ("decide", {"ruling": "uphold", "reason": "x"}, "cannot be decided yet"),
        ("decide", {"ruling": "perhaps", "reason": "x"}, "Choose a ruling"),
        ("decide", {"reason": "x"}, "Choose a ruling"),
        ("prove", {"code": "123456"}, "There is no code yet"),
        ("evidence", {}, "Choose a file"),
    ],
)
def test_refused_step_shows_the_problem_and_changes_nothing(
    console: Console, otto: Browser, path: str, fields: dict[str, str], problem: str
) -> None:
    file(console.office)
    answer = otto.post(f"/appeals/{REFERENCE}/{path}", **fields)
    assert answer.status_code == 422
    assert problem in problem_of(answer.text)
    assert appeal_state(console.office) is AppealState.OPEN


@pytest.mark.parametrize("reason", ["", "   ", "x" * 4001])
def test_a_decision_needs_a_reason(console: Console, otto: Browser, reason: str) -> None:
    file_and_accept(console.office)
    answer = otto.post(f"/appeals/{REFERENCE}/decide", ruling="deny", reason=reason)
    assert "reason" in problem_of(answer.text)
    assert appeal_state(console.office) is AppealState.IN_FORCE


# Evidence.


def test_evidence_is_attached_downloaded_and_removed(console: Console, otto: Browser) -> None:
    file(console.office)
    assert upload(otto, b"a,b\n1,2\n", name="call records.csv").status_code == 303
    otto.done(f"/appeals/{REFERENCE}/evidence", text="They said so.", name="")
    page = otto.text(f"/appeals/{REFERENCE}")
    assert "call records.csv" in page
    assert "otto (console)" in page
    fetched = otto.get(f"/appeals/{REFERENCE}/evidence/1")
    assert fetched.content == b"a,b\n1,2\n"
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert fetched.headers["content-disposition"] == f'attachment; filename="{REFERENCE}-1-call_records.csv"'
    assert fetched.headers["x-content-type-options"] == "nosniff"
    downloaded = console.office.read(audit_rows)[0]
    assert (downloaded.who, downloaded.what) == ("otto (console)", "appeal evidence download")
    assert downloaded.name == f"{REFERENCE} call records.csv"
    assert otto.get(f"/appeals/{REFERENCE}/evidence/2").content == b"They said so."
    otto.done(f"/appeals/{REFERENCE}/evidence/remove", place="1")
    assert [attachment.place for attachment in console.office.read(attachments_of, REFERENCE)] == [2]
    assert otto.get(f"/appeals/{REFERENCE}/evidence/1").status_code == 404


def test_size_and_number_of_files_are_limited(console: Console, otto: Browser) -> None:
    file(console.office)
    assert upload(otto, b"x" * ATTACHMENT_BYTES).status_code == 303
    assert "larger than 1 MB" in problem_of(upload(otto, b"y" * (ATTACHMENT_BYTES + 1)).text)
    assert upload(otto, b"z" * (2 * ATTACHMENT_BYTES)).status_code == 413
    for n in range(ATTACHMENTS - 1):
        assert upload(otto, f"{n}".encode()).status_code == 303
    assert "at most 10" in problem_of(upload(otto, b"one more").text)


def test_hostile_file_names_are_sanitised(console: Console, otto: Browser) -> None:
    file(console.office)
    for place, name in enumerate(HOSTILE[:9], 1):
        console.office.write(attach, REFERENCE, NewAttachment(name, f"{place}".encode(), "joe"), NOW)
    for place in range(1, 10):
        header = otto.get(f"/appeals/{REFERENCE}/evidence/{place}").headers["content-disposition"]
        assert re.fullmatch(rf'attachment; filename="{REFERENCE}-{place}-[A-Za-z0-9._-]+"', header), header


def test_another_appeal_cannot_be_reached_by_guessing(console: Console, otto: Browser) -> None:
    file(console.office)
    file(console.office, "AP9E4101", number="+12015550124")
    console.office.write(attach, REFERENCE, NewAttachment("x", b"secret", "joe"), NOW)
    for path in (
        "AP9E4101/evidence/1",
        "ZZZZZZZZ",
        "ZZZZZZZZ/evidence/1",
        "ap9e4100",
        "..%2fAP9E4100",
        "%00",
        "AP9E4100x",
    ):
        assert otto.get(f"/appeals/{path}").status_code == 404, path
    for place in ("0", "-1", "1.0", "x", "1 OR 1=1", "99999", "٣"):
        assert otto.get(f"/appeals/{REFERENCE}/evidence/{place}").status_code == 404, place
        assert otto.post(f"/appeals/{REFERENCE}/evidence/remove", place=place).status_code == 404, place
    for path in ("accept", "withdraw", "code", "prove", "undo"):
        assert otto.post(f"/appeals/ZZZZZZZZ/{path}", code="1").status_code == 404
    assert console.browser("viewer").get(f"/appeals/{REFERENCE}/evidence/1").status_code == 403
    assert console.office.read(audit_rows) == []


def test_hostile_text_is_escaped(console: Console, otto: Browser) -> None:
    plain = otto.text("/appeals")
    for place, text in enumerate(HOSTILE):
        shown = "".join(filter(str.isprintable, text.encode("utf-8", "replace").decode()))[:150].strip() or "x"
        reference = f"AP00{place:04d}"
        number = f"+1201555{place:04d}"
        file(console.office, reference, number=number, name=shown, contact=shown, statement=text[:3000])
        console.office.write(attach, reference, NewAttachment(shown, b"x", shown), NOW)
        console.office.write(take_step, reference, AppealStep.WITHDRAW, NOW, shown)
        page = otto.text(f"/appeals/{reference}")
        assert page.count("<script") == plain.count("<script"), text
        assert "<img" not in page, text
        assert "<b>" not in page, text
    page = otto.text("/appeals")
    assert page.count("<script") == plain.count("<script")
    assert "<img" not in page
