"""The health check of events: somebody sends them, receivers take them, and nothing waits for a look."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from callsieve.capability import Capabilities
from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ScheduledCheck, and_more, ok, warn
from callsieve.events.kinds import EventKind
from callsieve.events.operations import EventsShown, ReceiverHealth, events_shown
from callsieve.monitoring.metrics import MetricFamily, single
from callsieve.settings import Loaded, Settings
from callsieve.telemetry import Telemetry, is_fresh
from callsieve.text.times import ago, when
from reputation.events import DaemonTrouble
from reputation.store.outbox import is_wanted, state_of, tell_change
from reputation.wording import Places, Wording

START = "systemctl enable --now callsieve-events"
LIST = "callsieve events list"


def are_delivered(context: CheckContext) -> Finding:
    """Receivers of the settings are told what happens."""
    return context.judge_store(lambda db, now: _judged(events_shown(db, context.loaded.settings, now)))


def _judged(shown: EventsShown) -> Finding:
    if not shown.receivers:
        return ok(NONE)
    if not shown.is_sent:
        return warn(Wording("nobody sends them to the receivers of the settings"), START)
    failing = sorted(
        (one.failing_since or 0.0, one.name) for one in shown.receivers if one.health is ReceiverHealth.FAILING
    )
    if failing:
        told: Places = {
            "receivers": ", ".join(name for _, name in failing),
            "when": when(failing[0][0]),
            "count": shown.dead_letters,
        }
        return warn(Wording("{receivers}: failing since {when}; dead letters: {count:,}", told), LIST)
    ill = [one for one in shown.receivers if one.health is not ReceiverHealth.OK]
    if ill:
        about: Places = {"receiver": ill[0].name, "health": Wording(ill[0].health.words)}
        return warn(and_more(Wording("{receiver}: {health}", about), len(ill) - 1), LIST)
    if shown.dead_letters:
        words = Wording("events that a receiver did not take: {count}", {"count": shown.dead_letters})
        return warn(words, "callsieve events dead")
    latest = max((one.state.delivered_at or 0.0 for one in shown.receivers if one.state is not None), default=0.0)
    count: Places = {"count": len(shown.receivers)}
    if not latest:
        return ok(Wording("receivers: {count}, none was told anything yet", count))
    return ok(Wording("receivers: {count}, told last {when}", {**count, "when": ago(latest, shown.now)}))


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


def event_metrics(shown: EventsShown) -> Iterator[MetricFamily]:
    """Return how each receiver does, by the name that the settings give it; what waits, of those the sender knows."""
    if not shown.receivers:
        return
    yield single("events_sender_up", "1 while a sender of events says that it lives.", shown.is_sent)
    for name, field, text in EVENT_COUNTERS:
        counts = {one.name: float(getattr(one.state, field, 0)) for one in shown.receivers}
        yield MetricFamily(name, text, counts, "receiver", is_counter=True)
    for name, field, text in EVENT_GAUGES:
        values = {one.state.name: float(getattr(one.state, field)) for one in shown.receivers if one.state is not None}
        yield MetricFamily(name, text, values, "receiver")


def metrics(db: sqlite3.Connection, loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return what /metrics shows of events."""
    return event_metrics(events_shown(db, loaded.settings, now))


CHECKS = (HealthCheck(place=360, name="events", find=are_delivered),)


DAEMON: Final = "daemon"
NOT_RUNNING: Final = "the daemon does not run"
_FIGURES = re.compile(r"[0-9][0-9.,:]*")


def scheduled_checks(capabilities: Capabilities) -> list[ScheduledCheck]:
    """Return those that the capabilities declare."""
    return [check for checks in capabilities.load("scheduled") for check in checks]


def look(
    db: sqlite3.Connection,
    settings: Settings,
    telemetry: Telemetry | None,
    now: float,
    scheduled: Iterable[ScheduledCheck],
) -> None:
    """Tell what has changed since the last look. Call it in a transaction."""
    for check in scheduled:
        if is_wanted(db, *check.kinds):
            check.run(db, settings, now)
    if is_wanted(db, EventKind.DAEMON_TROUBLE) and telemetry is not None:
        _look_at_daemon(db, telemetry, now)


def _look_at_daemon(db: sqlite3.Connection, telemetry: Telemetry, now: float) -> None:
    """Tell once of each trouble, whatever its figures, and once when there is none any more."""
    running = is_fresh(telemetry, now)
    trouble = telemetry.trouble if running else NOT_RUNNING
    if not trouble and state_of(db, DAEMON) is None:
        return
    data = DaemonTrouble(trouble=trouble, running=running)
    tell_change(db, DAEMON, _FIGURES.sub("N", trouble), EventKind.DAEMON_TROUBLE, DAEMON, now, data)
