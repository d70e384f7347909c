"""From evidence to a reputation: the families added up, and the level that this justifies. Pure.

    reputation_of(evidence, circumstances, weights, now) -> Reputation

O(1): the rows are folded into a `Standing` when they are written (reputation/standing.py).
"""

from __future__ import annotations

import json
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from reputation.caller_names import SPAM_LABELS
from reputation.evidence import NO_EVIDENCE, Circumstances, Evidence, Subject
from reputation.families import block, caller, counts, feeds, identity, traps
from reputation.families.counts import families_of_people
from reputation.families.identity import effective_level
from reputation.families.table import FAMILIES, MAY_TAG, OUTSIDE
from reputation.formulas import decayed
from reputation.model import Attestation, Family, Level, Reputation, Verification, Witnesses
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


@lru_cache(maxsize=64)
def events_needed(people: int, weights: WitnessWeights) -> int:
    """Return how much must have happened within days before our people ask a caller."""
    return _needed(people, weights.event_share, weights.event_least, weights.events)


def _needed(people: int, share: float, least: int, most: int) -> int:
    return min(max(ceil(share * people - 1e-9), least), most)


VERIFIED_LEVEL = 2
_COMPUTES = tuple([kind.compute for kind in FAMILIES if kind.compute is not None])
NO_LEVEL = Level.NONE  # until Python 3.12 a member costs ten times as much as a global name
_FAILED = Verification.FAILED
_TAG, _WARN, _CHALLENGE, _REJECT = Level.TAG, Level.WARN, Level.CHALLENGE, Level.REJECT


def reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    """The reputation of one number in one call."""
    if evidence is NO_EVIDENCE or evidence == NO_EVIDENCE:
        hour = circumstances.hour if circumstances.is_stranger else None
        return _of_call(circumstances.attestation, circumstances.verification, hour, weights)
    return _reputation_of(evidence, circumstances, weights, now)


def _reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    families = _families(evidence, circumstances, weights, now)
    log_odds = sum([family.log_odds for family in families])
    witnesses = witnesses_of(evidence.standing, circumstances.people, weights.witnesses, now)
    level = level_at(log_odds, weights.levels)
    said = _Said(log_odds, families, witnesses, evidence, circumstances, now)
    level = _level(level, said, weights)
    return Reputation(log_odds, level, families, (), evidence.appeal, witnesses if witnesses.seen else None)


@lru_cache(maxsize=256)
def _of_call(attestation: Attestation, verification: Verification, hour: int | None, weights: Weights) -> Reputation:
    """Nothing is known of nearly every caller. `hour`: for a stranger."""
    circumstances = Circumstances(attestation=attestation, verification=verification, hour=hour, is_stranger=True)
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
    others = [family for compute in _COMPUTES if (family := compute(subject)) is not None]
    return (*families_of_people(subject), *others)


class _Said(NamedTuple):
    """All that a level is made of. `log_odds`: what all families say together."""

    log_odds: float
    families: tuple[Family, ...]
    witnesses: Witnesses
    evidence: Evidence
    circumstances: Circumstances
    now: float

    def of(self, names: frozenset[str]) -> float:
        """What these families say together."""
        return sum([family.log_odds for family in self.families if family.name in names])

    @property
    def has_bad_signature(self) -> bool:
        return self.circumstances.verification is _FAILED

    @property
    def seen(self) -> float:
        """What its calls showed and the caller itself did: more than what people say, and than one-ring calls alone."""
        return self.of(_SEEN)


# What speaks for a caller whom sources list: a relationship, a passed challenge, an identity.
_FOR_CALLER = frozenset({*counts.FOR_CALLER, caller.NAME, identity.NAME})
_SEEN = frozenset({*counts.SHOWN, caller.NAME})
_RINGS = frozenset({counts.ONE_RING})
_LISTING = frozenset({feeds.NAME, block.LISTED, traps.NAME})


def _level(level: Level, said: _Said, weights: Weights) -> Level:
    """The strongest level whose threshold is reached and whose other conditions hold (docs/explanation/model.md).
    `level`: that whose threshold is reached.

    Our people may ask, and so may sources that agree; only what speaks against the number itself, and a caller who does
    not answer, may convict.
    """
    asks = _sources_ask(said, weights)
    if asks and level < _CHALLENGE:
        return _CHALLENGE
    if level > _CHALLENGE and not (_may_convict(said, weights) and (asks or _may_ask(said, weights))):
        level = _CHALLENGE
    if level is _REJECT and not _may_reject(said, weights):
        level = Level.ROUTE
    if level is _CHALLENGE and not asks and not _may_ask(said, weights):
        level = _WARN
    if level is _WARN and not _may_label(said, weights):
        level = _TAG
    if level < _WARN and _rings_once(said, weights):
        return _WARN
    return level if level > _TAG else _tag(said, weights)


def _tag(said: _Said, weights: Weights) -> Level:
    """A tag comes from sources and the call itself; what our people know of the caller may only speak against it."""
    own = said.of(MAY_TAG)
    if own < weights.levels.tag:
        return Level.NONE
    return Level.TAG if own + min(0.0, said.of(_FOR_CALLER)) >= weights.levels.tag else Level.NONE


def _may_label(said: _Said, weights: Weights) -> bool:
    """Enough of our people have seen something and some said so, or sources speak."""
    if _sources_speak(said, weights):
        return True
    if said.witnesses.seen < said.witnesses.label:
        return False
    return _is_share(said, weights) or (said.log_odds >= weights.levels.warn_unspoken and _is_going_on(said, weights))


def _rings_once(said: _Said, weights: Weights) -> bool:
    """Whether one-ring calls, in which nobody of ours has a part, reached enough of us for a warning."""
    if said.witnesses.seen < said.witnesses.label:
        return False
    return said.of(_RINGS) + min(0.0, said.of(_FOR_CALLER)) >= weights.levels.ringing


def _is_share(said: _Said, weights: Weights) -> bool:
    """Whether marks and hang-ups are of a share of those who answered, and one of them lives."""
    standing = said.evidence.standing
    if standing is None:
        return False
    found = counts.counts_of(standing, weights, said.now)
    spoke = found.marked + found.hung_up
    return spoke >= _LEAST_SPOKEN and spoke >= weights.witnesses.share * (found.marked + found.unmarked)


_LEAST_SPOKEN = 0.1  # a mark of somebody hardly trusted, or one that is as good as faded, is nobody's word


def _may_ask(said: _Said, weights: Weights) -> bool:
    """More of our people have, lately; and no family by itself, least of all marks, makes a caller press digits."""
    if said.log_odds < weights.levels.challenge or said.seen < weights.levels.challenge_seen:
        return False
    if _sources_speak(said, weights):
        return True
    return said.witnesses.seen >= said.witnesses.challenge and _is_share(said, weights) and _is_going_on(said, weights)


def _is_going_on(said: _Said, weights: Weights) -> bool:
    """Whether so much was said and shown against the number within days."""
    limits, standing = weights.witnesses, said.evidence.standing
    since = said.now - limits.event_days * DAY_SECONDS
    needed = events_needed(said.circumstances.people, limits)
    if standing is None:
        return False
    times = (*standing.adverse, *standing.challenges.unpassed)
    return len([at for at in times if at > since]) >= needed


def _sources_speak(said: _Said, weights: Weights) -> bool:
    signature = weights.attestation.failed if said.has_bad_signature else 0.0
    return said.of(OUTSIDE) + signature >= weights.outside.speaks


def _sources_ask(said: _Said, weights: Weights) -> bool:
    """Whether independent signs from outside are enough to ask a caller whom nobody here knows better."""
    if signs_of(said.evidence, said.circumstances, weights, said.now) < weights.outside.asks:
        return False
    signature = weights.attestation.failed if said.has_bad_signature else 0.0
    return said.of(_LISTING) + signature + min(0.0, said.of(_FOR_CALLER)) >= weights.outside.speaks


def signs_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> int:
    """Return how many independent signs from outside speak against the number. A source that was proven right, and a
    trap call with a passed signature, are enough by themselves; so is no block, whatever it holds.
    """
    alone, standing = weights.outside.asks, evidence.standing
    has_traps = standing is not None and (standing.traps or standing.verified_traps)
    has_failed = circumstances.verification is _FAILED
    if not (evidence.imported or evidence.listed_neighbours or has_traps or has_failed):
        return 0  # of nearly every caller
    listings = [row for row in evidence.imported if row.verdict == "spam" and row.is_feed]
    if any(row.is_proven for row in listings):
        return alone
    asked = any(row.looked_up for row in listings)
    signs = len({row.source for row in listings if not row.looked_up}) + asked
    signs += evidence.listed_neighbours >= weights.block.many
    signs += has_failed
    verified, unverified = traps.trap_calls_of(standing, weights, now)
    return alone if verified else signs + unverified


def _may_convict(said: _Said, weights: Weights) -> bool:
    """Above a challenge: a source lists the number itself, its signature is false, or signed calls went to traps. And
    the caller was asked, did not answer, and has not passed lately.
    """
    evidence = said.evidence
    listing = feeds.feeds_of([row for row in evidence.imported if row.is_feed], weights.feeds)
    outside = listing.log_odds if listing else 0.0
    if said.has_bad_signature:
        outside += weights.attestation.failed
    if traps.trap_calls_of(evidence.standing, weights, said.now)[0] >= _CONVICTING_TRAPS:
        outside += weights.outside.convicts
    return outside >= weights.outside.convicts and caller.has_failed(evidence.challenges, weights.caller, said.now)


_CONVICTING_TRAPS = 2


def _may_reject(said: _Said, weights: Weights) -> bool:
    """Several people of several groups said so, nobody has proven who the number belongs to, and nobody appeals."""
    evidence, levels = said.evidence, weights.levels
    standing = evidence.standing
    if standing is None or evidence.appeal is not None:
        return False
    live = decayed(standing.marks, standing.at, said.now, weights.counts.marks_half_life_days * DAY_SECONDS)
    return (
        live >= levels.reject_marks
        and said.of(counts.SHOWN) >= levels.reject_seen
        and _are_several(standing, levels)
        and effective_level(evidence.identity, said.circumstances.auth_class) < VERIFIED_LEVEL
    )


def _are_several(standing: Standing, levels: Thresholds) -> bool:
    if standing.groups == 0:
        return standing.reporters >= levels.reject_reporters_without_groups
    return standing.reporters >= levels.reject_reporters and standing.groups >= levels.reject_groups


@lru_cache(maxsize=4096)
def vector_of(reputation: Reputation, carrier_label: str | None = None) -> str:
    """The evidence vector as the journal keeps it, JSON: the families with their counts, what would change them, and
    the appeal that is in force, where there is one. `carrier_label`: what the carrier warned with, for a replay.
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
    if carrier_label is not None:
        vector["carrier_label"] = carrier_label
    return json.dumps(vector)


def carrier_label_in(vector: str) -> str | None:
    """The carrier's label of a vector as the journal keeps it; older versions had it as a family."""
    if '"carrier' not in vector:
        return None
    try:
        label = json.loads(vector).get("carrier_label")
        former = [what for one in families_of(vector) if one.name == "carrier label" for what, _ in one.counts]
    except (ValueError, AttributeError):
        return None
    return next((what for what in (label, *former) if what in SPAM_LABELS), None)


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
