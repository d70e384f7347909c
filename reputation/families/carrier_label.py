"""What the carrier calls the caller in the place of a name ("Scam Likely"), on a trunk where its word counts.

It is one source that nobody here can check, about this one call: it leads to a tag and no further, like the plan.
"""

from __future__ import annotations

from reputation.model import Family
from reputation.weights import CarrierLabelWeights

NAME = "carrier label"


def carrier_label_of(label: str, weights: CarrierLabelWeights) -> Family | None:
    """The family of a call that the carrier warns of; the label is one of caller_names.SPAM_LABELS."""
    return Family(NAME, weights.spam, ((label, 1),)) if weights.spam else None
