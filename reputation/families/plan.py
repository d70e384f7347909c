"""What the numbering plan says of the range that a number lies in: nothing that anybody here or outside has seen.

It leads to a tag and no further, whatever else is known (reputation/scoring.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker
from reputation.model import Family, Level
from reputation.plan.rows import PlanRow, Purpose
from reputation.weights import PlanWeights
from reputation.wording import Wording

NAME = "plan"


def evident_purpose(row: PlanRow) -> Purpose | None:
    """The purpose, as far as it counts: only where a source says so."""
    return row.purpose if row.is_evidence else None


def plan_of(purpose: Purpose | None, weights: PlanWeights) -> Family | None:
    """The family; None where the purpose says nothing for or against a call."""
    weight = 0.0 if purpose is None else weights.by_purpose.get(purpose, 0.0)
    return Family(NAME, weight, ((str(purpose), 1),)) if weight else None


_WORDS = {
    "telemarketing": Wording("its range is for telemarketing"),
    "do-not-originate": Wording("numbers of its range never call"),
    "unallocated": Wording("nobody has a number of its range"),
}


def _compute(subject: Subject) -> Family | None:
    return plan_of(subject.circumstances.purpose, subject.weights.plan)


def _words(counts: Counts) -> Iterator[Wording]:
    return (_WORDS[what] for what in counts if what in _WORDS)


def _spoken(counts: Counts, _speaks_for: bool) -> Iterator[Prompts]:
    yield ("explain-telemarketing",) if "telemarketing" in counts else ("explain-nobodys-range",)


PLAN = FamilyKind(NAME, Speaker.CALL, Level.TAG, _compute, _words, _spoken, needs=("purpose",))
