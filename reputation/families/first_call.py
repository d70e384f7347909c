"""The first call of a number that nobody here knows: what strangers did shortly before (reputation/first_calls.py).

Numbers that are used once are told by what they have in common: few blocks, or our DIDs one after the other. So do
the lines of a company that calls several of us for the first time: it leads to a tag and no further, whatever else is
known (reputation/scoring.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import Family, FirstCall, Level
from reputation.weights import FirstCallWeights
from reputation.wording import Counted, Wording

NAME = "first call"
NEIGHBOURS, IN_A_ROW = "neighbours", "in a row"
LEAST_IN_A_ROW = 2


def first_call_of(before: FirstCall, weights: FirstCallWeights) -> Family | None:
    """The family; None where strangers did nothing that counts."""
    neighbours, in_a_row = before
    log_odds = 0.0
    counts = []
    if neighbours:
        log_odds += weights.some_neighbours if neighbours >= weights.some else weights.one_neighbour
        counts.append((NEIGHBOURS, neighbours))
    if in_a_row >= LEAST_IN_A_ROW:
        log_odds += weights.walk if in_a_row >= weights.long else weights.next_did
        counts.append((IN_A_ROW, in_a_row))
    return Family(NAME, min(log_odds, weights.most), tuple(counts)) if log_odds else None


_WALK = "new numbers call {n} of our numbers one after the other"
_WORDS = {
    NEIGHBOURS: Counted(
        "a new number of its block of 1000 called another of our numbers within the hour",
        "{n} new numbers of its block of 1000 called other numbers of ours within the hour",
    ),
    IN_A_ROW: Counted(_WALK, _WALK),
}


def _compute(subject: Subject) -> Family | None:
    before = subject.circumstances.first_call
    return None if before is None else first_call_of(before, subject.weights.first_call)


def _words(counts: Counts) -> Iterator[Wording]:
    return (words.of(counts[what]) for what, words in _WORDS.items() if what in counts)


FIRST_CALL = FamilyKind(
    NAME, Speaker.CALL, Level.TAG, _compute, _words, always("explain-new-numbers"), needs=("first_call",)
)
