"""How a number of ours was graded, and why: what is kept for the outbound guard, and all that the daemon needs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reputation.own.figures import percent
from reputation.wording import Wording

YOUNG_DAYS = 30

# Why a number is not healthy, by code. The store keeps the code and the figures; `share` is made of `part` and `whole`.
REASON_WORDS: Mapping[str, str] = {
    "labelled": "{platform} shows it as {label}",
    "seen": "the people it called would see it as {level} ({points:+d} points) if they had CallSieve",
    "short": "{share} of the answered calls were over within 6 s ({part:,} of {whole:,})",
    "unanswered": "{share} of the calls were not taken ({part:,} of {whole:,})",
    "abandoned": "{share} of the calls were given up too early by us ({part:,} of {whole:,})",
    "repeated": "a person was called three times or more on one day in {part:,} of {whole:,} cases ({share})",
    "outside": "{share} of the calls came outside of the hours people may be called ({part:,} of {whole:,})",
    "blocked": "networks refused to carry {share} of the calls ({part:,} of {whole:,})",
    "unwanted": "{share} of the people complained or want no more calls ({part:,} of {whole:,})",
    "young": "{calls:,} calls on one day, {days} days after its first one",
    "first-day": "{calls:,} calls on one day, the first on which it called",
    "burst": "{calls:,} calls on one day after {days} days without any",
    "spike": "{calls:,} calls on one day, {times:.0f} times as many as usual ({usual:.0f})",
}


class Grade(StrEnum):
    """How a number is doing. One with too few calls to say anything has none of these: None."""

    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at risk"


class GradeReason(NamedTuple):
    """Why a number is not healthy: a code of REASON_WORDS, and the figures that go into the words."""

    code: str
    figures: Mapping[str, str | int | float]

    @property
    def words(self) -> Wording:
        """In any language."""
        places: dict[str, str | int | float | Wording] = {**self.figures}
        if "whole" in places:
            places["share"] = percent(float(self.figures["part"]) / float(self.figures["whole"]))
        if "level" in places:
            places["level"] = Wording(str(self.figures["level"]))
        return Wording(REASON_WORDS[self.code], places)


class Graded(NamedTuple):
    """How a number was graded last, when, and why. `grade` is None where it made too few calls."""

    at: float
    grade: Grade | None
    reasons: tuple[GradeReason, ...]
