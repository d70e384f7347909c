"""The health check of the exchange, its metrics, and what is told of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, and_more, ok, warn
from callsieve.exchange.health import PeerStatus, health_of
from callsieve.exchange.views import ExchangeShown, exchange_shown
from callsieve.monitoring.metrics import MetricFamily
from callsieve.settings import Loaded, Settings
from callsieve.text.times import span_words
from reputation.events import EventKind, ExchangeStale
from reputation.store.outbox import tell_bad
from reputation.store.peers import PeerState, peer_states
from reputation.wording import Places, Wording

EXCHANGE = "callsieve exchange status"
EXCHANGE_TIMER = Wording("systemctl enable --now callsieve-exchange.timer, or callsieve exchange run by cron")


def has_fresh_exchange(context: CheckContext) -> Finding:
    """What other companies publish still comes, and what we publish is of yesterday or today."""
    return context.judge_store(lambda db, now: _exchange_found(exchange_shown(db, context.loaded, now), now))


def _exchange_found(shown: ExchangeShown, now: float) -> Finding:
    if shown.nobody_fetches:
        return warn(Wording("nobody fetches the companies of the settings: the timer does not run"), EXCHANGE_TIMER)
    if shown.published is not None and shown.published.is_late:
        return warn(Wording("nothing was published for two days"), EXCHANGE_TIMER)
    ill = [one for one in shown.companies if not one.is_well]
    if ill:
        first = Wording("{company} {health}", {"company": ill[0].name, "health": ill[0].health.said})
        return warn(and_more(first, len(ill) - 1), EXCHANGE)
    if not shown.companies:
        return ok(NONE if shown.published is None else Wording("published"))
    taken = [one for one in shown.companies if one.state.came_at is not None]
    if not taken:
        return ok(Wording("none has come yet"))
    oldest = span_words(max(0.0, *(now - (one.state.came_at or now) for one in taken)))
    about: Places = {"count": len(taken), "age": oldest, "numbers": sum(one.state.numbers for one in taken)}
    return ok(Wording("{count}, the oldest {age} old; numbers: {numbers:,}", about))


def _tell_stale(db: sqlite3.Connection, _settings: Settings, now: float) -> None:
    """Tell of each company once when it goes bad or was switched off."""
    found: dict[str, tuple[str, ExchangeStale] | None] = {}
    for peer in peer_states(db):
        if peer.in_settings:
            health = health_of(peer, now)
            detail = "" if health.detail is None else str(health.detail)
            data = ExchangeStale(company=peer.name, status=health.health.value, detail=detail, came_at=peer.came_at)
            found[peer.name] = (health.health.value, data) if health.is_bad else None
    tell_bad(db, "exchange/", EventKind.EXCHANGE_STALE, found, now)


# Of each company: name, what it counts, and how; None: not told.
PEER_GAUGES: tuple[tuple[str, str, Callable[[PeerState, float], float | None]], ...] = (
    (
        "peer_age_seconds",
        "Since what a company publishes came, or was the same.",
        lambda peer, now: None if peer.came_at is None else now - peer.came_at,
    ),
    ("peer_numbers", "Numbers that a company lists.", lambda peer, _: peer.numbers),
    ("peer_cleared", "Numbers that a company has cleared.", lambda peer, _: peer.cleared),
    ("peer_failures", "Attempts in a row that failed or were refused.", lambda peer, _: peer.failures),
    ("peer_paused", "1 while what a company says does not count.", lambda peer, _: peer.off_at is not None),
    (
        "peer_healthy",
        "1 while what a company publishes comes and counts.",
        lambda peer, now: health_of(peer, now).health is PeerStatus.OK,
    ),
    ("peer_right", "Callers that a company was right about, of those that it is judged by.", lambda p, _: p.was_right),
    ("peer_judged", "Callers that a company is judged by.", lambda peer, _: peer.was_told),
)


def peer_metrics(peers: Iterable[PeerState], now: float) -> Iterator[MetricFamily]:
    """Return how each company is, by its name."""
    for name, text, value_of in PEER_GAUGES:
        values = {peer.name: value_of(peer, now) for peer in peers}
        told = {peer: float(value) for peer, value in values.items() if value is not None}
        yield MetricFamily(name, text, told, "peer")


def metrics(db: sqlite3.Connection, _loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return what /metrics shows of the exchange."""
    peers = [peer for peer in peer_states(db) if peer.in_settings]
    return peer_metrics(peers, now) if peers else iter(())


CHECKS = (HealthCheck(place=340, name="exchange", find=has_fresh_exchange, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.EXCHANGE_STALE,), _tell_stale),)
