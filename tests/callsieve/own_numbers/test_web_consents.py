"""Consent in the browser: noted, refused, taken back and undone; and copies of registers with their age."""

from __future__ import annotations

import sqlite3

import pytest

from policies.reasons import OutboundReason, Why
from reputation.own.outbound_types import OutboundRecord
from reputation.store.outbound import record_outbound
from reputation.store.registers import Consent, add_numbers, begin_copy, consent_of, put_in_force
from tests.callsieve.browsing import NOW, Browser, Console, Office, problem_of, undo_of
from tests.reputation.store_builders import DAY

PAGE, CALLED = "/own/consents", "+12017421834"


@pytest.fixture
def otto(console: Console) -> Browser:
    return console.browser("operator")


def test_consent_is_recorded_removed_and_restored(console: Console, office: Office, otto: Browser) -> None:
    assert "No consent is recorded." in otto.text(PAGE)
    page = otto.done(f"{PAGE}/add", number="201-742-1834", proof=" contract 12 ", at="", until="", note="").text
    noted = office.read(consent_of, CALLED)
    assert noted is not None
    assert (noted.proof, noted.at, noted.until) == ("contract 12", NOW, None)
    assert "contract 12" in page
    page = otto.done(f"{PAGE}/remove", number=CALLED).text
    assert office.read(consent_of, CALLED) is None
    otto.done(f"{PAGE}/undo", id=undo_of(page))
    assert office.read(consent_of, CALLED) == noted


def test_a_consent_without_proof_is_refused(office: Office, otto: Browser) -> None:
    answer = otto.post(f"{PAGE}/add", number=CALLED, proof=" ", at="", until="", note="by phone")
    assert answer.status_code == 422
    assert problem_of(answer.text)
    assert "by phone" in answer.text
    assert office.read(consent_of, CALLED) is None


def test_old_register_copy_is_shown_as_too_old(office: Office, otto: Browser) -> None:
    def fill(db: sqlite3.Connection) -> None:
        copy = begin_copy(db, "us-dnc", "US", "dnc.txt", NOW - 32 * DAY, NOW)
        put_in_force(db, copy, "abc", add_numbers(db, copy, [CALLED]))

    office.write(fill)
    page = otto.text(PAGE)
    assert "us-dnc" in page
    assert "too old" in page


def test_ended_consent_is_shown_as_over() -> None:
    assert Consent(CALLED, NOW - DAY, NOW).is_over(NOW)
    assert not Consent(CALLED, NOW - DAY, NOW + 1).is_over(NOW)


def test_the_day_of_the_outbound_guard_names_rules_and_sources(office: Office, otto: Browser) -> None:
    why = Why(OutboundReason.BAD_HOURS_BY, {"law": "47 CFR 64.1200"})
    about = (NOW, "1.1", CALLED, 20614, "+442071838750", "201", "hold", "hold", "hours", why.kept, NOW + 60, 1.0)
    office.write(record_outbound, [OutboundRecord("AAAAAAA1", *about)])
    page = otto.text("/own/outbound")
    assert "47 CFR 64.1200" in page
    assert f"/numbers/{CALLED.replace('+', '%2B')}" in page
    printed = otto.text("/own/outbound/page")
    assert "47 CFR 64.1200" in printed
    assert CALLED not in printed
    assert problem_of(otto.get("/own/outbound?day=soon").text)
