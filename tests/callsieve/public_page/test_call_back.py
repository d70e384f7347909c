"""The owner of a number asks to be called: what the page says, what it asks the helper, and what a code is worth."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.web.throttle import CALLS_A_DAY
from reputation.appeals import AppealState, KeyedCode, ProofAnswer
from reputation.site_names import new_id
from reputation.store.appeals import all_appeals, prove_by_call, prove_keyed
from reputation.store.identities import identity_of
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.call_back.helping import call_files, helper_process, make_spool, settings_text
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.pages import SETTINGS, Stranger, page_of, text_of

REFERENCE = "7KQ2M4XA"
FOREIGN = "+18095551234"
SHOWN = re.compile(r'class="mono">(\d{3}) (\d{3})<')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_spool(tmp_path / "helper" / "spool")
    return tmp_path / "helper"


@pytest.fixture
def office(tmp_path: Path, folder: Path) -> Office:
    office = Office(tmp_path, f'{SETTINGS}call_back = "{folder}/door"\n')
    add_calls(office, make_decision(REFERENCE))
    return office


@pytest.fixture
def helper(folder: Path) -> Iterator[Path]:
    """Yields the spool."""
    with helper_process(folder, settings_text(folder / "spool")):
        yield folder / "spool"


def asked(stranger: Stranger, reference: str = REFERENCE) -> tuple[str, str]:
    """The status page after a call was asked for, and its path."""
    path = stranger.filed(reference).partition("?")[0]
    answer = stranger.post(f"{path}/call")
    return answer.text, path


def ticket_in(spool: Path) -> str:
    [file] = call_files(spool)
    found = re.search(r"CALLSIEVE_TICKET=(\d+)", file.read_text())
    assert found
    return found[1]


def test_keying_the_code_proves_control_of_the_number(stranger: Stranger, office: Office, helper: Path) -> None:
    text, path = asked(stranger)
    found = SHOWN.search(text)
    assert found
    code, ticket = found[1] + found[2], ticket_in(helper)
    assert CALLER not in text
    assert ticket not in text
    assert not SHOWN.search(stranger.get(path).text), "it is shown once"

    def keyed(db: sqlite3.Connection, code: str, ticket: str) -> ProofAnswer:
        return prove_keyed(db, KeyedCode(CALLER, code, ticket=ticket), NOW + 30)

    assert office.write(prove_by_call, CALLER, code, NOW + 10) is ProofAnswer.NONE, "calling in with it proves nothing"
    assert office.write(keyed, code, "0" * 12) is ProofAnswer.WRONG, "nor does another call"
    assert office.write(keyed, code, ticket) is ProofAnswer.RIGHT
    assert office.write(keyed, code, ticket) is not ProofAnswer.RIGHT, "a code is used once"
    (appeal,) = office.read(all_appeals)
    assert (appeal.state, appeal.proven) == (AppealState.IN_FORCE, True)
    assert office.read(identity_of, CALLER) is not None
    assert "The appeal is in force" in text_of(stranger.get(path))
    assert stranger.post(f"{path}/call").status_code == 422, "nothing is to be proven any more"


def test_no_code_is_shown_if_the_call_helper_is_down(stranger: Stranger) -> None:
    text, path = asked(stranger)
    assert "could not be placed" in text
    assert not SHOWN.search(text)
    assert "/code" in stranger.get(path).text, "calling in is still offered"


def test_number_that_is_never_called_gets_its_own_message(stranger: Stranger, office: Office, helper: Path) -> None:
    add_calls(office, make_decision("7KQ2M4XB", caller=FOREIGN))
    text, _ = asked(stranger, "7KQ2M4XB")
    assert "of this kind or country" in text
    assert not SHOWN.search(text)
    assert call_files(helper) == []


def test_repeated_requests_place_one_call(stranger: Stranger, helper: Path) -> None:
    _, path = asked(stranger)
    codes = [stranger.post(f"{path}/call").status_code for _ in range(CALLS_A_DAY)]
    assert codes == [422] * (CALLS_A_DAY - 1) + [429]
    assert len(call_files(helper)) == 1


def test_toll_fraud_by_appeals_places_no_call(office: Office, helper: Path) -> None:
    """Calls that showed premium and foreign numbers, each held, each appealed, each asked to be called back."""
    fraud = ["+19005551234", "+12129761234", "+18765551234", "+881612345678", "+449061234567", "+25261234567"]
    for n, number in enumerate(fraud):
        reference = new_id()
        add_calls(office, make_decision(reference, caller=number))
        with page_of(office, f"192.0.2.{n + 10}") as stranger:
            text, _ = asked(stranger, reference)
        assert "of this kind or country" in text
    assert call_files(helper) == []


@pytest.mark.parametrize(("language", "said"), [("en", "Call the number"), ("zh", "拨打该号码")])
def test_call_back_is_offered_if_enabled(stranger: Stranger, language: str, said: str) -> None:
    path = stranger.filed(REFERENCE).partition("?")[0]
    assert said in stranger.get(f"{path}?lang={language}").text


def test_disabled_call_back_places_no_call(tmp_path: Path, folder: Path, helper: Path) -> None:
    (tmp_path / "off").mkdir()
    office = Office(tmp_path / "off", SETTINGS)
    add_calls(office, make_decision(REFERENCE))
    with page_of(office) as stranger:
        path = stranger.filed(REFERENCE).partition("?")[0]
        assert f"{path}/call" not in stranger.get(path).text
        assert stranger.post(f"{path}/call").status_code == 422
    assert call_files(helper) == []
