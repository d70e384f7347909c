"""From evidence to a reputation: the families added up, and the level that this justifies. Pure.

    reputation_of(evidence, circumstances, weights, now) -> Reputation

O(1): the rows are folded into a `Standing` when they are written (reputation/standing.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from reputation.decay import decayed
from reputation.families.attestation import attestation_of
from reputation.families.behaviour import behaviour_of
from reputation.families.block import block_of
from reputation.families.feeds import feeds_of
from reputation.families.identity import effective_level, identity_of, marks_contamination
from reputation.families.marks import marks_of
from reputation.families.quiet import quiet_of
from reputation.model import Attestation, AuthClass, Family, Identity, Imported, Level, Reputation, Verification
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, Thresholds, Weights

VERIFIED_LEVEL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that speaks for or against a number in one class of calls, as of one instant.

    `bad_neighbours`: distinct bad numbers in its block of 1000, itself left out. `reviewed_at`: when a person last
    looked at a burst of marks; `upheld_at`: when an appeal was last upheld; `appeal`: the reference of one in force.
    """

    standing: Standing | None = None
    imported: tuple[Imported, ...] = ()
    identity: Identity | None = None
    bad_neighbours: int = 0
    reviewed_at: float | None = None
    upheld_at: float | None = None
    appeal: str | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of the call itself. `hour`: of the callee's day; `is_stranger`: nobody here knows the number."""

    auth_class: AuthClass = AuthClass.UNKNOWN
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    hour: int | None = None
    is_stranger: bool = False


NO_EVIDENCE = Evidence()
NO_CIRCUMSTANCES = Circumstances()


def reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    """The reputation of one number in one call."""
    if evidence == NO_EVIDENCE:
        return _of_circumstances(circumstances, weights)
    families = _families(evidence, circumstances, weights, now)
    log_odds = sum([family.log_odds for family in families])
    level = _level(log_odds, families, evidence, circumstances, weights, now)
    return Reputation(log_odds, level, families, appeal=evidence.appeal)


@lru_cache(maxsize=256)
def _of_circumstances(circumstances: Circumstances, weights: Weights) -> Reputation:
    """Of nearly every caller nothing is known."""
    families = _families(NO_EVIDENCE, circumstances, weights, 0.0)
    log_odds = sum(family.log_odds for family in families)
    return Reputation(log_odds, _level(log_odds, families, NO_EVIDENCE, circumstances, weights, 0.0), families)


def level_at(log_odds: float, levels: Thresholds) -> Level:
    """The strongest level whose threshold is reached, whatever else it needs."""
    return next((level for threshold, level in levels.strongest_first if log_odds >= threshold), Level.NONE)


def _families(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> tuple[Family, ...]:
    """Those that have something to say, in a fixed order."""
    level = effective_level(evidence.identity, circumstances.auth_class)
    standing = evidence.standing
    found: list[Family | None] = []
    if standing is not None:
        contamination = _marks_contamination(evidence, level, weights, now)
        found.append(marks_of(standing, weights.marks, now, contamination, evidence.reviewed_at))
        found.append(behaviour_of(standing, weights.behaviour, now))
    found.append(block_of(evidence.bad_neighbours, weights.block))
    found.append(feeds_of(evidence.imported, weights.feeds))
    found.append(attestation_of(circumstances.attestation, circumstances.verification, weights.attestation))
    found.append(quiet_of(circumstances.hour, circumstances.is_stranger, weights.quiet))
    found.append(identity_of(level, weights.identity))
    return tuple([family for family in found if family is not None])


def _marks_contamination(evidence: Evidence, level: int, weights: Weights, now: float) -> float:
    """The largest of those that apply."""
    upheld_at, appeal = evidence.upheld_at, weights.appeal
    doubted = upheld_at is not None and now - upheld_at < appeal.days * DAY_SECONDS
    return max(
        weights.marks.contamination,
        marks_contamination(level, weights.identity),
        appeal.marks_contamination if doubted else 0.0,
    )


def _level(
    log_odds: float,
    families: tuple[Family, ...],
    evidence: Evidence,
    circumstances: Circumstances,
    weights: Weights,
    now: float,
) -> Level:
    """The strongest level whose threshold is reached and whose other conditions hold (docs/explanation/model.md)."""
    levels = weights.levels
    level = level_at(log_odds, levels)
    if level <= Level.WARN:
        return level
    behaviour = next((family.log_odds for family in families if family.name == "behaviour"), 0.0)
    if behaviour <= 0 and circumstances.verification is not Verification.FAILED:
        return Level.WARN
    if level is not Level.REJECT:
        return level
    rejects = behaviour >= levels.reject_behaviour and _may_reject(evidence, circumstances, weights, now)
    return Level.REJECT if rejects else Level.ROUTE


def _may_reject(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> bool:
    """Several people of several groups said so, nobody has proven who the number belongs to, and nobody appeals."""
    standing = evidence.standing
    if standing is None or evidence.appeal is not None:
        return False
    marks = decayed(standing.marks, standing.at, now, weights.marks.half_life_days * DAY_SECONDS)
    return (
        marks >= weights.levels.reject_marks
        and _are_several(standing, weights.levels)
        and effective_level(evidence.identity, circumstances.auth_class) < VERIFIED_LEVEL
    )


def _are_several(standing: Standing, levels: Thresholds) -> bool:
    if standing.groups == 0:
        return standing.reporters >= levels.reject_reporters_without_groups
    return standing.reporters >= levels.reject_reporters and standing.groups >= levels.reject_groups


@lru_cache(maxsize=4096)
def vector_of(reputation: Reputation) -> str:
    """The evidence vector as the journal keeps it, JSON: the families with their counts, what would change them, and
    the appeal that is in force, where there is one.
    """
    vector: dict[str, object] = {
        "families": [
            {"family": family.name, "log_odds": round(family.log_odds, 6), "counts": dict(family.counts)}
            for family in reputation.families
        ],
        "would_change": [{"what": change.what.code, "level": change.level.word} for change in reputation.would_change],
    }
    if reputation.appeal is not None:
        vector["appeal"] = reputation.appeal
    return json.dumps(vector)


def families_of(vector: str) -> tuple[Family, ...]:
    """The families of a vector as the journal keeps it. ValueError: the text is damaged."""
    try:
        found = json.loads(vector)["families"]
        return tuple(Family(one["family"], one["log_odds"], tuple(one["counts"].items())) for one in found)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no evidence vector") from error
