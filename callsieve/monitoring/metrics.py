"""The metrics for Prometheus, as text. docs/reference/metrics.md describes each metric.

Values of labels come only from closed sets such as actions. They are never a number, a person or a caller's text.
"""

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
    """A metric. `samples`: values by value of `label`. A metric without a label has one value, with an empty key."""

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

# Counters without labels: name, attribute of Telemetry, description. All since the daemon's start.
COUNTERS = (
    ("requests", "server.accepted", "Accepted connections from Asterisk."),
    ("calls_abandoned", "server.abandoned", "Calls that hung up before they were answered."),
    ("calls_over_limit", "server.over_limit", "Calls let through at once, because too many others were being decided."),
    ("protocol_errors", "server.protocol_errors", "Malformed requests, or requests with a repeated key."),
    ("commands_refused", "server.refused_commands", "Calls in which Asterisk refused a command."),
    (
        "strangers",
        "server.strangers",
        "Refused connections of local users other than Asterisk's user, root and the daemon's user.",
    ),
    ("store_refused", "store_refused", "Calls decided without the store, because it had not answered recently."),
    (
        "calls_unrecorded",
        "unrecorded",
        "Calls of other switches that were decided but not recorded, because there were too many.",
    ),
    ("log_lines_lost", "log_lost", "Log lines that were lost because standard error was read too slowly."),
    ("journal_dropped", "journal_dropped", "Decisions that were lost because the store did not accept them."),
)
GAUGES = (
    ("daemon_start_time_seconds", "started_at", "Unix time of the daemon's start."),
    ("observing", "observing", "1 if the default policy is in observe mode, which only records."),
    ("calls_in_flight", "server.in_flight", "Calls whose decision is in progress."),
    ("store_breaker_open", "breaker_open", "1 if the store is not queried, because it does not answer."),
    ("journal_waiting", "journal_waiting", "Decisions that are not written to the store yet."),
    ("journal_degraded", "journal_degraded", "1 if the store accepts no decisions."),
)
LISTENING_COUNTERS = (
    ("ami_events", "events", "AMI events that were read."),
    ("ami_events_dropped", "events_dropped", "AMI events that were dropped because too many came at once."),
    ("ami_gaps", "gaps", "Gaps in the AMI events. Nothing is learnt from calls during a gap."),
    ("ami_connects", "connects", "Connections to Asterisk's manager interface."),
    ("outcomes", "outcomes", "Calls whose outcome was recorded."),
    ("outcomes_dropped", "outcomes_dropped", "Calls whose outcome was lost because the store did not accept it."),
)
LISTENING_GAUGES = (
    ("ami_connected", "connected", "1 if the daemon is connected to Asterisk's manager interface."),
    ("ami_behind_seconds", "behind_seconds", "Seconds since the oldest AMI event that is not processed yet."),
    ("outcomes_waiting", "outcomes_waiting", "Call outcomes that are not written to the store yet."),
)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def exposition(telemetry: Telemetry | None, others: Iterable[MetricFamily], now: float) -> bytes:
    """Return all metrics as text for Prometheus. The daemon counts as down without a recent report (`telemetry`)."""
    current = telemetry if is_fresh(telemetry, now) else None
    families = [single("daemon_up", "1 if the daemon runs and writes its regular report.", current is not None)]
    families += _of_daemon(current) if current is not None else []
    registry = CollectorRegistry()
    times = [] if current is None else [_decision_times(current)]
    registry.register(_Families([*map(_written, families), *times, *map(_written, others)]))
    return generate_latest(registry)


def _written(family: MetricFamily) -> Metric:
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    metric = kind(PREFIX + family.name, family.text, labels=[family.label] if family.label else [])
    for value, sample in family.samples.items():
        metric.add_metric([value] if family.label else [], float(sample))
    return metric


def _of_daemon(telemetry: Telemetry) -> Iterator[MetricFamily]:
    yield from _plain(telemetry, COUNTERS, is_counter=True)
    yield from _plain(telemetry, GAUGES)
    actions = sorted({*ACTION_BY_WORD, *telemetry.by_action} - {FAIL_OPEN_RULE})
    decided = {action: telemetry.by_action.get(action, 0) for action in actions}
    yield MetricFamily("calls_decided", "Decisions by action.", decided, "action", is_counter=True)
    reasons = sorted({*(reason.value for reason in FailOpen), *telemetry.server.failed_open})
    failed = {reason: telemetry.server.failed_open.get(reason, 0) for reason in reasons}
    yield MetricFamily(
        "calls_failed_open", "Calls that went on without a decision, by reason.", failed, "reason", is_counter=True
    )
    if telemetry.look_ups is not None:
        results = {
            result: getattr(telemetry.look_ups, result) for result in ("more", "nothing", "late", "failed", "skipped")
        }
        text = "Look-ups at outside services, by result."
        yield MetricFamily("lookups", text, results, "result", is_counter=True)
    if telemetry.listening is not None:
        yield from _plain(telemetry.listening, LISTENING_COUNTERS, is_counter=True)
        yield from _plain(telemetry.listening, LISTENING_GAUGES)


def _plain(
    record: object, table: Iterable[tuple[str, str, str]], *, is_counter: bool = False
) -> Iterator[MetricFamily]:
    for name, field, text in table:
        yield MetricFamily(name, text, {"": attrgetter(field)(record)}, is_counter=is_counter)


def _decision_times(telemetry: Telemetry) -> Metric:
    family = HistogramMetricFamily(
        f"{PREFIX}decision_seconds", "Time that a decision took, including reading the store."
    )
    bounds = [*(f"{milliseconds / 1000:g}" for milliseconds in BUCKETS_MS), "+Inf"]
    total = 0
    buckets = [(bound, float(total := total + count)) for bound, count in zip(bounds, telemetry.took, strict=True)]
    family.add_metric([], buckets, telemetry.took_seconds)
    return family


def doctor_metrics(findings: Findings, now: float) -> Iterator[MetricFamily]:
    """Yield how many checks of the doctor's last run as root have each status, and how long ago that run was."""
    by_status = {status.value: sum(check.status is status for check in findings.checks) for status in CheckStatus}
    yield MetricFamily(
        "doctor_checks", "Checks of `callsieve doctor` that ran as root, by status.", by_status, "status"
    )
    yield single("doctor_age_seconds", "Seconds since `callsieve doctor` ran as root.", now - findings.at)
