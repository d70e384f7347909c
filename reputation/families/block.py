"""The block of 1000 numbers that a number lies in: what is left to say of numbers never seen before."""

from __future__ import annotations

from collections.abc import Iterable

from reputation.families.behaviour import behaviour_of
from reputation.families.feeds import feeds_of
from reputation.families.marks import marks_of
from reputation.model import Family, Imported
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, BlockWeights, Weights

NAME = "block"


def block_of(bad_numbers: int, weights: BlockWeights) -> Family | None:
    """The family for so many distinct bad numbers in the block, the number itself left out."""
    if bad_numbers < weights.some:
        return None
    log_odds = weights.many_weight if bad_numbers >= weights.many else weights.some_weight
    return Family(NAME, log_odds, (("bad numbers", bad_numbers),))


def is_bad(standing: Standing | None, imported: Iterable[Imported], weights: Weights, now: float) -> bool:
    """Whether a neighbour counts as bad: on a feed, or by its own marks, behaviour and feeds. Block evidence is not
    counted, nor what is older than `block.days`.
    """
    oldest = now - weights.block.days * DAY_SECONDS
    recent = [row for row in imported if row.imported_at >= oldest]
    if any(row.verdict == "spam" for row in recent):
        return True
    if standing is None or standing.at < oldest:
        return False
    families = (
        marks_of(standing, weights.marks, now, weights.marks.contamination, None),
        behaviour_of(standing, weights.behaviour, now),
        feeds_of(recent, weights.feeds),
    )
    return sum(family.log_odds for family in families if family) >= weights.block.bad_from


def may_be_bad(standing: Standing, weights: Weights) -> bool:
    """Whether `is_bad` may hold at some time from the standing's on: no family grows, and either may fade first."""
    families = (
        marks_of(standing, weights.marks, standing.at, weights.marks.contamination, None),
        behaviour_of(standing, weights.behaviour, standing.at),
    )
    return sum(max(0.0, family.log_odds) for family in families if family) >= weights.block.bad_from
