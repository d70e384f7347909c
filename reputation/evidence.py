"""The input of the model: the evidence about a number, and facts about a call that change how the evidence counts."""

from typing import NamedTuple

from reputation.model import (
    NEVER_CHALLENGED,
    Attestation,
    AuthClass,
    ChallengeHistory,
    Identity,
    Imported,
    Verification,
)
from reputation.standing import Standing
from reputation.weights import Weights


class Evidence(NamedTuple):
    """The evidence about a number at an instant, as it applies to calls of one auth class.

    Attributes:
        listed_neighbours: How many other numbers of the number's block are on feeds that do not list the number itself.
        bad_neighbours: How many other numbers of the block are bad by marks and signals here.
        reviewed_at: When a burst of marks against the number was last reviewed.
        upheld_at: When an appeal of the number was last upheld.
        appeal: The reference of the number's appeal in force.
    """

    standing: Standing | None = None
    imported: tuple[Imported, ...] = ()
    identity: Identity | None = None
    listed_neighbours: int = 0
    bad_neighbours: int = 0
    reviewed_at: float | None = None
    upheld_at: float | None = None
    appeal: str | None = None

    @property
    def challenges(self) -> ChallengeHistory:
        """The challenge history of the number."""
        return NEVER_CHALLENGED if self.standing is None else self.standing.challenges


class Circumstances(NamedTuple):
    """Facts about a call and its callee that change how evidence counts. `hour`: the hour in the callee's time zone.

    `is_stranger`: whether the caller is a stranger. `people`: how many people work here; 0: unknown.
    """

    auth_class: AuthClass = AuthClass.UNKNOWN
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    hour: int | None = None
    is_stranger: bool = False
    people: int = 0


class Subject(NamedTuple):
    """The input of the function that computes a family. `identity_level`: the owner's level in this call; 0: none."""

    evidence: Evidence
    circumstances: Circumstances
    weights: Weights
    now: float
    identity_level: int


NO_EVIDENCE = Evidence()
NO_CIRCUMSTANCES = Circumstances()
