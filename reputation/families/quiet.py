"""An unknown caller in the night."""

from __future__ import annotations

from datetime import datetime

from reputation.model import Family
from reputation.weights import QuietWeights, zone_of

NAME = "quiet hours"


def quiet_of(hour: int | None, is_stranger: bool, weights: QuietWeights) -> Family | None:
    """The family at this hour of the callee's day (0 to 23; None: not known), for callers that nobody here knows."""
    if hour is None or not is_stranger or not is_quiet(hour, weights):
        return None
    return Family(NAME, weights.weight)


def is_quiet(hour: int, weights: QuietWeights) -> bool:
    """Whether the hour lies in the quiet ones, which may go over midnight. First and last the same: there are none."""
    first, last = weights.first_hour, weights.last_hour
    return first <= hour < last if first <= last else hour >= first or hour < last


def hour_at(at: float, weights: QuietWeights) -> int:
    """The hour of the callee's day at that instant."""
    return datetime.fromtimestamp(at, zone_of(weights.time_zone)).hour
