"""Explain a number's reputation, and what would change it, in texts for all screens and logs. Pure functions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from operator import attrgetter

from reputation.evidence import Circumstances, Evidence
from reputation.families.counts import NOBODY_CALLED_BACK, SHOWN, WANTED_BY_US
from reputation.families.table import KIND_BY_NAME
from reputation.model import (
    AuthClass,
    ChallengeHistory,
    Family,
    Happening,
    Identity,
    Imported,
    Level,
    LevelChange,
    Reputation,
    SignalCategory,
)
from reputation.scoring import reputation_of
from reputation.standing import MAX_PASSES, Standing, standing_at
from reputation.weights import DAY_SECONDS, Weights
from reputation.wording import Wording, listed

# How far `days_until_lower` looks ahead: as long as evidence is kept.
HORIZON_DAYS = 365
FADE_SECONDS = 60.0  # the precision of `fades_of`
MOST_MARKS = 200  # the most further marks that `more_marks` tries
MORE_ANSWERS = 10  # Happening.ANSWERED says so


def with_changes(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    """Return a number's reputation. If its level is above `none`, it contains the events that would lower the level."""
    if evidence.standing is None and evidence.upheld_at is None:
        return _of_sources(_without_names(evidence), circumstances, weights)
    return _with_changes(evidence, circumstances, weights, now)


def _with_changes(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Reputation:
    reputation = reputation_of(evidence, circumstances, weights, now)
    if reputation.level is Level.NONE:
        return reputation
    changes = _changes_from(reputation.level, evidence, circumstances, weights, now)
    return reputation._replace(would_change=changes)


def _without_names(evidence: Evidence) -> Evidence:
    """Remove names from evidence without a standing, so that many numbers share a cached result of `_of_sources`."""
    imported, identity = evidence.imported, evidence.identity
    if not imported and identity is None:
        return evidence
    return Evidence(
        imported=tuple(sorted([_as_listed(row, place) for place, row in enumerate(imported)], key=_verdict)),
        identity=identity and Identity("", "", identity.level, 0.0),
        listed_neighbours=evidence.listed_neighbours,
        bad_neighbours=evidence.bad_neighbours,
        appeal=evidence.appeal,
    )


def _as_listed(row: Imported, place: int) -> Imported:
    """Return the row without texts. `place` replaces the source's name, because only the number of sources matters."""
    return _LISTED[row.verdict, row.is_feed, row.looked_up, row.is_proven, min(place, _SOURCES - 1)]


_SOURCES = 4  # more sources count as so many
_LISTED = {
    (verdict, is_feed, looked_up, is_proven, place): Imported(
        str(place), verdict, is_feed=is_feed, looked_up=looked_up, is_proven=is_proven
    )
    for verdict in ("spam", "ok")
    for is_feed in (False, True)
    for looked_up in (False, True)
    for is_proven in (False, True)
    for place in range(_SOURCES)
}
_verdict = attrgetter("verdict")


@lru_cache(maxsize=1024)
def _of_sources(evidence: Evidence, circumstances: Circumstances, weights: Weights) -> Reputation:
    """Return the reputation of a number without evidence from calls or marks. Cached: most numbers have none."""
    return _with_changes(evidence, circumstances, weights, 0.0)


def would_change(
    evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float
) -> tuple[LevelChange, ...]:
    """Return the events that would lower the number's level, in a fixed order. The most ordinary events come first."""
    level = reputation_of(evidence, circumstances, weights, now).level
    return _changes_from(level, evidence, circumstances, weights, now)


def _changes_from(
    level: Level, evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float
) -> tuple[LevelChange, ...]:
    if evidence.standing is not None:  # once for all of them
        evidence = evidence._replace(standing=_at(evidence.standing, weights, now))
    changes = []
    for what, happens in _HAPPENINGS:
        changed = happens(evidence, circumstances, weights, now)
        if changed is not None:
            after = reputation_of(changed, circumstances, weights, now)
            if after.level < level:
                changes.append(LevelChange(what, after.level, after.log_odds))
    return tuple(changes)


def would_raise(
    evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float
) -> tuple[LevelChange, ...]:
    """Return events that would raise the level: marks or hang-ups by people, one more source, or a failed challenge."""
    level = reputation_of(evidence, circumstances, weights, now).level

    def raised(what: Happening, changed: Evidence, people: int = 0) -> Iterator[LevelChange]:
        after = reputation_of(changed, circumstances, weights, now)
        if after.level > level:
            yield LevelChange(what, after.level, after.log_odds, people)

    def by_people() -> Iterator[LevelChange]:
        for people in range(1, weights.witnesses.challenge_most + 1):
            yield from raised(Happening.WITNESSED, _witnessed(evidence, people, weights, now), people)

    listed, failed = _listed(evidence), _failed(evidence, weights, now)
    alone = [*raised(Happening.LISTED, listed), *raised(Happening.FAILED, failed)]
    both = [] if alone or level < Level.CHALLENGE else raised(Happening.LISTED_AND_FAILED, _listed(failed))
    return (*islice(by_people(), 1), *alone, *both)


def days_until_lower(
    evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float
) -> tuple[int, Level] | None:
    """Return after how many days the level falls without new evidence, and the new level. None: not within a year."""
    level = reputation_of(evidence, circumstances, weights, now).level
    for days in range(1, HORIZON_DAYS + 1):
        after = reputation_of(evidence, circumstances, weights, now + days * DAY_SECONDS).level
        if after < level:
            return days, after
    return None


def fades_of(
    evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float
) -> tuple[tuple[float, Level], ...]:
    """Return when the level will fall within a year without new evidence: times (to the minute) with the new levels."""

    def level_at_time(at: float) -> Level:
        return reputation_of(evidence, circumstances, weights, at).level

    falls: list[tuple[float, Level]] = []
    level = level_at_time(now)
    for day in range(1, HORIZON_DAYS + 1):
        if level is Level.NONE:
            break
        high = now + day * DAY_SECONDS
        if level_at_time(high) >= level:
            continue
        low = high - DAY_SECONDS
        while high - low > FADE_SECONDS:
            middle = (low + high) / 2
            low, high = (low, middle) if level_at_time(middle) < level else (middle, high)
        level = level_at_time(high)
        falls.append((high, level))
    return tuple(falls)


def more_marks(
    evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float
) -> tuple[int, Level] | None:
    """Return how many more marks, made over time, would raise the level, and the new level; None if marks cannot."""
    standing = _at(evidence.standing, weights, now)
    level = reputation_of(evidence, circumstances, weights, now).level
    for n in range(1, MOST_MARKS + 1):
        more = standing._replace(
            marks=standing.marks + n,
            answers=standing.answers + n,
            reporters=standing.reporters + n,
            answered=standing.answered + n,
            groups=standing.groups + 1 if standing.groups else 0,
            witnessed=(now,) * n + standing.witnessed,
            adverse=(now,) * n + standing.adverse,
        )
        after = reputation_of(evidence._replace(standing=more), circumstances, weights, now).level
        if after > level:
            return n, after
    return None


Happens = Callable[[Evidence, Circumstances, Weights, float], Evidence | None]


def _called_back(evidence: Evidence, circumstances: Circumstances, weights: Weights, now: float) -> Evidence | None:
    if circumstances.auth_class is AuthClass.UNAUTHENTICATED:
        return None
    standing = _at(evidence.standing, weights, now)
    counts = dict(standing.signals)
    counts[SignalCategory.CALLED_BACK] = counts.get(SignalCategory.CALLED_BACK, 0) + 1
    more = standing._replace(wanted=standing.wanted + 1.0, signals=tuple(sorted(counts.items())))
    return evidence._replace(standing=more)


def _answered(evidence: Evidence, _circumstances: Circumstances, weights: Weights, now: float) -> Evidence | None:
    standing = _at(evidence.standing, weights, now)
    more = standing._replace(
        answers=standing.answers + MORE_ANSWERS,
        answered=standing.answered + MORE_ANSWERS,
        silent=standing.silent + MORE_ANSWERS,
    )
    return evidence._replace(standing=more)


def _verified(evidence: Evidence, _circumstances: Circumstances, _weights: Weights, now: float) -> Evidence | None:
    if evidence.identity is not None and evidence.identity.level >= 2:
        return None
    return evidence._replace(identity=Identity("", "", 2, now + HORIZON_DAYS * DAY_SECONDS))


def _upheld(evidence: Evidence, _circumstances: Circumstances, weights: Weights, now: float) -> Evidence | None:
    if evidence.standing is None or not evidence.standing.reporters:
        return None
    standing = _at(evidence.standing, weights, now)
    others = standing.witnessed[standing.reporters :]  # as many as are left
    unmarked = standing._replace(marks=0.0, reporters=0, groups=0, burst_at=None, witnessed=others)
    return evidence._replace(standing=unmarked, upheld_at=now, appeal=None)


def _passed(evidence: Evidence, _circumstances: Circumstances, weights: Weights, now: float) -> Evidence | None:
    """Return the evidence after a passed challenge; None if none was failed or abandoned since the latest pass."""
    history = evidence.challenges
    if not (history.failures or history.abandoned_at):
        return None
    passes, of_number = ((now, *earlier)[:MAX_PASSES] for earlier in (history.passes, history.of_number))
    passed = ChallengeHistory(passes=passes, of_number=of_number)
    return evidence._replace(standing=_at(evidence.standing, weights, now)._replace(challenges=passed, one_ring=0.0))


def _unlisted(evidence: Evidence, _circumstances: Circumstances, _weights: Weights, _now: float) -> Evidence | None:
    return evidence._replace(imported=()) if any(row.verdict == "spam" for row in evidence.imported) else None


def _witnessed(evidence: Evidence, people: int, weights: Weights, now: float) -> Evidence:
    """Return the evidence after `people` more people answered: half of them marked the number, the others hung up."""
    standing, marked = _at(evidence.standing, weights, now), people // 2
    hung_up, counts = people - marked, dict(standing.signals)
    counts[SignalCategory.HUNG_UP_ON] = counts.get(SignalCategory.HUNG_UP_ON, 0) + hung_up
    more = standing._replace(
        marks=standing.marks + marked,
        answers=standing.answers + people,
        hung_up=standing.hung_up + hung_up,
        reporters=standing.reporters + marked,
        answered=standing.answered + people,
        silent=standing.silent + hung_up,
        signals=tuple(sorted(counts.items())),
        witnessed=(now,) * people + standing.witnessed,
        adverse=(now,) * people + standing.adverse,
    )
    return evidence._replace(standing=more)


def _listed(evidence: Evidence) -> Evidence:
    return evidence._replace(imported=(*evidence.imported, Imported(f"source {len(evidence.imported)}", "spam")))


def _failed(evidence: Evidence, weights: Weights, now: float) -> Evidence:
    history = evidence.challenges
    failed = replace(history, failures=history.failures + 1, failed_at=now)
    return evidence._replace(standing=_at(evidence.standing, weights, now)._replace(challenges=failed))


_HAPPENINGS: tuple[tuple[Happening, Happens], ...] = (
    (Happening.ANSWERED, _answered),
    (Happening.CALLED_BACK, _called_back),
    (Happening.PASSED, _passed),
    (Happening.UNLISTED, _unlisted),
    (Happening.VERIFIED, _verified),
    (Happening.UPHELD, _upheld),
)

_WORDS = {happening.code: happening.value for happening in Happening}


def words_of_happening(code: str) -> str:
    """Return the text for an event code in the journal. A text stored by an older version is returned unchanged."""
    return _WORDS.get(code, code)


def _at(standing: Standing | None, weights: Weights, now: float) -> Standing:
    return Standing(at=now) if standing is None else standing_at(standing, weights, now)


# In words. ------------------------------------------------------------------------------------------------


def sentence_of_families(families: Sequence[Family]) -> str:
    """Return the evidence in English, without a full stop; an empty text if there is no evidence."""
    return str(words_of_families(families))


def words_of_families(families: Sequence[Family]) -> str | Wording:
    """Return the evidence as a translatable text without a full stop; an empty text if there is no evidence."""
    parts = [part for family in families for part in parts_of(family)]
    names = {family.name for family in families}
    if not SHOWN.isdisjoint(names) and WANTED_BY_US not in names:
        parts.append(NOBODY_CALLED_BACK)
    return listed(parts, "{some}; {more}")


def parts_of(family: Family) -> Iterator[Wording]:
    """Yield texts that describe the counts of a family. Families unknown to this version have no text."""
    kind = KIND_BY_NAME.get(family.name)
    return iter(()) if kind is None else kind.words(dict(family.counts))
