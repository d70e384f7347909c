"""From evidence to a reputation: the families added up, and the level that this justifies. Pure.

    reputation_of(evidence, circumstances, weights, now) -> Reputation

O(1): the rows are folded into a `Standing` when they are written (reputation/standing.py).
"""

from __future__ import annotations

import json
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from reputation.evidence import NO_EVIDENCE, Circumstances, Evidence, Subject
from reputation.families import behaviour, block, caller, feeds
from reputation.families.identity import effective_level
from reputation.families.kind import FamilyKind
from reputation.families.table import FAMILIES, MAY_TAG, OUTSIDE, TAG_ONLY
from reputation.formulas import decayed
from reputation.model import Family, Level, Reputation, Verification, Witnesses
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, Thresholds, Weights, WitnessWeights

# How many witnesses have something against a number, and how many it takes. Pure.
#
# A witness is whoever marked the number, hung up on it, missed its call or let it ring: one for all of that. A DID or a
# queue that nobody answered is one, and so is another site, whatever its people say. They are counted without decay, so
# that a few who do much never look like many.


def witnesses_of(standing: Standing | None, people: int, weights: WitnessWeights, now: float) -> Witnesses:
    """Who has seen something within `weights.days`; `people` are all of ours."""
    oldest = now - weights.days * DAY_SECONDS
    seen = 0 if standing is None else len([at for at in standing.witnessed if at > oldest])
    return Witnesses(seen, *_needed_of(people, weights))


@lru_cache(maxsize=64)
def _needed_of(people: int, weights: WitnessWeights) -> tuple[int, int]:
    """For a label, and for a challenge."""
    return (
        _needed(people, weights.label_share, weights.label_least, weights.label_most),
        _needed(people, weights.challenge_share, weights.challenge_least, weights.challenge_most),
    )


def _needed(people: int, share: float, least: int, most: int) -> int:
    return min(max(ceil(share * people - 1e-9), least), most)


VERIFIED_LEVEL = 2
# What each family needs, by its place in (True, *evidence, *circumstances): looking there is cheaper than a call.
_PLACES = ("", *Evidence._fields, *Circumstances._fields)


def _places_of(kind: FamilyKind) -> tuple[int, int]:
    needs = kind.needs or ("",)
    return _PLACES.index(needs[0]), _PLACES.index(needs[-1])


_COMPUTES = tuple((kind.compute, *_places_of(kind)) for kind in FAMILIES)
NO_LEVEL = Level.NONE  # until Python 3.12 a member costs ten times as much as a global name


def reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    """The reputation of one number in one call."""
    if evidence is NO_EVIDENCE or evidence == NO_EVIDENCE:
        return _of_circumstances(circumstances, weights)
    return _reputation_of(evidence, circumstances, weights, now)


def _reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    families = _families(evidence, circumstances, weights, now)
    log_odds = sum([family.log_odds for family in families])
    witnesses = witnesses_of(evidence.standing, circumstances.people, weights.witnesses, now)
    call = circumstances
    is_told = call.purpose is not None or call.label is not None or call.first_call is not None or evidence.peers
    tag_only = _sum(families, TAG_ONLY) if is_told else 0.0
    level = level_at(log_odds - tag_only, weights.levels)
    if level is not NO_LEVEL or tag_only:
        said = _Said(log_odds - tag_only, tag_only, families, witnesses, evidence, circumstances, now)
        level = _level(level, said, weights)
    return Reputation(log_odds, level, families, (), evidence.appeal, witnesses if witnesses.seen else None)


@lru_cache(maxsize=256)
def _of_circumstances(circumstances: Circumstances, weights: Weights) -> Reputation:
    """Of nearly every caller nothing is known."""
    return _reputation_of(NO_EVIDENCE, circumstances, weights, 0.0)


def level_at(log_odds: float, levels: Thresholds) -> Level:
    """The strongest level whose threshold is reached, whatever else it needs."""
    for threshold, level in levels.strongest_first:
        if log_odds >= threshold:
            return level
    return NO_LEVEL


def _families(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> tuple[Family, ...]:
    """Return the families that have something to say, in the order of FAMILIES."""
    identified = evidence.identity
    level = 0 if identified is None else effective_level(identified, circumstances.auth_class)
    subject = Subject(evidence, circumstances, weights, now, level)
    facts = (True, *evidence, *circumstances)
    computed = [compute(subject) for compute, this, other in _COMPUTES if facts[this] or facts[other]]
    return tuple([family for family in computed if family is not None])


def _sum(families: tuple[Family, ...], names: frozenset[str]) -> float:
    return sum([family.log_odds for family in families if family.name in names])


class _Said(NamedTuple):
    """All that a level is made of. `log_odds`: what all families say together but those of TAG_ONLY."""

    log_odds: float
    tag_only: float
    families: tuple[Family, ...]
    witnesses: Witnesses
    evidence: Evidence
    circumstances: Circumstances
    now: float

    def of(self, names: frozenset[str]) -> float:
        """What these families say together."""
        return _sum(self.families, names)

    @property
    def has_bad_signature(self) -> bool:
        return self.circumstances.verification is Verification.FAILED

    def outside(self, weights: Weights) -> float:
        """What the outside says: feeds, neighbours on feeds, a false signature. Nothing that an administrator imported
        by hand, and nothing that our own people had a part in.
        """
        listed = feeds.feeds_of([row for row in self.evidence.imported if row.is_feed], weights.feeds)
        signature = weights.attestation.failed if self.has_bad_signature else 0.0
        return (listed.log_odds if listed else 0.0) + self.of(frozenset({block.LISTED})) + signature

    def seen(self, weights: Weights) -> float:
        """What its calls showed and the caller itself did: more than what people say, and than one-ring calls alone."""
        standing = self.evidence.standing
        shown = 0.0 if standing is None else behaviour.lasting_behaviour_of(standing, weights.behaviour, self.now)
        return shown + self.of(frozenset({caller.NAME}))


def _level(level: Level, said: _Said, weights: Weights) -> Level:
    """The strongest level whose threshold is reached and whose other conditions hold (docs/explanation/model.md).
    `level`: that whose threshold is reached.

    Our people may ask; only the outside, and a caller who does not answer, may convict. The numbering plan, the
    carrier's label and what strangers did lately tag and lead no further, so the levels above are reached without them.
    """
    if level > Level.CHALLENGE and not _may_convict(said, weights):
        level = Level.CHALLENGE
    if level is Level.REJECT and not _may_reject(said, weights):
        level = Level.ROUTE
    if level is Level.CHALLENGE and not _may_ask(said, weights):
        level = Level.WARN
    if level is Level.WARN and not _may_label(said, weights):
        level = Level.TAG
    return level if level > Level.TAG else _tag(said, weights)


def _tag(said: _Said, weights: Weights) -> Level:
    """A tag comes from sources, other companies and the call itself; all else may only speak against it."""
    own = said.of(MAY_TAG)
    return Level.TAG if min(own, said.log_odds + said.tag_only) >= weights.levels.tag else Level.NONE


def _may_label(said: _Said, weights: Weights) -> bool:
    """Enough of our people have seen something, or sources speak."""
    return said.witnesses.seen >= said.witnesses.label or _sources_speak(said, weights)


def _may_ask(said: _Said, weights: Weights) -> bool:
    """More of our people have; and no family by itself, least of all marks, makes a caller press digits."""
    levels, seen = weights.levels, said.seen(weights)
    two_ways = seen >= levels.challenge_seen or (
        said.log_odds >= levels.challenge_unseen and (seen > 0 or said.has_bad_signature)
    )
    return two_ways and (said.witnesses.seen >= said.witnesses.challenge or _sources_speak(said, weights))


def _sources_speak(said: _Said, weights: Weights) -> bool:
    signature = weights.attestation.failed if said.has_bad_signature else 0.0
    return said.of(OUTSIDE) + signature >= weights.outside.speaks


def _may_convict(said: _Said, weights: Weights) -> bool:
    """Above a challenge: the outside says so too, it was asked and did not answer, and has not passed lately."""
    return (
        said.outside(weights) >= weights.outside.convicts
        and caller.has_failed(said.evidence.challenges, weights.caller, said.now)
        and _may_ask(said, weights)
    )


def _may_reject(said: _Said, weights: Weights) -> bool:
    """Several people of several groups said so, nobody has proven who the number belongs to, and nobody appeals."""
    evidence, levels = said.evidence, weights.levels
    standing = evidence.standing
    if standing is None or evidence.appeal is not None:
        return False
    live = decayed(standing.marks, standing.at, said.now, weights.marks.half_life_days * DAY_SECONDS)
    return (
        live >= levels.reject_marks
        and behaviour.lasting_behaviour_of(standing, weights.behaviour, said.now) >= levels.reject_behaviour
        and _are_several(standing, levels)
        and effective_level(evidence.identity, said.circumstances.auth_class) < VERIFIED_LEVEL
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
    if reputation.witnesses is not None:
        vector["witnesses"] = reputation.witnesses._asdict()
    return json.dumps(vector)


def families_of(vector: str) -> tuple[Family, ...]:
    """The families of a vector as the journal keeps it. ValueError: the text is damaged."""
    try:
        found = json.loads(vector)["families"]
        return tuple(Family(one["family"], one["log_odds"], tuple(one["counts"].items())) for one in found)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no evidence vector") from error


def witnesses_in(vector: str) -> Witnesses | None:
    """The witnesses of a vector as the journal keeps it; None: there were none, or it is an older one."""
    try:
        return Witnesses(**{name: int(count) for name, count in json.loads(vector)["witnesses"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
