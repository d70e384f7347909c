"""How long to wait before what has failed is tried again: twice as long after each failure in a row. Pure."""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0


def wait_seconds(failures: int, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> float:
    """The wait after the `failures`-th failure in a row, from 1."""
    return min(first * (1 << min(failures - 1, 16)), longest)
