"""What the calls of a number showed, by distinct callees (docs/explanation/model.md)."""

from __future__ import annotations

from reputation.decay import bounded, decayed
from reputation.model import Family
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, BehaviourWeights

NAME = "behaviour"


def behaviour_of(standing: Standing, weights: BehaviourWeights, now: float) -> Family | None:
    """The family now; None where no call showed anything."""
    if not standing.signals:
        return None
    raw = decayed(standing.behaviour, standing.at, now, weights.half_life_days * DAY_SECONDS)
    counts = tuple((category._value_, count) for category, count in standing.signals)
    return Family(NAME, bounded(raw, weights.contamination), counts)
