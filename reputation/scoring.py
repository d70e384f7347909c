"""Compute a reputation from evidence: the sum of the families, and the level that this sum justifies. Pure functions.

This takes constant time, because rows are summed into a `Standing` when they are written (reputation/standing.py).
"""

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

# How many witnesses have evidence against a number, and how many it takes. Pure.
#
# A witness is a person who marked the number, hung up on it, missed its call or let it ring, counted once. A DID or a
# queue that nobody answered is one, and so is another site, whatever its people say. They are counted without decay, so
# that a few who do much never look like many.


def witnesses_of(standing: Standing | None, people: int, weights: WitnessWeights, now: float) -> Witnesses:
    """Return how many witnesses there were in the last `weights.days` days, and how many a label or challenge needs.

    `people`: how many people work here. The larger the office, the more witnesses are needed.
    """
    oldest = now - weights.days * DAY_SECONDS
    seen = 0 if standing is None else len([at for at in standing.witnessed if at > oldest])
    return Witnesses(seen, *_needed_of(people, weights))


@lru_cache(maxsize=64)
def _needed_of(people: int, weights: WitnessWeights) -> tuple[int, int]:
    return (
        _needed(people, weights.label_share, weights.label_least, weights.label_most),
        _needed(people, weights.challenge_share, weights.challenge_least, weights.challenge_most),
    )


@lru_cache(maxsize=64)
def events_needed(people: int, weights: WitnessWeights) -> int:
    """Return how many recent events against a number must exist for a challenge. `people`: how many work here."""
    return _needed(people, weights.event_share, weights.event_least, weights.events)


def _needed(people: int, share: float, least: int, most: int) -> int:
    return min(max(ceil(share * people - 1e-9), least), most)


VERIFIED_LEVEL = 2
_COMPUTES = tuple([kind.compute for kind in FAMILIES if kind.compute is not None])
NO_LEVEL = Level.NONE  # until Python 3.12 a member costs ten times as much as a global name
_FAILED = Verification.FAILED
_TAG, _WARN, _CHALLENGE, _REJECT = Level.TAG, Level.WARN, Level.CHALLENGE, Level.REJECT


def reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    """Return the reputation of a number in a call, from evidence about the number and the circumstances of the call."""
    if evidence is NO_EVIDENCE or evidence == NO_EVIDENCE:
        hour = circumstances.hour if circumstances.is_stranger else None
        return _of_call(circumstances.attestation, circumstances.verification, hour, weights)
    return _reputation_of(evidence, circumstances, weights, now)


def _reputation_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    families = _families(evidence, circumstances, weights, now)
    log_odds = sum([family.log_odds for family in families])
    witnesses = witnesses_of(evidence.standing, circumstances.people, weights.witnesses, now)
    level = level_at(log_odds, weights.levels)
    case = _LevelCase(log_odds, families, witnesses, evidence, circumstances, now)
    level = _level(level, case, weights)
    return Reputation(log_odds, level, families, (), evidence.appeal, witnesses if witnesses.seen else None)


@lru_cache(maxsize=256)
def _of_call(attestation: Attestation, verification: Verification, hour: int | None, weights: Weights) -> Reputation:
    """Return the reputation of a caller without evidence (most callers). `hour`: None if the caller is known."""
    circumstances = Circumstances(attestation=attestation, verification=verification, hour=hour, is_stranger=True)
    return _reputation_of(NO_EVIDENCE, circumstances, weights, 0.0)


def level_at(log_odds: float, levels: Thresholds) -> Level:
    """Return the strongest level whose threshold `log_odds` reaches. Other conditions of the level are not checked."""
    for threshold, level in levels.strongest_first:
        if log_odds >= threshold:
            return level
    return NO_LEVEL


def _families(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> tuple[Family, ...]:
    identified = evidence.identity
    level = 0 if identified is None else effective_level(identified, circumstances.auth_class)
    subject = Subject(evidence, circumstances, weights, now, level)
    others = [family for compute in _COMPUTES if (family := compute(subject)) is not None]
    return (*families_of_people(subject), *others)


class _LevelCase(NamedTuple):
    log_odds: float
    families: tuple[Family, ...]
    witnesses: Witnesses
    evidence: Evidence
    circumstances: Circumstances
    now: float

    def of(self, names: frozenset[str]) -> float:
        return sum([family.log_odds for family in self.families if family.name in names])

    @property
    def has_bad_signature(self) -> bool:
        return self.circumstances.verification is _FAILED

    @property
    def seen(self) -> float:
        """The log-odds from calls and the caller's own behaviour, without marks and one-ring calls."""
        return self.of(_SEEN)


# Families that may speak for a listed caller: a relationship, a passed challenge, an identity.
_FOR_CALLER = frozenset({*counts.FOR_CALLER, caller.NAME, identity.NAME})
_SEEN = frozenset({*counts.SHOWN, caller.NAME})
_RINGS = frozenset({counts.ONE_RING})
_LISTING = frozenset({feeds.NAME, block.LISTED, traps.NAME})


def _level(level: Level, case: _LevelCase, weights: Weights) -> Level:
    """Return the strongest level whose threshold and other conditions hold (docs/contributing/model.md).

    `level`: the level whose threshold is reached. A challenge needs enough people here, or several sources that agree.
    Stronger levels also need evidence against the number itself, and a caller who failed a challenge.
    """
    asks = _sources_ask(case, weights)
    if asks and level < _CHALLENGE:
        return _CHALLENGE
    if level > _CHALLENGE and not (_may_convict(case, weights) and (asks or _may_ask(case, weights))):
        level = _CHALLENGE
    if level is _REJECT and not _may_reject(case, weights):
        level = Level.ROUTE
    if level is _CHALLENGE and not asks and not _may_ask(case, weights):
        level = _WARN
    if level is _WARN and not _may_label(case, weights):
        level = _TAG
    if level < _WARN and _rings_once(case, weights):
        return _WARN
    return level if level > _TAG else _tag(case, weights)


def _tag(case: _LevelCase, weights: Weights) -> Level:
    own = case.of(MAY_TAG)
    if own < weights.levels.tag:
        return Level.NONE
    return Level.TAG if own + min(0.0, case.of(_FOR_CALLER)) >= weights.levels.tag else Level.NONE


def _may_label(case: _LevelCase, weights: Weights) -> bool:
    if _sources_speak(case, weights):
        return True
    if case.witnesses.seen < case.witnesses.label:
        return False
    return _is_share(case, weights) or (case.log_odds >= weights.levels.warn_unspoken and _is_going_on(case, weights))


def _rings_once(case: _LevelCase, weights: Weights) -> bool:
    if case.witnesses.seen < case.witnesses.label:
        return False
    return case.of(_RINGS) + min(0.0, case.of(_FOR_CALLER)) >= weights.levels.ringing


def _is_share(case: _LevelCase, weights: Weights) -> bool:
    """Return whether enough of the people who answered marked the number or hung up, at least one of them recently."""
    standing = case.evidence.standing
    if standing is None:
        return False
    shares = counts.counts_of(standing, weights, case.now)
    spoke = shares.marked + shares.hung_up
    return spoke >= _LEAST_SPOKEN and spoke >= weights.witnesses.share * (shares.marked + shares.unmarked)


_LEAST_SPOKEN = 0.1  # a mark that has nearly faded, or whose reporter is hardly trusted, does not count


def _may_ask(case: _LevelCase, weights: Weights) -> bool:
    """Return whether enough recent witnesses agree for a challenge. One family of evidence alone is never enough."""
    if case.log_odds < weights.levels.challenge or case.seen < weights.levels.challenge_seen:
        return False
    if _sources_speak(case, weights):
        return True
    return case.witnesses.seen >= case.witnesses.challenge and _is_share(case, weights) and _is_going_on(case, weights)


def _is_going_on(case: _LevelCase, weights: Weights) -> bool:
    limits, standing = weights.witnesses, case.evidence.standing
    since = case.now - limits.event_days * DAY_SECONDS
    needed = events_needed(case.circumstances.people, limits)
    if standing is None:
        return False
    times = (*standing.adverse, *standing.challenges.unpassed)
    return len([at for at in times if at > since]) >= needed


def _sources_speak(case: _LevelCase, weights: Weights) -> bool:
    signature = weights.attestation.failed if case.has_bad_signature else 0.0
    return case.of(OUTSIDE) + signature >= weights.outside.speaks


def _sources_ask(case: _LevelCase, weights: Weights) -> bool:
    """Return whether outside evidence justifies a challenge. Evidence in the caller's favour weighs against it."""
    if signs_of(case.evidence, case.circumstances, weights, case.now) < weights.outside.asks:
        return False
    signature = weights.attestation.failed if case.has_bad_signature else 0.0
    return case.of(_LISTING) + signature + min(0.0, case.of(_FOR_CALLER)) >= weights.outside.speaks


def signs_of(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> int:
    """Return how many signs of outside evidence speak against the number. Bad neighbours alone do not count."""
    alone, standing = weights.outside.asks, evidence.standing
    has_traps = standing is not None and (standing.traps or standing.verified_traps)
    has_failed = circumstances.verification is _FAILED
    if not (evidence.imported or evidence.listed_neighbours or has_traps or has_failed):
        return 0  # for nearly every caller
    listings = [row for row in evidence.imported if row.verdict == "spam" and row.is_feed]
    if any(row.is_proven for row in listings):
        return alone
    asked = any(row.looked_up for row in listings)
    signs = len({row.source for row in listings if not row.looked_up}) + asked
    signs += evidence.listed_neighbours >= weights.block.many
    signs += has_failed
    verified, unverified = traps.trap_calls_of(standing, weights, now)
    return alone if verified else signs + unverified


def _may_convict(case: _LevelCase, weights: Weights) -> bool:
    """Return whether a level above a challenge is allowed.

    The caller must have failed a challenge and not passed one lately. In addition, a source must list the number
    itself, the call's signature must have failed verification, or signed calls must have gone to traps.
    """
    evidence = case.evidence
    listing = feeds.feeds_of([row for row in evidence.imported if row.is_feed], weights.feeds)
    outside = listing.log_odds if listing else 0.0
    if case.has_bad_signature:
        outside += weights.attestation.failed
    if traps.trap_calls_of(evidence.standing, weights, case.now)[0] >= _CONVICTING_TRAPS:
        outside += weights.outside.convicts
    return outside >= weights.outside.convicts and caller.has_failed(evidence.challenges, weights.caller, case.now)


_CONVICTING_TRAPS = 2


def _may_reject(case: _LevelCase, weights: Weights) -> bool:
    evidence, levels = case.evidence, weights.levels
    standing = evidence.standing
    if standing is None or evidence.appeal is not None:
        return False
    live = decayed(standing.marks, standing.at, case.now, weights.counts.marks_half_life_days * DAY_SECONDS)
    return (
        live >= levels.reject_marks
        and case.of(counts.SHOWN) >= levels.reject_seen
        and _are_several(standing, levels)
        and effective_level(evidence.identity, case.circumstances.auth_class) < VERIFIED_LEVEL
    )


def _are_several(standing: Standing, levels: Thresholds) -> bool:
    if standing.groups == 0:
        return standing.reporters >= levels.reject_reporters_without_groups
    return standing.reporters >= levels.reject_reporters and standing.groups >= levels.reject_groups


@lru_cache(maxsize=4096)
def vector_of(reputation: Reputation, carrier_label: str | None = None) -> str:
    """Return the evidence as JSON for the journal. `carrier_label`: the carrier's warning, which a replay needs."""
    vector: dict[str, object] = {
        "families": [
            {"family": family.name, "log_odds": round(family.log_odds, 6) + 0.0, "counts": dict(family.counts)}
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
    """Return the carrier's warning from a vector in the journal, or None. Older versions stored it as a family."""
    if '"carrier' not in vector:
        return None
    try:
        label = json.loads(vector).get("carrier_label")
        former = [what for family in families_of(vector) if family.name == "carrier label" for what, _ in family.counts]
    except (ValueError, AttributeError):
        return None
    return next((what for what in (label, *former) if what in SPAM_LABELS), None)


def families_of(vector: str) -> tuple[Family, ...]:
    """Return the families from a vector in the journal. Raise ValueError if the vector is damaged."""
    try:
        families = json.loads(vector)["families"]
        return tuple(
            Family(family["family"], family["log_odds"], tuple(family["counts"].items())) for family in families
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no evidence vector") from error


def witnesses_in(vector: str) -> Witnesses | None:
    """Return the witnesses from a vector in the journal; None if the vector names none, as in older versions."""
    try:
        return Witnesses(**{name: int(count) for name, count in json.loads(vector)["witnesses"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
