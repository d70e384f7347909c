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
    raw = _lasting(standing, weights, now)
    if standing.one_ring:
        raw += decayed(standing.one_ring, standing.at, now, weights.one_ring_half_life_hours * 3600.0)
    counts = tuple([(category._value_, count) for category, count in standing.signals])
    return Family(NAME, bounded(raw, weights.contamination), counts)


def lasting_behaviour_of(standing: Standing, weights: BehaviourWeights, now: float) -> float:
    """The same without one-ring calls, which nobody of ours has a part in: they lead to a warning and no further."""
    return bounded(_lasting(standing, weights, now), weights.contamination) if standing.signals else 0.0


def _lasting(standing: Standing, weights: BehaviourWeights, now: float) -> float:
    return decayed(standing.behaviour, standing.at, now, weights.half_life_days * DAY_SECONDS)
