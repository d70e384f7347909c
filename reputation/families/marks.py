"""Marks of distinct people against all who answered (docs/explanation/model.md)."""

from __future__ import annotations

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.identity import marks_contamination
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker, count_key, counted_keys
from reputation.formulas import bounded, decayed
from reputation.model import Family, Level
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, MarkWeights
from reputation.wording import Counted, Wording

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


def _compute(subject: Subject) -> Family | None:
    evidence = subject.evidence
    if evidence.standing is None:
        return None
    contamination = _contamination(subject)
    return marks_of(evidence.standing, subject.weights.marks, subject.now, contamination, evidence.reviewed_at)


def _contamination(subject: Subject) -> float:
    """Return the largest of those that apply: the usual one, the identity's, and that after an upheld appeal."""
    weights, upheld_at, level = subject.weights, subject.evidence.upheld_at, subject.identity_level
    if upheld_at is None and not level:
        return weights.marks.contamination
    doubted = upheld_at is not None and subject.now - upheld_at < weights.appeal.days * DAY_SECONDS
    return max(
        weights.marks.contamination,
        marks_contamination(level, weights.identity),
        weights.appeal.marks_contamination if doubted else 0.0,
    )


_SILENT = Counted("one answered and did not mark it", "{n} answered and did not mark it")


def _words(counts: Counts) -> Iterator[Wording]:
    marked, answered = counts.get("marked", 0), counts.get("answered", 0)
    both = {"marked": marked, "answered": answered}
    if marked and answered - counts.get("silent", 0) == marked:
        all_of = Wording("{marked} of {answered} colleagues who answered marked it", both)
        yield Wording("{marked} of {answered} colleague who answered marked it", both) if answered == 1 else all_of
    elif marked:
        all_of = Wording("{marked} marked it and {answered} answered", both)
        yield all_of if answered else Wording("{marked} marked it", {"marked": marked})
    else:
        yield _SILENT.of(answered)
    if counts.get("burst"):
        yield Wording("so many marks within an hour, of a number that behaves well, count only after a review")


def _spoken(counts: Counts, _speaks_for: bool) -> Iterator[Prompts]:
    """Say how many of those who answered marked it; where others marked it too, only how many did."""
    marked, answered = counts.get("marked", 0), counts.get("answered", 0)
    if marked == 0:
        yield counted_keys(answered, "unmarked")
    elif answered - counts.get("silent", 0) != marked:
        yield counted_keys(marked, "marked")
    elif answered == 1:
        yield ("explain-marked-only",)
    else:
        yield ("explain-of", count_key(answered), "explain-answered", count_key(marked), "explain-marked")


MARKS = FamilyKind(NAME, Speaker.OUR_PEOPLE, Level.REJECT, _compute, _words, _spoken, needs=("standing",))
