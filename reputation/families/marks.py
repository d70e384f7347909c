"""Marks of distinct people against all who answered (docs/explanation/model.md)."""

from __future__ import annotations

from reputation.decay import bounded, decayed
from reputation.model import Family
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, MarkWeights

NAME = "marks"


def marks_of(
    standing: Standing, weights: MarkWeights, now: float, contamination: float, reviewed_at: float | None
) -> Family | None:
    """The family now; None where nobody answered or marked. `contamination`: the largest of those that apply."""
    if not standing.reporters and not standing.answered:
        return None
    alarm = is_alarmed(standing, reviewed_at)
    log_odds = 0.0 if alarm else bounded(raw_marks(standing, weights, now), contamination)
    counts = (
        ("marked", standing.reporters),
        ("answered", standing.answered),
        ("silent", standing.silent),
        ("groups", standing.groups),
    )
    return Family(NAME, log_odds, (*counts, ("burst", 1)) if alarm else counts)


def raw_marks(standing: Standing, weights: MarkWeights, now: float) -> float:
    """Before the bound: each mark speaks against the number, each silent answerer a little for it."""
    half_life = weights.half_life_days * DAY_SECONDS
    marks = decayed(standing.marks, standing.at, now, half_life)
    silent = max(0.0, decayed(standing.answers, standing.at, now, half_life) - marks)
    return marks * weights.each + silent * weights.each_silent


def is_alarmed(standing: Standing, reviewed_at: float | None) -> bool:
    """Many marks at once of a number that behaves well, and nobody has looked since: they weigh nothing yet."""
    burst_at, shown = standing.burst_at, standing.behaviour + standing.one_ring
    return burst_at is not None and shown <= 0 and (reviewed_at is None or reviewed_at <= burst_at)
