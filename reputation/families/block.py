"""Evidence from other numbers in the number's block of 1000. It is often the only evidence at a number's first call.

There are two families: one for others that are bad on feeds (outside evidence), one for others that are bad by evidence
here.
"""

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
    """Return the family for so many bad numbers in a block; None if they are few.

    `name`: LISTED (on feeds) or OWN (here).
    """
    if bad_numbers < weights.some:
        return None
    log_odds = weights.many_weight if bad_numbers >= weights.many else weights.some_weight
    return Family(name, log_odds, (("bad numbers", bad_numbers),))


def is_bad(standing: Standing | None, weights: Weights, now: float) -> bool:
    """Return whether recent evidence from people at this site makes the number bad for the reputation of its block."""
    if standing is None or standing.at < now - weights.block.days * DAY_SECONDS:
        return False
    return people_of(standing, weights, now) >= weights.block.bad_from


def may_be_bad(standing: Standing, weights: Weights) -> bool:
    """Return whether `is_bad` may become true later, because evidence in favour of the caller fades."""
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
    partial(_words, N_("{n} other numbers in the same block of 1000 are on spam lists")),
    always("explain-block"),
)
OWN_BLOCK = FamilyKind(
    OWN,
    Speaker.OUR_PEOPLE,
    _own,
    partial(_words, N_("{n} other numbers in the same block of 1000 have a bad reputation")),
    always("explain-block"),
)
