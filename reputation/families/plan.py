"""What the numbering plan says of the range that a number lies in: nothing that anybody here or outside has seen.

It leads to a tag and no further, whatever else is known (reputation/scoring.py).
"""

from __future__ import annotations

from reputation.model import Family
from reputation.plan.rows import PlanRow, Purpose
from reputation.weights import PlanWeights

NAME = "plan"


def evident_purpose(row: PlanRow) -> Purpose | None:
    """The purpose, as far as it counts: only where a source says so."""
    return row.purpose if row.is_evidence else None


def plan_of(purpose: Purpose | None, weights: PlanWeights) -> Family | None:
    """The family; None where the purpose says nothing for or against a call."""
    weight = 0.0 if purpose is None else weights.by_purpose.get(purpose, 0.0)
    return Family(NAME, weight, ((str(purpose), 1),)) if weight else None
