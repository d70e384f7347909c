"""Seven counts of what people here noticed about a number, each a separate family (docs/contributing/model.md).

A count weighs `weight * ln(1 + count)`, so the tenth witness weighs less than the first. People are counted once each,
and old evidence fades. One-ring calls are an eighth family. No person noticed them, so each call weighs the same.
"""

from collections.abc import Callable, Iterator
from math import log1p
from typing import NamedTuple

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker, count_key, counted_keys
from reputation.formulas import decayed
from reputation.model import Family, SignalCategory
from reputation.standing import COUNT_OF, WANTED, Standing
from reputation.weights import DAY_SECONDS, CountWeights, Weights
from reputation.wording import Counted, Wording

MARKED, UNMARKED, ONE_RING = "marked", "unmarked", "one ring"
WANTED_BY_US = "wanted"
NAMES = (MARKED, UNMARKED, "hung up", "missed", "messages", "talks", WANTED_BY_US)
FOR_CALLER = frozenset({"talks", WANTED_BY_US})  # a relationship
SHOWN = frozenset({"hung up", "missed"})  # what calls showed against the number
AGAINST = frozenset({MARKED, *SHOWN})
PASSED = "passed a challenge"


class EvidenceCounts(NamedTuple):
    """The seven counts of evidence about a number at an instant, in the order of NAMES."""

    marked: float
    unmarked: float
    hung_up: float
    missed: float
    messages: float
    talks: float
    wanted: float


def counts_of(standing: Standing, weights: Weights, now: float) -> EvidenceCounts:
    """Return the seven counts of the standing, faded to the time `now`."""
    counts = weights.counts
    age = standing.at - now
    of_marks = 1.0 if age >= 0 else 2.0 ** (age / (counts.marks_half_life_days * DAY_SECONDS))
    lasting = counts.half_life_days * DAY_SECONDS
    fading = 1.0 if age >= 0 else 2.0 ** (age / lasting)
    marked = standing.marks * of_marks
    wanted = standing.wanted * fading
    for at in standing.challenges.passes:
        wanted += decayed(1.0, at, now, lasting)
    return EvidenceCounts(
        marked,
        max(0.0, standing.answers * of_marks - marked),
        standing.hung_up * fading,
        standing.missed * fading,
        standing.messages * fading,
        standing.talks * fading,
        wanted,
    )


def log_odds_of(counts: EvidenceCounts, weights: CountWeights) -> tuple[float, ...]:
    """Return the weight of each count as log-odds, in the order of the counts."""
    marked, unmarked, hung_up, missed, messages, talks, wanted = counts
    return (
        weights.marked * log1p(marked),
        weights.unmarked * log1p(unmarked),
        weights.hung_up * log1p(hung_up),
        weights.missed * log1p(missed),
        weights.messages * log1p(messages),
        weights.talks * log1p(talks),
        weights.wanted * log1p(wanted),
    )


def one_ring_of(standing: Standing, weights: CountWeights, now: float) -> float:
    """Return the log-odds from the number's one-ring calls."""
    if not standing.one_ring:
        return 0.0
    return weights.one_ring * decayed(standing.one_ring, standing.at, now, weights.one_ring_half_life_hours * 3600.0)


def people_of(standing: Standing, weights: Weights, now: float) -> float:
    """Return the sum of the seven counts' log-odds, without one-ring calls: a caller can make many of these at once."""
    return sum(log_odds_of(counts_of(standing, weights, now), weights.counts))


def may_weigh(standing: Standing, weights: Weights) -> float:
    """Return the highest sum that `people_of` may return later, after evidence in favour of the caller has faded."""
    weighed = log_odds_of(counts_of(standing, weights, standing.at), weights.counts)
    return sum([weight for weight in weighed if weight > 0])


def is_alarmed(standing: Standing, weights: Weights, reviewed_at: float | None) -> bool:
    """Return whether the number got many marks at once, still without a review, and nothing else speaks against it."""
    burst_at = standing.burst_at
    if burst_at is None or (reviewed_at is not None and reviewed_at > burst_at):
        return False
    shown = log_odds_of(counts_of(standing, weights, standing.at), weights.counts)[2:]
    return sum(shown) + one_ring_of(standing, weights.counts, standing.at) <= 0


def families_of_people(subject: Subject) -> list[Family]:
    """Return a family for each of the seven counts that has evidence, and a family for one-ring calls."""
    evidence, weights, now = subject.evidence, subject.weights, subject.now
    standing = evidence.standing
    if standing is None:
        return []
    alarm = standing.burst_at is not None and is_alarmed(standing, weights, evidence.reviewed_at)
    counts = counts_of(standing, weights, now)
    if alarm:
        counts = counts._replace(marked=0.0)
    elif evidence.upheld_at is not None and now - evidence.upheld_at < weights.appeal.days * DAY_SECONDS:
        counts = counts._replace(marked=counts.marked * weights.appeal.marks)
    families, weighed = [], log_odds_of(counts, weights.counts)
    if standing.reporters:
        witness_counts = (("marked", standing.reporters), ("answered", standing.answered), ("silent", standing.silent))
        groups = (*witness_counts, ("groups", standing.groups))
        families.append(Family(MARKED, weighed[0], (*groups, ("burst", 1)) if alarm else groups))
    if standing.silent:
        silent = (("silent", standing.silent), ("marked", standing.reporters))
        families.append(Family(UNMARKED, weighed[1], silent if standing.reporters else silent[:1]))
    if standing.signals or standing.challenges.passes:
        families += _shown(standing, weighed)
        if standing.one_ring:
            rings = one_ring_of(standing, weights.counts, now)
            families.append(Family(ONE_RING, rings, ((_ONE_RING, dict(standing.signals).get(_ONE_RING_CATEGORY, 1)),)))
    return families


_ONE_RING_CATEGORY = SignalCategory.ONE_RING
_ONE_RING = _ONE_RING_CATEGORY.value


def _shown(standing: Standing, weighed: tuple[float, ...]) -> list[Family]:
    counts_by_family: dict[int, list[tuple[str, int]]] = {}
    for category, count in standing.signals:
        if category is not _ONE_RING_CATEGORY:
            counts_by_family.setdefault(COUNT_OF[category], []).append((category._value_, count))
    if passes := len(standing.challenges.passes):
        counts_by_family.setdefault(WANTED, []).append((PASSED, passes))
    return [
        Family(NAMES[place + 2], weighed[place + 2], tuple(counts_by_family[place]))
        for place in sorted(counts_by_family)
    ]


SIGNAL_WORDS = {
    "hung-up-on": Counted("one person hung up within 6 s", "{n} people hung up within 6 s"),
    "one-ring": Counted(
        "the caller rang one of our phones once and gave up", "the caller rang {n} of our phones once and gave up"
    ),
    "unanswered": Counted("one person did not answer", "{n} people did not answer"),
    "voicemail": Counted("the caller left a message", "the caller left {n} messages"),
    "long-talk": Counted("one person talked for over a minute", "{n} people talked for over a minute"),
    "called-back": Counted("one person called the number back", "{n} people called the number back"),
    "not-spam": Counted("a colleague marked the number as not spam", "{n} colleagues marked the number as not spam"),
    "second-talk": Counted(
        "one person talked with the caller again on another day",
        "{n} people talked with the caller again on another day",
    ),
}
NOBODY_CALLED_BACK = Wording("nobody called back")
_SILENT = Counted("one person answered and did not mark the number", "{n} people answered and did not mark the number")


def words_of_marks(counts: Counts) -> Iterator[Wording]:
    """Yield the text for marks, such as "2 of 3 colleagues who answered marked the number"."""
    marked, answered = counts.get("marked", 0), counts.get("answered", 0)
    both = {"marked": marked, "answered": answered}
    if marked and answered - counts.get("silent", 0) == marked:
        all_of = Wording("{marked} of {answered} colleagues who answered marked the number", both)
        yield (
            Wording("{marked} of {answered} colleague who answered marked the number", both)
            if answered == 1
            else all_of
        )
    elif marked:
        all_of = Wording("{marked} marked the number and {answered} answered", both)
        yield all_of if answered else Wording("{marked} marked the number", {"marked": marked})
    else:
        yield _SILENT.of(answered)
    if counts.get("burst"):
        yield Wording(
            "so many marks within an hour only count after a review, because the number otherwise behaves well"
        )


def spoken_of_marks(counts: Counts, _speaks_for: bool) -> Iterator[Prompts]:
    """Yield the prompts for marks.

    If everybody who marked the number had answered its calls, the prompts say how many answered and how many of these
    marked. Otherwise they only say how many marked, or, without marks, how many answered.
    """
    marked, answered = counts.get("marked", 0), counts.get("answered", 0)
    if marked == 0:
        yield counted_keys(answered, "unmarked")
    elif answered - counts.get("silent", 0) != marked:
        yield counted_keys(marked, "marked")
    elif answered == 1:
        yield ("explain-marked-only",)
    else:
        yield ("explain-of", count_key(answered), "explain-answered", count_key(marked), "explain-marked")


def words_of_signals(counts: Counts) -> Iterator[Wording]:
    """Yield a text for each signal, such as "3 people hung up within 6 s"."""
    for category, count in counts.items():
        words = SIGNAL_WORDS.get(category)
        unknown = Wording("{n} x {category}", {"n": count, "category": category})  # a category of another version
        if category != PASSED:  # the caller's own family says so
            yield unknown if words is None else words.of(count)


# The signals that have prompts, the heaviest first, for and against the caller.
_SPOKEN = {
    False: (("hung-up-on", "hung-up"), ("one-ring", "one-ring"), ("unanswered", "unanswered")),
    True: (
        ("called-back", "called-back"),
        ("not-spam", "not-spam"),
        ("second-talk", "second-talk"),
        ("long-talk", "long-talk"),
        ("voicemail", None),
    ),
}


def spoken_of_signals(counts: Counts, speaks_for: bool) -> Iterator[Prompts]:
    """Yield the prompts for each signal. `speaks_for`: whether the family speaks for the caller."""
    for category, name in _SPOKEN[speaks_for]:
        count = counts.get(category, 0)
        if count:
            yield counted_keys(count, name) if name else (f"explain-{category}",)


def _words_of_silent(counts: Counts) -> Iterator[Wording]:
    if not counts.get("marked"):  # otherwise the text of the marks has them
        yield _SILENT.of(counts.get("silent", 0))


def _spoken_of_silent(counts: Counts, _speaks_for: bool) -> Iterator[Prompts]:
    if not counts.get("marked"):
        yield counted_keys(counts.get("silent", 0), "unmarked")


def _kind(
    name: str,
    words: Callable[[Counts], Iterator[Wording]] = words_of_signals,
    spoken: Callable[[Counts, bool], Iterator[Prompts]] = spoken_of_signals,
) -> FamilyKind:
    return FamilyKind(name, Speaker.OUR_PEOPLE, None, words, spoken)


PEOPLE = (
    _kind(MARKED, words_of_marks, spoken_of_marks),
    _kind(UNMARKED, _words_of_silent, _spoken_of_silent),
    *[_kind(name) for name in NAMES[2:]],
    _kind(ONE_RING),
)
