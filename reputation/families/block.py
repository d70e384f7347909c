"""The block of 1000 numbers that a number lies in: what is left to say of numbers never seen before.

Neighbours that feeds list and neighbours that our own people made bad are two families: only the first is from outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reputation.evidence import Subject
from reputation.families.counts import may_weigh, people_of
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import Family
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, BlockWeights, Weights
from reputation.wording import N_, Wording

LISTED = "block"
OWN = "own block"


def block_of(name: str, bad_numbers: int, weights: BlockWeights) -> Family | None:
    """The family for so many distinct bad numbers in the block, the number itself left out. `name`: LISTED or OWN."""
    if bad_numbers < weights.some:
        return None
    log_odds = weights.many_weight if bad_numbers >= weights.many else weights.some_weight
    return Family(name, log_odds, (("bad numbers", bad_numbers),))


def is_bad(standing: Standing | None, weights: Weights, now: float) -> bool:
    """Whether a neighbour counts as bad by what our own people said and saw, lately."""
    if standing is None or standing.at < now - weights.block.days * DAY_SECONDS:
        return False
    return people_of(standing, weights, now) >= weights.block.bad_from


def may_be_bad(standing: Standing, weights: Weights) -> bool:
    """Whether `is_bad` may hold at some time from the standing's on."""
    return may_weigh(standing, weights) >= weights.block.bad_from


def _listed(subject: Subject) -> Family | None:
    return block_of(LISTED, subject.evidence.listed_neighbours, subject.weights.block)


def _own(subject: Subject) -> Family | None:
    return block_of(OWN, subject.evidence.bad_neighbours, subject.weights.block)


def _words(template: str, counts: Counts) -> Iterator[Wording]:
    yield Wording(template, {"n": counts["bad numbers"]})


LISTED_BLOCK = FamilyKind(
    LISTED,
    Speaker.OUTSIDE,
    _listed,
    partial(_words, N_("{n} other numbers of its block of 1000 are on lists of spam")),
    always("explain-block"),
    needs=("listed_neighbours",),
)
OWN_BLOCK = FamilyKind(
    OWN,
    Speaker.OUR_PEOPLE,
    _own,
    partial(_words, N_("{n} other numbers of its block of 1000 are bad")),
    always("explain-block"),
    needs=("bad_neighbours",),
)
