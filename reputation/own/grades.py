"""How a number of ours was graded: what is kept for the outbound guard, and all that the daemon needs of its health."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from reputation.wording import Wording

YOUNG_DAYS = 30


class Grade(StrEnum):
    """How a number is doing. HEALTHY also of one with too few calls to say anything."""

    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at risk"


class Graded(NamedTuple):
    """How a number was graded last, when, and why."""

    at: float
    grade: Grade
    reasons: tuple[Wording, ...]
