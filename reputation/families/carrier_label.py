"""What the carrier calls the caller in the place of a name ("Scam Likely"), on a trunk where its word counts.

It is one source that nobody here can check, about this one call: it leads to a tag and no further, like the plan.
"""

from __future__ import annotations

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import Family, Level
from reputation.weights import CarrierLabelWeights
from reputation.wording import Wording

NAME = "carrier label"


def carrier_label_of(label: str, weights: CarrierLabelWeights) -> Family | None:
    """The family of a call that the carrier warns of; the label is one of caller_names.SPAM_LABELS."""
    return Family(NAME, weights.spam, ((label, 1),)) if weights.spam else None


def _compute(subject: Subject) -> Family | None:
    label = subject.circumstances.label
    return None if label is None else carrier_label_of(label, subject.weights.carrier_label)


def _words(counts: Counts) -> Iterator[Wording]:
    (label,) = counts
    yield Wording("the carrier calls it {label} in the place of a name", {"label": label})


CARRIER_LABEL = FamilyKind(
    NAME, Speaker.CALL, Level.TAG, _compute, _words, always("explain-carrier-warns"), needs=("label",)
)
