"""All that is known of a number and of one of its calls, as the families of evidence are computed from it."""

from __future__ import annotations

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
    """All that speaks for or against a number in one class of calls, as of one instant.

    Of its block of 1000, itself left out: `listed_neighbours` are on feeds that do not list the number itself,
    `bad_neighbours` are bad by what our own people said and saw. `reviewed_at`: when a person last looked at a burst of
    marks; `upheld_at`: when an appeal was last upheld; `appeal`: the reference of one in force.
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
        """What the number did when it was challenged."""
        return NEVER_CHALLENGED if self.standing is None else self.standing.challenges


class Circumstances(NamedTuple):
    """What is known of the call itself, and of the office. `hour`: of the callee's day; `is_stranger`: nobody here
    knows the number; `people`: how many work here, as far as that is known.
    """

    auth_class: AuthClass = AuthClass.UNKNOWN
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    hour: int | None = None
    is_stranger: bool = False
    people: int = 0


class Subject(NamedTuple):
    """What a family of evidence is computed from. `identity_level`: effective in this class of calls; 0 is none."""

    evidence: Evidence
    circumstances: Circumstances
    weights: Weights
    now: float
    identity_level: int


NO_EVIDENCE = Evidence()
NO_CIRCUMSTANCES = Circumstances()
