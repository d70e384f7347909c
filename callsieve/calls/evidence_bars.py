"""The evidence vector as bars: how much each family says, and in which direction. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reputation.explaining import parts_of
from reputation.model import Family
from reputation.wording import Wording, listed

HALF = 50.0  # of the bar's width: nothing lies in the middle
LEAST_SCALE = 2.0  # log-odds


@dataclass(frozen=True, slots=True)
class Bar:
    """A family: its log-odds, what it says, and where its bar begins and how long it is, of 100."""

    family: str
    log_odds: float
    said: str | Wording
    start: float
    width: float


def bars_of(families: Sequence[Family]) -> tuple[Bar, ...]:
    """One bar a family, on a common scale that the longest fills; a small evidence stays small."""
    scale = max([LEAST_SCALE, *(abs(family.log_odds) for family in families)])
    return tuple(_bar(family, scale) for family in families)


def _bar(family: Family, scale: float) -> Bar:
    width = round(HALF * abs(family.log_odds) / scale, 1)
    start = HALF if family.log_odds >= 0 else HALF - width
    try:
        said = listed(list(parts_of(family)), "{some}; {more}")
    except (KeyError, ValueError):  # a vector of another version
        counts = [Wording("{n} x {category}", {"n": count, "category": what}) for what, count in family.counts]
        said = listed(counts, "{some}; {more}")
    return Bar(family.name, family.log_odds, said, start, width)
