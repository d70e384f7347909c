"""An unknown caller in the night."""

from __future__ import annotations

from reputation.model import Family
from reputation.quiet_hours import is_quiet
from reputation.weights import QuietWeights

NAME = "quiet hours"


def quiet_of(hour: int | None, is_stranger: bool, weights: QuietWeights) -> Family | None:
    """The family at this hour of the callee's day (0 to 23; None: not known), for callers that nobody here knows."""
    if hour is None or not is_stranger or not is_quiet(hour, weights):
        return None
    return Family(NAME, weights.weight)
