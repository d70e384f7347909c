"""Screening off and on, on the console: with a reason and an end, and who did it on every page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.changes.describe import value_of_side
from callsieve.pbx.cli_client import FOR_EVER
from reputation.store.audit import audit_rows
from tests.callsieve.api.serving import ASTERISK
from tests.callsieve.browsing import NOW, SETTINGS, Console, Office, changes_of

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    asterisk = tmp_path / "asterisk"
    asterisk.write_text(ASTERISK)
    asterisk.chmod(0o755)
    office = Office(tmp_path, SETTINGS.replace("callsieve-has-no-asterisk-here", str(asterisk)))
    with office.console() as console:
        yield console


def off_in_asterisk(console: Console) -> str:
    file = console.office.folder / "asterisk.off"
    return file.read_text().strip() if file.exists() else ""


def test_screening_is_off_until_its_end_or_switched_on(console: Console) -> None:
    ada = console.browser("administrator")
    page = ada.done("/screening/off", **{"for": "1h"}, reason=HOSTILE, back="/settings").text
    assert off_in_asterisk(console) == f"Value: {int(NOW) + 3600}"
    assert HOSTILE not in page
    (row,) = console.office.read(audit_rows)
    assert value_of_side(row.after) == {"until": "2025-12-29T10:20:00Z", "reason": HOSTILE}
    ada.done("/screening/on", back="/settings")
    assert off_in_asterisk(console) == ""
    assert [what for what, _, _ in changes_of(console.office)] == ["on", "off"]


def test_screening_without_an_end_stays_off(console: Console) -> None:
    console.browser("administrator").done("/screening/off", **{"for": ""}, reason="")
    assert off_in_asterisk(console) == f"Value: {FOR_EVER}"


@pytest.mark.parametrize(
    "wrong", [{"for": "soon"}, {"for": "1h", "reason": "a\nb"}, {"for": "1h", "reason": "x" * 300}]
)
def test_bad_form_switches_nothing(console: Console, wrong: dict[str, str]) -> None:
    answer = console.browser("administrator").post("/screening/off", **wrong)
    assert answer.status_code == 422
    assert off_in_asterisk(console) == ""
    assert changes_of(console.office) == []


def test_only_administrators_switch_screening(console: Console) -> None:
    for path in ("/screening/off", "/screening/on"):
        assert console.browser("operator").post(path).status_code == 403


def test_every_page_shows_who_switched_off_and_until_when(console: Console) -> None:
    console.office.clock.now = time.time()  # whether calls are screened is found out by the clock of the machine
    ada = console.browser("administrator")
    ada.done("/screening/off", **{"for": "1h"}, reason=HOSTILE)
    console.wait_for_health()
    page = ada.text("/account")
    assert 'class="pill p-off' in page
    assert "(ada)" in page.partition('id="screening"')[2].partition("</a>")[0]
    assert 'action="/screening/on"' in page
    assert 'action="/screening/on"' not in console.browser("operator").text("/account")
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
