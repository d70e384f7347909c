"""The page of the digest: what each role sees, and the click that puts right what was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.model import AuthClass, Challenged, ChallengeResult
from reputation.own.suspicion import Network, Suspicion
from reputation.store.evidence import settle_challenge
from reputation.store.lists import Contact, add_contacts, list_entries
from reputation.store.own_health import record_suspicions
from reputation.store.own_labels import LabelCheck, put_label_check
from tests.callsieve.browsing import NOW, Console, Office
from tests.callsieve.console_calls import CALLER, DID, add_calls, make_decision

TODAY = "/digest/2025-12-29"
OWN = "+12025550100"
MACHINE, PASSED = "+12015550177", "+12015550178"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    office = Office(tmp_path)
    add_calls(office, make_decision(at=NOW - 600), make_decision("7KQ2M4XB", at=NOW - 500, caller=None))
    office.write(add_contacts, "crm", [Contact(CALLER, "Carol", "201")])
    with office.console() as console:
        yield console


def test_an_operator_allows_with_one_click(console: Console) -> None:
    operator = console.browser("operator")
    page = operator.text(TODAY)
    assert f"/numbers/{CALLER.replace('+', '%2B')}/allow" in page
    answer = operator.done(f"/numbers/{CALLER}/allow", back=TODAY, note="wanted")
    assert answer.status_code == 200
    assert [entry.first for entry in console.office.read(list_entries)] == [CALLER]


def test_a_stranger_who_failed_and_left_a_message_is_let_through_with_one_click(console: Console) -> None:
    """Preset `strangers`; who passed rang, and is no mistake."""
    for number, result in ((MACHINE, ChallengeResult.MESSAGE), (PASSED, ChallengeResult.PASSED)):
        asked = make_decision(f"A{number[-7:]}", at=NOW - 300, caller=number, rule="stranger", level="none")
        add_calls(console.office, asked)
        did = Challenged(number, AuthClass.UNKNOWN, DID, result, NOW - 301, asked.linkedid)
        console.office.write(settle_challenge, did)
    operator = console.browser("operator")
    page = operator.text(TODAY)
    way = f"/numbers/{MACHINE.replace('+', '%2B')}/allow"
    assert (page.count(way), PASSED in page) == (1, False)
    assert operator.done(way, back=TODAY, note="wanted").status_code == 200
    assert [entry.first for entry in console.office.read(list_entries)] == [MACHINE]


def test_a_viewer_sees_no_number_and_no_button(console: Console) -> None:
    page = console.browser("viewer").text(TODAY)
    assert CALLER not in page
    assert "/allow" not in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/digest", 200, id="yesterday"),
        pytest.param("/digest/2025-12-28", 200, id="without-calls"),
        pytest.param("/digest/2025-12-30", 404, id="to-come"),
        pytest.param("/digest/2025-13-30", 404, id="no-day"),
        pytest.param("/digest/2025-12-28x", 404, id="more-than-a-day"),
        pytest.param("/digest/0001-01-01", 404, id="long-ago"),
    ],
)
def test_days(console: Console, path: str, status: int) -> None:
    assert console.browser("viewer").get(path).status_code == status


def test_the_page_leads_to_the_days_beside_it(console: Console) -> None:
    page = console.browser("viewer").text("/digest/2025-12-28")
    assert 'href="/digest/2025-12-27"' in page
    assert 'href="/digest/2025-12-29"' in page
    assert 'href="/digest/2025-12-30"' not in console.browser("viewer").text(TODAY)


def test_a_suspected_mark_and_a_look_that_is_due_are_there(console: Console) -> None:
    found = Suspicion(Network("US"), "answered", 0.41, 0.18, 900, 300, 0.9991)
    console.office.write(record_suspicions, OWN, [found], NOW - 600)
    console.office.write(put_label_check, LabelCheck(OWN, "Hiya", NOW - 86_400, "", next_at=NOW))
    page = console.browser("operator").text(TODAY)
    assert "US: 18% of the calls in the last 7 days were answered" in page
    assert "check again what Hiya shows" in page
    assert OWN not in console.browser("viewer").text(TODAY)
