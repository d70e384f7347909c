"""What the network says of this one call (STIR/SHAKEN)."""

from __future__ import annotations

from reputation.model import Attestation, Family, Verification
from reputation.weights import AttestationWeights

NAME = "attestation"
# Until Python 3.12 a member costs ten times as much as a global name.
FAILED, PASSED = Verification.FAILED, Verification.PASSED
A, B, C = Attestation.A, Attestation.B, Attestation.C


def attestation_of(attestation: Attestation, verification: Verification, weights: AttestationWeights) -> Family | None:
    """The family; None for a call without attestation, and for an A that nobody has checked."""
    if verification is FAILED:
        return Family(NAME, weights.failed, (("failed", 1),))
    if attestation is A and verification is PASSED:
        return Family(NAME, weights.verified_a, (("A", 1),))
    if attestation is B:
        return Family(NAME, weights.b, (("B", 1),))
    return Family(NAME, weights.c, (("C", 1),)) if attestation is C else None
