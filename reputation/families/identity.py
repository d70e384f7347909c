"""Evidence from the proven owner of a number. A known owner is evidence in favour of the caller."""

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import AuthClass, Family, Identity
from reputation.weights import IdentityWeights
from reputation.wording import Wording

NAME = "identity"


def effective_level(identity: Identity | None, auth_class: AuthClass) -> int:
    """Return the identity level that applies in a call of this auth class; 0 means no identity.

    In an authenticated call, a stored level 2 becomes level 3. In an unauthenticated call, every level becomes 0.
    """
    if identity is None or auth_class is AuthClass.UNAUTHENTICATED:
        return 0
    return 3 if identity.level >= 2 and auth_class is AuthClass.AUTHENTICATED else identity.level


def identity_of(level: int, weights: IdentityWeights) -> Family | None:
    """Return the evidence from an identity level as a family; None below level 2 (challenges give that evidence)."""
    if level < 2:
        return None
    log_odds = (weights.level_2, weights.level_3)[level - 2]
    return Family(NAME, log_odds, ((f"level {level}", 1),))


def _compute(subject: Subject) -> Family | None:
    return identity_of(subject.identity_level, subject.weights.identity)


def _words(_counts: Counts) -> Iterator[Wording]:
    yield Wording("the number's owner is verified")


IDENTITY = FamilyKind(NAME, Speaker.CALLER, _compute, _words, always("explain-verified"))
