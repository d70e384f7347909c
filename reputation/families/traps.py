"""Evidence from calls to traps: DIDs that nobody uses. Only callers who dial from a list or in sequence reach them."""

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import Family
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, Weights
from reputation.wording import Counted, Wording

NAME = "traps"
VERIFIED, UNVERIFIED = "verified", "not verified"


def trap_calls_of(standing: Standing | None, weights: Weights, now: float) -> tuple[int, int]:
    """Return two counts of recent trap calls: those with a verified attestation A, and the others."""
    if standing is None or not (standing.traps or standing.verified_traps):
        return 0, 0
    oldest = now - weights.witnesses.days * DAY_SECONDS
    return (
        len([at for at in standing.verified_traps if at > oldest]),
        len([at for at in standing.traps if at > oldest]),
    )


def _compute(subject: Subject) -> Family | None:
    verified, others = trap_calls_of(subject.evidence.standing, subject.weights, subject.now)
    if not (verified or others):
        return None
    counts = tuple([count for count in ((VERIFIED, verified), (UNVERIFIED, others)) if count[1]])
    return Family(NAME, subject.weights.outside.trap, counts)


_WORDS = {
    VERIFIED: Counted(
        "the number called a trap (a number that nobody uses)",
        "the number called traps (numbers that nobody uses) {n} times",
    ),
    UNVERIFIED: Counted(
        "a call to a trap (a number that nobody uses) showed this number as its caller",
        "{n} calls to traps (numbers that nobody uses) showed this number as their caller",
    ),
}


def _words(counts: Counts) -> Iterator[Wording]:
    return (_WORDS[what].of(count) for what, count in counts.items() if what in _WORDS)


TRAPS = FamilyKind(NAME, Speaker.OUTSIDE, _compute, _words, always("explain-trap"))
