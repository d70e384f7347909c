"""What is told to Prometheus, as text. Each name: docs/console.md.

No number, no person and no text of a caller is ever a label: actions and reasons are closed sets.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from agi.screening import BUCKETS_MS
from callsieve.doctor.stored_findings import Findings
from callsieve.health import CheckStatus
from callsieve.settings import Loaded
from callsieve.telemetry import Telemetry, is_fresh
from policies.decision import ACTION_BY_WORD, FAIL_OPEN_RULE
from policies.reasons import FailOpen


class MetricFamily(NamedTuple):
    """One metric. `samples`: by the value of the label; of a metric without a label, by the empty text."""

    name: str
    text: str
    samples: Mapping[str, float]
    label: str = ""
    is_counter: bool = False


Metrics = Callable[[sqlite3.Connection, Loaded, float], Iterable[MetricFamily]]


def single(name: str, text: str, value: float) -> MetricFamily:
    """Return a gauge without a label."""
    return MetricFamily(name, text, {"": float(value)})


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


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def exposition(telemetry: Telemetry | None, others: Iterable[MetricFamily], now: float) -> bytes:
    """Return the text that Prometheus reads. A daemon that says nothing any more is down, its last counts are left out.

    `others`: what the store, the capabilities and the doctor tell.
    """
    told = telemetry if is_fresh(telemetry, now) else None
    families = [single("daemon_up", "1 while the daemon says that it lives.", told is not None)]
    families += _of_daemon(told) if told is not None else []
    registry = CollectorRegistry()
    times = [] if told is None else [_decision_times(told)]
    registry.register(_Families([*map(_written, families), *times, *map(_written, others)]))
    return generate_latest(registry)


def _written(family: MetricFamily) -> Metric:
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    metric = kind(PREFIX + family.name, family.text, labels=[family.label] if family.label else [])
    for value, sample in family.samples.items():
        metric.add_metric([value] if family.label else [], float(sample))
    return metric


def _of_daemon(told: Telemetry) -> Iterator[MetricFamily]:
    yield from _plain(told, COUNTERS, is_counter=True)
    yield from _plain(told, GAUGES)
    actions = sorted({*ACTION_BY_WORD, *told.by_action} - {FAIL_OPEN_RULE})
    decided = {action: told.by_action.get(action, 0) for action in actions}
    yield MetricFamily("calls_decided", "Decisions by the action that was ordered.", decided, "action", is_counter=True)
    reasons = sorted({*(one.value for one in FailOpen), *told.server.failed_open})
    failed = {reason: told.server.failed_open.get(reason, 0) for reason in reasons}
    yield MetricFamily("calls_failed_open", "Calls that went on undecided, by why.", failed, "reason", is_counter=True)
    if told.look_ups is not None:
        results = {
            result: getattr(told.look_ups, result) for result in ("more", "nothing", "late", "failed", "skipped")
        }
        text = "Look-ups at others for calls, by what came of them in time."
        yield MetricFamily("lookups", text, results, "result", is_counter=True)
    if told.listening is not None:
        yield from _plain(told.listening, LISTENING_COUNTERS, is_counter=True)
        yield from _plain(told.listening, LISTENING_GAUGES)


def _plain(told: object, table: Iterable[tuple[str, str, str]], *, is_counter: bool = False) -> Iterator[MetricFamily]:
    for name, field, text in table:
        yield MetricFamily(name, text, {"": attrgetter(field)(told)}, is_counter=is_counter)


def _decision_times(telemetry: Telemetry) -> Metric:
    """Cumulative, as Prometheus wants it."""
    family = HistogramMetricFamily(f"{PREFIX}decision_seconds", "How long a decision took, the store's read included.")
    bounds = [*(f"{milliseconds / 1000:g}" for milliseconds in BUCKETS_MS), "+Inf"]
    total = 0
    buckets = [(bound, float(total := total + count)) for bound, count in zip(bounds, telemetry.took, strict=True)]
    family.add_metric([], buckets, telemetry.took_seconds)
    return family


def doctor_metrics(findings: Findings, now: float) -> Iterator[MetricFamily]:
    """Return what root's doctor found, by status, and when."""
    by_status = {status.value: sum(check.status is status for check in findings.checks) for status in CheckStatus}
    yield MetricFamily("doctor_checks", "Checks of the doctor, by what root found.", by_status, "status")
    yield single("doctor_age_seconds", "Since the doctor looked as root.", now - findings.at)
