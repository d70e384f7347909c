"""The health check, the metrics and the event of the exchange of evidence with other companies."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, first_problem, ok, warn
from callsieve.exchange.health import health_of
from callsieve.exchange.views import ExchangeShown, exchange_shown
from callsieve.monitoring.metrics import MetricFamily
from callsieve.settings import Loaded, Settings
from callsieve.text.times import span_words
from reputation.events import EventKind, ExchangeStale
from reputation.store.outbox import emit_bad
from reputation.store.peers import PeerState, peer_states
from reputation.wording import Places, Wording

EXCHANGE = "callsieve exchange status"
EXCHANGE_TIMER = Wording("systemctl enable --now callsieve-exchange.timer, or let cron start `callsieve exchange run`")


def has_fresh_exchange(context: CheckContext) -> Finding:
    """Check that the evidence of subscribed companies arrives, and that this company published in the last two days."""
    return context.judge_store(lambda db, now: _judge(exchange_shown(db, context.loaded, now), now))


def _judge(shown: ExchangeShown, now: float) -> Finding:
    if shown.nobody_fetches:
        return warn(Wording("the data of other companies is not fetched: the timer is not running"), EXCHANGE_TIMER)
    if shown.published is not None and shown.published.is_late:
        return warn(Wording("nothing has been published for other companies for two days"), EXCHANGE_TIMER)
    if ill := first_problem(((peer.name, peer.health) for peer in shown.companies), EXCHANGE):
        return ill
    if not shown.companies:
        return ok(NONE if shown.published is None else Wording("published"))
    taken = [peer for peer in shown.companies if peer.state.came_at is not None]
    if not taken:
        return ok(Wording("nothing has been fetched yet"))
    oldest = span_words(max(0.0, *(now - (peer.state.came_at or now) for peer in taken)))
    about: Places = {"count": len(taken), "age": oldest, "numbers": sum(peer.state.numbers for peer in taken)}
    return ok(Wording("{count} in use, the oldest updated {age} ago; numbers: {numbers:,}", about))


def _emit_stale(db: sqlite3.Connection, _settings: Settings, now: float) -> None:
    bad_by_name: dict[str, tuple[str, ExchangeStale] | None] = {}
    for peer in peer_states(db):
        if peer.in_settings:
            health = health_of(peer, now)
            detail = "" if health.detail is None else str(health.detail)
            data = ExchangeStale(company=peer.name, status=health.health.value, detail=detail, came_at=peer.came_at)
            bad_by_name[peer.name] = (health.health.value, data) if health.brings_nothing else None
    emit_bad(db, "exchange/", EventKind.EXCHANGE_STALE, bad_by_name, now)


# Per company: name, help text and value of a metric; None: the metric is left out.
PEER_GAUGES: tuple[tuple[str, str, Callable[[PeerState, float], float | None]], ...] = (
    (
        "peer_age_seconds",
        "Seconds since a company's data was last fetched, even if unchanged.",
        lambda peer, now: None if peer.came_at is None else now - peer.came_at,
    ),
    ("peer_numbers", "Numbers that a company lists.", lambda peer, _: peer.numbers),
    ("peer_cleared", "Numbers that a company has cleared after an appeal.", lambda peer, _: peer.cleared),
    ("peer_failures", "Failed fetches of a company's data since the last success.", lambda peer, _: peer.failures),
    (
        "peer_paused",
        "1 if a company is paused, so that its evidence does not count.",
        lambda peer, _: peer.off_at is not None,
    ),
    (
        "peer_healthy",
        "1 if a company's data arrives and counts.",
        lambda peer, now: health_of(peer, now).is_ok,
    ),
    ("peer_right", "Callers about which a company and your people agree.", lambda p, _: p.was_right),
    (
        "peer_judged",
        "Callers that a company lists or has cleared, and that your people have judged.",
        lambda peer, _: peer.was_told,
    ),
)


def peer_metrics(peers: Iterable[PeerState], now: float) -> Iterator[MetricFamily]:
    """Yield the metrics of each company, labelled with the name that the company has here."""
    for name, text, value_of in PEER_GAUGES:
        values = {peer.name: value_of(peer, now) for peer in peers}
        known = {peer: float(value) for peer, value in values.items() if value is not None}
        yield MetricFamily(name, text, known, "peer")


def metrics(db: sqlite3.Connection, _loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return the metrics of all subscribed companies at the time `now`."""
    peers = [peer for peer in peer_states(db) if peer.in_settings]
    return peer_metrics(peers, now) if peers else iter(())


CHECKS = (HealthCheck(place=340, name="exchange", find=has_fresh_exchange, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.EXCHANGE_STALE,), _emit_stale),)
