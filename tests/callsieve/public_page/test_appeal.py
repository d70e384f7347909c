"""From a reference to the status of an appeal, and what the console shows of it."""

from __future__ import annotations

import re

import pytest

from reputation.appeals import AppealState, AppealStep, ProofAnswer
from reputation.model import AuthClass
from reputation.store.appeals import AppealRuling, all_appeals, decide, prove_by_call, take_step
from reputation.store.audit import audit_rows
from reputation.store.housekeeping import expire
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.pages import ADDRESS, Stranger, text_of

REFERENCE = "7KQ2M4XA"
DAY = 86_400.0


@pytest.fixture(autouse=True)
def call(office: Office) -> None:
    add_calls(office, make_decision(REFERENCE))


def test_appeal_is_filed_by_reference_and_shows_its_status(stranger: Stranger, office: Office) -> None:
    form = stranger.post("/reference", reference=" 7kq2m4xa ")
    assert form.status_code == 200
    assert CALLER not in form.text
    status = stranger.get(stranger.filed(REFERENCE))
    (appeal,) = office.read(all_appeals)
    assert (appeal.number, appeal.state, appeal.decision_id) == (CALLER, AppealState.OPEN, REFERENCE)
    assert status.status_code == 200
    assert appeal.reference in status.text
    assert f"{ADDRESS}/status/" in status.text
    assert CALLER not in status.text
    assert [(row.who, row.what) for row in office.read(audit_rows)][:1] == [("public", "appeal open")]


def test_status_page_follows_the_appeal(stranger: Stranger, office: Office) -> None:
    path = stranger.filed(REFERENCE)
    (appeal,) = office.read(all_appeals)
    office.write(take_step, appeal.reference, AppealStep.ACCEPT, NOW)
    assert "in force" in text_of(stranger.get(path))
    office.write(decide, appeal.reference, AppealRuling(False, "Forty people complained."), NOW + DAY)
    office.clock.now = NOW + 2 * DAY
    assert "Forty people complained." in text_of(stranger.get(path))


def test_link_of_a_sip_answer_prefills_the_reference(stranger: Stranger) -> None:
    """It is looked up by nobody: who follows a link of any reference learns nothing."""
    for reference, shown in ((REFERENCE.lower(), REFERENCE), ("ZZZZZZZZ", "ZZZZZZZZ"), ("%3Cscript%3E", "")):
        page = stranger.get(f"/r/{reference}")
        assert page.status_code == 200
        assert f'name="reference" value="{shown}"' in page.text


def test_company_is_published_as_a_jcard(stranger: Stranger) -> None:
    answer = stranger.get("/card.json")
    assert answer.headers["content-type"] == "application/vcard+json"
    kind, fields = answer.json()
    assert kind == "vcard"
    assert [(field[0], field[3]) for field in fields] == [
        ("version", "4.0"),
        ("fn", "Example Ltd"),
        ("kind", "org"),
        ("url", ADDRESS),
        ("email", "appeals@example.org"),
    ]


def test_page_is_available_in_chinese(stranger: Stranger) -> None:
    assert 'lang="zh-Hans"' in stranger.get("/", **{"accept-language": "zh-CN,zh;q=0.9"}).text
    answer = stranger.get("/?lang=zh").text
    assert "编号" in answer


def test_unproven_appeal_is_deleted_after_a_week(stranger: Stranger, office: Office) -> None:
    path = stranger.filed(REFERENCE)
    office.write(expire, NOW + 6 * DAY)
    assert stranger.get(path).status_code == 200
    office.write(expire, NOW + 7 * DAY + 1)
    assert stranger.get(path).status_code == 404
    assert office.read(all_appeals) == []


def test_accepted_appeal_is_kept(stranger: Stranger, office: Office) -> None:
    path = stranger.filed(REFERENCE)
    (appeal,) = office.read(all_appeals)
    office.write(take_step, appeal.reference, AppealStep.ACCEPT, NOW)
    office.write(expire, NOW + 30 * DAY)
    assert stranger.get(path).status_code == 200


def test_console_shows_that_the_appeal_came_by_the_public_page(stranger: Stranger, office: Office) -> None:
    stranger.filed(REFERENCE)
    (appeal,) = office.read(all_appeals)
    with office.console() as console:
        operator = console.browser("operator")
        assert "from the public page" in operator.text("/appeals")
        assert "from the public page" in operator.text(f"/appeals/{appeal.reference}")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"name": " "}, "enter the name of the person who appeals", id="nobody"),
        pytest.param({"contact": "a\nb"}, "one line each", id="two-lines"),
        pytest.param({"statement": "x" * 2001}, "2,000 characters", id="long"),
    ],
)
def test_refused_form_keeps_the_typed_values(
    stranger: Stranger, office: Office, fields: dict[str, str], said: str
) -> None:
    typed = {"name": "Carol", "contact": "carol@example.com", "statement": "parcels", **fields}
    answer = stranger.post("/appeal", reference=REFERENCE, **typed)
    assert answer.status_code == 422
    assert said in text_of(answer).lower()
    assert REFERENCE in answer.text
    assert office.read(all_appeals) == []


def test_the_code_of_the_status_page_is_shown_once(stranger: Stranger, office: Office) -> None:
    path = stranger.filed(REFERENCE).partition("?")[0]
    page = stranger.post(f"{path}/code")
    found = re.search(r'class="mono">(\d{3}) (\d{3})<', page.text)
    assert found
    assert "+442071838753" in page.text
    assert 'class="mono"' not in stranger.get(path).text
    code = found[1] + found[2]
    assert office.write(prove_by_call, CALLER, code, NOW + 60, AuthClass.UNKNOWN) is ProofAnswer.RIGHT
    assert "did not sign" in text_of(stranger.get(path))
    (appeal,) = office.read(all_appeals)
    with office.console() as console:
        assert "the number can be forged" in console.browser("operator").text(f"/appeals/{appeal.reference}")
    again = re.search(r'class="mono">(\d{3}) (\d{3})<', stranger.post(f"{path}/code").text)
    assert again
    office.write(prove_by_call, CALLER, again[1] + again[2], NOW + 90, AuthClass.AUTHENTICATED)
    assert "The appeal is in force" in text_of(stranger.get(path))
    assert stranger.post(f"{path}/code").status_code == 422


@pytest.mark.parametrize(("language", "said"), [("en", "How many marks"), ("zh", "标记")])
def test_effect_of_marks_is_published(stranger: Stranger, language: str, said: str) -> None:
    answer = stranger.get(f"/marks?lang={language}")
    assert answer.status_code == 200
    assert said in answer.text
    policy = answer.headers["content-security-policy"]
    assert "sha256-" in policy
    assert "script-src" not in policy
    assert "/marks" in stranger.get("/").text
