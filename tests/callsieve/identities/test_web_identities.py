"""Codes of identities in the browser: shown once, audited, and refused beside the form."""

from __future__ import annotations

import re

import pytest

from reputation.appeals import ProofAnswer
from reputation.store.audit import audit_rows
from reputation.store.public_appeals import code_of, name_for, try_code
from tests.callsieve.browsing import NOW, Browser, Console, problem_of

NUMBER = "+12015550123"


@pytest.fixture
def otto(console: Console) -> Browser:
    return console.browser("operator")


def test_code_is_shown_once_and_is_valid(console: Console, otto: Browser) -> None:
    page = otto.post("/identities/code", code_number="201-555-0123", code_name="Lift 3").text
    [first, last] = re.findall(r'<strong class="mono">(\d{3}) (\d{3})</strong>', page)[0]
    assert console.office.read(name_for, NUMBER) == "Lift 3"
    assert [(row.what, row.number) for row in console.office.read(audit_rows)] == [("identity code", NUMBER)]
    assert f"{first} {last}" not in otto.get("/identities").text
    assert console.office.write(try_code, NUMBER, first + last, NOW) is ProofAnswer.RIGHT


def test_invalid_number_gets_no_code(console: Console, otto: Browser) -> None:
    answer = otto.post("/identities/code", code_number="x")
    assert (answer.status_code, bool(problem_of(answer.text))) == (422, True)
    assert console.office.read(code_of, NUMBER) is None
