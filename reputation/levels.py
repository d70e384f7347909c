"""From evidence to a reputation: the place of the model. Pure: rows in, log-odds and a level out.

Only the *feeds* family is here yet; marks, behaviour and the others join it as further families.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from reputation.model import Family, Imported, Level, Reputation

# REPUTATION-MODEL section 3: a feed weighs at most +1.5, all feeds together +2.5, allow feeds -1.5.
SPAM_FEED = 1.5
ALL_SPAM_FEEDS = 2.5
ALLOW_FEED = -1.5

# REPUTATION-MODEL section 4 (Wald 1945, beta 0.1; alpha 20, 5, 1, 0.4 and 0.1 %), strongest first.
THRESHOLDS = (
    (6.8, Level.REJECT),
    (5.5, Level.ROUTE),
    (4.5, Level.CHALLENGE),
    (2.9, Level.WARN),
    (1.5, Level.TAG),
)


def level_of(log_odds: float) -> Level:
    """The strongest level whose threshold is reached.

    The further conditions of challenge and above need families that no imported source can move: feeds are
    bounded at +2.5, below warn, so nothing that is only imported gets past tag.
    """
    return next((level for threshold, level in THRESHOLDS if log_odds >= threshold), Level.NONE)


def feeds_of(imported: Iterable[Imported]) -> Family:
    """The family of imported sources."""
    verdicts = [row.verdict for row in imported]
    spam, ok = verdicts.count("spam"), verdicts.count("ok")
    log_odds = min(SPAM_FEED * spam, ALL_SPAM_FEEDS) + (ALLOW_FEED if ok else 0.0)
    return Family("feeds", log_odds, (("spam", spam), ("ok", ok)))


def reputation_of(imported: Iterable[Imported]) -> Reputation:
    """The reputation of one number from its evidence rows."""
    families = (feeds_of(imported),)
    log_odds = sum(family.log_odds for family in families)
    return Reputation(log_odds, level_of(log_odds), families)


@lru_cache(maxsize=4096)
def vector_of(families: tuple[Family, ...]) -> str:
    """The evidence vector as the journal keeps it: JSON, per family its log-odds and counts."""
    return json.dumps(
        [{"family": f.name, "log_odds": round(f.log_odds, 6), "counts": dict(f.counts)} for f in families]
    )
