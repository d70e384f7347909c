"""The contents of the console's first page: tasks first, then activity."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from callsieve.calls.history import CallLine, call_lines
from callsieve.calls.live import open_mistakes
from callsieve.digest.operations import UnwellFeed, due_of_own_numbers
from callsieve.digest.text import appeal_words
from callsieve.health import CheckStatus, HealthCause, ScreeningStatus, SystemHealth
from callsieve.imports.feed_health import list_feeds
from callsieve.replay.false_positives import FalsePositive
from callsieve.settings import Settings
from reputation.appeals import Appeal, due_at
from reputation.own.grades import Due
from reputation.own.suspicion import suspicion_words
from reputation.store.appeals import appeals_to_decide
from reputation.store.calls import CallFilter, find_calls
from reputation.store.names import NumberName, names_of_numbers
from reputation.store.own_health import begun_suspicions
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

APPEAL_SECONDS = 3 * DAY_SECONDS  # an appeal that is due so soon needs somebody
SUSPICION_SECONDS = 7 * DAY_SECONDS
MOST_LISTED = 8
LATEST_CALLS = 20


@dataclass(frozen=True, slots=True)
class Needs:
    """The tasks that somebody should do now.

    Attributes:
        appeals: Appeals that are overdue or due soon, in words.
        mistakes: Numbers whose calls were probably warned of or stopped by mistake.
        names: Their names, where known.
        feeds: Feeds that are not well.
        suspicions: Own numbers that may be marked, with where.
        due: Tasks about own numbers that are due until tomorrow.
        fixes: Problems that prevent screening or are unsafe, one entry for each cause.
    """

    appeals: tuple[tuple[Appeal, Wording], ...]
    mistakes: tuple[FalsePositive, ...]
    names: dict[str, NumberName]
    feeds: tuple[UnwellFeed, ...]
    suspicions: tuple[tuple[str, Wording], ...]
    due: tuple[Due, ...]
    fixes: tuple[HealthCause, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing needs anybody."""
        lists: tuple[Sequence[object], ...] = (self.appeals, self.mistakes, self.feeds, self.suspicions, self.due)
        return not any((*lists, self.fixes))


def needs_now(
    db: sqlite3.Connection,
    settings: Settings,
    mistakes: Sequence[FalsePositive],
    fixes: tuple[HealthCause, ...],
    now: float,
) -> Needs:
    """Return what needs somebody. `mistakes`: those that were found last, some of which are settled by now."""
    still = open_mistakes(db, mistakes, now)
    appeals = (
        appeal for appeal in appeals_to_decide(db) if (due_at(appeal) or now + DAY_SECONDS * 365) < now + APPEAL_SECONDS
    )
    suspected = begun_suspicions(db, now - SUSPICION_SECONDS, now)
    return Needs(
        appeals=tuple((appeal, appeal_words(appeal, now)) for appeal in appeals),
        mistakes=still,
        names=names_of_numbers(db, [mistake.number for mistake in still], now),
        feeds=tuple(
            UnwellFeed(found.name, found.health) for found in list_feeds(db, settings, now) if not found.health.is_well
        ),
        suspicions=tuple((row.number, suspicion_words(row.suspicion)) for row in suspected),
        due=tuple(due_of_own_numbers(db, now + DAY_SECONDS)),
        fixes=fixes,
    )


def fixes_of(health: SystemHealth, screening: ScreeningStatus) -> tuple[HealthCause, ...]:
    """Return the failures of the health checks, one for each cause, without the one that the banner names."""
    failed = (cause for cause in health.causes if cause.status is CheckStatus.FAIL)
    return tuple(cause for cause in failed if not cause.remedy or str(cause.remedy) != str(screening.remedy))


def latest_calls(db: sqlite3.Connection, settings: Settings, site: str, now: float) -> list[CallLine]:
    """Return the latest calls of a site, or of all."""
    return call_lines(db, settings, find_calls(db, CallFilter(site=site or None), None, LATEST_CALLS), now)
