"""How often a feed, look-up service or company agrees with your people, and why a source was switched off."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from reputation.formulas import Interval, difference, wilson
from reputation.store.lookups import Compared
from reputation.wording import Places, Wording

MEASURED_SECONDS: Final = 90 * 86_400.0
SHOWN_Z: Final = 1.96  # 95 % of such intervals contain the true share
# A source is judged every hour. 99.9 % confidence hardly ever switches a good one off by chance.
DECIDING_Z: Final = 3.29
# Nothing is decided with fewer numbers of either kind.
LEAST_OF_KIND: Final = 10
LEAST_IN_ALL: Final = 40


class Judgement(StrEnum):
    """Whether a source's listings are better or worse than chance."""

    TOO_FEW = "too few calls to tell"
    NO_WORSE = "no worse than chance"
    BETTER = "better than chance"
    WORSE = "worse than chance"

    @property
    def code(self) -> str:
        """The code for programs, such as `worse-than-chance`."""
        return self.value.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Skill:
    """The accuracy of a source.

    Attributes:
        right: How many listed callers your people judged in the same way.
        told: How many listed callers your people judged.
        share: The share of `right` in `told`.
        gain: The share of spam callers that the source lists as spam, minus the share of other callers listed as spam.
        judgement: The judgement on the source's listings.
    """

    right: int
    told: int
    share: Interval
    gain: Interval
    judgement: Judgement

    @property
    def off_reason(self) -> OffReason:
        """This accuracy as the reason for switching the source off."""
        return OffReason(self.judgement.code, self.right, self.told)


def skill_of(compared: Compared) -> Skill:
    """Return the accuracy of a source."""
    right = compared.spam_of_spam + compared.fine_of_fine
    judged = right + compared.spam_of_fine + compared.fine_of_spam
    return Skill(right, judged, wilson(right, judged, SHOWN_Z), _gain(compared, SHOWN_Z), judgement_of(compared))


def judgement_of(compared: Compared) -> Judgement:
    """Return the judgement on a source: WORSE if its verdicts "spam", or its "not spam", are worse than chance."""
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
    """Return the share of spam callers that are listed as spam, minus the share of honest callers listed as spam."""
    of_spam = wilson(compared.spam_of_spam, _of_spam(compared), z)
    return difference(of_spam, wilson(compared.spam_of_fine, _of_fine(compared), z))


def _trust(compared: Compared, z: float) -> Interval:
    of_fine = wilson(compared.fine_of_fine, _of_fine(compared), z)
    return difference(of_fine, wilson(compared.fine_of_spam, _of_spam(compared), z))


BY_HAND = "by-hand"


class OffReason(msgspec.Struct, frozen=True):
    """Why a source was switched off.

    Attributes:
        code: The reason as a code: `by-hand` or `worse-than-chance`.
        right: How many phone numbers the source and your people judged in the same way.
        told: How many of the source's phone numbers your people judged.
    """

    code: str
    right: int = 0
    told: int = 0

    @property
    def words(self) -> Wording:
        """The reason as text."""
        if self.code == Judgement.WORSE.code:
            return Wording(
                "worse than chance: right about {right} of {told} numbers", {"right": self.right, "told": self.told}
            )
        return Wording("switched off by hand")


SWITCHED_BY_HAND = OffReason(BY_HAND)


def read_reason(text: str) -> OffReason:
    """Parse a stored reason. If the text is unreadable, return the reason `by-hand`."""
    try:
        return msgspec.json.decode(text, type=OffReason)
    except msgspec.DecodeError:
        return OffReason(BY_HAND)


def accuracy_of(skill: Skill) -> Wording:
    """Return how often a source was right, with the confidence interval of the share, such as `12 of 14 (60-96 %)`."""
    if not skill.told:
        return Wording("not known yet")
    low, high = (round(100 * share) for share in skill.share[1:])
    places: Places = {"right": skill.right, "told": skill.told, "low": low, "high": high}
    return Wording("{right} of {told} ({low}-{high} %)", places)
