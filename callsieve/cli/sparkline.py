"""A small chart in one line of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from callsieve.cli.output import word
from reputation.history import Point

BARS = "▁▂▃▄▅▆▇█"
TOP = 7.5  # log-odds: marks and behaviour at their bounds


def line_chart(points: Sequence[Point]) -> Text:
    """A bar for each point, in the colour of its level; what speaks for a number is a dot at the bottom."""
    return Text("").join(_bar(point) for point in points)


def _bar(point: Point) -> Text:
    if point.log_odds <= 0:
        return Text("·" if point.log_odds < 0 else " ", style="green")
    height = min(len(BARS) - 1, int(point.log_odds / TOP * len(BARS)))
    return Text(BARS[height], style=word(point.level.word).style)
