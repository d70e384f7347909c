"""Formulas of the model and of its figures: exponential decay, intervals of shares. Pure.

Wilson's interval is for a share of few cases, Newcombe's for a difference of two shares.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import sqrt
from typing import NamedTuple


class Interval(NamedTuple):
    """A share, or a difference of shares, and between what it lies.

    Attributes:
        value: The share, or the difference.
        low: Its lower bound (95 %).
        high: Its upper bound (95 %).
    """

    value: float
    low: float
    high: float


def wilson(hits: int, of: int, z: float) -> Interval:
    """The share of hits, `z` standard deviations wide (1.96: 95 %). Of nothing it may be anything."""
    if of == 0:
        return Interval(0.0, 0.0, 1.0)
    share, z2 = hits / of, z * z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def difference(one: Interval, other: Interval) -> Interval:
    """How much larger the first share is."""
    gap = one.value - other.value
    low = gap - sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    high = gap + sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(gap, max(-1.0, low), min(1.0, high))


DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
_MONDAY = 3 * DAY_SECONDS  # 1970-01-01 was a Thursday


def week_of(at: float) -> int:
    """The week of an instant."""
    return int((at + _MONDAY) // WEEK_SECONDS)


def monday_of(week: int) -> float:
    """When it begins."""
    return float(week * WEEK_SECONDS - _MONDAY)


def monday_text(week: int) -> str:
    """`2026-11-23`: the day that it begins on."""
    return datetime.fromtimestamp(monday_of(week), UTC).date().isoformat()


def decayed(value: float, at: float, now: float, half_life_seconds: float) -> float:
    """What `value`, exact at `at`, is worth at `now`. Of the future (another machine's clock) nothing grows."""
    return value if now <= at else value * 2.0 ** ((at - now) / half_life_seconds)
