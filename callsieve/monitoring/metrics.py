"""What is told to Prometheus: pure, from what the daemon said last and what the store says. Each name: docs/console.md.

No number, no person and no text of a caller is ever a label: actions and reasons are closed sets, and feeds and other
companies are named by an administrator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from agi.screening import BUCKETS_MS
from callsieve.doctor.finding import CheckStatus
from callsieve.doctor.stored_findings import Findings
from callsieve.exchange.health import PeerStatus
from callsieve.exchange.health import health_of as health_of_peer
from callsieve.hub.health import HubStatus
from callsieve.hub.operations import HubFigures
from callsieve.imports.feed_health import FeedStatus, health_of
from callsieve.receiver_health import EventsShown
from callsieve.telemetry import Telemetry, is_fresh
from policies.decision import ACTION_BY_WORD, FAIL_OPEN_RULE
from policies.reasons import FailOpen
from reputation.store.feeds import FeedSource
from reputation.store.peers import PeerState

PREFIX = "callsieve_"

# Counters without labels: name, what Telemetry calls it, what it counts. All since the daemon's start.
COUNTERS = (
    ("requests", "server.accepted", "Connections of Asterisk that were accepted."),
    ("calls_abandoned", "server.abandoned", "Calls that hung up before they were answered."),
    ("calls_over_limit", "server.over_limit", "Calls answered at once because too many were in flight."),
    ("protocol_errors", "server.protocol_errors", "Requests that were no requests, or had a key twice."),
    ("commands_refused", "server.refused_commands", "Calls of which Asterisk did not take every command."),
    ("strangers", "server.strangers", "Connections of local users who are neither Asterisk's, root nor our own."),
    ("store_refused", "store_refused", "Calls that did not ask the store, because it had not answered lately."),
    ("calls_unrecorded", "unrecorded", "Calls of other switches that were decided but not recorded: too many."),
    ("log_lines_lost", "log_lost", "Log lines that were lost because nobody read them."),
    ("journal_dropped", "journal_dropped", "Decisions that were lost because the store did not take them."),
)
GAUGES = (
    ("daemon_start_time_seconds", "started_at", "When the daemon started, UTC seconds."),
    ("observing", "observing", "1 while the default policy records and never acts."),
    ("calls_in_flight", "server.in_flight", "Calls that are being decided about."),
    ("store_breaker_open", "breaker_open", "1 while the store is left alone because it does not answer."),
    ("journal_waiting", "journal_waiting", "Decisions that wait to be written."),
    ("journal_degraded", "journal_degraded", "1 while the store takes no decisions."),
)
LISTENING_COUNTERS = (
    ("ami_events", "events", "Events of Asterisk that were read."),
    ("ami_events_dropped", "events_dropped", "Events that came faster than they could be kept."),
    ("ami_gaps", "gaps", "Times that were not seen, so that nothing is learnt from the calls in them."),
    ("ami_connects", "connects", "Connections to Asterisk's manager interface."),
    ("outcomes", "outcomes", "Calls whose end was recorded."),
    ("outcomes_dropped", "outcomes_dropped", "Calls whose end was lost because the store did not take it."),
)
LISTENING_GAUGES = (
    ("ami_connected", "connected", "1 while Asterisk's manager interface is listened to."),
    ("ami_behind_seconds", "behind_seconds", "Age of the oldest event that waits to be looked at."),
    ("outcomes_waiting", "outcomes_waiting", "Ends of calls that wait to be written."),
)


EVENT_COUNTERS = (
    ("events_delivered", "delivered", "Events that a receiver took."),
    ("events_attempts_failed", "failed", "Attempts that a receiver did not take."),
    ("events_given_up", "dead", "Events that became dead letters of a receiver."),
    ("events_lost", "lost", "Events that were dropped for their age or number before a receiver had them."),
)
EVENT_GAUGES = (
    ("events_waiting", "waiting", "Events that a receiver is still to be told."),
    ("events_dead_letters", "dead_letters", "Dead letters of a receiver that wait for somebody."),
)


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """The store, its feeds, its events and the companies whose evidence is taken; `backup_age_seconds` is None where
    there is no backup, `hub` where none is in the settings.
    """

    is_up: bool
    size_bytes: int = 0
    backup_age_seconds: float | None = None
    feeds: Sequence[FeedSource] = ()
    events: EventsShown | None = None
    hub: HubFigures | None = None
    peers: Sequence[PeerState] = ()


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def exposition(telemetry: Telemetry | None, store: StoreFigures, findings: Findings | None, now: float) -> bytes:
    """The text that Prometheus reads. A daemon that says nothing any more is down, and its last counts are not told."""
    registry = CollectorRegistry()
    registry.register(_Families([*_daemon(telemetry, now), *_store(store, now), *_doctor(findings, now)]))
    return generate_latest(registry)


def _daemon(telemetry: Telemetry | None, now: float) -> Iterator[Metric]:
    if telemetry is None or not is_fresh(telemetry, now):
        yield _gauge("daemon_up", "1 while the daemon says that it lives.", 0.0)
        return
    yield _gauge("daemon_up", "1 while the daemon says that it lives.", 1.0)
    yield from _plain(telemetry, COUNTERS, GAUGES)
    decided = CounterMetricFamily(
        f"{PREFIX}calls_decided", "Decisions by the action that was ordered.", labels=["action"]
    )
    for action in sorted({*ACTION_BY_WORD, *telemetry.by_action} - {FAIL_OPEN_RULE}):
        decided.add_metric([action], telemetry.by_action.get(action, 0))
    yield decided
    failed = CounterMetricFamily(
        f"{PREFIX}calls_failed_open", "Calls that went on undecided, by why.", labels=["reason"]
    )
    for reason in sorted({*(one.value for one in FailOpen), *telemetry.server.failed_open}):
        failed.add_metric([reason], telemetry.server.failed_open.get(reason, 0))
    yield failed
    yield _decision_times(telemetry)
    if telemetry.look_ups is not None:
        asked = CounterMetricFamily(
            f"{PREFIX}lookups", "Look-ups at others for calls, by what came of them in time.", labels=["result"]
        )
        for result in ("more", "nothing", "late", "failed", "skipped"):
            asked.add_metric([result], float(getattr(telemetry.look_ups, result)))
        yield asked
    if telemetry.listening is not None:
        yield from _plain(telemetry.listening, LISTENING_COUNTERS, LISTENING_GAUGES)


def _plain(
    told: object, counters: Sequence[tuple[str, str, str]], gauges: Sequence[tuple[str, str, str]]
) -> Iterator[Metric]:
    for name, field, text in counters:
        yield CounterMetricFamily(PREFIX + name, text, value=float(attrgetter(field)(told)))
    for name, field, text in gauges:
        yield _gauge(name, text, float(attrgetter(field)(told)))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _decision_times(telemetry: Telemetry) -> Metric:
    """Cumulative, as Prometheus wants it."""
    family = HistogramMetricFamily(f"{PREFIX}decision_seconds", "How long a decision took, the store's read included.")
    bounds = [*(f"{milliseconds / 1000:g}" for milliseconds in BUCKETS_MS), "+Inf"]
    total = 0
    buckets = [(bound, float(total := total + count)) for bound, count in zip(bounds, telemetry.took, strict=True)]
    family.add_metric([], buckets, telemetry.took_seconds)
    return family


def _store(store: StoreFigures, now: float) -> Iterator[Metric]:
    yield _gauge("store_up", "1 while the console can read the store.", float(store.is_up))
    if not store.is_up:
        return
    yield _gauge("store_bytes", "Size of the store's file.", store.size_bytes)
    if store.backup_age_seconds is not None:
        yield _gauge("backup_age_seconds", "Age of the latest backup.", store.backup_age_seconds)
    age = GaugeMetricFamily(f"{PREFIX}feed_age_seconds", "Since a feed was last replaced.", labels=["feed"])
    numbers = GaugeMetricFamily(f"{PREFIX}feed_numbers", "Numbers in a feed.", labels=["feed"])
    healthy = GaugeMetricFamily(f"{PREFIX}feed_healthy", "1 while a feed comes as it used to.", labels=["feed"])
    for feed in store.feeds:
        age.add_metric([feed.name], now - feed.imported_at)
        numbers.add_metric([feed.name], feed.numbers)
        healthy.add_metric([feed.name], float(health_of(feed, now).health is FeedStatus.OK))
    yield from (age, numbers, healthy)
    if store.peers:
        yield from _peers(store.peers, now)
    if store.events is not None and store.events.receivers:
        yield from _events(store.events)
    if store.hub is not None:
        yield from _hub(store.hub)


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
        lambda peer, now: health_of_peer(peer, now).status is PeerStatus.OK,
    ),
    ("peer_right", "Callers that a company was right about, of those that it is judged by.", lambda p, _: p.was_right),
    ("peer_judged", "Callers that a company is judged by.", lambda peer, _: peer.was_told),
)


def _peers(peers: Sequence[PeerState], now: float) -> Iterator[Metric]:
    for name, text, value_of in PEER_GAUGES:
        gauge = GaugeMetricFamily(PREFIX + name, text, labels=["peer"])
        for peer in peers:
            value = value_of(peer, now)
            if value is not None:
                gauge.add_metric([peer.name], float(value))
        yield gauge


def _events(shown: EventsShown) -> Iterator[Metric]:
    """Of each receiver, by the name that the settings give it; what waits, of those that the sender knows."""
    yield _gauge("events_sender_up", "1 while a sender of events says that it lives.", float(shown.is_sent))
    for name, field, text in EVENT_COUNTERS:
        counter = CounterMetricFamily(PREFIX + name, text, labels=["receiver"])
        for one in shown.receivers:
            counter.add_metric([one.name], float(getattr(one.state, field, 0)))
        yield counter
    for name, field, text in EVENT_GAUGES:
        gauge = GaugeMetricFamily(PREFIX + name, text, labels=["receiver"])
        for state in (one.state for one in shown.receivers if one.state is not None):
            gauge.add_metric([state.name], float(getattr(state, field)))
        yield gauge


def _hub(figures: HubFigures) -> Iterator[Metric]:
    yield _gauge("hub_up", "1 while all is exchanged with the hub.", float(figures.health.status is HubStatus.OK))
    yield _gauge("hub_outbox_rows", "Rows of ours that wait to be told.", figures.waiting)
    if figures.link is not None and figures.link.pulled_at is not None:
        at = figures.link.pulled_at
        yield _gauge("hub_last_exchange_timestamp_seconds", "When all was exchanged last, UTC seconds.", at)


def _doctor(findings: Findings | None, now: float) -> Iterator[Metric]:
    if findings is None:
        return
    checks = GaugeMetricFamily(f"{PREFIX}doctor_checks", "Checks of the doctor, by what root found.", labels=["status"])
    for status in CheckStatus:
        checks.add_metric([status.value], sum(check.status is status for check in findings.checks))
    yield checks
    yield _gauge("doctor_age_seconds", "Since the doctor looked as root.", now - findings.at)
