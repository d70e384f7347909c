"""How far a reporter is trusted: from settled cases only, never above 1 (expert reporters hardly exist)."""

from __future__ import annotations

from typing import NamedTuple

from reputation.weights import TrustWeights


class Settled(NamedTuple):
    """How many of a reporter's marks a decided case has confirmed (`agree`) and refuted (`disagree`)."""

    agree: int = 0
    disagree: int = 0


def trust_of(settled: Settled, weights: TrustWeights) -> float:
    """`E[Beta]` of the reporter against that of one about whom nothing is known, between `least` and 1."""
    prior = weights.agree / (weights.agree + weights.disagree)
    expected = (weights.agree + settled.agree) / (weights.agree + weights.disagree + sum(settled))
    return max(weights.least, min(1.0, expected / prior))
