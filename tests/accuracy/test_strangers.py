"""The preset `strangers` in the simulator: when strangers are challenged, and what the digest lists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.accuracy.closed_loop import NEWCOMER, Counted
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START, Kind
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.screening import Screening
from benchmarks.accuracy.strangers import (
    ALL,
    ASKED,
    BALANCED,
    FEWER,
    HALF,
    MACHINE,
    ONE_OFF,
    QUARTER,
    ROWS,
    WITH_DIGEST,
    measure,
    policy_of,
    strangers_sheet,
)

SMALL = replace(FEWER, days=40, contacts=2, services=2, one_off_a_day=4, spammers=3, single_use_a_day=3)


@pytest.mark.parametrize(
    ("asked", "actions"),
    [
        pytest.param(BALANCED, ["allow", "allow", "allow"], id="none"),
        pytest.param(QUARTER, ["challenge", "allow", "allow"], id="quarter"),
        pytest.param(HALF, ["challenge", "challenge", "allow"], id="half"),
        pytest.param(ALL, ["challenge", "challenge", "challenge"], id="all"),
    ],
)
def test_strangers_are_challenged_at_the_set_hours(asked: str, actions: list[str]) -> None:
    screening = Screening(policy_of(asked), STANDARD)
    at = [START + 20 * DAY_SECONDS + hour * 3600 for hour in (11.2, 13.4, 17.9)]
    assert [screening.decide("1", NEWCOMER, item).action.word for item in at] == actions


def test_challenging_strangers_stops_spam_and_some_wanted_calls() -> None:
    tallies = measure(7, SMALL)
    asked = [tallies[Cell(item, ONE_OFF)][Counted.EVER_ASKED] for item in ASKED]
    assert asked[0] == 0
    assert asked == sorted(set(asked))
    assert asked[-1] == tallies[Cell(ALL, ONE_OFF)][Counted.NUMBERS]
    spam = [tallies[Cell(item, Kind.SINGLE_USE.value)][Counted.STOPPED] for item in ASKED]
    assert spam[0] == 0 < spam[1] < spam[-1]
    alone, with_digest = (tallies[Cell(ALL, MACHINE, how)] for how in ("", WITH_DIGEST))
    assert alone[Counted.STOPPED] == alone[Counted.CALLS] > 4 * with_digest[Counted.STOPPED] > 0
    assert len(strangers_sheet([tallies]).rows) == len(ROWS)
