"""What nobody writes down as it happens, and has to be looked for.

Appeals that are due, feeds, companies and a hub that do not come any more, trouble of the daemon, an emergency
window or a day that is over.

    look(db, loaded, now)      in a transaction: one event for each change since the last look, whoever looks
"""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime
from typing import Final

from callsieve.digest.operations import day_before
from callsieve.emergency_window import window_of
from callsieve.events.event import EventKind
from callsieve.exchange.health import health_of as health_of_peer
from callsieve.hub.operations import hub_figures
from callsieve.hub_settings import HubTable
from callsieve.imports.feed_health import FeedStatus, health_of, health_of_missing
from callsieve.integration_settings import DigestTable
from callsieve.settings import Settings
from callsieve.telemetry import Telemetry, is_fresh
from reputation.appeals import due_at
from reputation.events import AppealDue, DaemonTrouble, DigestReady, ExchangeStale, FeedStale, HubStale
from reputation.store.appeals import appeals_to_decide
from reputation.store.emergencies import BY_TIME, tell_closed
from reputation.store.feed_fetches import feed_fetches
from reputation.store.feeds import feed_sources
from reputation.store.hub.link import forget_first_try, note_first_try
from reputation.store.outbox import forget_state, is_wanted, set_state, state_of, states_of, tell_change
from reputation.store.peers import peer_states

DUE_SECONDS: Final = 86_400.0
APPEAL, FEED, PEER, HUB, DAEMON, DIGEST = "appeal/", "feed/", "exchange/", "hub", "daemon", "digest"
NOT_RUNNING: Final = "the daemon does not run"
OK: Final = "ok"
LATE: Final = "late"
# Feeds that are smaller than before came all the same.
BAD_FEEDS: Final = frozenset({FeedStatus.FAILED, FeedStatus.STALE})
_FIGURES = re.compile(r"[0-9][0-9.,:]*")


def look(db: sqlite3.Connection, settings: Settings, telemetry: Telemetry | None, now: float) -> None:
    """Tells what has changed since the last look. Call it in a transaction."""
    if is_wanted(db, EventKind.APPEAL_DUE):
        _look_at_appeals(db, now)
    if is_wanted(db, EventKind.FEED_STALE):
        _look_at_feeds(db, settings, now)
    if is_wanted(db, EventKind.EXCHANGE_STALE):
        _look_at_companies(db, now)
    if is_wanted(db, EventKind.HUB_STALE):
        _look_at_hub(db, settings.hub, now)
    if is_wanted(db, EventKind.DAEMON_TROUBLE) and telemetry is not None:
        _look_at_daemon(db, telemetry, now)
    if is_wanted(db, EventKind.DIGEST_READY):
        _look_at_day(db, settings.digest, now)
    if is_wanted(db, EventKind.EMERGENCY_OPENED, EventKind.EMERGENCY_CLOSED):
        window = window_of(db, settings, now)
        if not window.is_open:
            tell_closed(db, now if window.until is None else min(now, window.until), BY_TIME)


def _look_at_appeals(db: sqlite3.Connection, now: float) -> None:
    """Each twice: a day before its decision is due, and when it was not made in time."""
    due = {}
    for appeal in appeals_to_decide(db):
        at = due_at(appeal)
        if at is not None and now >= at - DUE_SECONDS:
            data = AppealDue(reference=appeal.reference, number=appeal.number, due_at=at, overdue=now >= at)
            due[f"{APPEAL}{appeal.reference}"] = data
    for key, data in due.items():
        state = f"{data.due_at}{' overdue' * data.overdue}"
        tell_change(db, key, state, EventKind.APPEAL_DUE, data.number, now, data)
    for key in states_of(db, APPEAL):
        if key not in due:
            forget_state(db, key)


def _look_at_feeds(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """Each once when it goes bad, and not when it comes again. One of the settings may never have come."""
    feeds, fetches = {feed.name: feed for feed in feed_sources(db)}, feed_fetches(db)
    names = dict.fromkeys((*feeds, *(feed.name for feed in settings.feed)))
    for name in names:
        feed, key = feeds.get(name), f"{FEED}{name}"
        health = health_of_missing(fetches.get(name), now) if feed is None else health_of(feed, now)
        status = health.health.value
        if health.health in BAD_FEEDS:
            imported_at = None if feed is None else feed.imported_at
            data = FeedStale(feed=name, status=status, detail=str(health.detail), imported_at=imported_at)
            tell_change(db, key, status, EventKind.FEED_STALE, key, now, data)
        else:
            set_state(db, key, OK, now)
    for key in states_of(db, FEED):
        if key.removeprefix(FEED) not in names:
            forget_state(db, key)


def _look_at_companies(db: sqlite3.Connection, now: float) -> None:
    """Each once when it goes bad or was switched off, and not when it comes again."""
    peers = {peer.name: peer for peer in peer_states(db) if peer.in_settings}
    for name, peer in peers.items():
        health, key = health_of_peer(peer, now), f"{PEER}{name}"
        status = health.status.value
        if health.is_bad:
            detail = "" if health.detail is None else str(health.detail)
            data = ExchangeStale(company=name, status=status, detail=detail, came_at=peer.came_at)
            tell_change(db, key, status, EventKind.EXCHANGE_STALE, key, now, data)
        else:
            set_state(db, key, OK, now)
    for key in states_of(db, PEER):
        if key.removeprefix(PEER) not in peers:
            forget_state(db, key)


def _look_at_hub(db: sqlite3.Connection, table: HubTable, now: float) -> None:
    """Once when the last exchange is too long ago, and not when there is one again."""
    if not table.address:
        forget_first_try(db)
        forget_state(db, HUB)
        return
    note_first_try(db, now)
    figures = hub_figures(db, table, now)
    if figures.health.is_late:
        exchanged_at = None if figures.link is None else figures.link.pulled_at
        status, detail = figures.health.status.value, str(figures.health.detail or "")
        data = HubStale(status=status, detail=detail, waiting=figures.waiting, exchanged_at=exchanged_at)
        tell_change(db, HUB, LATE, EventKind.HUB_STALE, HUB, now, data)
    else:
        set_state(db, HUB, OK, now)


def _look_at_daemon(db: sqlite3.Connection, telemetry: Telemetry, now: float) -> None:
    """Once for each trouble, whatever its figures, and once when there is none any more."""
    running = is_fresh(telemetry, now)
    trouble = telemetry.trouble if running else NOT_RUNNING
    if not trouble and state_of(db, DAEMON) is None:
        return
    data = DaemonTrouble(trouble=trouble, running=running)
    tell_change(db, DAEMON, _FIGURES.sub("N", trouble), EventKind.DAEMON_TROUBLE, DAEMON, now, data)


def _look_at_day(db: sqlite3.Connection, digest: DigestTable, now: float) -> None:
    """Once a day, from the time of the settings on; not for a day that a clock which was set back comes to again."""
    yesterday = day_before(now).isoformat()
    if f"{datetime.fromtimestamp(now).astimezone():%H:%M}" < digest.at or yesterday <= (state_of(db, DIGEST) or ""):
        return
    tell_change(db, DIGEST, yesterday, EventKind.DIGEST_READY, DIGEST, now, DigestReady(day=yesterday))
