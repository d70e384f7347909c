"""The window after an emergency call from here, in which nothing is screened. Pure."""

from __future__ import annotations

from math import floor


def counts_after_closing(asterisk_at: float, closed_at: float | None) -> bool:
    """Whether an emergency call opens the window although that was closed at `closed_at`.

    Asterisk's database keeps the call in whole seconds: within the second of the closing it counts, to be safe.
    """
    return closed_at is None or asterisk_at >= floor(closed_at)
