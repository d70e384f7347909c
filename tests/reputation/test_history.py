"""The history of a number's reputation, day by day."""

from __future__ import annotations

import pytest

from reputation.evidence import NO_CIRCUMSTANCES, Evidence
from reputation.fold import standing_of
from reputation.history import DAYS, history_of
from reputation.model import AuthClass, Identity, Imported, Level, SignalCategory
from reputation.standing import Rows
from reputation.weights import DEFAULT
from tests.reputation.store_builders import CALLER, DAY, NOW
from tests.reputation.test_model import signal, spam

ROWS = Rows(
    [spam("201", NOW - 20 * DAY), spam("202", NOW - 10.5 * DAY), spam("204", NOW - 10.5 * DAY)],
    [signal("203", SignalCategory.HUNG_UP_ON)],
)


def test_each_day_counts_evidence_up_to_then() -> None:
    evidence = Evidence(standing=standing_of(ROWS, AuthClass.UNKNOWN, DEFAULT))
    points = history_of(ROWS, evidence, NO_CIRCUMSTANCES, DEFAULT, NOW)
    assert [point.at for point in points] == [NOW - day * DAY for day in range(DAYS, -1, -1)]
    by_day = {round((NOW - point.at) / DAY): point for point in points}
    assert (by_day[21].log_odds, by_day[21].level) == (0.0, Level.NONE)
    assert by_day[20].log_odds == pytest.approx(3.38, abs=0.01)
    assert by_day[20].level is Level.NONE  # one witness
    assert by_day[11].log_odds < by_day[20].log_odds  # it fades
    assert by_day[10].level is Level.WARN
    assert by_day[0].log_odds > by_day[1].log_odds


def test_a_source_counts_from_its_import() -> None:
    evidence = Evidence(imported=(Imported("ftc", "spam", imported_at=NOW - 5 * DAY),))
    points = history_of(Rows(), evidence, NO_CIRCUMSTANCES, DEFAULT, NOW)
    assert [point.log_odds for point in points[-7:]] == [0.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]


def test_evidence_for_a_number_is_below_zero() -> None:
    evidence = Evidence(identity=Identity(CALLER, "Acme", 2, NOW + DAY))
    assert {point.log_odds for point in history_of(Rows(), evidence, NO_CIRCUMSTANCES, DEFAULT, NOW)} == {-1.5}
