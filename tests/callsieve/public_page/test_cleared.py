"""The statement that a number was cleared: signed, printable, and checked by whoever is shown it."""

from __future__ import annotations

import io
import json

import pytest
from pypdf import PdfReader

from callsieve.signing.keys import signing_key
from callsieve.signing.statements import verify
from reputation.appeals import AppealStep
from reputation.store.appeals import AppealRuling, all_appeals, appeal_of, decide, put_back, take_step
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
    office.write(decide, appeal.reference, AppealRuling(upheld, "A parcel service: 包裹."), NOW)


def test_who_was_right_gets_a_signed_statement(stranger: Stranger, office: Office, path: str) -> None:
    rule(office, True)
    answer = stranger.get(f"{path}/cleared.json")
    statement = verify(answer.content, signing_key(office.state).public_key)
    assert (statement.kind, statement.issuer, statement.issued_at) == ("number-cleared", "Example Ltd", NOW)
    assert statement.valid_until == NOW + 365 * DAY
    assert (statement.about["number"], statement.about["proven"]) == (CALLER, False)
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_can_be_printed(stranger: Stranger, office: Office, path: str, language: str) -> None:
    rule(office, True)
    answer = stranger.get(f"{path}/cleared.pdf?lang={language}")
    text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    assert CALLER in text
    assert ("声明" in text) == (language == "zh")
    assert "/cleared/" in text


@pytest.mark.parametrize("kind", ["json", "pdf"])
def test_nobody_else_gets_one(stranger: Stranger, office: Office, path: str, kind: str) -> None:
    assert stranger.get(f"{path}/cleared.{kind}").status_code == 404
    rule(office, False)
    assert stranger.get(f"{path}/cleared.{kind}").status_code == 404


def test_the_link_says_whether_it_still_stands(stranger: Stranger, office: Office, path: str) -> None:
    (before,) = office.read(all_appeals)
    rule(office, True)
    link = json.loads(stranger.get(f"{path}/cleared.json").text)["statement"]["about"]["check"]
    assert link.startswith(f"{ADDRESS}/cleared/{before.reference}/")
    check = link.removeprefix(ADDRESS)
    assert CALLER in text_of(stranger.get(check))
    office.write(put_back, before)
    assert office.read(appeal_of, before.reference) == before
    page = text_of(stranger.get(check))
    assert "does not stand" in page
    assert CALLER not in page


def test_it_does_not_stand_after_a_year(stranger: Stranger, office: Office, path: str) -> None:
    rule(office, True)
    link = json.loads(stranger.get(f"{path}/cleared.json").text)["statement"]["about"]["check"]
    office.clock.now = NOW + 365 * DAY
    assert "does not stand" in text_of(stranger.get(link.removeprefix(ADDRESS)))


def test_a_guessed_link_shows_nothing(stranger: Stranger, office: Office, path: str) -> None:
    rule(office, True)
    (appeal,) = office.read(all_appeals)
    for proof in ("0" * 32, "x", "%00"):
        assert stranger.get(f"/cleared/{appeal.reference}/{proof}").status_code == 404
