"""Imported sources (docs/explanation/model.md): many that list a number are hardly more than two."""

from __future__ import annotations

from collections.abc import Iterable

from reputation.model import Family, Imported
from reputation.weights import FeedWeights

NAME = "feeds"


def feeds_of(imported: Iterable[Imported], weights: FeedWeights) -> Family | None:
    """The family; None where no source lists the number."""
    verdicts = [row.verdict for row in imported]
    if not verdicts:
        return None
    spam = verdicts.count("spam")
    ok = len(verdicts) - spam
    log_odds = min(weights.spam * spam, weights.all_spam) + (weights.allow if ok else 0.0)
    return Family(NAME, log_odds, (("spam", spam), ("ok", ok)))
