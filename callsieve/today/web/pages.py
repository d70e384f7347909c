"""The page *Today*: open tasks, recent activity, the latest calls and the health of every part."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starlette.responses import Response

from callsieve.calls.first_run import first_run
from callsieve.calls.history import DONE, NOT_DONE, CallLine, call_lines
from callsieve.calls.live import SPANS, ActivityShown, open_mistakes
from callsieve.calls.operations import confirm
from callsieve.calls.web.pages import activity_of
from callsieve.digest.operations import UnwellFeed, due_of_own_numbers
from callsieve.digest.text import appeal_words
from callsieve.health import CheckStatus, HealthCause, ScreeningStatus, SystemHealth
from callsieve.imports.feed_health import list_feeds
from callsieve.replay.false_positives import FalsePositive
from callsieve.settings import Settings
from callsieve.web.request import Page, PageRequest
from reputation.appeals import Appeal, due_at
from reputation.own.grades import Due
from reputation.own.suspicion import suspicion_words
from reputation.store.appeals import appeals_to_decide
from reputation.store.calls import CallFilter, find_calls, sites_seen
from reputation.store.names import NumberName, names_of_numbers
from reputation.store.own_health import begun_suspicions
from reputation.users import Role
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

APPEAL_SECONDS = 3 * DAY_SECONDS  # show an appeal if it is due within this time
SUSPICION_SECONDS = 7 * DAY_SECONDS
MOST_LISTED = 8
LATEST_CALLS = 20


@dataclass(frozen=True, slots=True)
class Needs:
    """Tasks that somebody should do now.

    Attributes:
        feeds: Feeds that fail.
        due: Tasks about own numbers due by tomorrow.
        appeals: Appeals that are overdue or due soon, each with a text.
        mistakes: Numbers whose calls were probably warned about or stopped by mistake.
        names: The names of these numbers, if known.
        suspicions: Own numbers that call-labelling platforms seem to label, and the platforms.
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
        """Whether there are no tasks."""
        lists: tuple[Sequence[object], ...] = (self.appeals, self.mistakes, self.feeds, self.suspicions, self.due)
        return not any((*lists, self.fixes))


def needs_now(
    db: sqlite3.Connection,
    settings: Settings,
    mistakes: Sequence[FalsePositive],
    fixes: tuple[HealthCause, ...],
    now: float,
) -> Needs:
    """Return the open tasks. `mistakes`: numbers found by the last search. Numbers settled since then are left out."""
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
            UnwellFeed(feed.name, feed.health) for feed in list_feeds(db, settings, now) if not feed.health.is_well
        ),
        suspicions=tuple((row.number, suspicion_words(row.suspicion)) for row in suspected),
        due=tuple(due_of_own_numbers(db, now + DAY_SECONDS)),
        fixes=fixes,
    )


def fixes_of(health: SystemHealth, screening: ScreeningStatus) -> tuple[HealthCause, ...]:
    """Return the failed health checks, one per cause, except the cause that the banner already shows."""
    failed = (cause for cause in health.causes if cause.status is CheckStatus.FAIL)
    return tuple(cause for cause in failed if not cause.remedy or str(cause.remedy) != str(screening.remedy))


def latest_calls(db: sqlite3.Connection, settings: Settings, site: str, now: float) -> list[CallLine]:
    """Return the latest calls of a site. An empty `site` means all sites."""
    return call_lines(db, settings, find_calls(db, CallFilter(site=site or None), None, LATEST_CALLS), now)


class Known(NamedTuple):
    """The values that the page needs before it reads the store: settings, health, recent activity and the time."""

    settings: Settings
    health: SystemHealth
    screening: ScreeningStatus
    activity: ActivityShown
    now: float


def read_today(db: sqlite3.Connection, known: Known) -> dict[str, object]:
    """Return the parts of the page that are read from the store, by their names in the template."""
    settings, health, screening, activity, now = known
    return {
        "lines": latest_calls(db, settings, activity.site, now),
        "needs": needs_now(db, settings, activity.mistakes, fixes_of(health, screening), now),
        "first_run": first_run(db, health, screening.state, settings, now),
    }


async def show(req: PageRequest) -> Response:
    """Show the page *Today*."""
    state = req.state
    sites = await req.read(sites_seen)
    activity = await _activity(req, _site_of(req, sites))
    health = state.health.latest
    known = Known(state.loaded.settings, health, state.screening.latest, activity, req.now)
    return req.page(
        "today/today.html",
        sites=sites,
        activity=activity,
        spans=SPANS.values(),
        most=MOST_LISTED,
        words=_words(req),
        health=health,
        is_part=True,
        **await req.read(read_today, known),
    )


async def activity(req: PageRequest) -> Response:
    """Return the counts of recent activity as a fragment, which the page reloads periodically."""
    activity = await _activity(req, _site_of(req, await req.read(sites_seen)))
    return req.page("today/_activity_alone.html", activity=activity, words=_words(req))


async def confirm_decisions(req: PageRequest) -> Response:
    """Record that the decisions about a number's calls were correct."""
    await req.perform(confirm, req.form.get("number", ""))
    return req.go("/", "confirmed")


def _words(req: PageRequest) -> dict[str, str]:
    return {**DONE, **NOT_DONE} if req.state.observing else DONE


async def _activity(req: PageRequest, site: str) -> ActivityShown:
    return await activity_of(req, SPANS.get(req.query.get("over", ""), SPANS["day"]), site)


def _site_of(req: PageRequest, sites: Sequence[str]) -> str:
    site = req.query.get("site", "")
    return site if site in sites else ""


PAGES = (
    Page("GET", "/", show, Role.VIEWER),
    Page("GET", "/activity", activity, Role.VIEWER),
    Page("POST", "/calls/confirm", confirm_decisions, Role.OPERATOR),
)
