"""Pure functions for the model and statistics: exponential decay, confidence intervals of shares, and calendar weeks.

Wilson's interval suits a share of few cases. Newcombe's interval suits the difference of two such shares.
"""

from datetime import UTC, datetime
from math import sqrt
from typing import NamedTuple


class Interval(NamedTuple):
    """A share, or a difference of shares, with its confidence interval.

    Attributes:
        value: The share, or the difference.
        low: The lower bound of the interval (95 %).
        high: The upper bound of the interval (95 %).
    """

    value: float
    low: float
    high: float


def wilson(hits: int, of: int, z: float) -> Interval:
    """Return the share `hits / of` with an interval of ±`z` standard deviations (1.96: 95 %); 0 to 1 if `of` is 0."""
    if of == 0:
        return Interval(0.0, 0.0, 1.0)
    share, z2 = hits / of, z * z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def difference(first: Interval, other: Interval) -> Interval:
    """Return the difference `first - other` of two shares, with the confidence interval of the difference."""
    gap = first.value - other.value
    low = gap - sqrt((first.value - first.low) ** 2 + (other.high - other.value) ** 2)
    high = gap + sqrt((first.high - first.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(gap, max(-1.0, low), min(1.0, high))


DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
_MONDAY = 3 * DAY_SECONDS  # 1970-01-01 was a Thursday


def week_of(at: float) -> int:
    """Return which week contains an instant: 0 is the first week of 1970. Weeks begin on Monday."""
    return int((at + _MONDAY) // WEEK_SECONDS)


def monday_of(week: int) -> float:
    """Return when a week begins, in UTC seconds. `week`: as in `week_of`."""
    return float(week * WEEK_SECONDS - _MONDAY)


def monday_text(week: int) -> str:
    """Return the day on which a week begins, written as `2026-11-23`."""
    return datetime.fromtimestamp(monday_of(week), UTC).date().isoformat()


def decayed(value: float, at: float, now: float, half_life_seconds: float) -> float:
    """Return `value`, measured at `at`, after its decay until `now`. It stays the same if `at` is after `now`."""
    return value if now <= at else value * 2.0 ** ((at - now) / half_life_seconds)
