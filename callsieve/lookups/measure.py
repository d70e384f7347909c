"""How good a source is, by what our own people and the callers showed afterwards. Pure.

Two questions, each with its interval: how often it was right where it said something, and whether it tells spam from
other calls at all. The second is what it is switched off by: a source that calls spam no more often spam than it does
honest callers knows nothing, however many of our callers are spammers. Both are shares of few cases, so an interval
decides (Wilson's for a share, Newcombe's for the difference of two), never the share itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reputation.intervals import Interval, difference, wilson
from reputation.store.lookups import Compared

SHOWN_Z: Final = 1.96  # 95 % of such intervals have the true share in them
# A source is looked at every hour: 99.9 %, so that a good one is hardly ever switched off by chance.
DECIDING_Z: Final = 3.29
# With fewer numbers of either kind nothing is decided.
LEAST_OF_KIND: Final = 10
LEAST_IN_ALL: Final = 40


class Judgement(StrEnum):
    """What is to be done about a source."""

    TOO_FEW = "too few calls to tell"
    NO_WORSE = "no worse than chance"
    BETTER = "better than chance"
    WORSE = "worse than chance"

    @property
    def code(self) -> str:
        """`worse-than-chance`, for programs."""
        return self.value.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Skill:
    """Of a source. `right` of `told` numbers of which it said something and we know better; `share` as an interval.

    `gain`: by how much more often it says spam of spam than of other callers.
    """

    right: int
    told: int
    share: Interval
    gain: Interval
    judgement: Judgement


def skill_of(compared: Compared) -> Skill:
    """What is to be thought of the source."""
    right = compared.spam_of_spam + compared.fine_of_fine
    told = right + compared.spam_of_fine + compared.fine_of_spam
    return Skill(right, told, wilson(right, told, SHOWN_Z), _gain(compared, SHOWN_Z), judgement_of(compared))


def judgement_of(compared: Compared) -> Judgement:
    """Whether it is worse than chance: in what it calls spam, or in what it calls fine."""
    spam, fine = _of_spam(compared), _of_fine(compared)
    if min(spam, fine) < LEAST_OF_KIND or spam + fine < LEAST_IN_ALL:
        return Judgement.TOO_FEW
    gain, trust = _gain(compared, DECIDING_Z), _trust(compared, DECIDING_Z)
    if gain.high < 0 or trust.high < 0:
        return Judgement.WORSE
    return Judgement.BETTER if max(gain.low, trust.low) > 0 else Judgement.NO_WORSE


def _of_spam(compared: Compared) -> int:
    return compared.spam_of_spam + compared.other_of_spam + compared.fine_of_spam


def _of_fine(compared: Compared) -> int:
    return compared.spam_of_fine + compared.other_of_fine + compared.fine_of_fine


def _gain(compared: Compared, z: float) -> Interval:
    """How much more often it says spam of spam than of honest callers."""
    of_spam = wilson(compared.spam_of_spam, _of_spam(compared), z)
    return difference(of_spam, wilson(compared.spam_of_fine, _of_fine(compared), z))


def _trust(compared: Compared, z: float) -> Interval:
    """How much more often it says fine of honest callers than of spam."""
    of_fine = wilson(compared.fine_of_fine, _of_fine(compared), z)
    return difference(of_fine, wilson(compared.fine_of_spam, _of_spam(compared), z))
