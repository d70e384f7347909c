"""The first steps of a new installation, and when they are no longer shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.calls.first_run import SHOWN_DAYS, first_run
from callsieve.health import ScreeningState, SystemHealth
from reputation.weights import DAY_SECONDS
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import make_decision

TRUNK = 1


def trunk_is_done(office: Office, state: ScreeningState) -> bool:
    run = office.read(first_run, SystemHealth(), state, office.load().settings, NOW)
    assert run is not None
    return run.steps[TRUNK].is_done


@pytest.mark.parametrize(
    ("state", "before_a_call", "after_a_call"),
    [
        pytest.param(ScreeningState.ON, True, True, id="on"),
        pytest.param(ScreeningState.UNKNOWN, False, True, id="unknown"),
        pytest.param(ScreeningState.NOT_CONNECTED, False, False, id="trunk-taken-away"),
    ],
)
def test_trunk_step_is_done_while_calls_are_screened(
    tmp_path: Path, state: ScreeningState, *, before_a_call: bool, after_a_call: bool
) -> None:
    office = Office(tmp_path)
    assert trunk_is_done(office, state) == before_a_call
    office.add_decisions(make_decision(at=NOW - 600))
    assert trunk_is_done(office, state) == after_a_call


def test_first_steps_disappear_in_time(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.add_decisions(make_decision(at=NOW - (SHOWN_DAYS + 1) * DAY_SECONDS))
    assert office.read(first_run, SystemHealth(), ScreeningState.ON, office.load().settings, NOW) is None
