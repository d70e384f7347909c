"""Evidence from the STIR/SHAKEN signature of the call."""

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker
from reputation.model import Attestation, Family, Verification
from reputation.weights import AttestationWeights
from reputation.wording import Wording

NAME = "attestation"
# Until Python 3.12 a member costs ten times as much as a global name.
FAILED, PASSED = Verification.FAILED, Verification.PASSED
A, B, C = Attestation.A, Attestation.B, Attestation.C


def attestation_of(attestation: Attestation, verification: Verification, weights: AttestationWeights) -> Family | None:
    """Return the evidence from the signature as a family; None without an attestation, or if it is an unverified A."""
    if verification is FAILED:
        return Family(NAME, weights.failed, (("failed", 1),))
    if attestation is A and verification is PASSED:
        return Family(NAME, weights.verified_a, (("A", 1),))
    if attestation is B:
        return Family(NAME, weights.b, (("B", 1),))
    return Family(NAME, weights.c, (("C", 1),)) if attestation is C else None


def _compute(subject: Subject) -> Family | None:
    call = subject.circumstances
    return attestation_of(call.attestation, call.verification, subject.weights.attestation)


def _words(counts: Counts) -> Iterator[Wording]:
    (what,) = counts
    vouches = Wording("the carrier signed the call with attestation {level}", {"level": what})
    yield Wording("the call's signature failed verification") if what == "failed" else vouches


def _spoken(counts: Counts, _speaks_for: bool) -> Iterator[Prompts]:
    if "failed" in counts:
        yield ("explain-false-signature",)
    else:
        yield ("explain-vouched",) if "A" in counts else ("explain-not-vouched",)


# A false signature is evidence of the network against the number, so it counts as a source.
ATTESTATION = FamilyKind(NAME, Speaker.CALL, _compute, _words, _spoken, speaker_by_count={"failed": Speaker.OUTSIDE})
