"""How a feed is: whether it still comes, and as large as it used to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from callsieve.text.times import ago, span_words
from reputation.store.feeds import FeedSource
from reputation.wording import Places, Wording

DAY = 86_400.0
# A feed is late after twice the time between its imports, or this many days where it came but once.
LATE_AFTER_GAPS = 2.0
LATE_DAYS = 30.0
LEAST_GAP_SECONDS = DAY
EARLY = 1.01  # seven days less a few seconds are called seven days
# Smaller than this share of the import before is said, smaller than that one is refused.
SHRANK_SHARE = 0.75
REFUSED_SHARE = 0.5


class FeedStatus(StrEnum):
    """How a feed is; the worst that is true of it."""

    OK = "ok"
    FAILED = "failed"
    STALE = "stale"
    SHRANK = "shrank"


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """How the feed is, and in a few words why; no words where it is well."""

    health: FeedStatus
    detail: str | Wording = ""

    def __str__(self) -> str:
        return str(self.said)

    @property
    def said(self) -> Wording:
        """Both, for any language."""
        health = Wording(self.health.value)
        return Wording("{health}: {detail}", {"health": health, "detail": self.detail}) if self.detail else health


def health_of(feed: FeedSource, now: float) -> FeedHealth:
    """How the feed is at that time."""
    if feed.failed_at is not None and feed.failed_at >= feed.imported_at:
        failed: Places = {"when": ago(feed.failed_at, now), "failure": feed.failure or ""}
        return FeedHealth(FeedStatus.FAILED, Wording("{when}, {failure}", failed))
    late_after = late_after_seconds(feed)
    if now - feed.imported_at > late_after:
        if not feed.every_seconds:
            return FeedHealth(FeedStatus.STALE, Wording("it came but once"))
        usual = span_words(EARLY * feed.every_seconds)
        return FeedHealth(FeedStatus.STALE, Wording("it used to come every {span}", {"span": usual}))
    if feed.numbers_before and feed.numbers < SHRANK_SHARE * feed.numbers_before:
        return FeedHealth(FeedStatus.SHRANK, Wording("it had {n:,} numbers before", {"n": feed.numbers_before}))
    return FeedHealth(FeedStatus.OK)


def late_after_seconds(feed: FeedSource) -> float:
    """At which age the feed is stale."""
    if feed.every_seconds is None:
        return LATE_DAYS * DAY
    return LATE_AFTER_GAPS * max(feed.every_seconds, LEAST_GAP_SECONDS)
