"""The statement that a number was cleared: signed, printable, and checked by whoever is shown it."""

from __future__ import annotations

import json

import pytest

from callsieve.appeals import operations
from callsieve.appeals.operations import RulingRequest
from callsieve.changes.operation import Context, Refused
from callsieve.signing.keys import KEY_FILE, signing_key
from callsieve.signing.statements import verify
from reputation.appeals import AppealState, AppealStep
from reputation.store.appeals import all_appeals, appeal_of, put_back, take_step
from reputation.users import Role
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.pages import ADDRESS, Stranger, text_of

REFERENCE = "7KQ2M4XA"
DAY = 86_400.0


@pytest.fixture
def path(stranger: Stranger, office: Office) -> str:
    add_calls(office, make_decision(REFERENCE))
    path = stranger.filed(REFERENCE).partition("?")[0]
    (appeal,) = office.read(all_appeals)
    office.write(take_step, appeal.reference, AppealStep.ACCEPT, NOW)
    return path


def rule(office: Office, upheld: bool) -> None:
    (appeal,) = office.read(all_appeals)
    context = Context("otto", Role.OPERATOR, NOW, office.load())
    request = RulingRequest(appeal.reference, "uphold" if upheld else "deny", "A parcel service: 包裹.")
    office.write(operations.decide, context, request)


def test_upheld_appeal_gets_a_signed_statement(stranger: Stranger, office: Office, path: str) -> None:
    rule(office, True)
    answer = stranger.get(f"{path}/cleared.json")
    statement = verify(answer.content, signing_key(office.state).public_key)
    assert (statement.kind, statement.issuer, statement.issued_at) == ("number-cleared", "Example Ltd", NOW)
    assert statement.valid_until == NOW + 365 * DAY
    assert (statement.about["number"], statement.about["proven"]) == (CALLER, False)
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_statement_can_be_printed(stranger: Stranger, office: Office, path: str, language: str) -> None:
    rule(office, True)
    text = stranger.get(f"{path}/cleared.html?lang={language}").text
    assert CALLER in text
    assert text.count("<svg") == 1
    assert ("声明" in text) == (language == "zh")
    assert "/cleared/" in text


@pytest.mark.parametrize("kind", ["json", "html"])
def test_no_statement_before_or_against_the_ruling(stranger: Stranger, office: Office, path: str, kind: str) -> None:
    assert stranger.get(f"{path}/cleared.{kind}").status_code == 404
    rule(office, False)
    assert stranger.get(f"{path}/cleared.{kind}").status_code == 404


def test_check_link_shows_whether_the_statement_is_valid(stranger: Stranger, office: Office, path: str) -> None:
    (before,) = office.read(all_appeals)
    rule(office, True)
    link = json.loads(stranger.get(f"{path}/cleared.json").text)["statement"]["about"]["check"]
    assert link.startswith(f"{ADDRESS}/cleared/{before.reference}/")
    check = link.removeprefix(ADDRESS)
    assert CALLER in text_of(stranger.get(check))
    office.write(put_back, before)
    assert office.read(appeal_of, before.reference) == before
    page = text_of(stranger.get(check))
    assert "No longer valid" in page
    assert CALLER not in page


def test_statement_is_invalid_after_a_year(stranger: Stranger, office: Office, path: str) -> None:
    rule(office, True)
    link = json.loads(stranger.get(f"{path}/cleared.json").text)["statement"]["about"]["check"]
    office.clock.now = NOW + 365 * DAY
    assert "No longer valid" in text_of(stranger.get(link.removeprefix(ADDRESS)))


def test_guessed_check_link_is_not_found(stranger: Stranger, office: Office, path: str) -> None:
    rule(office, True)
    (appeal,) = office.read(all_appeals)
    for proof in ("0" * 32, "x", "%00"):
        assert stranger.get(f"/cleared/{appeal.reference}/{proof}").status_code == 404


def test_public_page_works_without_the_signing_key(stranger: Stranger, office: Office, path: str) -> None:
    """It is signed with the ruling: whoever takes over the process that strangers reach signs nothing."""
    rule(office, True)
    (office.state / KEY_FILE).unlink()
    link = json.loads(stranger.get(f"{path}/cleared.json").text)["statement"]["about"]["check"]
    assert CALLER in text_of(stranger.get(link.removeprefix(ADDRESS)))
    assert stranger.get(f"{path}/cleared.html").status_code == 200
    assert not (office.state / KEY_FILE).exists()


def test_second_ruling_keeps_the_check_link(stranger: Stranger, office: Office, path: str) -> None:
    (before,) = office.read(all_appeals)
    texts = []
    for _ in range(2):
        rule(office, True)
        texts.append(json.loads(stranger.get(f"{path}/cleared.json").text)["statement"]["about"]["check"])
        office.write(put_back, before)
        assert stranger.get(f"{path}/cleared.json").status_code == 404
    assert texts[0] == texts[1]


def test_ruling_without_a_usable_key_is_refused(office: Office, path: str) -> None:
    """An owner would else be right, and have nothing to show for it."""
    (office.state / KEY_FILE).write_text("no key")
    with pytest.raises(Refused) as refused:
        rule(office, True)
    assert refused.value.code == "no-signing-key"
    assert str(office.state / KEY_FILE) in str(refused.value)
    (appeal,) = office.read(all_appeals)
    assert appeal.state is AppealState.IN_FORCE


def test_appeal_filed_by_telephone_has_no_statement(office: Office) -> None:
    filed = operations.AppealRequest("+12015550177", "Carol", "carol@example.com")
    context = Context("otto", Role.OPERATOR, NOW, office.load())
    appeal = office.write(operations.file, context, filed).appeal
    office.write(take_step, appeal.reference, AppealStep.ACCEPT, NOW)
    office.write(operations.decide, context, RulingRequest(appeal.reference, "uphold", "It is right."))
    assert not (office.state / KEY_FILE).exists()
