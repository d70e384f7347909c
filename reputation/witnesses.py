"""How many witnesses have something against a number, and how many it takes. Pure.

A witness is whoever marked the number, hung up on it, missed its call or let it ring: one for all of that. A DID or a
queue that nobody answered is one, and so is another site, whatever its people say. They are counted without decay, so
that a few who do much never look like many.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

from reputation.model import Witnesses
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, WitnessWeights


def witnesses_of(standing: Standing | None, people: int, weights: WitnessWeights, now: float) -> Witnesses:
    """Who has seen something within `weights.days`; `people` are all of ours."""
    oldest = now - weights.days * DAY_SECONDS
    seen = 0 if standing is None else len([at for at in standing.witnessed if at > oldest])
    return Witnesses(seen, *_needed_of(people, weights))


@lru_cache(maxsize=64)
def _needed_of(people: int, weights: WitnessWeights) -> tuple[int, int]:
    """For a label, and for a challenge."""
    return (
        _needed(people, weights.label_share, weights.label_least, weights.label_most),
        _needed(people, weights.challenge_share, weights.challenge_least, weights.challenge_most),
    )


def _needed(people: int, share: float, least: int, most: int) -> int:
    return min(max(ceil(share * people - 1e-9), least), most)
