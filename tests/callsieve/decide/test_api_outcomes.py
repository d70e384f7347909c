"""`POST /outcomes`: outcomes of another switch are recorded like Asterisk's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsieve.decide.call_facts import linkedid_of
from callsieve.wiring import people_of
from reputation.encoding import instant_text
from reputation.model import CallerKind, SignalCategory
from reputation.outcome import OutcomeRecord
from reputation.store.outcomes import outcome_of, settle_outcomes
from reputation.store.people import replace_settings_people
from reputation.store.site import latest_emergency
from reputation.users import Role
from tests.callsieve.asking import ApiOffice, Program, RunningApi
from tests.callsieve.browsing import NOW
from tests.callsieve.console_calls import make_decision
from tests.office import CALLER

CALL_ID = "a84b4c76@192.0.2.1"
INBOUND: dict[str, Any] = {
    "call_id": CALL_ID,
    "disposition": "answered",
    "caller": CALLER,
    "did": "+442071838750",
    "trunk": "carrier",
    "answered_by": "201",
    "rang": ["201"],
    "ring_seconds": 4,
    "talk_seconds": 95,
    "ended_by": "caller",
}


@pytest.fixture
def office(tmp_path: Path) -> ApiOffice:
    return ApiOffice(tmp_path)


@pytest.fixture
def api(office: ApiOffice) -> Iterator[RunningApi]:
    with office.api() as running:
        yield running


@pytest.fixture
def switch(api: RunningApi) -> Program:
    return api.program(Role.OPERATOR)


def add_decision_of_call(office: ApiOffice, **more: Any) -> None:
    call = {"linkedid": linkedid_of(CALL_ID), "at": NOW - 100, "caller": CALLER, "action": "allow"}
    office.add_decisions(make_decision(**{**call, **more}))


def recorded_outcome(office: ApiOffice) -> OutcomeRecord:
    found = office.read(outcome_of, linkedid_of(CALL_ID))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("more", "signal"),
    [
        pytest.param({}, SignalCategory.LONG_TALK, id="long-talk"),
        pytest.param({"talk_seconds": 2, "ended_by": "callee"}, SignalCategory.HUNG_UP_ON, id="hung-up-on"),
        pytest.param({"talk_seconds": 20}, None, id="neither"),
        pytest.param(
            {"disposition": "no-answer", "answered_by": None, "talk_seconds": 0, "ring_seconds": 2},
            SignalCategory.ONE_RING,
            id="one-ring",
        ),
        pytest.param(
            {"disposition": "no-answer", "answered_by": None, "talk_seconds": 0, "voicemail_left": True},
            SignalCategory.VOICEMAIL,
            id="voicemail",
        ),
        pytest.param(
            {"disposition": "no-answer", "answered_by": None, "talk_seconds": 0, "rang": []}, None, id="no-phone-rang"
        ),
    ],
)
def test_outcome_of_a_decided_call_gives_a_signal(
    office: ApiOffice, switch: Program, more: dict[str, Any], signal: SignalCategory | None
) -> None:
    add_decision_of_call(office)
    told = switch.done("POST", "/outcomes", {**INBOUND, **more})
    assert told == {"recorded": True, "signal": signal and signal.value}


def test_outcome_is_recorded_once(office: ApiOffice, switch: Program) -> None:
    add_decision_of_call(office)
    switch.done("POST", "/outcomes", INBOUND)
    assert switch.done("POST", "/outcomes", {**INBOUND, "talk_seconds": 1}) == {"recorded": False, "signal": None}
    outcome = recorded_outcome(office)
    assert (outcome.caller, outcome.did, outcome.trunk) == (CALLER, "+442071838750", "carrier")
    assert (outcome.answered_by, outcome.rung, outcome.talk_seconds) == ("201", ("201",), 95)
    assert outcome.at == NOW - 99


def test_phone_is_known_by_its_endpoint(office: ApiOffice, switch: Program) -> None:
    add_decision_of_call(office)
    office.write(replace_settings_people, people_of(office.load().settings))
    phones = {"answered_by": "PJSIP/201", "rang": ["PJSIP/201", "PJSIP/999"]}
    switch.done("POST", "/outcomes", {**INBOUND, **phones})
    assert (recorded_outcome(office).answered_by, recorded_outcome(office).rung) == ("201", ("201", "PJSIP/999"))


def test_later_decision_completes_the_outcome(office: ApiOffice, switch: Program) -> None:
    assert switch.done("POST", "/outcomes", INBOUND) == {"recorded": True, "signal": None}
    add_decision_of_call(office)
    (signal,) = office.write(settle_outcomes, NOW)
    assert signal.category is SignalCategory.LONG_TALK


def test_challenged_call_that_reached_no_phone_is_incomplete(office: ApiOffice, switch: Program) -> None:
    add_decision_of_call(office, action="challenge")
    gone: dict[str, Any] = {
        "disposition": "no-answer",
        "answered_by": None,
        "rang": [],
        "ring_seconds": 0,
        "talk_seconds": 0,
    }
    switch.done("POST", "/outcomes", {**INBOUND, **gone})
    assert not recorded_outcome(office).complete


def test_withheld_number_is_not_stored(office: ApiOffice, switch: Program) -> None:
    switch.done("POST", "/outcomes", {**INBOUND, "withheld": True})
    assert (recorded_outcome(office).caller, recorded_outcome(office).caller_kind) == (None, CallerKind.WITHHELD)


OUTBOUND = {"call_id": CALL_ID, "direction": "outbound", "disposition": "answered", "caller": "201", "dialled": CALLER}


def test_call_back_is_a_signal_for_the_number(switch: Program) -> None:
    called = {**OUTBOUND, "talk_seconds": 40, "ended_by": "callee"}
    assert switch.done("POST", "/outcomes", called)["signal"] == SignalCategory.CALLED_BACK


def test_outgoing_emergency_call_opens_the_window(office: ApiOffice, switch: Program) -> None:
    switch.done("POST", "/outcomes", {**OUTBOUND, "dialled": "911"})
    assert office.read(latest_emergency) == NOW


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"call_id": ""}, (422, "bad-body"), id="no-call-id"),
        pytest.param({"disposition": "gone"}, (422, "bad-body"), id="no-disposition"),
        pytest.param({"talk_seconds": -1}, (422, "bad-body"), id="before-the-beginning"),
        pytest.param({"ended_at": instant_text(NOW - 90_000)}, (422, "bad-time"), id="long-ago"),
        pytest.param({"ended_at": instant_text(NOW + 90_000)}, (422, "bad-time"), id="to-come"),
        pytest.param({"answered_by": "a\nb"}, (422, "bad-body"), id="no-phone"),
    ],
)
def test_invalid_outcome_is_refused(switch: Program, more: dict[str, Any], told: tuple[int, str]) -> None:
    assert switch.refused("POST", "/outcomes", {**INBOUND, **more}) == told
