"""The health check of events: whether a sender runs, receivers accept events, and no event is undeliverable."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from callsieve.capability import Capabilities
from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, and_more, ok, warn
from callsieve.events.kinds import EventKind
from callsieve.events.operations import EventsShown, events_shown
from callsieve.monitoring.metrics import MetricFamily, single
from callsieve.settings import Loaded, Settings
from callsieve.source_health import SourceStatus
from callsieve.telemetry import Telemetry, is_fresh
from callsieve.text.times import ago, when
from reputation.events import DaemonTrouble
from reputation.store.outbox import emit_change, is_wanted, state_of
from reputation.wording import Places, Wording

START = "systemctl enable --now callsieve-events"
LIST = "callsieve events list"


def are_delivered(context: CheckContext) -> Finding:
    """Check that each receiver gets its events."""
    return context.judge_store(lambda db, now: _judged(events_shown(db, context.loaded.settings, now)))


def _judged(shown: EventsShown) -> Finding:
    if not shown.receivers:
        return ok(NONE)
    if not shown.is_sent:
        return warn(Wording("the sender of events is not running, so receivers get no events"), START)
    failing = sorted(
        (receiver.failing_since or 0.0, receiver.name)
        for receiver in shown.receivers
        if receiver.health is SourceStatus.FAILED
    )
    if failing:
        failure: Places = {
            "receivers": ", ".join(name for _, name in failing),
            "when": when(failing[0][0]),
            "count": shown.dead_letters,
        }
        return warn(Wording("{receivers}: failing since {when}; dead letters: {count:,}", failure), LIST)
    ill = [receiver for receiver in shown.receivers if receiver.health is not SourceStatus.OK]
    if ill:
        about: Places = {"receiver": ill[0].name, "health": Wording(ill[0].health.words)}
        return warn(and_more(Wording("{receiver}: {health}", about), len(ill) - 1), LIST)
    if shown.dead_letters:
        words = Wording("dead letters: {count}", {"count": shown.dead_letters})
        return warn(words, "callsieve events dead")
    latest = max(
        (receiver.state.delivered_at or 0.0 for receiver in shown.receivers if receiver.state is not None), default=0.0
    )
    count: Places = {"count": len(shown.receivers)}
    if not latest:
        return ok(Wording("receivers: {count}, no event sent yet", count))
    return ok(Wording("receivers: {count}, last event {when}", {**count, "when": ago(latest, shown.now)}))


EVENT_COUNTERS = (
    ("events_delivered", "delivered", "Events that a receiver accepted."),
    ("events_attempts_failed", "failed", "Failed attempts to deliver an event to a receiver."),
    ("events_given_up", "dead", "Events whose delivery to a receiver was given up."),
    ("events_lost", "lost", "Events deleted before their delivery, because they were too old or too many."),
)
EVENT_GAUGES = (
    ("events_waiting", "waiting", "Events that wait for a receiver."),
    (
        "events_dead_letters",
        "dead_letters",
        "Events whose delivery was given up and that can be sent again (dead letters).",
    ),
)


def event_metrics(shown: EventsShown) -> Iterator[MetricFamily]:
    """Yield the metrics of each receiver, labelled by its name in the settings."""
    if not shown.receivers:
        return
    yield single("events_sender_up", "1 if a sender of events runs.", shown.is_sent)
    for name, field, text in EVENT_COUNTERS:
        counts = {receiver.name: float(getattr(receiver.state, field, 0)) for receiver in shown.receivers}
        yield MetricFamily(name, text, counts, "receiver", is_counter=True)
    for name, field, text in EVENT_GAUGES:
        values = {
            receiver.state.name: float(getattr(receiver.state, field))
            for receiver in shown.receivers
            if receiver.state is not None
        }
        yield MetricFamily(name, text, values, "receiver")


def metrics(db: sqlite3.Connection, loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return the metrics of the event receivers in the settings."""
    return event_metrics(events_shown(db, loaded.settings, now))


CHECKS = (HealthCheck(place=360, name="events", find=are_delivered),)


DAEMON: Final = "daemon"
NOT_RUNNING: Final = "the daemon is not running"
_FIGURES = re.compile(r"[0-9][0-9.,:]*")


def scheduled_checks(capabilities: Capabilities) -> list[ScheduledCheck]:
    """Return the scheduled checks that the capabilities declare."""
    return [check for checks in capabilities.load("scheduled") for check in checks]


def run_scheduled(
    db: sqlite3.Connection,
    settings: Settings,
    telemetry: Telemetry | None,
    now: float,
    scheduled: Iterable[ScheduledCheck],
) -> None:
    """Run the scheduled checks, which emit events for changes since their last run. Call it in a transaction."""
    for check in scheduled:
        if is_wanted(db, *check.kinds):
            check.run(db, settings, now)
    if is_wanted(db, EventKind.DAEMON_TROUBLE) and telemetry is not None:
        _check_daemon(db, telemetry, now)


def _check_daemon(db: sqlite3.Connection, telemetry: Telemetry, now: float) -> None:
    """Emit an event when a problem of the daemon begins, changes or ends. Changed digits alone do not count."""
    running = is_fresh(telemetry, now)
    trouble = telemetry.trouble if running else NOT_RUNNING
    if not trouble and state_of(db, DAEMON) is None:
        return
    data = DaemonTrouble(trouble=trouble, running=running)
    emit_change(db, DAEMON, _FIGURES.sub("N", trouble), EventKind.DAEMON_TROUBLE, DAEMON, now, data)
