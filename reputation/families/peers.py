"""What other companies publish of their own people's evidence (docs/explanation/model.md).

Nobody here has seen it, and nobody can check it: it leads to a tag and no further, whatever else is known, and is never
*outside* in the model's rule 1 (reputation/scoring.py). That a company has cleared the number speaks against what other
companies say of it, and against nothing else: the family is never below zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import Family, Level, PeerWord
from reputation.weights import PeerWeights
from reputation.wording import Counted, Wording

NAME = "peers"
LISTED, CLEARED = "listed", "cleared"


def peers_of(said: Sequence[PeerWord], weights: PeerWeights) -> Family | None:
    """The family; None where no company says anything."""
    if not said:
        return None
    listed = [min(1.0, word.weight) for word in said if not word.is_cleared]
    cleared = [min(1.0, word.weight) for word in said if word.is_cleared]
    against = min(weights.spam * sum(listed), weights.all_spam)
    log_odds = max(0.0, against + weights.cleared * min(1.0, sum(cleared)))
    counts = ((LISTED, len(listed)), (CLEARED, len(cleared)))
    return Family(NAME, log_odds, tuple([count for count in counts if count[1]]))


_WORDS = {
    LISTED: Counted("the people of another company complain of it", "the people of {n} other companies complain of it"),
    CLEARED: Counted("another company has cleared it", "{n} other companies have cleared it"),
}


def _compute(subject: Subject) -> Family | None:
    return peers_of(subject.evidence.peers, subject.weights.peers)


def _words(counts: Counts) -> Iterator[Wording]:
    return (words.of(counts[what]) for what, words in _WORDS.items() if what in counts)


PEERS = FamilyKind(
    NAME, Speaker.PEERS, Level.TAG, _compute, _words, always("explain-other-companies"), needs=("peers",)
)
