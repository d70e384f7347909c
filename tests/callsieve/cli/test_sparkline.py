"""The chart in one line."""

from __future__ import annotations

import pytest

from callsieve.numbers.cli.lookup import line_chart
from reputation.history import Point
from reputation.model import Level


@pytest.mark.parametrize(
    ("log_odds", "bar"), [(-3.0, "·"), (0.0, " "), (0.1, "▁"), (1.5, "▂"), (3.0, "▄"), (6.9, "█"), (99.0, "█")]
)
def test_bar_height_follows_the_log_odds(log_odds: float, bar: str) -> None:
    assert line_chart([Point(0.0, log_odds, Level.NONE)]).plain == bar


def test_bar_colour_follows_the_level() -> None:
    chart = line_chart([Point(0.0, 3.0, Level.WARN), Point(1.0, 7.0, Level.REJECT)])
    assert [str(span.style) for span in chart.spans] == ["yellow", "red"]
