"""Evidence from imported sources (docs/contributing/model.md). Many sources weigh little more than two.

All look-up services together count as a single source, because they copy each other. Alone, they cause a tag at most.
"""

from collections.abc import Iterable, Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker, counted_keys
from reputation.model import Family, Imported
from reputation.weights import FeedWeights
from reputation.wording import Counted, Wording

NAME = "feeds"


def feeds_of(imported: Iterable[Imported], weights: FeedWeights) -> Family | None:
    """Return the evidence from imported sources as a family; None if no source lists the number."""
    verdicts = [(row.verdict, row.looked_up) for row in imported]
    if not verdicts:
        return None
    listed, looked_up = verdicts.count(("spam", False)), verdicts.count(("spam", True))
    spam = listed + looked_up
    ok = len(verdicts) - spam
    against = weights.spam * (listed + (1 if looked_up else 0))
    log_odds = min(against, weights.all_spam) + (weights.allow if ok else 0.0)
    return Family(NAME, log_odds, (("spam", spam), ("ok", ok)))


_LISTS_IT = {
    "spam": Counted("one imported source lists the number as spam", "{n} imported sources list the number as spam"),
    "ok": Counted("one imported source lists the number as fine", "{n} imported sources list the number as fine"),
}


def listed_by(sources: int, verdict: str) -> Wording:
    """Return the text that says how many imported sources list the number as `spam` or `ok`."""
    return _LISTS_IT[verdict].of(sources)


def _compute(subject: Subject) -> Family | None:
    return feeds_of(subject.evidence.imported, subject.weights.feeds)


def _words(counts: Counts) -> Iterator[Wording]:
    return (listed_by(counts[verdict], verdict) for verdict in _LISTS_IT if counts.get(verdict))


def _spoken(counts: Counts, speaks_for: bool) -> Iterator[Prompts]:
    yield ("explain-listed-fine",) if speaks_for else counted_keys(counts.get("spam", 1), "listed")


FEEDS = FamilyKind(NAME, Speaker.OUTSIDE, _compute, _words, _spoken)
