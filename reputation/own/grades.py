"""How a number of ours was graded: what is kept for the outbound guard, and all that the daemon needs of its health."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from reputation.wording import Wording

YOUNG_DAYS = 30


class Grade(StrEnum):
    """How a number is doing. One with too few calls to say anything has none of these: None."""

    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at risk"


class Graded(NamedTuple):
    """How a number was graded last, when, and why. `grade` is None where it made too few calls."""

    at: float
    grade: Grade | None
    reasons: tuple[Wording, ...]
