"""What the network says of this one call (STIR/SHAKEN)."""

from __future__ import annotations

from reputation.model import Attestation, Family, Verification
from reputation.weights import AttestationWeights

NAME = "attestation"


def attestation_of(attestation: Attestation, verification: Verification, weights: AttestationWeights) -> Family | None:
    """The family; None for a call without attestation, and for an A that nobody has checked."""
    if verification is Verification.FAILED:
        return Family(NAME, weights.failed, (("failed", 1),))
    if attestation is Attestation.A and verification is Verification.PASSED:
        return Family(NAME, weights.verified_a, (("A", 1),))
    if attestation is Attestation.B:
        return Family(NAME, weights.b, (("B", 1),))
    return Family(NAME, weights.c, (("C", 1),)) if attestation is Attestation.C else None
