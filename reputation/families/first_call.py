"""The first call of a number that nobody here knows: what strangers did shortly before (reputation/first_calls.py).

Numbers that are used once are told by what they have in common: few blocks, or our DIDs one after the other. So do
the lines of a company that calls several of us for the first time: it leads to a tag and no further, whatever else is
known (reputation/scoring.py).
"""

from __future__ import annotations

from reputation.model import Family, FirstCall
from reputation.weights import FirstCallWeights

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
