"""Imported sources (docs/explanation/model.md): many that list a number are hardly more than two.

All look-ups together are one source: those who are asked often know what they say from one another, and alone they lead
to a tag and no further.
"""

from __future__ import annotations

from collections.abc import Iterable

from reputation.model import Family, Imported
from reputation.weights import FeedWeights

NAME = "feeds"


def feeds_of(imported: Iterable[Imported], weights: FeedWeights) -> Family | None:
    """The family; None where no source lists the number."""
    verdicts = [(row.verdict, row.looked_up) for row in imported]
    if not verdicts:
        return None
    listed, looked_up = verdicts.count(("spam", False)), verdicts.count(("spam", True))
    spam = listed + looked_up
    ok = len(verdicts) - spam
    against = weights.spam * (listed + (1 if looked_up else 0))
    log_odds = min(against, weights.all_spam) + (weights.allow if ok else 0.0)
    return Family(NAME, log_odds, (("spam", spam), ("ok", ok)))
